// Reads whole text files with limits, and says in words why one cannot be read. Which files, and what they hold, is the
// caller's business.
import { decodeBytes } from '../bytes.ts';

/** What this room needs of the file system; `Files` of ports.ts fits. */
export interface FileReader {
  /** The whole file. Throws an Error with `code` (ENOENT, EACCES) as node:fs does. */
  read(path: string): Uint8Array;
  /** null where there is nothing. May throw like `read`. */
  stat(path: string): { readonly size: number; readonly isDirectory: boolean; readonly isFile: boolean } | null;
}

export type TextRead =
  | { readonly ok: true; readonly text: string }
  | {
      readonly ok: false;
      readonly code: 'file-missing' | 'file-unreadable' | 'file-too-large' | 'not-utf8';
      /** Follows "cannot read PATH: ". */
      readonly why: string;
      readonly suggestion?: string;
      /** The text with its wrong bytes replaced, and where the first of them is; for `not-utf8` alone. */
      readonly lossy?: { readonly text: string; readonly offset: number };
    };

/** No configuration, environment file or secret is larger; what is, was named by mistake. */
export const MAX_BYTES = 1024 * 1024;

const WHY: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  ELOOP: 'too many symbolic links',
  EIO: 'input/output error',
  EMFILE: 'too many open files',
  ENOTDIR: 'a part of its path is not a folder',
  ENAMETOOLONG: 'its name is too long',
  EPERM: 'not permitted',
};

/** Reads a regular file of UTF-8 text of at most 1 MiB; a byte order mark is dropped. */
export function readText(files: FileReader, path: string): TextRead {
  return readFile(files, path, decode);
}

/** Like `readText`, for text that services get byte for byte: bytes that are not UTF-8 are kept (bytes.ts). */
export function readBytesAsText(files: FileReader, path: string): TextRead {
  return readFile(files, path, (bytes) =>
    isUtf16(bytes) ? decode(bytes) : { ok: true, text: decodeBytes(bytes).replace(/^\uFEFF/, '') },
  );
}

function readFile(files: FileReader, path: string, read: (bytes: Uint8Array) => TextRead): TextRead {
  let bytes: Uint8Array;
  try {
    const found = files.stat(path);
    if (found === null) return { ok: false, code: 'file-missing', why: 'there is no such file' };
    if (found.isDirectory) return { ok: false, code: 'file-unreadable', why: 'it is a folder' };
    // A pipe could keep us waiting, a device could go on for ever.
    if (!found.isFile) return { ok: false, code: 'file-unreadable', why: 'it is not a regular file' };
    if (found.size > MAX_BYTES) return tooLarge(found.size);
    bytes = files.read(path);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (code === 'ENOENT') return { ok: false, code: 'file-missing', why: 'there is no such file' };
    const message = cause instanceof Error ? cause.message : String(cause);
    return {
      ok: false,
      code: 'file-unreadable',
      why: WHY[code] ?? (message.includes(code) ? message : `${message} (${code})`),
    };
  }
  // Files of /proc say that they are empty, and a file can grow between the two calls.
  if (bytes.length > MAX_BYTES) return tooLarge(bytes.length);
  return read(bytes);
}

function tooLarge(size: number): TextRead {
  const shown = `${Math.ceil((size / MAX_BYTES) * 10) / 10} MiB`;
  return { ok: false, code: 'file-too-large', why: `it is ${shown} large, and 1 MiB is the most` };
}

function isUtf16([first, second]: Uint8Array): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

function decode(bytes: Uint8Array): TextRead {
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    // Falls through to find where.
  }
  if (isUtf16(bytes)) {
    return { ok: false, code: 'not-utf8', why: 'it is UTF-16', suggestion: 'save it as UTF-8' };
  }
  const text = new TextDecoder('utf-8').decode(bytes);
  const offset = Math.max(0, text.indexOf('\ufffd'));
  return {
    ok: false,
    code: 'not-utf8',
    why: 'it is not UTF-8',
    suggestion: 'save it as UTF-8',
    lossy: { text, offset },
  };
}
