// What stands ahead of the runtime's entry: that its code is made of the source that lies beside it, and where it is put.
// What it does is shown on the binary (e2e/trap-environment, e2e/trap-kernel, e2e/signals).
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { CODE, SOURCES } from '../../scripts/entry/code.ts';
import { installEntry } from '../../scripts/entry/install.ts';
import { digestOfSources } from '../../scripts/entry/sources.ts';
import { OBEYED, SETTINGS } from '../../src/sys/boot.ts';

/** Offset of the entry's address in the header of an ELF file. */
const E_ENTRY = 24;

test('code.ts is made of entry.c as it is: otherwise run scripts/entry/compile.ts', () => {
  expect(SOURCES).toBe(digestOfSources());
  expect(Object.keys(CODE)).toEqual(['x64', 'arm64']);
});

test('it takes the entry, lies in the file where it is executed, and changes nothing else', () => {
  const before = readFileSync(process.execPath);
  const after = Buffer.from(before);
  installEntry(after);
  expect(after.readBigUInt64LE(E_ENTRY)).not.toBe(before.readBigUInt64LE(E_ENTRY));
  const code = Buffer.from(CODE[process.arch] ?? '', 'base64');
  const at = after.indexOf(code);
  const own = after.indexOf(0, after.indexOf(Object.keys(SETTINGS)[0] ?? '', at));
  expect(at).toBeGreaterThan(0);
  expect(own).toBeGreaterThan(at);
  const room = 4_096;
  expect(after.subarray(E_ENTRY + 8, at).equals(before.subarray(E_ENTRY + 8, at))).toBe(true);
  expect(after.subarray(at + room).equals(before.subarray(at + room))).toBe(true);
});

test('a runtime that has no place for it, or is for another machine, is refused', () => {
  const runtime = readFileSync(process.execPath);
  const renamed = Buffer.from(runtime);
  renamed.write('X', renamed.indexOf('\0_ZN2v83Map3SetENS_') + 1, 'latin1');
  expect(() => installEntry(renamed)).toThrow('find another place');
  const foreign = Buffer.from(runtime);
  foreign.writeUInt16LE(243, 18);
  expect(() => installEntry(foreign)).toThrow('neither for x86-64 nor for arm64');
});

test('each setting is among the names that are kept from the runtime when the container has them', () => {
  const free = Object.keys(SETTINGS).filter((name) => !OBEYED.some((beginning) => `${name}=`.startsWith(beginning)));
  expect(free).toEqual([]);
});
