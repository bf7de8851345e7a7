// Reads and writes /etc/hosts in place: in a container the file is a mount point, which rename(2) cannot replace. The caller
// decides its content.
import { closeSync, constants, fstatSync, ftruncateSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { codeOf } from './errno.ts';
import { openGuarded } from './guarded-path.ts';

export interface HostsFile {
  /** Null if the file does not exist. Each byte is one character, so that bytes that are not UTF-8 do not change. */
  read(): string | null;
  write(text: string): void;
  remove(): void;
}

/** Each call may throw: an Error with `code` if a system call failed, and one without if the path is refused or is no regular file. */
export function hostsFile(path = '/etc/hosts'): HostsFile {
  return {
    read() {
      try {
        return withFile(path, constants.O_RDONLY, (file) => readFileSync(file, 'latin1'));
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return null;
        throw error;
      }
    },
    write(text) {
      const bytes = Buffer.from(text, 'latin1');
      withFile(path, constants.O_RDWR | constants.O_CREAT, (file) => {
        for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, done);
        ftruncateSync(file, bytes.length);
      });
    },
    remove: () => unlinkSync(path),
  };
}

/** Refuses links as for writing even if it only reads: write() would refuse the same path. */
function withFile<T>(path: string, flags: number, use: (file: number) => T): T {
  const file = openGuarded(path, flags, 'write', 0o644);
  try {
    if (!fstatSync(file).isFile()) throw new Error('it is not a regular file');
    return use(file);
  } finally {
    closeSync(file);
  }
}
