// The system packages of a release, installed: the .deb by dpkg on Debian, the contents of the .apk on musl. Needs Go, which
// compiles nfpm: `npm run test:release` runs these tests.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageName } from '../../scripts/release/packages.ts';
import { findPlatform } from '../../scripts/release/platforms.ts';
import { readVersion } from '../../scripts/release/version.ts';
import { haveBase } from '../helpers/container-image.ts';
import { must, whyNoContainers } from '../helpers/container-tools.ts';
import { HERE, makeFolder, makeRelease } from '../helpers/release.ts';
import { buildWith, removeImages, runImage } from '../helpers/release-image.ts';
import { rootOf } from '../helpers/roots.ts';
import { skipWhen } from '../helpers/skip.ts';

const MINUTES = 600_000;
const version = readVersion();
const [glibc, musl] = [findPlatform(HERE), findPlatform(`${HERE}-musl`)];
const isSkipped = skipWhen(
  [whyNoContainers(), Bun.which('go') === null ? 'go is not installed' : null],
  'the tests of the system packages',
);

describe.skipIf(isSkipped)('the system packages of a release', () => {
  const folder = makeFolder();
  const release = join(folder.path, 'release');
  const tag = `localhost/svc-super-test-package:${process.pid}`;

  beforeAll(async () => {
    await makeRelease(release, ['--platforms', `${HERE},${HERE}-musl`, '--steps', 'trees,packages']);
  }, MINUTES);
  afterAll(async () => {
    await removeImages(tag);
    folder.remove();
  }, MINUTES);

  test(
    'dpkg installs the .deb on Debian, and removes it without a trace',
    async () => {
      const context = join(folder.path, 'context');
      mkdirSync(context);
      copyFileSync(join(release, packageName(glibc, version)), join(context, 'svc-super.deb'));
      writeFileSync(join(context, 'services.yaml'), 'services: { a: { command: [svc-super, version] } }\n');
      const base = await haveBase();
      const dockerfile = `FROM base
COPY svc-super.deb services.yaml /
RUN dpkg -i /svc-super.deb && svc-super check --build -f /services.yaml
ENTRYPOINT ["svc-super", "-f", "/services.yaml"]
`;
      const built = await buildWith(base, dockerfile, tag, { folder: context, images: { base } });
      expect(built).toMatchObject({ code: 0 });
      expect(await runImage(tag)).toMatchObject({ code: 0, stdout: `a         | svc-super ${version}\n` });
      const remove = 'dpkg --verify svc-super && dpkg --purge svc-super >/dev/null && ls /usr/bin /usr/share';
      const { stdout } = await runImage(tag, ['--entrypoint', 'sh'], ['-c', remove]);
      expect(stdout).toContain('bash');
      expect(stdout).not.toContain('svc-super');
    },
    MINUTES,
  );

  test(
    'the .apk has the files, and names libstdc++ as its dependency',
    async () => {
      const file = join(release, packageName(musl, version));
      const info = await must(['tar', '-xOzf', file, '.PKGINFO']);
      expect(info.split('\n')).toEqual(
        expect.arrayContaining(['pkgname = svc-super', `pkgver = ${version}`, 'depend = libstdc++']),
      );
      const root = join(folder.path, 'root');
      await must(['cp', '-a', await rootOf(musl), root]);
      await must(['tar', '--warning=no-unknown-keyword', '-xzf', file, '-C', root]);
      const enter = 'mount -t proc proc "$1/proc" && exec chroot "$1" /usr/bin/svc-super version';
      expect(await must(['unshare', '--mount', 'sh', '-c', enter, 'sh', root])).toBe(`svc-super ${version}`);
    },
    MINUTES,
  );
});
