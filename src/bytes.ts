// Text that may contain any bytes. The kernel gives environment variables, arguments and paths as bytes, most of them
// UTF-8. A byte 0xNN that is not part of valid UTF-8 becomes the lone surrogate U+DCNN, so that encoding restores it
// unchanged (the rule of PEP 383). Pure.

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const FIRST = 0xdc80;
const LAST = 0xdcff;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
const ASCII = /^[\x00-\x7f]*$/;

/** Decodes bytes to text; `encodeBytes` restores the same bytes. */
export function decodeBytes(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodePiecewise(bytes);
  }
}

/** The length of a valid UTF-8 sequence that begins with this byte; 1 if no sequence begins with it. */
function sequenceLength(byte: number): number {
  return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
}

function decodePiecewise(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.subarray(at, at + sequenceLength(bytes[at] ?? 0));
    try {
      text += strict.decode(piece);
      at += piece.length;
    } catch {
      text += String.fromCharCode(0xdc00 + (bytes[at] ?? 0));
      at += 1;
    }
  }
  return text;
}

/** Encodes a text as UTF-8, except for lone surrogates of `decodeBytes`, which become their bytes again. */
export function encodeBytes(text: string): Buffer {
  if (ASCII.test(text) || !hasKept(text)) return Buffer.from(text);
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

function hasKept(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code >= FIRST && code <= LAST && !isPaired(text, at)) return true;
  }
  return false;
}
