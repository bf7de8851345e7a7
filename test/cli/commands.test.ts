// The table of commands: every command is complete, the reference and the completion scripts match it, and a mistake in the
// command line is reported with the usage.
import { describe, expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../../src/cli/command.ts';
import { renderCompletion, SHELLS } from '../../src/cli/completion.ts';
import { EXIT_CODES, renderReference } from '../../src/cli/help.ts';
import { COMMANDS } from '../../src/commands.ts';

const commands: Readonly<Record<string, Command>> = COMMANDS;
const names = Object.keys(commands);

describe('the table', () => {
  test('has every command of the specification', () => {
    const wanted =
      'up status logs start stop restart reload signal exec wait health events timeline graph check schema init completion version help';
    expect(names).toEqual(expect.arrayContaining(wanted.split(' ')));
  });

  test.each(names)('%s has a summary, a usage, an example, and a summary for every flag', (name) => {
    const { summary = '', usage = '', example = '', flags = {} } = commands[name] ?? {};
    expect(summary).toMatch(/^[a-z].{9,}[^.]$/);
    expect(usage).toMatch(new RegExp(`^svc-super (\\[up\\]|${name})`));
    expect(example).toContain(name === 'check' ? 'check' : name);
    for (const [flag, { summary: about }] of Object.entries(flags)) {
      expect(`${flag}: ${about}`).toMatch(/: .{8,}/);
      expect(`${usage} --${flag}`.includes(`--${flag}`) || usage.includes(`-${flag[0]}`)).toBe(true);
    }
    const shorts = Object.values(flags).flatMap(({ short }) => short ?? []);
    expect(new Set([...shorts, 'h']).size).toBe(shorts.length + 1);
  });
});

// SVC_TEST_WRITE=1 updates the file.
test('docs/commands.md matches the table', () => {
  const file = join(import.meta.dir, '../../docs/commands.md');
  const text = renderReference(commands, EXIT_CODES);
  if (process.env.SVC_TEST_WRITE === '1') writeFileSync(file, text);
  expect(readFileSync(file, 'utf8')).toBe(text);
});

describe('completion', () => {
  test.each(SHELLS)('%s: every command and flag is in the script', (shell) => {
    const script = renderCompletion(shell, commands);
    for (const [name, { flags }] of Object.entries(commands)) {
      expect(script).toContain(name);
      for (const flag of Object.keys(flags)) expect(script).toContain(shell === 'fish' ? `-l ${flag}` : `--${flag}`);
    }
  });

  const complete = (...words: readonly string[]) => {
    const given = words.map((word) => `'${word}'`).join(' ');
    const script = `svc-super() { printf 'vllm\\nweb\\n'; }
${renderCompletion('bash', commands)}
COMP_WORDS=(svc-super ${given}); COMP_CWORD=${words.length}; _svc_super; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return Bun.spawnSync(['bash', '-c', script]).stdout.toString().trim().split('\n');
  };

  test('bash completes commands, flags and the names of services', () => {
    expect(complete('sta')).toEqual(['status', 'start']);
    expect(complete('wait', '--t')).toEqual(['--timeout']);
    expect(complete('restart', 'vl')).toEqual(['vllm']);
    expect(complete('completion', 'z')).toEqual(['zsh']);
    expect(complete('nonsense', 'x')).toEqual(['']);
  });

  test('each script is valid for its shell', () => {
    for (const shell of SHELLS) {
      if (Bun.which(shell) === null) continue;
      const { exitCode, stderr } = Bun.spawnSync([shell, '-n'], {
        stdin: Buffer.from(renderCompletion(shell, commands)),
      });
      expect([shell, exitCode, stderr.toString()]).toEqual([shell, 0, '']);
    }
  });
});
