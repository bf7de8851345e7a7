// The stage of Dockerfile.example that builds svc-super from source: with a real Node and npm, on Debian, from a context as
// .dockerignore leaves it. Downloads the packages of package-lock.json. `npm run test:release` runs it.
import { afterAll, describe, expect, test } from 'bun:test';
import { copyFileSync, existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readVersion } from '../../scripts/release/version.ts';
import { haveBase } from '../helpers/container-image.ts';
import { buildah, must, whyNoContainers } from '../helpers/container-tools.ts';
import { makeFolder, ROOT } from '../helpers/release.ts';
import { buildWith, insteadOf, removeImages, runImage } from '../helpers/release-image.ts';
import { skipWhen } from '../helpers/skip.ts';

const MINUTES = 600_000;
const isSkipped = skipWhen([whyNoContainers()], 'the test of the build from source');
const [node, built, final] = ['node', 'source', 'from-source'].map(
  (name) => `localhost/svc-super-test-${name}:${process.pid}`,
) as [string, string, string];
const folder = makeFolder();
afterAll(async () => {
  await removeImages(final, built, node);
  folder.remove();
}, MINUTES);

/** Stands in for `node:20`: Debian with the Node and npm of this machine, which trusts and asks the same registry. */
async function makeNode(base: string): Promise<void> {
  const context = join(folder.path, 'node');
  mkdirSync(context);
  copyFileSync(realpathSync(Bun.which('node') ?? ''), join(context, 'node'));
  const npm = dirname(dirname(realpathSync(Bun.which('npm') ?? '')));
  await must(['cp', '-a', npm, join(context, 'npm')]);
  const trusted = process.env.NODE_EXTRA_CA_CERTS ?? '/etc/ssl/certs/ca-certificates.crt';
  if (existsSync(trusted)) copyFileSync(trusted, join(context, 'trusted.crt'));
  else writeFileSync(join(context, 'trusted.crt'), '');
  const registry = await must(['npm', 'config', 'get', 'registry']);
  const dockerfile = `FROM base
COPY node /usr/local/bin/
COPY trusted.crt /etc/trusted.crt
COPY npm /usr/local/lib/npm
RUN ln -s ../lib/npm/bin/npm-cli.js /usr/local/bin/npm
ENV npm_config_registry=${registry} NODE_EXTRA_CA_CERTS=/etc/trusted.crt PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
`;
  expect(await buildWith(base, dockerfile, node, { folder: context, images: { base } })).toMatchObject({ code: 0 });
}

describe.skipIf(isSkipped)('Dockerfile.example', () => {
  test(
    'its stage `build` makes svc-super from source, and COPY --from installs that',
    async () => {
      const base = await haveBase();
      await makeNode(base);
      const named = [...insteadOf({ 'node:20': node }), '--target', 'build'];
      const file = ['--file', join(ROOT, 'Dockerfile.example'), ROOT];
      await must(buildah('--layers=false', ...named, '--tag', built, ...file), MINUTES);
      const context = join(folder.path, 'context');
      mkdirSync(context);
      writeFileSync(join(context, 'services.yaml'), 'services: { a: { command: [svc-super, version] } }\n');
      const dockerfile = `FROM base
COPY --from=built /svc-super /
COPY services.yaml /etc/svc-super/services.yaml
RUN svc-super check --build
ENTRYPOINT ["svc-super"]
`;
      const images = { base, built };
      expect(await buildWith(base, dockerfile, final, { folder: context, images })).toMatchObject({ code: 0 });
      expect(await runImage(final)).toMatchObject({ code: 0, stdout: `a         | svc-super ${readVersion()}\n` });
    },
    MINUTES,
  );
});
