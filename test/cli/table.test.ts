// The table of commands: every command is complete, has a file, and the reference matches it.
import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { flagsOf } from '../../src/cli/flags.ts';
import { loadCommands } from '../../src/cli/help.ts';
import { EXIT_CODES, renderReference } from '../../src/cli/reference.ts';
import { COMMANDS } from '../../src/cli/table.ts';

const commands = await loadCommands(COMMANDS);
const names = Object.keys(commands);

describe('the table', () => {
  test('has every command of the specification', () => {
    const wanted =
      'up status logs start stop restart reload signal exec wait health events timeline graph check schema init completion version help';
    expect(names).toEqual(expect.arrayContaining(wanted.split(' ')));
  });

  test.each(names)('%s has a summary, a usage, an example, and a summary for every flag', (name) => {
    const command = commands[name];
    if (command === undefined) throw new Error(`no command ${name}`);
    const { summary, usage, example } = command;
    const flags = flagsOf(command);
    expect(summary).toMatch(/^[a-z].{9,}[^.]$/);
    expect(usage).toMatch(new RegExp(`^svc-super (\\[up\\]|${name})`));
    expect(example).toContain(name === 'check' ? 'check' : name);
    for (const [flag, { summary: about }] of Object.entries(flags)) {
      expect(`${flag}: ${about}`).toMatch(/: .{8,}/);
      expect(`${usage} --${flag}`.includes(`--${flag}`) || usage.includes(`-${flag[0]}`)).toBe(true);
    }
    const shorts = Object.values(flags).flatMap(({ short }) => short ?? []);
    expect(new Set(shorts).size).toBe(shorts.length);
  });

  test('has every file of commands/, and no other', () => {
    const files = readdirSync(join(import.meta.dir, '../../src/cli/commands')).map((file) => file.replace('.ts', ''));
    expect(files.sort()).toEqual([...names].sort());
  });
});

// SVC_TEST_WRITE=1 updates the file.
test('docs/commands.md matches the table', () => {
  const file = join(import.meta.dir, '../../docs/commands.md');
  const text = renderReference(commands, EXIT_CODES);
  if (process.env.SVC_TEST_WRITE === '1') writeFileSync(file, text);
  expect(readFileSync(file, 'utf8')).toBe(text);
});
