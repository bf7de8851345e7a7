// The Dockerfiles of the examples, built as they stand on an image that stands in for the one they are made for: each step
// runs, `svc-super check --build` is content, and what the image says of itself is right.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { haveBase } from '../helpers/container-image.ts';
import { LABEL, must, podman, run, skipContainers } from '../helpers/container-tools.ts';

const ROOT = join(import.meta.dir, '../..');
const MINUTES = 600_000;
const standIn = `localhost/svc-super-test-stand-in:${process.pid}`;
const built: string[] = [];

const BUD = ['buildah', 'bud', '--isolation', 'chroot', '--format', 'docker', '--layers=false', '--label', `${LABEL}=`];

interface Config {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[] | null;
  readonly ExposedPorts?: Readonly<Record<string, unknown>>;
}

const dockerfiles = ['Dockerfile.example', ...new Bun.Glob('examples/*/Dockerfile').scanSync({ cwd: ROOT })].sort();

describe.skipIf(skipContainers())('the Dockerfile of an example', () => {
  beforeAll(async () => {
    const context = join(import.meta.dir, 'stand-in');
    await must([...BUD, '--build-arg', `BASE=${await haveBase()}`, '--tag', standIn, context]);
  }, MINUTES);
  afterAll(async () => {
    for (const image of [...built, standIn]) await run(podman('rmi', '--force', image));
  }, MINUTES);

  for (const [index, file] of dockerfiles.entries()) {
    test(
      file,
      async () => {
        const text = readFileSync(join(ROOT, file), 'utf8');
        const bases = [...text.matchAll(/^FROM (\S+)/gm)].map(([, name]) => name as string);
        expect(bases.length).toBeGreaterThan(0);
        const instead = bases.flatMap((name) => ['--build-context', `${name}=container-image://${standIn}`]);
        const image = `localhost/svc-super-test-example-${index}:${process.pid}`;
        built.push(image);
        await must([...BUD, ...instead, '--tag', image, '--file', join(ROOT, file), ROOT]);

        const [inspected] = JSON.parse(await must(podman('inspect', '--type', 'image', image)));
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
