// The Dockerfiles of the examples, built as they stand on an image that stands in for the one they are made for, and with the
// real image of svc-super: each step runs, `svc-super check --build` succeeds, and the configuration of the image is right.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { haveBase } from '../helpers/container-image.ts';
import { buildah, must, podman, skipContainers } from '../helpers/container-tools.ts';
import { HERE, makeFolder, makeRelease } from '../helpers/release.ts';
import { insteadOf, PUBLISHED, pullImage, removeImages, unpackLayout } from '../helpers/release-image.ts';

const ROOT = join(import.meta.dir, '../..');
const MINUTES = 600_000;
const standIn = `localhost/svc-super-test-stand-in:${process.pid}`;
const built: string[] = [];
const release = makeFolder();
let image: string;

interface Config {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[] | null;
  readonly ExposedPorts?: Readonly<Record<string, unknown>>;
}

const dockerfiles = ['Dockerfile.example', ...new Bun.Glob('examples/*/Dockerfile').scanSync({ cwd: ROOT })].sort();

describe.skipIf(skipContainers())('the Dockerfile of an example', () => {
  beforeAll(async () => {
    const context = join(import.meta.dir, 'stand-in');
    await must(buildah('--layers=false', '--build-arg', `BASE=${await haveBase()}`, '--tag', standIn, context));
    const folder = join(release.path, 'release');
    await makeRelease(folder, ['--platforms', HERE, '--steps', 'trees,images']);
    image = await pullImage(await unpackLayout(folder), 'glibc');
  }, MINUTES);
  afterAll(async () => {
    await removeImages(...built, standIn, image);
    release.remove();
  }, MINUTES);

  for (const [index, file] of dockerfiles.entries()) {
    test(
      file,
      async () => {
        const text = readFileSync(join(ROOT, file), 'utf8');
        const bases = [...text.matchAll(/^FROM (\S+)/gm)].map(([, name]) => name as string);
        expect(bases.length).toBeGreaterThan(0);
        expect(text).toContain(`\nCOPY --from=${PUBLISHED} / /\n`);
        const named: Readonly<Record<string, string>> = {
          ...Object.fromEntries(bases.map((name) => [name, standIn])),
          [PUBLISHED]: image,
        };
        const tag = `localhost/svc-super-test-example-${index}:${process.pid}`;
        built.push(tag);
        await must(buildah('--layers=false', ...insteadOf(named), '--tag', tag, '--file', join(ROOT, file), ROOT));

        const [inspected] = JSON.parse(await must(podman('inspect', '--type', 'image', tag)));
        const config = inspected.Config as Config;
        expect(config.Entrypoint).toEqual(['svc-super']);
        expect(config.Cmd ?? []).toEqual([]);
        expect(inspected.Healthcheck.Test).toEqual(['CMD', 'svc-super', 'health']);
        expect(Object.keys(config.ExposedPorts ?? {})).not.toEqual([]);
      },
      MINUTES,
    );
  }
});
