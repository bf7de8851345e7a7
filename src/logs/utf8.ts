// What is UTF-8 in bytes that may be anything: as text that loses nothing, and where a character begins and ends. Pure.

/** A byte order mark is as much of a line as anything else in it. */
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 as text; a byte that is none becomes `\xNN`, so that nothing is lost. */
export function decodeEscaped(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodePieces(bytes);
  }
}

function decodePieces(bytes: Uint8Array): string {
  let text = '';
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const size = sequenceLength(bytes, at);
    if (size > 0) {
      at += size;
      continue;
    }
    if (from < at) text += strict.decode(bytes.subarray(from, at));
    text += `\\x${(bytes[at] ?? 0).toString(16).padStart(2, '0')}`;
    at += 1;
    from = at;
  }
  return from < bytes.length ? text + strict.decode(bytes.subarray(from)) : text;
}

/**
 * How many bytes from `at` make one character of UTF-8 (RFC 3629, section 4); 0: none. By hand: a decoder that throws would
 * take a third of a second for one long line of rubbish.
 */
export function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const size = first < 0xc2 || first > 0xf4 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (size === 0 || at + size > bytes.length) return 0;
  // Longer forms of what is shorter, halves of surrogate pairs, and what lies beyond U+10FFFF.
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  const second = bytes[at + 1] ?? 0;
  if (second < least || second > most) return 0;
  for (let next = 2; next < size; next += 1) if (((bytes[at + next] ?? 0) & 0xc0) !== 0x80) return 0;
  return size;
}
