// The permissions of a user for a file.
import { expect, test } from 'bun:test';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { permits } from '../../src/linux/reach.ts';

test('what the kernel refuses to us as root, a service of root is not permitted either', () => {
  const folder = mkdtempSync(join(tmpdir(), 'svc-reach-'));
  const path = join(folder, 'file');
  writeFileSync(path, '');
  chmodSync(path, 0o644);
  try {
    const root = { uid: 0, groups: [0] };
    const stats = statSync(path);
    expect([permits(path, stats, 'read', root), permits(path, stats, 'write', root)]).toEqual([true, true]);
    // No capability lets root execute a file without an x bit, as none lets it read a file without CAP_DAC_OVERRIDE.
    expect(permits(path, stats, 'search', root)).toBe(process.getuid?.() !== 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
