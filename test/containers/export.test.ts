// The Dockerfile of `svc-super export dockerfile`: buildah builds it, podman runs it, and the container ends with the exit code of
// its service.
import { afterAll, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { haveBase } from '../helpers/container-image.ts';
import { buildah, must, podman, skipContainers } from '../helpers/container-tools.ts';
import { removeImages, runImage } from '../helpers/release-image.ts';

const BINARY = process.env.SVC_SUPER_BINARY ?? join(import.meta.dir, '../../dist/svc-super');
const MINUTES = 600_000;
const image = `localhost/svc-super-test-export:${process.pid}`;

const SERVICES = `name: exported
env_file: [values.env]
services:
  web: { command: 'while :; do sleep 0.1; done', port: 8080 }
  task: { type: task, command: 'exit "$CODE"', depends_on: [web] }
`;

describe.skipIf(skipContainers())('export dockerfile', () => {
  afterAll(async () => {
    await removeImages(image);
  }, MINUTES);

  test(
    'gives an image that builds, describes itself and runs',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'svc-super-export-'));
      try {
        writeFileSync(join(folder, 'services.yaml'), SERVICES);
        writeFileSync(join(folder, 'values.env'), 'CODE=7\n');
        for (const name of ['svc-super', 'svc-super-supervisor'])
          copyFileSync(join(dirname(BINARY), name), join(folder, name));
        const file = join(folder, 'services.yaml');
        await must([BINARY, 'export', 'dockerfile', '-f', file, '--image', await haveBase(), '-o', folder]);
        await must(buildah('--layers=false', '--tag', image, folder));

        const [inspected] = JSON.parse(await must(podman('inspect', '--type', 'image', image)));
        expect(inspected.Config).toMatchObject({ Entrypoint: ['svc-super'], ExposedPorts: { '8080/tcp': {} } });
        expect(inspected.Config.Cmd ?? []).toEqual([]);
        expect(inspected.Config.StopSignal).toBe('SIGTERM');
        expect(inspected.Healthcheck).toMatchObject({ Test: ['CMD', 'svc-super', 'health'], Interval: 10_000_000_000 });

        const { code, stdout, stderr } = await runImage(image, ['--no-healthcheck']);
        expect([code, stdout + stderr]).toEqual([7, expect.stringContaining('task')]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    MINUTES,
  );
});
