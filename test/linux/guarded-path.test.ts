// Paths that other users may have changed: what a refusal leaves behind. What is refused: e2e/foreign-files.test.ts.
import { expect, test } from 'bun:test';
import {
  constants,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openGuarded } from '../../src/linux/guarded-path.ts';
import { skipWhen } from '../helpers/skip.ts';

const NOBODY = 65_534;
const notRoot = process.getuid?.() === 0 ? null : 'it needs root';

test.skipIf(skipWhen([notRoot], 'links of another user'))('a refused path leaves no descriptor open', () => {
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-guarded-'));
  try {
    const vault = join(folder, 'vault');
    mkdirSync(vault, { mode: 0o700 });
    writeFileSync(join(vault, 'file'), '');
    const link = join(folder, 'link');
    symlinkSync(vault, link);
    lchownSync(link, NOBODY, NOBODY);
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    for (const name of ['file', 'missing'])
      expect(() => openGuarded(join(link, name), constants.O_RDONLY, 'read')).toThrow('a link of user 65534 leads to');
    expect(() => openGuarded(join(folder, 'missing'), constants.O_RDONLY, 'read')).toThrow('ENOENT');
    expect(open()).toBe(before);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
