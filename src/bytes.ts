// Text that may contain any bytes. The kernel gives environment variables, arguments and paths as bytes, most of them
// UTF-8. A byte 0xNN that is not part of valid UTF-8 becomes the lone surrogate U+DCNN, so that encoding restores it
// unchanged (the rule of PEP 383). Pure.

/** Throws for invalid UTF-8. A byte order mark is an ordinary character. */
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** The lone surrogates that stand for the bytes 0x80 to 0xff. */
const FIRST = 0xdc80;
const LAST = 0xdcff;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
const ASCII = /^[\x00-\x7f]*$/;

/** Decodes bytes to text; `encodeBytes` restores the same bytes. */
export function decodeBytes(bytes: Uint8Array): string {
  return decodeWith(bytes, (byte) => String.fromCharCode(0xdc00 + byte));
}

/** Decodes bytes to text; `replace` gives the text for a byte that is not part of valid UTF-8. */
export function decodeWith(bytes: Uint8Array, replace: (byte: number) => string): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodePieces(bytes, replace);
  }
}

function decodePieces(bytes: Uint8Array, replace: (byte: number) => string): string {
  let text = '';
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const size = sequenceLength(bytes, at);
    if (size > 0) {
      at += size;
      continue;
    }
    if (from < at) text += strict.decode(bytes.subarray(from, at));
    text += replace(bytes[at] ?? 0);
    at += 1;
    from = at;
  }
  return from < bytes.length ? text + strict.decode(bytes.subarray(from)) : text;
}

/**
 * The number of bytes from `at` that form one character of UTF-8 (RFC 3629, section 4); 0 if they form none. Compares
 * bytes, because a decoder that throws takes a third of a second for one long line of invalid bytes.
 */
export function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const size = first < 0xc2 || first > 0xf4 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (size === 0 || at + size > bytes.length) return 0;
  // Excludes overlong forms, surrogates, and values above U+10FFFF.
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  const second = bytes[at + 1] ?? 0;
  if (second < least || second > most) return 0;
  for (let next = 2; next < size; next += 1) if (((bytes[at + next] ?? 0) & 0xc0) !== 0x80) return 0;
  return size;
}

/** Encodes a text as UTF-8, except for lone surrogates of `decodeBytes`, which become their bytes again. */
export function encodeBytes(text: string): Buffer {
  if (ASCII.test(text) || !hasRawByte(text)) return Buffer.from(text);
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < FIRST || code > LAST || isPaired(text, at)) continue;
    parts.push(Buffer.from(text.slice(from, at)), Buffer.from([code - 0xdc00]));
    from = at + 1;
  }
  return Buffer.concat([...parts, Buffer.from(text.slice(from))]);
}

/** Whether the low surrogate at `at` belongs to a high one before it. */
function isPaired(text: string, at: number): boolean {
  const before = at > 0 ? text.charCodeAt(at - 1) : 0;
  return before >= 0xd800 && before <= 0xdbff;
}

/** Whether the text contains a lone surrogate of `decodeBytes`. */
function hasRawByte(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code >= FIRST && code <= LAST && !isPaired(text, at)) return true;
  }
  return false;
}
