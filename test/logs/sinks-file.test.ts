// A log file in a real folder, with time and the turns of compression made by hand: what is rotated, when and how far it is
// compressed, and what happens to files that cannot be rotated or are not there any more.
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

/** Stands still; turns of the event loop come when they are asked for. */
class StillClock implements Clock {
  time = 0;
  #turns: (() => void)[] = [];
  now = () => this.time;
  wall = () => this.time;
  after = () => () => undefined;
  soon = (fn: () => void) => void this.#turns.push(fn);
  /** False: nobody waits for one. */
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
  const said: string[] = [];
  const compressor = new Compressor(clock);
  const sink = new FileSink(whole, clock, compressor, (line) => said.push(line.replaceAll(`${folder}/`, '')));
  sink.hold(whole);
  const write = async (lines: string): Promise<void> => {
    sink.write(Buffer.from(lines));
    await sink.drained();
  };
  return { clock, said, compressor, write };
}

/** So many bytes of lines, which say which block they belong to. */
function block(number: number, size: number): string {
  const line = (n: number) => `block ${String(number).padStart(4, '0')} line ${String(n).padStart(8, '0')}\n`;
  return Array.from({ length: size / line(0).length }, (_, n) => line(n)).join('');
}

/** Two pieces of compression and a bit; a multiple of a line's length. */
const LARGE = 25 * 24_000;

describe('what is compressed', () => {
  test('is the file that was rotated, however often files of the same size are rotated meanwhile', async () => {
    const { clock, write, said } = rig({ maxSize: LARGE, keep: 50, compress: true });
    const blocks = Array.from({ length: 12 }, (_, number) => block(number, LARGE));
    for (const each of blocks) {
      await write(each);
      clock.turn();
    }
    clock.turnAll();
    const old = Array.from({ length: 11 }, (_, n) => `a.log.${11 - n}.gz`);
    expect(names()).toEqual(['a.log', ...old].sort());
    expect([...old.map(unzipped), text('a.log')].join('')).toBe(blocks.join(''));
    expect(said).toEqual([]);
  });

  test('may be gone before it is whole: nothing of it stays, and the rest is compressed', async () => {
    const { clock, write, said } = rig({ maxSize: LARGE, keep: 2, compress: true });
    await write(block(0, LARGE));
    await write(block(1, LARGE));
    clock.turn();
    expect(names()).toEqual(['a.log', 'a.log.1', 'a.log.1.gz.part']);
    for (const number of [2, 3, 4]) await write(block(number, LARGE));
    clock.turnAll();
    expect(names()).toEqual(['a.log', 'a.log.1.gz', 'a.log.2.gz']);
    expect(unzipped('a.log.1.gz') === block(3, LARGE)).toBe(true);
    expect(unzipped('a.log.2.gz') === block(2, LARGE)).toBe(true);
    expect(said).toEqual([]);
  });

  test('is read and written piece by piece, one in each turn of the event loop', async () => {
    const { clock, write } = rig({ maxSize: 4 * LARGE, compress: true });
    for (let number = 0; number < 5; number += 1) await write(block(number, LARGE));
    const sizes: number[] = [];
    while (clock.turn()) if (existsSync(at('a.log.1.gz.part'))) sizes.push(statSync(at('a.log.1.gz.part')).size);
    // 2.4 MB in pieces of 256 KiB.
    expect(sizes.length).toBe(10);
    expect(sizes.every((size, n) => size > (sizes[n - 1] ?? 0))).toBe(true);
    expect(unzipped('a.log.1.gz').length).toBe(4 * LARGE);
  });

  test('is what an earlier life has rotated, too; what that left half compressed goes', async () => {
    writeFileSync(at('a.log.2'), 'older\n');
    writeFileSync(at('a.log.2.gz.part'), 'half');
    const { clock, write } = rig({ compress: true });
    await write('now\n');
    clock.turnAll();
    expect(names()).toEqual(['a.log', 'a.log.2.gz']);
    expect(unzipped('a.log.2.gz')).toBe('older\n');
  });

  test('is taken back at the end, when it is half done', async () => {
    const { clock, write, compressor } = rig({ maxSize: LARGE, compress: true });
    await write(block(0, LARGE));
    await write(block(1, LARGE));
    clock.turn();
    compressor.stop();
    clock.turnAll();
    expect(names()).toEqual(['a.log', 'a.log.1']);
    expect(text('a.log.1') === block(0, LARGE)).toBe(true);
  });

  test('stays plain where it cannot be, which is said once, and is tried again', async () => {
    // A folder that is not empty is in the way of the compressed file.
    mkdirSync(at('a.log.1.gz/x'), { recursive: true });
    writeFileSync(at('a.log.1'), 'older\n');
    const { clock, write, said } = rig({ compress: true, keep: 1 });
    await write('now\n');
    clock.turnAll();
    expect(said).toEqual([expect.stringMatching(/^cannot compress a\.log\.1: /)]);
    expect(names()).toEqual(['a.log', 'a.log.1', 'a.log.1.gz']);
    rmSync(at('a.log.1.gz'), { recursive: true });
    await write('x'.repeat(100));
    clock.turnAll();
    expect(unzipped('a.log.1.gz')).toBe('now\n');
    expect(said.length).toBe(1);
  });
});

const LINE = `${'x'.repeat(59)}\n`;
const OTHER = `${'y'.repeat(59)}\n`;

describe('a file that is to be rotated', () => {
  test('and was removed a moment ago is made anew, which is said, and no line more is lost', async () => {
    const { write, said } = rig();
    await write(LINE);
    rmSync(at('a.log'));
    await write(OTHER);
    expect(said).toEqual(['a.log was removed, with all that was written to it; it is made anew']);
    expect(names()).toEqual(['a.log']);
    expect(text('a.log')).toBe(OTHER);
  });

  test('and is a symbolic link is not: it is written on, which is said once', async () => {
    symlinkSync('elsewhere', at('a.log'));
    const { write, said } = rig();
    for (let n = 0; n < 4; n += 1) await write(LINE);
    expect(names()).toEqual(['a.log', 'elsewhere']);
    expect(text('elsewhere')).toBe(LINE.repeat(4));
    expect(said).toEqual(['cannot rotate a.log: it is a symbolic link; it grows beyond its `max_size`']);
  });

  test('and finds no room for its number is written on, and none of the older ones goes', async () => {
    mkdirSync(at('a.log.3/x'), { recursive: true });
    writeFileSync(at('a.log.2'), 'second\n');
    writeFileSync(at('a.log.1'), 'first\n');
    const { clock, write, said } = rig({ keep: 3 });
    for (let n = 0; n < 5; n += 1) {
      await write(LINE);
      clock.time += 1_000;
    }
    expect([text('a.log.2'), text('a.log.1')]).toEqual(['second\n', 'first\n']);
    expect(said).toEqual([expect.stringMatching(/^cannot rotate a\.log: .*; it grows beyond its `max_size`$/)]);
    rmSync(at('a.log.3'), { recursive: true });
    await write(OTHER);
    const found = [3, 2, 1].map((n) => text(`a.log.${n}`));
    // What was in between had its number first.
    expect(found[2]).toBe(LINE.repeat(4));
    expect([...found, text('a.log')].join('')).toBe(`first\n${LINE.repeat(5)}${OTHER}`);
    expect(said.length).toBe(1);
  });

  test('takes the first number that is free: the others keep theirs', async () => {
    writeFileSync(at('a.log.1'), 'first\n');
    writeFileSync(at('a.log.3.gz'), 'third\n');
    const { write } = rig();
    await write(LINE);
    await write(OTHER);
    expect(names()).toEqual(['a.log', 'a.log.1', 'a.log.2', 'a.log.3.gz']);
    expect([text('a.log.1'), text('a.log.2'), text('a.log')]).toEqual([LINE, 'first\n', OTHER]);
  });

  test('gets the number that an earlier life did not come to give it', async () => {
    writeFileSync(at('a.log.rotating'), 'newer\n');
    writeFileSync(at('a.log.1'), 'older\n');
    const { write } = rig();
    await write(LINE);
    expect(names()).toEqual(['a.log', 'a.log.1', 'a.log.2']);
    expect([text('a.log.1'), text('a.log.2')]).toEqual(['newer\n', 'older\n']);
  });

  test('goes where none is kept', async () => {
    const { write, said } = rig({ keep: 0 });
    await write(LINE);
    await write(OTHER);
    expect(names()).toEqual(['a.log']);
    expect(text('a.log')).toBe(OTHER);
    expect(said).toEqual([]);
  });
});

test('a character device is written to and never moved', async () => {
  symlinkSync('/dev/null', at('a.log'));
  const { clock, write, said } = rig({ compress: true });
  for (let n = 0; n < 5; n += 1) await write(LINE);
  clock.turnAll();
  expect(names()).toEqual(['a.log']);
  expect(lstatSync(at('a.log')).isSymbolicLink()).toBe(true);
  expect(statSync(at('a.log')).isCharacterDevice()).toBe(true);
  expect(said).toEqual([]);
});

test('a folder is no log file, which is said once', async () => {
  mkdirSync(at('a.log'));
  const { clock, write, said } = rig();
  for (let n = 0; n < 3; n += 1) {
    await write(LINE);
    clock.time += 1_000;
  }
  expect(said).toEqual([
    'cannot write a.log: it is a folder, and a log file is a regular file or a character device; its lines still go to the standard output',
  ]);
  rmSync(at('a.log'), { recursive: true });
  await write(OTHER);
  // Nobody who drains it waits for a file that failed.
  while (said.length === 1) await new Promise((resolve) => setImmediate(resolve));
  expect(text('a.log')).toBe(OTHER);
  expect(said.at(-1)).toBe('a.log is written again; it lacks 180 bytes');
});
