// Decodes log lines for output. Never loses a byte. Pure.
import { decodeWith } from '../bytes.ts';

/** Decodes UTF-8; a byte that is not part of valid UTF-8 becomes `\xNN`. */
export function decodeEscaped(bytes: Uint8Array): string {
  return decodeWith(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`);
}
