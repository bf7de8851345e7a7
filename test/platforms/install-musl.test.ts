// install.sh on musl with busybox, as on Alpine: it selects the musl archive and works with busybox's own wget, tar and
// sha256sum. Without libstdc++ it installs nothing and names the package. Needs root; `npm run test:release` runs it.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findPlatform } from '../../scripts/release/platforms.ts';
import { readVersion } from '../../scripts/release/version.ts';
import { must, run } from '../helpers/container-tools.ts';
import { HERE, makeFolder, makeRelease, serveFolder } from '../helpers/release.ts';
import { rootOf } from '../helpers/roots.ts';
import { noRoot, noX64, skipWhen } from '../helpers/skip.ts';

const version = readVersion();
const musl = findPlatform(`${HERE}-musl`);
const isSkipped = skipWhen([noX64, noRoot], 'the test of install.sh on musl');

describe.skipIf(isSkipped)('install.sh on musl', () => {
  const folder = makeFolder();
  const served = join(folder.path, 'served');
  let server: ReturnType<typeof serveFolder>;

  beforeAll(async () => {
    mkdirSync(served);
    const options = ['--platforms', `${HERE},${HERE}-musl`, '--steps', 'trees,archives,texts,sums'];
    await makeRelease(join(folder.path, 'release'), options);
    renameSync(join(folder.path, 'release'), join(served, `v${version}`));
    server = serveFolder(served);
  }, 300_000);
  afterAll(() => {
    server?.stop();
    folder.remove();
  });

  async function install(name: string, prepare: (root: string) => void = () => {}) {
    const root = join(folder.path, name);
    await must(['cp', '-a', await rootOf(musl), root]);
    await must(['chroot', root, '/bin/busybox', '--install', '-s', '/usr/bin']);
    copyFileSync(join(served, `v${version}/install.sh`), join(root, 'install.sh'));
    prepare(root);
    const script = 'mount -t proc proc "$1/proc" && exec chroot "$1" /bin/sh /install.sh --url "$2"';
    const ran = await run([
      'unshare',
      '--mount',
      'env',
      'PATH=/usr/bin:/bin:/usr/sbin',
      'sh',
      '-c',
      script,
      'sh',
      root,
      server.url,
    ]);
    return { root, ...ran };
  }

  test('installs the musl archive with the tools of busybox', async () => {
    const { root, ...ran } = await install('complete');
    expect(ran).toEqual({
      code: 0,
      stdout: `installed svc-super ${version}: /usr/local/bin/svc-super\n`,
      stderr: '',
    });
    const script = 'mount -t proc proc "$1/proc" && exec chroot "$1" /usr/local/bin/svc-super version --json';
    const { libc } = JSON.parse(await must(['unshare', '--mount', 'sh', '-c', script, 'sh', root]));
    expect(libc).toBe('musl');
  }, 120_000);

  test('without libstdc++ it installs nothing and names the package', async () => {
    const { root, code, stderr } = await install('bare', (path) => {
      for (const name of readdirSync(join(path, 'usr/lib')).filter((file) => file.startsWith('libstdc++')))
        rmSync(join(path, 'usr/lib', name));
    });
    expect(code).toBe(1);
    expect(stderr).toContain(
      'install.sh: svc-super does not run here: nothing is installed. On Alpine: apk add libstdc++\n',
    );
    expect(existsSync(join(root, 'usr/local/bin/svc-super'))).toBe(false);
  }, 120_000);
});
