// The Dockerfile of `svc-super export dockerfile`: buildah builds it, podman runs it, and the container ends with the exit code of
// its service.
import { afterAll, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { haveBase } from '../helpers/container-image.ts';
import { LABEL, must, podman, run, skipContainers } from '../helpers/container-tools.ts';

const BINARY = process.env.SVC_SUPER_BINARY ?? join(import.meta.dir, '../../dist/svc-super');
const MINUTES = 600_000;
const image = `localhost/svc-super-test-export:${process.pid}`;
const BUD = ['buildah', 'bud', '--isolation', 'chroot', '--format', 'docker', '--layers=false', '--label', `${LABEL}=`];

const SERVICES = `name: exported
env_file: [values.env]
services:
  web: { command: 'while :; do sleep 0.1; done', port: 8080 }
  task: { type: task, command: 'exit "$CODE"', depends_on: [web] }
`;

describe.skipIf(skipContainers())('export dockerfile', () => {
  afterAll(async () => {
    await run(podman('rmi', '--force', image));
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
        await must([...BUD, '--tag', image, folder]);

        const [inspected] = JSON.parse(await must(podman('inspect', '--type', 'image', image)));
        expect(inspected.Config).toMatchObject({ Entrypoint: ['svc-super'], ExposedPorts: { '8080/tcp': {} } });
        expect(inspected.Config.Cmd ?? []).toEqual([]);
        expect(inspected.Config.StopSignal).toBe('SIGTERM');
        expect(inspected.Healthcheck).toMatchObject({ Test: ['CMD', 'svc-super', 'health'], Interval: 10_000_000_000 });

        const flags = ['--rm', '--runtime', 'runc', '--network=none', '--no-healthcheck'];
        const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=4096:4096'];
        const { code, stdout, stderr } = await run(podman('run', ...flags, ...limits, image));
        expect([code, stdout + stderr]).toEqual([7, expect.stringContaining('task')]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    MINUTES,
  );
});
