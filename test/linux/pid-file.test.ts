// The file of `up --pid-file`: which files it replaces.
import { expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeBytes } from '../../src/bytes.ts';
import { createPidFile, removePidFile } from '../../src/linux/pid-file.ts';

test('a file that only begins with a number is not replaced', () => {
  const folder = mkdtempSync(join(tmpdir(), 'svc-pid-file-'));
  const path = join(folder, 'a.pid');
  const precious = `4194000${' '.repeat(64)}precious\n`;
  writeFileSync(path, precious);
  expect(createPidFile(path, 7)).toMatch(/other content/);
  expect(readFileSync(path, 'utf8')).toBe(precious);
  writeFileSync(path, '4194000\n');
  expect(createPidFile(path, 7)).toBeNull();
  expect(readFileSync(path, 'utf8')).toBe('7\n');
  rmSync(folder, { recursive: true });
});

test('a path may have bytes that are not UTF-8', () => {
  const folder = mkdtempSync(join(tmpdir(), 'svc-pid-file-'));
  const path = `${folder}/\udcff`;
  expect(createPidFile(path, 7)).toBeNull();
  expect(readFileSync(encodeBytes(path), 'utf8')).toBe('7\n');
  removePidFile(path, 7);
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});
