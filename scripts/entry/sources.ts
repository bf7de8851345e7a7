// Tells whether code.ts is made of what lies beside it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** SHA-256 over all that decides what the code is, but for the compiler. */
export function digestOfSources(): string {
  const hasher = new Bun.CryptoHasher('sha256');
  for (const name of ['entry.c', 'entry.ld', 'compile.ts']) hasher.update(readFileSync(join(import.meta.dir, name)));
  return hasher.digest('hex');
}
