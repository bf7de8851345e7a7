// The numbers and texts that the native program and the TypeScript code share, and the files of native/prebuilt, which must
// be compiled from these sources for both architectures.
import { describe, expect, test } from 'bun:test';
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { checkPrebuilt, findDifferences, renderCommandsHeader } from '../../scripts/native.ts';
import { LIMITS, LOCKS } from '../../src/linux/limits.ts';
import { WHY } from '../../src/linux/socket-paths.ts';
import { EVENT, PROTOCOL, REQUEST, STEPS, TARGET } from '../../src/pid1/protocol.ts';
import { FD } from '../../src/platform/handover.ts';
import { UNSAFE } from '../../src/text.ts';
import { textOf, useNative } from '../helpers/native.ts';
import { install, supervise } from '../helpers/pid1.ts';

useNative();

const NATIVE = join(import.meta.dir, '../../native');
const source = (name: string) => readFileSync(join(NATIVE, name), 'latin1');

/** The values of all C enum constants whose names begin with `prefix`. The keys are the names without it. */
function constantsOf(file: string, prefix: string): Record<string, number> {
  const found: Record<string, number> = {};
  const text = source(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  for (const [, body = ''] of text.matchAll(/enum[\w ]*\{([^}]*)\}/g)) {
    let next = 0;
    for (const [, name = '', value] of body.matchAll(/(\w+)\s*(?:=\s*(-?\d+))?\s*(?:,|$)/g)) {
      next = value === undefined ? next : Number(value);
      if (name.startsWith(prefix)) found[name.slice(prefix.length)] = next;
      next += 1;
    }
  }
  return found;
}

/** `noSocket` in the notation of C: NO_SOCKET. */
const asConstants = (table: Readonly<Record<string, number>>) =>
  Object.fromEntries(
    Object.entries(table).map(([name, number]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(),
      number,
    ]),
  );

describe('both sides agree', () => {
  test('on requests, events and targets', () => {
    expect(constantsOf('frames.h', 'REQUEST_')).toEqual(asConstants(REQUEST));
    // EVENT_MOST is a size.
    const { MOST, ...events } = constantsOf('frames.h', 'EVENT_');
    expect(MOST).toBe(4_096);
    expect(events).toEqual(asConstants(EVENT));
    expect(constantsOf('frames.h', 'TARGET_')).toEqual(asConstants(TARGET));
    expect(constantsOf('frames.h', 'PROTOCOL')).toEqual({ '': PROTOCOL });
  });

  test('on the steps of a start', () => {
    const words = { oom_score_adj: 'OOM_SCORE', limits: 'LIMIT' } as Readonly<Record<string, string>>;
    const steps = Object.entries(STEPS).map(([number, name]) => [words[name] ?? name.toUpperCase(), Number(number)]);
    expect(constantsOf('frames.h', 'STEP_')).toEqual(Object.fromEntries(steps));
  });

  test('on descriptors, reasons and limits', () => {
    expect(constantsOf('handover.h', 'FD_')).toEqual(asConstants(FD));
    expect(constantsOf('control.c', 'WHY_')).toEqual(asConstants(WHY));
    const limits = constantsOf('sys.h', 'RLIMIT_');
    expect(limits).toEqual({ NOFILE: LIMITS.nofile.number, LOCKS: LOCKS.number });
  });

  test('on the characters that are escaped', () => {
    const table = /unsafe\[\] = \{([\s\S]*?)\n\};/.exec(source('text.c'))?.[1] ?? '';
    const ranges = [...table.matchAll(/\{(0x\w+), (0x\w+)\}/g)].map(([, first, last]) => [Number(first), Number(last)]);
    const isListed = (code: number) => ranges.some(([first = 0, last = 0]) => code >= first && code <= last);
    // A surrogate is not a character of UTF-8.
    const codes = Array.from({ length: 0x10000 }, (_, code) => code).filter((code) => code < 0xd800 || code > 0xdfff);
    expect(codes.filter(isListed)).toEqual(codes.filter((code) => String.fromCharCode(code).match(UNSAFE) !== null));
  });

  test('on the commands', async () => {
    expect(source('commands.h')).toBe(await renderCommandsHeader());
  });
});

describe.each(['x64', 'arm64'])('native/prebuilt for %s', (architecture) => {
  const bytes = () => readFileSync(checkPrebuilt(architecture));

  test('was compiled from these sources, and is the file of its manifest', () => {
    expect(() => checkPrebuilt(architecture)).not.toThrow();
  });

  // Relocations would not be applied, because nothing loads the program (elf(5): DT_REL, DT_RELA and PT_INTERP).
  test('is position-independent, without relocations, libraries or an executable stack', () => {
    const file = bytes();
    expect([file.toString('latin1', 0, 4), file.readUInt16LE(16), file.readUInt16LE(18)]).toEqual([
      '\x7fELF',
      3,
      architecture === 'x64' ? 62 : 183,
    ]);
    const [offset, size, count] = [Number(file.readBigUInt64LE(32)), file.readUInt16LE(54), file.readUInt16LE(56)];
    const segments = Array.from({ length: count }, (_, at) => {
      const from = offset + at * size;
      const number = (where: number) => Number(file.readBigUInt64LE(from + where));
      return { type: file.readUInt32LE(from), flags: file.readUInt32LE(from + 4), offset: number(8), size: number(32) };
    });
    const typeOf = (type: number) => segments.filter((segment) => segment.type === type);
    expect(typeOf(3)).toEqual([]);
    expect(typeOf(0x6474e551).map(({ flags }) => flags & 1)).toEqual([0]);
    expect(typeOf(1).filter(({ flags }) => (flags & 3) === 3)).toEqual([]);
    const tags: number[] = [];
    for (const { offset: from, size: length } of typeOf(2)) {
      for (let at = from; at < from + length; at += 16) {
        const tag = Number(file.readBigUInt64LE(at));
        const value = Number(file.readBigUInt64LE(at + 8));
        // DT_RELASZ (8), DT_RELSZ (18), DT_PLTRELSZ (2), DT_NEEDED (1).
        if ([1, 2, 8, 18].includes(tag) && value > 0) tags.push(tag);
      }
    }
    expect(tags).toEqual([]);
  });
});

test('the compiler of the manifest creates the same bytes', () => {
  const differences = findDifferences();
  const isHere = differences.every((text) => !text.includes('the compiler here is'));
  if (isHere || process.env.CI === 'true') expect(differences).toEqual([]);
});

const emulator = arch() === 'arm64' ? null : Bun.which('qemu-aarch64');
describe.skipIf(emulator === null && arch() !== 'arm64')('the program for arm64', () => {
  const program = () => {
    const path = install();
    copyFileSync(join(NATIVE, 'prebuilt/svc-super-arm64'), path);
    chmodSync(path, 0o755);
    return path;
  };
  const through = emulator === null ? [] : [emulator];

  test('runs a command and returns its exit code', async () => {
    const words = [...through, program(), 'init', '--', 'sh', '-c', 'echo from arm64; exit 7'];
    const text = await textOf('/bin/sh', ['-c', '"$@"; echo code $?', 'sh', ...words]);
    // qemu has no PR_SET_CHILD_SUBREAPER: the program prints a warning first.
    expect(text).toEndWith('from arm64\ncode 7\n');
  });

  test('supervises', async () => {
    await using pid1 = await supervise({ program: program(), through });
    pid1.hello();
    expect(await pid1.outputOf({ argv: ['echo', 'hello'], nice: 3, umask: 0o77 })).toBe('hello\n');
    const run = pid1.spawn({ argv: ['sleep', '1000'] });
    await pid1.spawned(run);
    expect(await pid1.signal(15, { kind: 'main', run })).toEqual([]);
    expect((await pid1.exited(run)).status).toBe(15);
    expect(await pid1.failed(pid1.spawn({ argv: ['/no/such'] }))).toMatchObject({ step: 'exec', errno: 2 });
  });
});
