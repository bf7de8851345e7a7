// What of a process is nothing but its file: only that may be let go of.
import { expect, test } from 'bun:test';
import { findCode } from '../../src/sys/code-pages.ts';

test('code is what the program cannot write, and never what the linker has written', () => {
  const fixed = `00200000-01a39000 r--p 00000000 fe:00 10021192                           /usr/bin/svc-super
01a40000-0684a000 r-xp 01838000 fe:00 10021192                           /usr/bin/svc-super
0684a000-0685f000 rw-p 06641000 fe:00 10021192                           /usr/bin/svc-super
0685f000-06867000 r--p 06656000 fe:00 10021192                           /usr/bin/svc-super
06867000-071bb000 rw-p 0665e000 fe:00 10021192                           /usr/bin/svc-super
3dc69400000-3dca9400000 rw-p 00000000 00:00 0
7f9db4cb1000-7f9db4cd7000 r--p 00000000 fe:00 326269                     /usr/lib/x86_64-linux-gnu/libc.so.6
7f9db4cd7000-7f9db4e2d000 r-xp 00026000 fe:00 326269                     /usr/lib/x86_64-linux-gnu/libc.so.6
7ffd1b5f2000-7ffd1b5f4000 r-xp 00000000 00:00 0                          [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`;
  expect(findCode(fixed)).toEqual([
    { start: 0x200000n, length: 0x1839000n },
    { start: 0x1a40000n, length: 0x4e0a000n },
  ]);
  const gone = fixed.replaceAll('/usr/bin/svc-super', '/opt/a b/svc-super (deleted)');
  expect(findCode(gone)).toEqual(findCode(fixed));
  expect(findCode('')).toEqual([]);
});
