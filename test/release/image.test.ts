// The images of a release: what they contain, and that one `COPY --from` of a second build installs svc-super on Debian, on
// a root that has the C library only, and on musl.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tagOf } from '../../scripts/release/image.ts';
import { findPlatform } from '../../scripts/release/platforms.ts';
import { BIN, SHARE } from '../../scripts/release/stage.ts';
import { readVersion } from '../../scripts/release/version.ts';
import { haveBase } from '../helpers/container-image.ts';
import { must, skipContainers } from '../helpers/container-tools.ts';
import { HERE, isFull, makeFolder, makeRelease } from '../helpers/release.ts';
import { buildWith, PUBLISHED, pullImage, removeImages, runImage, unpackLayout } from '../helpers/release-image.ts';
import { rootOf } from '../helpers/roots.ts';

const MINUTES = 600_000;
const version = readVersion();
const PLATFORMS = isFull ? ['linux-x64', 'linux-arm64', 'linux-x64-musl', 'linux-arm64-musl'] : [HERE, `${HERE}-musl`];

/** Prints the version as a task, then fails: the container's exit code is that of the service. */
const SERVICES = `services:
  first: { type: task, command: [svc-super, version] }
  second: { command: [svc-super, status, --nonsense], depends_on: { first: completed } }
`;
const INSTALL = `COPY --from=${PUBLISHED} / /
COPY services.yaml /etc/svc-super/services.yaml
RUN ["/usr/local/bin/svc-super", "check", "--build"]
ENTRYPOINT ["svc-super"]
`;
const PATH = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

interface Descriptor {
  readonly digest: string;
  readonly mediaType: string;
  readonly platform?: { readonly architecture: string; readonly os: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

describe.skipIf(skipContainers())('the images of a release', () => {
  const folder = makeFolder();
  const release = join(folder.path, 'release');
  const context = join(folder.path, 'context');
  const made: string[] = [];
  let layout: string;
  let base: string;
  let image: string;
  const read = (digest: string) => JSON.parse(readFileSync(join(layout, 'blobs', digest.replace(':', '/')), 'utf8'));

  beforeAll(async () => {
    base = await haveBase();
    await makeRelease(release, ['--platforms', PLATFORMS.join(','), '--steps', 'trees,images']);
    layout = await unpackLayout(release);
    image = await pullImage(layout, 'glibc');
    made.push(image);
    mkdirSync(context);
    writeFileSync(join(context, 'services.yaml'), SERVICES);
  }, MINUTES);
  afterAll(async () => {
    await removeImages(...made.reverse());
    folder.remove();
  }, MINUTES);

  /** Builds, runs, and compares what the container did. */
  async function expectToWork(
    name: string,
    dockerfile: string,
    images: Readonly<Record<string, string>>,
    from = image,
  ) {
    const tag = `localhost/svc-super-test-copy-${name}:${process.pid}`;
    made.push(tag);
    const built = await buildWith(from, dockerfile, tag, { folder: context, images });
    expect(built.stderr).not.toContain('rror');
    expect(built.code).toBe(0);
    const ran = await runImage(tag);
    expect(ran).toMatchObject({ code: 64, stdout: `first     | svc-super ${version}\n` });
    return tag;
  }

  test('are one manifest list for each C library, with an image for each architecture', () => {
    const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
    const names = manifests.map(({ annotations }) => annotations?.['org.opencontainers.image.ref.name']);
    expect(names.sort()).toEqual([tagOf(version, 'glibc'), tagOf(version, 'musl')]);
    const architectures = [...new Set(PLATFORMS.map((name) => (name.includes('arm64') ? 'arm64' : 'amd64')))];
    for (const { digest, mediaType } of manifests) {
      expect(mediaType).toBe('application/vnd.oci.image.index.v1+json');
      const list = read(digest).manifests as Descriptor[];
      expect(list.map(({ platform }) => `${platform?.os}/${platform?.architecture}`)).toEqual(
        architectures.map((name) => `linux/${name}`),
      );
      for (const entry of list) {
        const config = read(read(entry.digest).config.digest);
        expect(config.architecture).toBe(entry.platform?.architecture);
        expect(config.config.Entrypoint).toEqual(['/usr/local/bin/svc-super']);
        expect(config.config.Labels['org.opencontainers.image.version']).toBe(version);
      }
    }
  });

  test(
    'contain the files of the archive and nothing else',
    async () => {
      const container = await must(['buildah', 'from', image]);
      try {
        const root = await must(['buildah', 'mount', container]);
        const files = await must(['find', root, '-type', 'f', '-printf', '%P %m %U:%G\n']);
        expect(files.split('\n').sort()).toEqual([
          `${BIN}/svc-super 755 0:0`,
          `${BIN}/svc-super-supervisor 755 0:0`,
          ...['LICENSE', 'THIRD_PARTY_LICENSES', 'services.schema.json'].map((name) => `${SHARE}/${name} 644 0:0`),
        ]);
      } finally {
        await must(['buildah', 'rm', container]);
      }
    },
    MINUTES,
  );

  test(
    'COPY --from installs svc-super on Debian',
    async () => {
      const tag = await expectToWork('debian', `FROM base\n${PATH}\n${INSTALL}`, { base });
      // What is there already keeps its mode: a sticky /tmp, /usr/local, its owner.
      const { stdout } = await runImage(tag, [], ['stat', '-c', '%n %a %U', '/tmp', '/usr', '/usr/local/bin']);
      expect(stdout).toBe('/tmp 1777 root\n/usr 755 root\n/usr/local/bin 755 root\n');
    },
    MINUTES,
  );

  test(
    'COPY --from installs svc-super on a root with the C library only',
    async () => {
      const libraries = ['ld-linux-x86-64.so.2', 'ld-linux-aarch64.so.1', 'libc.so.6', 'libm.so.6']
        .concat(['libpthread.so.0', 'libdl.so.2'])
        .map((name) => `-name ${name}`);
      // As in distroless images: no shell, no tools, no /etc.
      const collect = `RUN mkdir -p /root-only && cd / && find lib/ lib64/ -follow \\( ${libraries.join(' -o ')} \\) \\
  -exec cp --parents --dereference {} /root-only/ \\;`;
      const dockerfile = `FROM base AS build\n${collect}\nFROM scratch\nCOPY --from=build /root-only /\n${PATH}\n${INSTALL}`;
      await expectToWork('minimal', dockerfile, { base });
    },
    MINUTES,
  );

  test(
    'COPY --from installs svc-super on musl',
    async () => {
      const root = await rootOf(findPlatform(`${HERE}-musl`));
      const muslBase = `localhost/svc-super-test-musl:${process.pid}`;
      await must(['sh', '-c', 'tar -C "$1" -c . | podman import --quiet - "$2"', 'sh', root, muslBase]);
      const musl = await pullImage(layout, 'musl');
      made.push(muslBase, musl);
      await expectToWork('musl', `FROM musl\n${PATH}\n${INSTALL}`, { musl: muslBase }, musl);
    },
    MINUTES,
  );
});
