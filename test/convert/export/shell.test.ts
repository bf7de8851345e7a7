// The wrapper around a command in a container of its own, run by a real shell: environment, secrets, umask, nice, hook.
import { afterAll, expect, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wrappedCommand } from '../../../src/convert/export/shell.ts';
import { readSource } from '../../../src/convert/export/source.ts';
import { quoteWord } from '../../../src/convert/words.ts';

const folder = mkdtempSync(join(tmpdir(), 'svc-super-wrapper-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function wrapped(service: object, top: object = {}): readonly string[] {
  const source = readSource('services.yaml', JSON.stringify({ ...top, services: { a: service } }));
  if (!source.ok) throw new Error(JSON.stringify(source.error.diagnostics));
  const [first] = source.value.services;
  if (first === undefined) throw new Error('no service');
  return wrappedCommand(source.value, first);
}

function run(service: object, top: object = {}) {
  const { exitCode, stdout } = Bun.spawnSync([...wrapped(service, top)], {
    cwd: folder,
    env: { PATH: '/usr/bin:/bin' },
  });
  return [exitCode, stdout.toString()];
}

test('a command that needs nothing is left as it is', () => {
  expect(wrapped({ command: ['a', 'b c'] })).toEqual(['a', 'b c']);
});

test('arguments arrive unchanged, whatever is in them', () => {
  const words = ['plain', '', 'two words', "it's", '$HOME', '`x`', 'a\nb', '*', '\\', '"'];
  const command = ['printf', '<%s>', ...words];
  expect(run({ command, umask: '022' })).toEqual([0, words.map((word) => `<${word}>`).join('')]);
});

test('umask, nice, the virtual environment and values from files are in force', () => {
  writeFileSync(join(folder, 'token'), 'geheim $x\n\n');
  mkdirSync(join(folder, 'venv/bin'), { recursive: true });
  writeFileSync(
    join(folder, 'venv/bin/tool'),
    '#!/bin/sh\necho "$VIRTUAL_ENV"; umask; nice; printf "<%s>" "$TOKEN" "$TOP"\n',
    { mode: 0o755 },
  );
  const env = { TOKEN: { file: join(folder, 'token') } };
  const service = { command: ['tool'], umask: '027', nice: 3, venv: join(folder, 'venv'), env };
  const top = { env: { TOP: { file: join(folder, 'token') } } };
  expect(run(service, top)).toEqual([0, `${join(folder, 'venv')}\n0027\n3\n<geheim $x><geheim $x>`]);
});

test('`before_start` runs first, and its failure is the end', () => {
  const command = ['echo', 'program'];
  expect(run({ command, hooks: { before_start: 'echo hook' } })).toEqual([0, 'hook\nprogram\n']);
  expect(run({ command, hooks: { before_start: ['sh', '-c', 'exit 6'] } })).toEqual([6, '']);
  expect(run({ command, env: { T: { file: '/nothing' } } })).toEqual([1, '']);
});

test('words are quoted so that a shell reads them back', () => {
  expect(['a-b/c:1', "it's", '', 'a b'].map(quoteWord)).toEqual(['a-b/c:1', "'it'\\''s'", "''", "'a b'"]);
});
