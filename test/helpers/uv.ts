// uv for the tests of the wheels: that of test/python, which is pinned, else the one on PATH.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const INSTALLED = join(import.meta.dir, '../python/packages/bin/uv');

export function findUv(): string | null {
  return existsSync(INSTALLED) ? INSTALLED : Bun.which('uv');
}

/** Why wheels cannot be tested here; null where they can. */
export function whyNoUv(): string | null {
  if (!existsSync('/usr/bin/python3')) return 'there is no /usr/bin/python3';
  return findUv() === null ? 'there is no uv: `npm run ready:python` installs it' : null;
}
