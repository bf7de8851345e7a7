// Log files that somebody else rotates, as logrotate does: moved away, then HUP or `svc-super reload` says so, and every
// file is opened anew at its path. No line is lost, doubled or torn, and nobody writes to what was moved any more.
import { expect, test } from 'bun:test';
import {
  chmodSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isRoot, played, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

const leaves = ['logs'];
const logging = (fields: object = {}) => ({
  services: { a: played({ log: { file: { path: 'logs/a.log' } }, ...fields }) },
});

const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, n) => `line ${from + n}\n`).join('');

function contents(run: Run, name: string): string {
  const path = join(run.folder, 'logs', name);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

const move = (run: Run, to: string): void => renameSync(join(run.folder, 'logs/a.log'), join(run.folder, 'logs', to));

/** A run whose file holds a line, moved away: the next one belongs into a new file. */
async function moved(run: Run) {
  const a = await run.puppet('a');
  await run.state('a', 'ready');
  await a.print('before');
  await until('the first line', () => contents(run, 'a.log') === 'before\n');
  move(run, 'a.log.1');
  return a;
}

const reopened = (run: Run) => existsSync(join(run.folder, 'logs/a.log'));

test('svc-super reload opens a moved file anew before it ends, though nothing has changed', async () => {
  await using run = await up(logging(), { leaves });
  const a = await moved(run);
  const { code, stdout } = await run.command('reload');
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'nothing has changed\n' });
  expect(reopened(run)).toBe(true);
  await a.print('after');
  await until('the line in the new file', () => contents(run, 'a.log') === 'after\n');
  expect(contents(run, 'a.log.1')).toBe('before\n');
  await a.exit(0);
  await run.ends(0);
});

test('HUP does too', async () => {
  await using run = await up(logging(), { leaves });
  const a = await moved(run);
  run.signal('SIGHUP');
  await until('the new file', () => reopened(run));
  await a.print('after');
  await until('the line in the new file', () => contents(run, 'a.log') === 'after\n');
  expect(contents(run, 'a.log.1')).toBe('before\n');
  await a.exit(0);
  await run.ends(0);
});

test('where a service has HUP forwarded, svc-super reload is what opens files anew', async () => {
  await using run = await up(logging({ forward: ['HUP'] }), { leaves });
  const a = await moved(run);
  await a.trap('HUP');
  run.signal('SIGHUP');
  await a.signalled('SIGHUP');
  expect(reopened(run)).toBe(false);
  expect((await run.command('reload')).code).toBe(0);
  expect(reopened(run)).toBe(true);
  await a.exit(0);
  await run.ends(0);
});

test('a wrong configuration does not hinder it, a dry run does not do it', async () => {
  await using run = await up(logging(), { leaves });
  const a = await moved(run);
  expect((await run.command('reload', '--dry-run')).code).toBe(0);
  expect(reopened(run)).toBe(false);
  writeFileSync(join(run.folder, 'services.yaml'), '{ services: 1 }');
  expect((await run.command('reload')).code).toBe(78);
  expect(reopened(run)).toBe(true);
  await a.exit(0);
  await run.ends(0);
});

test('moved again and again in the midst of output, the files together have every line once', async () => {
  await using run = await up(logging(), { leaves });
  const a = await run.puppet('a');
  await a.print('begins');
  await until('the file', () => reopened(run));
  // All of it is less than may wait for a slow disk: none may be left out.
  const rounds = 20;
  const sizes: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const writing = a.write(1, numbered(round * 2_000, (round + 1) * 2_000));
    move(run, `a.log.${round}`);
    expect((await run.command('reload')).code).toBe(0);
    // As large as it will ever be: it may be compressed from here on.
    sizes.push(statSync(join(run.folder, `logs/a.log.${round}`)).size);
    await writing;
  }
  await a.exit(0);
  await run.ends(0);
  const old = Array.from({ length: rounds }, (_, round) => contents(run, `a.log.${round}`));
  expect(old.map(({ length }) => length)).toEqual(sizes);
  expect([...old, contents(run, 'a.log')].join('')).toBe(`begins\n${numbered(0, rounds * 2_000)}`);
  expect(old.every((text) => text === '' || text.endsWith('\n'))).toBe(true);
});

test('a file that is truncated in place is written on from its beginning', async () => {
  await using run = await up(logging(), { leaves });
  const a = await run.puppet('a');
  await a.print('before');
  await until('the first line', () => contents(run, 'a.log') === 'before\n');
  truncateSync(join(run.folder, 'logs/a.log'));
  await a.print('after');
  await until('the second line', () => contents(run, 'a.log') === 'after\n');
  await a.exit(0);
  await run.ends(0);
});

for (const how of ['by itself', 'by reload'] as const) {
  test(`a folder that is removed is made again ${how}, with one notice, and standard output lacks nothing`, async () => {
    await using run = await up(logging(), { leaves });
    const a = await run.puppet('a');
    await a.print('before');
    await until('the first line', () => contents(run, 'a.log') === 'before\n');
    rmSync(join(run.folder, 'logs'), { recursive: true });
    if (how === 'by reload') expect((await run.command('reload')).code).toBe(0);
    let count = 0;
    await until('a line in the new file', async () => {
      count += 1;
      await a.print(`after ${count}`);
      return contents(run, 'a.log').includes('after');
    });
    await run.line(/log file: .*a\.log was removed, and its lines are lost; a new file is created/);
    await a.exit(0);
    await run.ends(0);
    expect(run.lines.filter((text) => text.includes('log file: ')).length).toBe(1);
    const after = Array.from({ length: count }, (_, n) => `a | after ${n + 1}\n`).join('');
    const printed = run.output
      .bytes('stdout')
      .toString()
      .replaceAll(/^a +\|/gm, 'a |');
    expect(printed).toBe(`a | before\n${after}`);
  });
}

// The superuser may write anything; without its rights a mode is a mode.
const plain = isRoot ? { before: 'exec setpriv --inh-caps=-all --bounding-set=-all "$0" "$@"' } : {};

test('a file that may not be written any more costs one notice, one more when it may, and nothing of standard output', async () => {
  await using run = await up(logging(), { leaves, ...plain });
  const a = await run.puppet('a');
  await a.print('before');
  await until('the first line', () => contents(run, 'a.log') === 'before\n');
  const path = join(run.folder, 'logs/a.log');
  chmodSync(path, 0o444);
  expect((await run.command('reload')).code).toBe(0);
  for (let n = 0; n < 50; n += 1) await a.print(`meanwhile ${n}`);
  expect((await run.command('reload')).code).toBe(0);
  await a.print('still');
  await run.line(/\| still/);
  chmodSync(path, 0o644);
  expect((await run.command('reload')).code).toBe(0);
  await a.print('after');
  await until('the line in the file', () => contents(run, 'a.log').endsWith('after\n'));
  await run.line(/a\.log is written again; [1-9]\d* bytes are missing/);
  await a.exit(0);
  await run.ends(0);
  const notices = run.lines.filter((text) => text.includes('log file: '));
  expect(notices.map((text) => /cannot write|is written again/.exec(text)?.[0])).toEqual([
    'cannot write',
    'is written again',
  ]);
  const meanwhile = Array.from({ length: 50 }, (_, n) => `a | meanwhile ${n}\n`).join('');
  const printed = run.output
    .bytes('stdout')
    .toString()
    .replaceAll(/^a +\|/gm, 'a |');
  expect(printed).toBe(`a | before\n${meanwhile}a | still\na | after\n`);
});
