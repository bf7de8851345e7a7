// Reads and writes /etc/hosts, in place: in a container it is a file mounted by itself, which nothing can be renamed over.
// What it is to hold is the caller's business.
import { readText } from './files.ts';

export interface HostsFile {
  /** Null when it is not there. Each byte is one character, so that what is not UTF-8 stays as it is. */
  read(): string | null;
  write(text: string): void;
  remove(): void;
}

/** Each call may throw an Error with `code`. */
export function hostsFile(path = '/etc/hosts'): HostsFile {
  return {
    read() {
      try {
        return readText(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
    },
    write(text) {
      const { closeSync, constants, ftruncateSync, openSync, writeSync } = process.getBuiltinModule('node:fs');
      const bytes = Buffer.from(text, 'latin1');
      const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
      try {
        for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, done);
        ftruncateSync(file, bytes.length);
      } finally {
        closeSync(file);
      }
    },
    remove: () => process.getBuiltinModule('node:fs').unlinkSync(path),
  };
}
