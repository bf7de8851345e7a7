// Files by system calls: they say of a file what node:fs says of it.
import { afterAll, describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  descriptors,
  exists,
  list,
  look,
  mayExecute,
  readBytes,
  readRest,
  readText,
  realFiles,
} from '../../src/sys/files.ts';
import { closeFile, ErrnoError, isTerminal, openFile, openPipe, writeFrom } from '../../src/sys/libc.ts';

const folder = fs.mkdtempSync(join(tmpdir(), 'svc-super-files-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

function codeOf(attempt: () => unknown): string {
  try {
    attempt();
    return 'none';
  } catch (error) {
    return error instanceof ErrnoError ? error.code : String(error);
  }
}

describe('a file', () => {
  test('is read as it is, whatever its length', () => {
    for (const size of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
      const bytes = Buffer.from(Array.from({ length: size }, (_, index) => index % 251));
      fs.writeFileSync(at('x'), bytes);
      expect(readBytes(at('x')).equals(bytes)).toBe(true);
      expect(readText(at('x'))).toBe(bytes.toString('latin1'));
    }
  });

  test('of /proc is read although it says that it is empty', () => {
    expect(readText('/proc/self/stat')).toStartWith(`${process.pid} (`);
  });

  test('keeps what was read when the next one is', () => {
    fs.writeFileSync(at('a'), 'a');
    fs.writeFileSync(at('b'), 'b');
    const [a, b] = [readBytes(at('a')), readBytes(at('b'))];
    expect([a.toString(), b.toString()]).toEqual(['a', 'b']);
  });

  test('without an end is not read to it', () => {
    expect(readBytes('/proc/self/pagemap', 1_000_000).length).toBeLessThan(1_100_000);
    expect(readBytes(at('x'), 100_000).length).toBeGreaterThan(100_000);
  });

  test('leaves no descriptor open, whether it can be read or not', () => {
    const before = fs.readdirSync('/proc/self/fd').length;
    for (let count = 0; count < 20; count += 1) {
      readText('/proc/self/stat');
      codeOf(() => readBytes(folder));
      list(folder);
      codeOf(() => list(at('a')));
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
    expect(look(at('link'))?.mode).toBe(fs.statSync(at('five')).mode);
  });

  test('that cannot be had says why', () => {
    expect(codeOf(() => readBytes(at('none')))).toBe('ENOENT');
    expect(codeOf(() => readBytes(folder))).toBe('EISDIR');
    expect(codeOf(() => readText(at('five/x')))).toBe('ENOTDIR');
    expect(codeOf(() => look(at('five/x')))).toBe('ENOTDIR');
    expect(codeOf(() => readText(`/${'x'.repeat(5_000)}`))).toBe('ENAMETOOLONG');
  });

  test('is there, and may be executed', () => {
    expect([exists('/bin/sh'), exists(at('none')), mayExecute('/bin/sh'), mayExecute('/etc/passwd')]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });

  test('of a name in UTF-8', () => {
    fs.writeFileSync(at('ä💥'), 'x');
    expect(readText(at('ä💥'))).toBe('x');
  });
});

test('a folder has the names that it has, however many', () => {
  const many = at('many');
  fs.mkdirSync(many);
  expect(list(many)).toEqual([]);
  const names = Array.from({ length: 3_000 }, (_, index) => `name-of-some-length-${index}`);
  for (const name of names) fs.writeFileSync(join(many, name), '');
  expect(list(many).sort()).toEqual(names.sort());
  expect(list(many, (first) => first === 'x'.charCodeAt(0))).toEqual([]);
  expect(list('/proc')).toContain(String(process.pid));
});

test('descriptors are pipes, terminals, or neither; and two of one file are known by it', () => {
  const pipe = openPipe();
  const file = openFile(at('five'));
  const same = openFile(at('five'));
  const kinds = [pipe.read, file].map((fd) => descriptors.look(fd).kind);
  expect(kinds).toEqual(['pipe', 'other']);
  expect(descriptors.look(file).identity).toBe(descriptors.look(same).identity);
  expect(descriptors.look(file).identity).not.toBe(descriptors.look(pipe.read).identity);
  expect(writeFrom(pipe.write, Buffer.from('12'))).toBe(2);
  expect(writeFrom(pipe.write, new Uint8Array(0))).toBe(0);
  closeFile(pipe.write);
  expect(readRest(pipe.read).toString()).toBe('12');
  for (const fd of [pipe.read, file, same]) closeFile(fd);
  expect(codeOf(() => descriptors.look(file))).toBe('EBADF');
  const script = `import { isTerminal } from '${join(import.meta.dir, '../../src/sys/libc.ts')}'; process.exit(isTerminal(0) ? 7 : 8)`;
  const { status } = spawnSync('script', ['-qec', `${process.execPath} -e "${script}"`, '/dev/null']);
  expect([status, isTerminal(-1), isTerminal(file)]).toEqual([7, false, false]);
});
