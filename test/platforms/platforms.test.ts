// Each build of a release on its platform: x64 on this machine, the others in a root that has their C library and a shell only
// (musl also libstdc++), those for arm64 in an emulator. Needs root. `npm run test:release` runs it.
import { afterAll, beforeAll, describe } from 'bun:test';
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PLATFORMS, type Platform } from '../../scripts/release/platforms.ts';
import { BIN, stage } from '../../scripts/release/stage.ts';
import { emulatorOf, rootOf } from '../helpers/roots.ts';
import { noPrograms, noRoot, noX64, skipWhen } from '../helpers/skip.ts';
import { type Place, smoke } from './smoke.ts';

const PROGRAMS = ['svc-super', 'svc-super-supervisor'];
const NAMESPACE = ['unshare', '--mount', '--pid', '--fork', '--kill-child'];
/** The first call downloads roots. */
const PREPARATION = 300_000;

const isSkipped = skipWhen(
  [noX64, noRoot, ...noPrograms('dpkg-deb', 'python3', 'chroot')],
  'the tests of the platforms',
);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'svc-super-release-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function copyPrograms(platform: Platform, to: string): Promise<void> {
  const tree = join(folder, 'stage');
  await stage(platform, tree);
  mkdirSync(to, { recursive: true });
  for (const name of PROGRAMS) copyFileSync(join(tree, BIN, name), join(to, name));
}

/** On this machine. */
async function here(platform: Platform): Promise<Place> {
  const bin = join(folder, platform.name);
  await copyPrograms(platform, bin);
  const program = join(bin, 'svc-super');
  const pid1 = [...NAMESPACE, '--mount-proc', '--', program];
  return { platform, folder: { outside: bin, inside: bin }, pid1, command: program };
}

/** In a root of its own. */
async function inRoot(platform: Platform): Promise<Place> {
  const root = join(folder, platform.name);
  cpSync(await rootOf(platform), root, { recursive: true, verbatimSymlinks: true });
  const bin = join(root, BIN);
  await copyPrograms(platform, bin);
  const emulator = emulatorOf(platform);
  if (emulator !== null) {
    // The kernel cannot execute the supervisor's file: a script of that name runs the emulator.
    mkdirSync(join(bin, 'emulated'));
    renameSync(join(bin, 'svc-super-supervisor'), join(bin, 'emulated/svc-super-supervisor'));
    const script = `#!/bin/sh\nexec ${emulator} /${BIN}/emulated/svc-super-supervisor "$@"\n`;
    writeFileSync(join(bin, 'svc-super-supervisor'), script);
    chmodSync(join(bin, 'svc-super-supervisor'), 0o755);
  }
  const words = [...(emulator === null ? [] : [emulator]), `/${BIN}/svc-super`];
  const enter = 'mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && exec chroot "$@"';
  const pid1 = [...NAMESPACE, '--', 'sh', '-c', enter, 'sh', root, ...words];
  return { platform, folder: { outside: join(root, 'tmp'), inside: '/tmp' }, pid1, command: words.join(' ') };
}

for (const platform of PLATFORMS)
  describe.skipIf(isSkipped)(platform.name, () => {
    let place: Place;
    beforeAll(async () => {
      place = await (platform.name === 'linux-x64' ? here(platform) : inRoot(platform));
    }, PREPARATION);
    smoke(() => place);
  });
