// A log file in a real folder, with a clock and turns of compression that the test controls: rotation, compression, and files
// that cannot be rotated or were removed.
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Compressor } from '../../src/logs/sinks-compress.ts';
import { FileSink, type FileStyle } from '../../src/logs/sinks-file.ts';
import type { Clock } from '../../src/ports.ts';

/** The clock does not advance; turns of the event loop run when the test calls turn(). */
class StillClock implements Clock {
  time = 0;
  #turns: (() => void)[] = [];
  now = () => this.time;
  wall = () => this.time;
  after = () => () => undefined;
  soon = (fn: () => void) => void this.#turns.push(fn);
  /** Runs one turn; false if no caller waits for one. */
  turn(): boolean {
    const next = this.#turns.shift();
    next?.();
    return next !== undefined;
  }
  turnAll(): void {
    while (this.turn());
  }
}

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'svc-log-file-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);
const names = () => readdirSync(folder).sort();
const text = (name: string) => readFileSync(at(name), 'utf8');
const unzipped = (name: string) => gunzipSync(readFileSync(at(name))).toString();

function rig(style: Partial<FileStyle> = {}) {
  const whole = { path: at('a.log'), maxSize: 100, keep: 5, compress: false, ...style };
  const clock = new StillClock();
  const reported: string[] = [];
  const compressor = new Compressor(clock);
  const sink = new FileSink(whole, clock, compressor, (line) => reported.push(line.replaceAll(`${folder}/`, '')));
  sink.hold(whole);
  const write = async (lines: string): Promise<void> => {
    sink.write(Buffer.from(lines));
    await sink.drained();
  };
  return { clock, reported, compressor, write };
}

/** Lines of that many bytes in total, each with the number of its block. */
function block(number: number, size: number): string {
  const line = (n: number) => `block ${String(number).padStart(4, '0')} line ${String(n).padStart(8, '0')}\n`;
  return Array.from({ length: size / line(0).length }, (_, n) => line(n)).join('');
}

/** Slightly more than two pieces of compression; a multiple of a line's length. */
const LARGE = 25 * 24_000;

describe('compression', () => {
  test('compresses the file that was rotated, even if files of the same size are rotated in the meantime', async () => {
    const { clock, write, reported } = rig({ maxSize: LARGE, keep: 50, compress: true });
    const blocks = Array.from({ length: 12 }, (_, number) => block(number, LARGE));
    for (const each of blocks) {
      await write(each);
      clock.turn();
    }
    clock.turnAll();
    const old = Array.from({ length: 11 }, (_, n) => `a.log.${11 - n}.gz`);
    expect(names()).toEqual(['a.log', ...old].sort());
    expect([...old.map(unzipped), text('a.log')].join('')).toBe(blocks.join(''));
    expect(reported).toEqual([]);
  });

  test('leaves no partial file if its file is removed, and continues with the others', async () => {
    const { clock, write, reported } = rig({ maxSize: LARGE, keep: 2, compress: true });
    await write(block(0, LARGE));
    await write(block(1, LARGE));
    clock.turn();
    expect(names()).toEqual(['a.log', 'a.log.1', 'a.log.1.gz.part']);
    for (const number of [2, 3, 4]) await write(block(number, LARGE));
    clock.turnAll();
    expect(names()).toEqual(['a.log', 'a.log.1.gz', 'a.log.2.gz']);
    expect(unzipped('a.log.1.gz') === block(3, LARGE)).toBe(true);
    expect(unzipped('a.log.2.gz') === block(2, LARGE)).toBe(true);
    expect(reported).toEqual([]);
  });

  test('reads and writes one piece in each turn of the event loop', async () => {
    const { clock, write } = rig({ maxSize: 4 * LARGE, compress: true });
    for (let number = 0; number < 5; number += 1) await write(block(number, LARGE));
    const sizes: number[] = [];
    while (clock.turn()) if (existsSync(at('a.log.1.gz.part'))) sizes.push(statSync(at('a.log.1.gz.part')).size);
    // 2.4 MB in pieces of 256 KiB.
    expect(sizes.length).toBe(10);
    expect(sizes.every((size, n) => size > (sizes[n - 1] ?? 0))).toBe(true);
    expect(unzipped('a.log.1.gz').length).toBe(4 * LARGE);
  });

  test('includes files that an earlier supervisor rotated, and removes its partial files', async () => {
    writeFileSync(at('a.log.2'), 'older\n');
    writeFileSync(at('a.log.2.gz.part'), 'half');
    const { clock, write } = rig({ compress: true });
    await write('now\n');
    clock.turnAll();
    expect(names()).toEqual(['a.log', 'a.log.2.gz']);
    expect(unzipped('a.log.2.gz')).toBe('older\n');
  });

  test('removes its partial file if it is stopped', async () => {
    const { clock, write, compressor } = rig({ maxSize: LARGE, compress: true });
    await write(block(0, LARGE));
    await write(block(1, LARGE));
    clock.turn();
    compressor.stop();
    clock.turnAll();
    expect(names()).toEqual(['a.log', 'a.log.1']);
    expect(text('a.log.1') === block(0, LARGE)).toBe(true);
  });

  test('that fails is reported once and tried again', async () => {
    // A folder that is not empty has the name of the compressed file.
    mkdirSync(at('a.log.1.gz/x'), { recursive: true });
    writeFileSync(at('a.log.1'), 'older\n');
    const { clock, write, reported } = rig({ compress: true, keep: 1 });
    await write('now\n');
    clock.turnAll();
    expect(reported).toEqual([expect.stringMatching(/^cannot compress a\.log\.1: /)]);
    expect(names()).toEqual(['a.log', 'a.log.1', 'a.log.1.gz']);
    rmSync(at('a.log.1.gz'), { recursive: true });
    await write('x'.repeat(100));
    clock.turnAll();
    expect(unzipped('a.log.1.gz')).toBe('now\n');
    expect(reported.length).toBe(1);
  });
});

const LINE = `${'x'.repeat(59)}\n`;
const OTHER = `${'y'.repeat(59)}\n`;

describe('a file that is to be rotated', () => {
  test('and was removed a moment ago is created again, which is reported, and no further line is lost', async () => {
    const { write, reported } = rig();
    await write(LINE);
    rmSync(at('a.log'));
    await write(OTHER);
    expect(reported).toEqual(['a.log was removed, and its lines are lost; a new file is created']);
    expect(names()).toEqual(['a.log']);
    expect(text('a.log')).toBe(OTHER);
  });

  test('and is a symbolic link is not rotated: it grows, which is reported once', async () => {
    symlinkSync('elsewhere', at('a.log'));
    const { write, reported } = rig();
    for (let n = 0; n < 4; n += 1) await write(LINE);
    expect(names()).toEqual(['a.log', 'elsewhere']);
    expect(text('elsewhere')).toBe(LINE.repeat(4));
    expect(reported).toEqual(['cannot rotate a.log: it is a symbolic link; it grows beyond its `max_size`']);
  });

  test('and cannot get its number grows, and no older file is removed', async () => {
    mkdirSync(at('a.log.3/x'), { recursive: true });
    writeFileSync(at('a.log.2'), 'second\n');
    writeFileSync(at('a.log.1'), 'first\n');
    const { clock, write, reported } = rig({ keep: 3 });
    for (let n = 0; n < 5; n += 1) {
      await write(LINE);
      clock.time += 1_000;
    }
    expect([text('a.log.2'), text('a.log.1')]).toEqual(['second\n', 'first\n']);
    expect(reported).toEqual([expect.stringMatching(/^cannot rotate a\.log: .*; it grows beyond its `max_size`$/)]);
    rmSync(at('a.log.3'), { recursive: true });
    await write(OTHER);
    const found = [3, 2, 1].map((n) => text(`a.log.${n}`));
    // The file that had no number yet gets one first.
    expect(found[2]).toBe(LINE.repeat(4));
    expect([...found, text('a.log')].join('')).toBe(`first\n${LINE.repeat(5)}${OTHER}`);
    expect(reported.length).toBe(1);
  });

  test('shifts files up to the first free number: the others keep theirs', async () => {
    writeFileSync(at('a.log.1'), 'first\n');
    writeFileSync(at('a.log.3.gz'), 'third\n');
    const { write } = rig();
    await write(LINE);
    await write(OTHER);
    expect(names()).toEqual(['a.log', 'a.log.1', 'a.log.2', 'a.log.3.gz']);
    expect([text('a.log.1'), text('a.log.2'), text('a.log')]).toEqual([LINE, 'first\n', OTHER]);
  });

  test('gets the number that an earlier supervisor had no time to assign', async () => {
    writeFileSync(at('a.log.rotating'), 'newer\n');
    writeFileSync(at('a.log.1'), 'older\n');
    const { write } = rig();
    await write(LINE);
    expect(names()).toEqual(['a.log', 'a.log.1', 'a.log.2']);
    expect([text('a.log.1'), text('a.log.2')]).toEqual(['newer\n', 'older\n']);
  });

  test('is removed if `keep` is 0', async () => {
    const { write, reported } = rig({ keep: 0 });
    await write(LINE);
    await write(OTHER);
    expect(names()).toEqual(['a.log']);
    expect(text('a.log')).toBe(OTHER);
    expect(reported).toEqual([]);
  });
});

test('a character device is written to and never renamed', async () => {
  symlinkSync('/dev/null', at('a.log'));
  const { clock, write, reported } = rig({ compress: true });
  for (let n = 0; n < 5; n += 1) await write(LINE);
  clock.turnAll();
  expect(names()).toEqual(['a.log']);
  expect(lstatSync(at('a.log')).isSymbolicLink()).toBe(true);
  expect(statSync(at('a.log')).isCharacterDevice()).toBe(true);
  expect(reported).toEqual([]);
});

test('a folder cannot be a log file, which is reported once', async () => {
  mkdirSync(at('a.log'));
  const { clock, write, reported } = rig();
  for (let n = 0; n < 3; n += 1) {
    await write(LINE);
    clock.time += 1_000;
  }
  expect(reported).toEqual([
    'cannot write a.log: it is a folder, and a log file is a regular file or a character device. Its lines are still written to standard output',
  ]);
  rmSync(at('a.log'), { recursive: true });
  await write(OTHER);
  expect(text('a.log')).toBe(OTHER);
  expect(reported.at(-1)).toBe('a.log is written again; 180 bytes are missing');
});
