// Roots for builds that this machine cannot run as it is: a C library, a shell (static busybox of this machine) and, for another
// architecture, an emulator (qemu-user, static). The packages are Debian's of trixie, because musl before 1.2.4 cannot load
// the libraries; libstdc++ and libgcc for musl are those of a wheel. Kept in .cache. Installs nothing on this machine.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Platform } from '../../scripts/release/platforms.ts';
import { must } from './container-tools.ts';

const CACHE = join(import.meta.dir, '../../.cache/roots');
const SUITE = 'trixie';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const TOOLS = ['sh', 'sleep', 'env', 'setsid', 'cat'];

/** A wheel that carries libstdc++ of GCC 12 or later, as Alpine compiles it, by architecture: platform tag and hash. */
const WHEEL = 'contourpy==1.3.3';
const WHEELS: Readonly<Record<Platform['native'], readonly [tag: string, hash: string]>> = {
  x64: ['musllinux_1_2_x86_64', 'sha256:459c1f020cd59fcfe6650180678a9993932d80d44ccde1fa1868977438f0b411'],
  arm64: ['musllinux_1_2_aarch64', 'sha256:451e71b5a7d597379ef572de31eeb909a87246974d960049a9848c3bc6c41bf7'],
};

/** Downloads packages of `SUITE` from the mirror that this machine uses into `root`; apt checks their signatures. */
async function unpackDebian(folder: string, root: string, packages: readonly string[]): Promise<void> {
  const format = ['--format', '$(REPO_URI)', 'Created-By: Packages', 'Codename: bookworm'];
  const [mirror] = (await must(['apt-get', 'indextargets', ...format])).split('\n');
  if (mirror === undefined || mirror === '') throw new Error('apt has no source for bookworm: run `apt-get update`');
  const state = join(folder, 'apt');
  for (const name of ['lists/partial', 'archives/partial']) mkdirSync(join(state, name), { recursive: true });
  writeFileSync(join(state, 'sources.list'), `deb [signed-by=${KEYRING}] ${mirror} ${SUITE} main\n`);
  writeFileSync(join(state, 'status'), '');
  const settings = [
    `Dir::Etc::sourcelist "${state}/sources.list";`,
    'Dir::Etc::sourceparts "-";',
    `Dir::State::lists "${state}/lists";`,
    `Dir::State::status "${state}/status";`,
    `Dir::Cache "${state}";`,
    'APT::Architecture "amd64"; APT::Architectures { "amd64"; "arm64"; };',
    'Acquire::Languages "none"; APT::Sandbox::User "root";',
  ];
  writeFileSync(join(state, 'apt.conf'), `${settings.join('\n')}\n`);
  const apt = (...args: string[]) => ['env', '-C', folder, `APT_CONFIG=${state}/apt.conf`, 'apt-get', '-qq', ...args];
  await must(apt('update'));
  await must(apt('download', ...packages));
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.deb')))
    await must(['dpkg-deb', '--extract', join(folder, name), root]);
}

/** Puts libstdc++ and libgcc of the wheel where musl's loader looks. */
async function addLibraries(folder: string, root: string, arch: Platform['native']): Promise<void> {
  const [tag, hash] = WHEELS[arch];
  const list = join(folder, 'requirements.txt');
  writeFileSync(list, `${WHEEL} --hash=${hash}\n`);
  const where = ['--platform', tag, '--python-version', '3.12', '--only-binary=:all:', '--dest', join(folder, 'wheel')];
  await must(['python3', '-m', 'pip', 'download', '--quiet', '--no-deps', '--require-hashes', '-r', list, ...where]);
  const [name = ''] = readdirSync(join(folder, 'wheel'));
  await must(['python3', '-m', 'zipfile', '-e', join(folder, 'wheel', name), join(folder, 'wheel')]);
  const [from, to] = [join(folder, 'wheel/contourpy.libs'), join(root, 'usr/lib')];
  for (const library of readdirSync(from)) {
    // `libstdc++-85f2cd6d.so.6.0.33`, which needs libgcc by its name in the wheel.
    const [, stem = '', major = ''] = /^(lib[^.]+)-[0-9a-f]+\.so\.(\d+)/.exec(library) ?? [];
    copyFileSync(join(from, library), join(to, library));
    symlinkSync(library, join(to, `${stem}.so.${major}`));
  }
  // Debian's search path lacks /usr/lib, which is musl's default and Alpine's.
  for (const file of readdirSync(join(root, 'etc'))) rmSync(join(root, 'etc', file), { recursive: true });
}

/** What a root runs a program of the platform with: the path of the emulator in it; null if it needs none. */
export const emulatorOf = ({ native }: Platform): string | null => (native === 'x64' ? null : '/usr/bin/qemu-aarch64');

/** The folder of a platform's root, for a machine with x64. The first call downloads it. Programs are to be added to a copy. */
export async function rootOf(platform: Platform): Promise<string> {
  const kept = join(CACHE, platform.name);
  if (existsSync(kept)) return kept;
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, '.make-'));
  const root = join(folder, 'root');
  try {
    const library = platform.libc === 'musl' ? 'musl' : 'libc6';
    const emulator = emulatorOf(platform);
    const packages = [`${library}:${platform.oci}`, 'busybox-static:amd64'];
    await unpackDebian(folder, root, emulator === null ? packages : [...packages, 'qemu-user:amd64']);
    for (const name of ['usr/share', 'usr/sbin']) rmSync(join(root, name), { recursive: true, force: true });
    for (const name of readdirSync(join(root, 'usr/bin')))
      if (name.startsWith('qemu-') && `/usr/bin/${name}` !== emulator) rmSync(join(root, 'usr/bin', name));
    for (const name of ['bin', 'lib']) symlinkSync(`usr/${name}`, join(root, name));
    for (const name of ['dev', 'etc', 'proc', 'run', 'tmp']) mkdirSync(join(root, name), { recursive: true });
    for (const name of TOOLS) symlinkSync('busybox', join(root, 'usr/bin', name));
    if (platform.libc === 'musl') await addLibraries(folder, root, platform.native);
    renameSync(root, kept);
    return kept;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
