// The completion scripts: every command and flag is in each, and bash completes with its script.
import { expect, test } from 'bun:test';
import type { CommandContext } from '../../../src/cli/command.ts';
import completion from '../../../src/cli/commands/completion.ts';
import { renderCompletion, SHELLS } from '../../../src/cli/completion-scripts.ts';
import { flagsOf } from '../../../src/cli/flags.ts';
import { loadCommands } from '../../../src/cli/help.ts';
import { COMMANDS } from '../../../src/cli/table.ts';
import { memoryFiles } from '../../config/rig.ts';

const commands = await loadCommands(COMMANDS);

test.each(SHELLS)('%s: every command and flag is in the script', (shell) => {
  const script = renderCompletion(shell, commands);
  for (const [name, command] of Object.entries(commands)) {
    expect(script).toContain(name);
    for (const flag of Object.keys(flagsOf(command)))
      expect(script).toContain(shell === 'fish' ? `-l ${flag}` : `--${flag}`);
  }
});

const complete = (...words: readonly string[]) => {
  const given = words.map((word) => `'${word}'`).join(' ');
  const script = `svc-super() { if [ "$2" = groups ]; then echo backend; else printf 'vllm\\nweb\\n'; fi; }
${renderCompletion('bash', commands)}
COMP_WORDS=(svc-super ${given}); COMP_CWORD=${words.length}; _svc_super; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return Bun.spawnSync(['bash', '-c', script]).stdout.toString().trim().split('\n');
};

test('bash completes commands, flags and the names of services', () => {
  expect(complete('sta')).toEqual(['status', 'start']);
  expect(complete('wait', '--ti')).toEqual(['--timeout']);
  expect(complete('restart', 'vl')).toEqual(['vllm']);
  expect(complete('logs', '-f', 'w')).toEqual(['web']);
  expect(complete('completion', 'z')).toEqual(['zsh']);
  expect(complete('nonsense', 'x')).toEqual(['']);
});

test('bash completes the values of flags, and arguments by their place', () => {
  expect(complete('start', '--group', '')).toEqual(['backend']);
  expect(complete('stop', '-g', 'b')).toEqual(['backend']);
  expect(complete('wait', '--for', 's')).toEqual(['stopped']);
  expect(complete('logs', '-n', 'w')).toEqual(['']);
  expect(complete('check', '-f', '/etc/hostn')).toEqual(['/etc/hostname']);
  expect(complete('-f', '/etc/hostn')).toEqual(['/etc/hostname']);
  expect(complete('signal', 'US')).toEqual(['USR1', 'USR2']);
  expect(complete('signal', 'USR1', 'w')).toEqual(['web']);
  expect(complete('import', 'comp')).toEqual(['compose']);
  expect(complete('import', 'compose', '/etc/hostn')).toEqual(['/etc/hostname']);
});

test('without a supervisor the names are those of the configuration', async () => {
  const text = `services:
  db: {command: a, group: backend, replicas: 2}
  shell: {command: b, profiles: [debug, gpu]}
  web: {command: c, group: backend, profiles: [debug]}
`;
  const namesOf = async (what: string) => {
    let printed = '';
    const context: Partial<CommandContext> = {
      environment: {},
      cwd: '/app',
      files: memoryFiles({ './services.yaml': text, '/app/services.yaml': text }),
      dial: () => ({ ok: false, looked: [] }),
      out: (line) => {
        printed += line;
      },
    };
    const given = { values: {}, positionals: [what] };
    expect(await completion.run(context as CommandContext, given, COMMANDS)).toBe(0);
    return printed;
  };
  expect(await namesOf('services')).toBe('db\nshell\nweb\n');
  expect(await namesOf('groups')).toBe('backend\n');
  expect(await namesOf('profiles')).toBe('debug\ngpu\n');
});
