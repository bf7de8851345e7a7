// How the supervisor reads files and folders: completely, without leaking descriptors, and with the errno of a failure.
import { afterAll, describe, expect, test } from 'bun:test';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeBytes } from '../../src/bytes.ts';
import {
  exists,
  findStats,
  listFolder,
  listFolderMarked,
  mayExecute,
  readBytes,
  readLatin1,
  realFiles,
  writeNamedFile,
} from '../../src/linux/files.ts';

const folder = fs.mkdtempSync(join(tmpdir(), 'svc-super-files-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
/** Without `join` of node:path, which replaces bytes that are not UTF-8. */
const at = (name: string) => `${folder}/${name}`;

function codeOf(attempt: () => unknown): string {
  try {
    attempt();
    return 'none';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

describe('a file', () => {
  test('is read completely, whatever its length', () => {
    for (const size of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
      const bytes = Buffer.from(Array.from({ length: size }, (_, index) => index % 251));
      fs.writeFileSync(at('x'), bytes);
      expect(readBytes(at('x')).equals(bytes)).toBe(true);
      expect(readLatin1(at('x'))).toBe(bytes.toString('latin1'));
    }
  });

  test('of /proc is read, although its size is 0', () => {
    expect(readLatin1('/proc/self/stat')).toStartWith(`${process.pid} (`);
  });

  test('does not share its buffer with the next file', () => {
    fs.writeFileSync(at('a'), 'a');
    fs.writeFileSync(at('b'), 'b');
    const [a, b] = [readBytes(at('a')), readBytes(at('b'))];
    expect([a.toString(), b.toString()]).toEqual(['a', 'b']);
  });

  test('without an end is read up to the limit', () => {
    expect(readBytes('/proc/self/pagemap', 1_000_000).length).toBeLessThan(1_100_000);
    expect(readBytes(at('x'), 100_000).length).toBeGreaterThan(100_000);
  });

  test('leaks no descriptor, whether it can be read or not', () => {
    const before = fs.readdirSync('/proc/self/fd').length;
    for (let count = 0; count < 20; count += 1) {
      readLatin1('/proc/self/stat');
      codeOf(() => readBytes(folder));
      listFolder(folder);
      codeOf(() => listFolder(at('a')));
    }
    expect(fs.readdirSync('/proc/self/fd').length).toBe(before);
  });

  test('has its kind and size', () => {
    fs.writeFileSync(at('five'), '12345');
    expect(realFiles.stat(at('five'))).toEqual({ size: 5, isDirectory: false, isFile: true });
    expect(realFiles.stat(folder)).toMatchObject({ isDirectory: true, isFile: false });
    expect(realFiles.stat('/dev/zero')).toMatchObject({ isDirectory: false, isFile: false });
    expect(realFiles.stat(at('none'))).toBeNull();
    fs.symlinkSync('five', at('link'));
    expect(findStats(at('link'))?.mode).toBe(fs.statSync(at('five')).mode);
  });

  test('that cannot be read throws an error with its errno', () => {
    expect(codeOf(() => readBytes(at('none')))).toBe('ENOENT');
    expect(codeOf(() => readBytes(folder))).toBe('EISDIR');
    expect(codeOf(() => readLatin1(at('five/x')))).toBe('ENOTDIR');
    expect(codeOf(() => findStats(at('five/x')))).toBe('ENOTDIR');
    expect(codeOf(() => readLatin1(`/${'x'.repeat(5_000)}`))).toBe('ENAMETOOLONG');
  });

  test('exists, and may be executed', () => {
    expect([exists('/bin/sh'), exists(at('none')), mayExecute('/bin/sh'), mayExecute('/etc/passwd')]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  test('may have a name in UTF-8, or of bytes that are not UTF-8', () => {
    fs.writeFileSync(at('ä💥'), 'x');
    expect(readLatin1(at('ä💥'))).toBe('x');
    const name = at('\udcff\udc80');
    fs.writeFileSync(encodeBytes(name), 'y');
    expect([readLatin1(name), exists(name), findStats(name)?.size]).toEqual(['y', true, 1]);
    const named = at('\udcfe/\udcff');
    writeNamedFile(named, 'z');
    expect(readLatin1(named)).toBe('z');
  });
});

test('a folder is listed with its folders marked, even if an entry leads nowhere or has a name that is not UTF-8', () => {
  const marked = at('marked');
  for (const name of ['b', '\udcff']) fs.mkdirSync(encodeBytes(`${marked}/${name}`), { recursive: true });
  fs.writeFileSync(join(marked, 'a'), '');
  fs.symlinkSync('loop', join(marked, 'loop'));
  fs.symlinkSync('b', join(marked, 'to-b'));
  fs.symlinkSync('a/x', join(marked, 'to-none'));
  expect(listFolderMarked(marked)).toEqual(['a', 'b/', 'loop', 'to-b/', 'to-none', '\udcff/']);
  expect(listFolderMarked(at('none'))).toBeNull();
});

test('a folder is listed completely, however many names it has', () => {
  const many = at('many');
  fs.mkdirSync(many);
  expect(listFolder(many)).toEqual([]);
  const names = Array.from({ length: 3_000 }, (_, index) => `name-of-some-length-${index}`);
  for (const name of names) fs.writeFileSync(join(many, name), '');
  expect(listFolder(many).sort()).toEqual(names.sort());
  expect(listFolder('/proc')).toContain(String(process.pid));
});
