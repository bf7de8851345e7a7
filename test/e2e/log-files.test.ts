// Log files, dropped lines and colours (`log.file`, `log.drop`, `log.ansi`): on a full disk, in a removed folder, with rotation by
// another program. Whatever happens to the file, standard output has every line.
import { expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { isRoot, played, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, n) => `line ${from + n}\n`).join('');

function onStdout(run: Run): string {
  return run.output
    .bytes('stdout')
    .toString()
    .replaceAll(/^a +\| /gm, '');
}

/** The contents of all files, oldest first. */
function inFiles(folder: string, keep: number): string {
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  const unzip = (path: string): string => {
    try {
      return gunzipSync(readFileSync(path)).toString();
    } catch {
      return '';
    }
  };
  const old = Array.from({ length: keep }, (_, n) => join(folder, `a.log.${keep - n}`));
  return [...old.map((path) => unzip(`${path}.gz`) + read(path)), read(join(folder, 'a.log'))].join('');
}

test('a log file has every line without the prefix, and its folder is created', async () => {
  await using run = await up(
    { services: { a: played({ log: { file: { path: 'logs/a.log' } } }) } },
    { leaves: ['logs'] },
  );
  const a = await run.puppet('a');
  await a.write(1, numbered(0, 500));
  await a.write(2, 'to stderr\n');
  await run.line(/to stderr/);
  await run.line(/line 499/);
  await a.exit(0);
  await run.ends(0);
  const text = readFileSync(join(run.folder, 'logs/a.log'), 'utf8');
  expect(text.replace('to stderr\n', '')).toBe(numbered(0, 500));
});

test('log.stderr_file has the lines of standard error, rotated by its own size, and log.time their time', async () => {
  const log = {
    time: true,
    file: { path: 'logs/a.log' },
    stderr_file: { path: 'logs/a.err', max_size: '1KB', keep: 99 },
  };
  await using run = await up({ services: { a: played({ log }) } }, { leaves: ['logs'] });
  const a = await run.puppet('a');
  await a.write(1, 'to stdout\n');
  await a.write(2, numbered(0, 100));
  await run.line(/^a +\| \d{4}-\d\d-\d\dT[\d:.]{12}Z to stdout$/);
  await run.line(/^a +\| \S+Z line 99$/);
  await a.exit(0);
  await run.ends(0);
  const times = /^\d{4}-\d\d-\d\dT[\d:.]{12}Z /gm;
  const read = (name: string) => readFileSync(join(run.folder, 'logs', name), 'utf8');
  expect(read('a.log')).toMatch(/^\S+Z to stdout\n$/);
  const rotated = readdirSync(join(run.folder, 'logs')).filter((name) => name.startsWith('a.err.'));
  expect(rotated.length).toBeGreaterThan(2);
  const all = [...rotated.map((_, at) => read(`a.err.${rotated.length - at}`)), read('a.err')].join('');
  expect(all.replaceAll(times, '')).toBe(numbered(0, 100));
});

for (const compress of [false, true]) {
  test(`a log file is rotated by size without torn or lost lines${compress ? ', and compressed' : ''}`, async () => {
    const file = { path: 'logs/a.log', max_size: '2KB', keep: 50, compress };
    await using run = await up({ services: { a: played({ log: { file } }) } }, { leaves: ['logs'] });
    const a = await run.puppet('a');
    for (let at = 0; at < 1_000; at += 50) {
      await a.write(1, numbered(at, at + 50));
      await run.line(new RegExp(`line ${at + 49}$`));
    }
    const folder = join(run.folder, 'logs');
    await until(
      'all lines in the files',
      () => inFiles(folder, 50) === numbered(0, 1_000),
      () => inFiles(folder, 50).slice(-200),
    );
    expect(onStdout(run)).toBe(numbered(0, 1_000));
    await a.exit(0);
    await run.ends(0);
  });
}

test('only the configured number of rotated files is kept', async () => {
  const file = { path: 'logs/a.log', max_size: '1KB', keep: 2 };
  await using run = await up({ services: { a: played({ log: { file } }) } }, { leaves: ['logs'] });
  const a = await run.puppet('a');
  for (let at = 0; at < 1_000; at += 100) {
    await a.write(1, numbered(at, at + 100));
    await run.line(new RegExp(`line ${at + 99}$`));
  }
  const folder = join(run.folder, 'logs');
  await until('the last line in the file', () => inFiles(folder, 9).endsWith('line 999\n'));
  expect(inFiles(folder, 2)).toBe(inFiles(folder, 9));
  await a.exit(0);
  await run.ends(0);
});

test('a file that was moved away is created again, and so is its folder', async () => {
  await using run = await up(
    { services: { a: played({ log: { file: { path: 'logs/a.log' } } }) } },
    { leaves: ['logs', 'moved'] },
  );
  const a = await run.puppet('a');
  const folder = join(run.folder, 'logs');
  await a.print('before');
  await until('the first line', () => inFiles(folder, 0) === 'before\n');
  renameSync(folder, join(run.folder, 'moved'));
  let count = 0;
  await until('a line in the new file', async () => {
    count += 1;
    await a.print(`after ${count}`);
    return inFiles(folder, 0).includes('after');
  });
  expect(onStdout(run)).toContain('before\nafter 1\n');
  rmSync(join(run.folder, 'moved'), { recursive: true });
  await a.exit(0);
  await run.ends(0);
});

test.skipIf(!isRoot)('a full disk loses lines of the file with one notice, and none of standard output', async () => {
  const yaml = { services: { a: played({ log: { file: { path: '/mnt/a.log', max_size: '1GB' } } }) } };
  await using run = await up(yaml, { before: 'mount -t tmpfs -o size=64k tmpfs /mnt' });
  const a = await run.puppet('a');
  const text = numbered(0, 20_000);
  for (let at = 0; at < text.length; at += 8_192) await a.write(1, text.slice(at, at + 8_192));
  await run.line(/line 19999$/);
  await run.line(/log file: cannot write \/mnt\/a\.log: .*no space left.*still written to standard output/i);
  expect(onStdout(run)).toBe(text);
  expect(
    run.output
      .bytes('stderr')
      .toString()
      .match(/no space left/gi)?.length,
  ).toBe(1);
  expect((await run.status()).services[0]?.state).toBe('ready');
  await a.exit(0);
  await run.ends(0);
});

test.skipIf(!isRoot)('after a full disk the file has whole lines, and no two are joined', async () => {
  const yaml = { services: { a: played({ log: { file: { path: '/mnt/a.log', max_size: '1GB' } } }) } };
  const before = 'mount -t tmpfs -o size=64k tmpfs /mnt; head -c 32768 /dev/zero > /mnt/filler';
  await using run = await up(yaml, { before });
  const a = await run.puppet('a');
  // There is space for eight pages, which end within a line.
  await a.write(1, numbered(0, 5_000));
  await run.line(/log file: cannot write \/mnt\/a\.log/);
  const disk = `/proc/${run.outerPid}/root/mnt`;
  rmSync(join(disk, 'filler'));
  let count = 0;
  await until('a line in the file', async () => {
    count += 1;
    await a.print(`after ${count}`);
    return readFileSync(join(disk, 'a.log'), 'utf8').includes('after');
  });
  const lines = readFileSync(join(disk, 'a.log'), 'utf8').split('\n');
  expect(lines.pop()).toBe('');
  const end = lines.findIndex((line) => line.startsWith('after'));
  expect(lines.slice(0, end).join('\n')).toBe(numbered(0, end).trimEnd());
  expect(lines.slice(end).every((line) => /^after \d+$/.test(line))).toBe(true);
  await a.exit(0);
  await run.ends(0);
});

test.skipIf(!isRoot)('missing space for the compressed file is reported once, and no part of it stays', async () => {
  const file = { path: '/mnt/a.log', max_size: '60KB', keep: 9, compress: true };
  const before = 'mount -t tmpfs -o size=80k tmpfs /mnt; echo half > /mnt/a.log.3.gz.part';
  await using run = await up({ services: { a: played({ log: { file } }) } }, { before });
  const a = await run.puppet('a');
  // Compression saves only a quarter.
  const text = (size: number) => `${randomBytes(size).toString('base64').replaceAll(/.{80}/g, '$&\n').trimEnd()}\n`;
  const rotated = text(40_000);
  await a.write(1, rotated);
  const disk = `/proc/${run.outerPid}/root/mnt`;
  const content = (name: string) => (existsSync(join(disk, name)) ? readFileSync(join(disk, name), 'utf8') : '');
  await until('the first file', () => content('a.log') === rotated);
  await a.write(1, text(6_000));
  await run.line(/log file: cannot compress \/mnt\/a\.log\.1: ENOSPC/);
  expect(readdirSync(disk).sort()).toEqual(['a.log', 'a.log.1']);
  // The file was full before it was moved.
  expect(content('a.log.1').startsWith(rotated)).toBe(true);
  await a.exit(0);
  await run.ends(0);
  expect(run.lines.filter((line) => /cannot compress|a bug/.test(line)).length).toBe(1);
});

test.skipIf(!isRoot)(
  'a file that is a mount of its own cannot be moved: it is written on, and old ones stay',
  async () => {
    const before = 'mkdir logs; touch real logs/a.log; echo old > logs/a.log.1; mount --bind real logs/a.log';
    const file = { path: 'logs/a.log', max_size: '1KB', keep: 2 };
    await using run = await up({ services: { a: played({ log: { file } }) } }, { before, leaves: ['logs', 'real'] });
    const a = await run.puppet('a');
    for (let at = 0; at < 1_000; at += 100) {
      await a.write(1, numbered(at, at + 100));
      await run.line(new RegExp(`line ${at + 99}$`));
    }
    const content = () => readFileSync(join(run.folder, 'real'), 'utf8');
    await until('all lines in the file', () => content() === numbered(0, 1_000), content);
    await run.line(/log file: cannot rotate .*a\.log: EBUSY.*; it grows beyond its `max_size`/);
    expect(readdirSync(join(run.folder, 'logs')).sort()).toEqual(['a.log', 'a.log.1']);
    expect(readFileSync(join(run.folder, 'logs/a.log.1'), 'utf8')).toBe('old\n');
    await a.exit(0);
    await run.ends(0);
    expect(run.lines.filter((line) => line.includes('log file: ')).length).toBe(1);
  },
);

test('a FIFO without a reader is refused as a log file, and blocks nothing', async () => {
  const yaml = { services: { a: played({ log: { file: { path: 'pipe' } } }) } };
  await using run = await up(yaml, { before: 'mkfifo pipe', leaves: ['pipe'] });
  const a = await run.puppet('a');
  await a.print('one');
  await run.line(/log file: cannot write .*\/pipe: it is a FIFO, and a log file is a regular file/);
  await a.print('two');
  await run.line(/\| two/);
  expect((await run.status()).services[0]?.state).toBe('ready');
  await a.exit(0);
  await run.ends(0);
  expect(run.lines.filter((line) => line.includes('log file: ')).length).toBe(1);
});

test('lines that match log.drop are dropped, and a log probe still sees them', async () => {
  const service = played({ log: { drop: ['GET /(health|v1/models) ', '^debug'] }, ready: { log: 'GET /health 200' } });
  await using run = await up({ services: { a: service } });
  const a = await run.puppet('a');
  await a.write(1, 'debug one\nGET /chat 200\nGET /health 200\nGET /healthy 200\nlast\n');
  await run.line(/last/);
  await run.state('a', 'ready');
  expect(onStdout(run)).toBe('GET /chat 200\nGET /healthy 200\nlast\n');
  await a.exit(0);
  await run.ends(0);
});

test('a pattern with exponential backtracking elsewhere takes no time here', async () => {
  await using run = await up({ services: { a: played({ log: { drop: ['^(a+)+$'] } }) } });
  const a = await run.puppet('a');
  await a.write(1, `${'a'.repeat(50_000)}!\nlast\n`);
  await run.line(/last/);
  await a.exit(0);
  await run.ends(0);
});

test('log.ansi: strip removes colours only', async () => {
  await using run = await up({ services: { a: played({ log: { ansi: 'strip' } }) } });
  const a = await run.puppet('a');
  await a.write(1, '\x1b[1;31mred\x1b[0m and plain\n');
  await run.line(/^a +\| red and plain$/);
  await a.exit(0);
  await run.ends(0);
});
