// A text that outlives an exec: written into a file in memory by the first stage of the boot, read and closed by the second.
import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import { openMemoryFile } from './libc.ts';

/** The descriptor of a file that holds the text; it stays open across exec. Throws where there can be none. */
export function writeMemoryFile(text: string): number {
  const fd = openMemoryFile();
  for (let rest = Buffer.from(text); rest.length > 0; ) rest = rest.subarray(writeSync(fd, rest));
  return fd;
}

/** What such a file holds. It is gone afterwards. */
export function readMemoryFile(fd: number): string {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  for (let at = 0; at < bytes.length; ) {
    const count = readSync(fd, bytes, at, bytes.length - at, at);
    if (count === 0) break;
    at += count;
  }
  closeSync(fd);
  return bytes.toString();
}
