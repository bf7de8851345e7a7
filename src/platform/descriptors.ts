// Determines the kind of file that an open descriptor refers to, and an identity that is equal for two descriptors of the
// same file. Opens, reads and writes nothing.
import { fstatSync } from 'node:fs';

export type DescriptorKind = 'pipe' | 'socket' | 'terminal' | 'other';

interface Descriptor {
  readonly kind: DescriptorKind;
  /** The same for two descriptors of the same pipe, socket, terminal or file: device and inode number. */
  readonly identity: string;
}

/**
 * Major number of the memory devices (/dev/null, /dev/zero, /dev/full): the kernel's admin-guide/devices.txt. None of
 * them is a terminal.
 */
const MEMORY_MAJOR = 1n;

/**
 * Returns the kind and the identity of `fd`. `isTerminal` is called for character devices only, and not for /dev/null:
 * a container's output is usually a pipe or /dev/null, and `node:tty` takes 4 to 7 ms to load. Throws an Error with
 * `code` (EBADF).
 */
export function inspectDescriptor(fd: number, isTerminal: (fd: number) => boolean = isatty): Descriptor {
  // Inode numbers may need 64 bits.
  const found = fstatSync(fd, { bigint: true });
  const kind = found.isFIFO()
    ? 'pipe'
    : found.isSocket()
      ? 'socket'
      : found.isCharacterDevice() && majorOf(found.rdev) !== MEMORY_MAJOR && isTerminal(fd)
        ? 'terminal'
        : 'other';
  return { kind, identity: `${found.dev}:${found.ino}` };
}

/** The major number of a device number as makedev(3) composes it: 12 bits from bit 8 on, 20 more from bit 44 on. */
function majorOf(device: bigint): bigint {
  return ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
}

function isatty(fd: number): boolean {
  return process.getBuiltinModule('node:tty').isatty(fd);
}
