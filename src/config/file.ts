// Reads whole text files with a size limit, and explains why a file cannot be read. Callers choose the files and interpret
// their contents.
import { decodeBytes } from '../bytes.ts';

/** The part of the file system that config/ uses; `Files` of ports.ts implements it. */
export interface FileReader {
  /** The whole file. Throws an Error with `code` (ENOENT, EACCES) as node:fs does. */
  read(path: string): Uint8Array;
  /** null: there is no such file. May throw like `read`. */
  stat(path: string): { readonly size: number; readonly isDirectory: boolean; readonly isFile: boolean } | null;
  /** The names in a folder, in any order. Null: there is no such folder, or it cannot be read. */
  list(folder: string): readonly string[] | null;
}

type TextRead =
  | { readonly ok: true; readonly text: string }
  | {
      readonly ok: false;
      readonly code: 'file-missing' | 'file-unreadable' | 'file-too-large' | 'not-utf8';
      /** Follows "cannot read PATH: ". */
      readonly why: string;
      readonly suggestion?: string;
      /** The text with its invalid bytes replaced, and the offset of the first of them; for `not-utf8` only. */
      readonly lossy?: { readonly text: string; readonly offset: number };
    };

const MIB = 1024 * 1024;
/** No configuration, environment file or secret is larger; a larger file was probably named by mistake. */
const MOST_MIB = 1;

const WHY: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  ELOOP: 'too many symbolic links',
  EIO: 'input/output error',
  EMFILE: 'too many open files',
  ENOTDIR: 'a part of its path is not a folder',
  ENAMETOOLONG: 'its name is too long',
  EPERM: 'not permitted',
};

/** Reads a regular file of UTF-8 text of at most MOST_MIB; a byte order mark is dropped. */
export function readText(files: FileReader, path: string): TextRead {
  return readFile(files, path, decode);
}

/** `readText` for contents that services receive byte for byte: bytes that are not UTF-8 are kept (bytes.ts). */
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
    // Reading a pipe could block, and reading a device could never end.
    if (!found.isFile) return { ok: false, code: 'file-unreadable', why: 'it is not a regular file' };
    if (found.size > MOST_MIB * MIB) return tooLarge(found.size);
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
  // Files of /proc report a size of 0, and a file can grow between the two calls.
  if (bytes.length > MOST_MIB * MIB) return tooLarge(bytes.length);
  return read(bytes);
}

function tooLarge(size: number): TextRead {
  const shown = `${Math.ceil((size / MIB) * 10) / 10} MiB`;
  return { ok: false, code: 'file-too-large', why: `it has ${shown}, and the limit is ${MOST_MIB} MiB` };
}

function isUtf16([first, second]: Uint8Array): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

/** The encoding of a text that is not UTF-8; null: not known. A text without a byte order mark begins with two ASCII characters. */
function otherEncoding(bytes: Uint8Array): string | null {
  const [first, second, third, fourth] = bytes;
  if ((isUtf16(bytes) && third === 0 && fourth === 0) || (first === 0 && second === 0 && third === 0xfe))
    return 'UTF-32';
  if (isUtf16(bytes)) return 'UTF-16';
  const isAscii = (one: number | undefined, two: number | undefined) =>
    one !== undefined && two !== undefined && one > 0 && one < 128 && two > 0 && two < 128;
  const isLittle = second === 0 && fourth === 0 && isAscii(first, third);
  return isLittle || (first === 0 && third === 0 && isAscii(second, fourth)) ? 'UTF-16' : null;
}

function decode(bytes: Uint8Array): TextRead {
  const encoding = otherEncoding(bytes);
  if (encoding !== null)
    return { ok: false, code: 'not-utf8', why: `it is ${encoding}`, suggestion: 'save it as UTF-8' };
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    // The offset of the first invalid byte is determined below.
  }
  const text = new TextDecoder('utf-8').decode(bytes);
  const offset = findInvalid(text, bytes);
  return {
    ok: false,
    code: 'not-utf8',
    why: 'it is not UTF-8',
    suggestion: 'save it as UTF-8',
    lossy: { text, offset },
  };
}

/** The offset of the first U+FFFD in the text that stands for invalid bytes, and is not in the file itself. */
function findInvalid(text: string, bytes: Uint8Array): number {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  let [from, byte] = [0, hasMark ? 3 : 0];
  for (let at = text.indexOf('\ufffd'); at >= 0; at = text.indexOf('\ufffd', from)) {
    byte += new TextEncoder().encode(text.slice(from, at)).length;
    if (bytes[byte] !== 0xef || bytes[byte + 1] !== 0xbf || bytes[byte + 2] !== 0xbd) return at;
    byte += 3;
    from = at + 1;
  }
  return 0;
}
