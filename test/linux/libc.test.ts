// The C library, from the names of mapped files.
import { expect, test } from 'bun:test';
import { libcOf, readLibc } from '../../src/linux/libc.ts';

const map = (path: string) => `7f0000000000-7f0000001000 r-xp 00000000 00:1a 42                         ${path}\n`;

test.each<['glibc' | 'musl' | null, string]>([
  ['musl', '/lib/ld-musl-x86_64.so.1'],
  ['musl', '/usr/lib/libc.musl-aarch64.so.1'],
  ['musl', '/usr/lib/x86_64-linux-musl/libc.so'],
  ['glibc', '/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'],
  ['glibc', '/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1'],
  ['glibc', '/usr/lib/x86_64-linux-gnu/libc.so.6'],
  ['glibc', '/lib/x86_64-linux-gnu/ld-2.31.so'],
  [null, '/usr/lib/libcurl.so.4'],
  [null, '/home/musl/program'],
])('%p: %s', (libc, path) => {
  expect(libcOf(map('/usr/local/bin/svc-super-supervisor') + map(path))).toBe(libc);
});

test('of this process', () => {
  expect(readLibc()).not.toBeNull();
});
