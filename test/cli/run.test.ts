// The command line before a command runs: which command is meant, and what a mistyped word or flag is answered with.
import { expect, test } from 'bun:test';
import type { CommandContext } from '../../src/cli/command.ts';
import { runCommand } from '../../src/cli/run.ts';
import { memoryFiles } from '../config/rig.ts';

/** Runs a command line where there is no configuration and no supervisor. */
async function run(...argv: readonly string[]) {
  let printed = '';
  const context: Partial<CommandContext> = {
    environment: {},
    cwd: '/',
    files: memoryFiles({}),
    version: '1.2.3',
    out: (text) => {
      printed += text;
    },
    err: (text) => {
      printed += text;
    },
  };
  return { code: await runCommand(argv, context as CommandContext), printed };
}

test('a word that is neither a command nor a service: the commands are listed, with the closest', async () => {
  const { code, printed } = await run('statsu');
  expect(code).toBe(64);
  expect(printed).toMatch(
    /^svc-super: there is no command statsu, .*the commands are up, .*; did you mean `status`\?\n$/,
  );
  expect((await run('nonsense')).printed).not.toContain('did you mean');
});

test('`help` of a command that does not exist', async () => {
  expect(await run('help', 'lgos')).toEqual({
    code: 64,
    printed: 'svc-super: there is no command lgos; did you mean `logs`?\n',
  });
});

test('a mistyped flag, before the usage', async () => {
  expect(await run('version', '--jsn')).toEqual({
    code: 64,
    printed: 'svc-super: there is no flag --jsn; did you mean `--json`?\nusage: svc-super version [--json]\n',
  });
});

test('flags before the command', async () => {
  const { code, printed } = await run('--url', 'http://127.0.0.1:9100', 'status', 'web');
  expect(code).toBe(64);
  expect(printed).toStartWith('svc-super: the command comes before its flags: svc-super status --url ...\n');
});

test('flags after `up`, before a service that is called like a command', async () => {
  const { printed } = await run('up', '--bad-flag', 'logs');
  expect(printed).toStartWith('svc-super: there is no flag --bad-flag\nusage: svc-super [up]');
});

test('a word that every object has as a property is neither a command nor a flag', async () => {
  for (const word of ['constructor', 'toString', '__proto__']) {
    const { code, printed } = await run(word);
    expect([code, printed]).toEqual([64, expect.stringContaining(`there is no command ${word}`)]);
  }
});

test('-V and --help stand for a command', async () => {
  expect(await run('-V')).toEqual({ code: 0, printed: 'svc-super 1.2.3\n' });
  expect((await run('--help')).printed).toContain('usage: svc-super [COMMAND] [OPTION...]\n');
});

test('timeline does not ignore one of two forms', async () => {
  const { code, printed } = await run('timeline', '--svg', 'x.svg', '--json');
  expect([code, printed]).toEqual([64, expect.stringContaining('timeline takes --svg or --json, and not both')]);
});
