// Two releases from two folders: the same bytes.
import { afterAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PLATFORMS } from '../../scripts/release/platforms.ts';
import { cloneSources, HERE, isFull, makeFolder, makeRelease } from '../helpers/release.ts';

/** `npm run test:release` compares every file of a release; the suite, the archives of this machine's platform. */
const options = isFull ? [] : ['--platforms', HERE, '--steps', 'trees,archives,variants,texts,sums'];
const folder = makeFolder();
afterAll(() => folder.remove());

test('two builds in two folders are equal', async () => {
  const clone = join(folder.path, 'a folder with another name');
  await cloneSources(clone);
  const [here, there] = [join(folder.path, 'here'), join(folder.path, 'there')];
  await makeRelease(here, options);
  await makeRelease(there, options, clone);
  const [first, second] = [here, there].map((release) => readFileSync(join(release, 'SHA256SUMS'), 'utf8'));
  expect(second).toBe(first as string);
  for (const { name } of isFull ? PLATFORMS : []) expect(first).toContain(`-${name}.tar.zst\n`);
  expect(first).toContain(`-${HERE}.tar.zst\n`);
}, 600_000);
