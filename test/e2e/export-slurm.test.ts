// The batch script of `svc-super export slurm` under a real Slurm. A replacement for Apptainer handles options and environment as
// Apptainer does, and runs svc-super without a container.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { skipWhen } from '../helpers/skip.ts';
import { type Ended, type Slurm, startSlurm, whyNoSlurm } from '../helpers/slurm.ts';

setDefaultTimeout(120_000);

const BINARY = process.env.SVC_SUPER_BINARY ?? join(import.meta.dir, '../../dist/svc-super');

/** Accepts `run`, drops the options and the image, and passes on the variables that --cleanenv does. */
const STAND_IN = `#!/bin/bash
echo "$@" > apptainer.args
env > job.env
declare -a clean=("PATH=$PATH")
while IFS='=' read -r name value; do
  [[ $name != APPTAINERENV_* ]] || clean+=("\${name#APPTAINERENV_}=$value")
done < <(env)
exec env -i "\${clean[@]}" ${BINARY} up -f services.yaml
`;

const PUPPET = `#!/bin/sh
trap 'echo "$1 stopped" >> events; exit 0' TERM
echo "$1 started" >> events
env > "$1.env"
: > "$1.ready"
[ "$2" = "" ] || { sleep 0.3; exit "$2"; }
while :; do sleep 0.05; done
`;

const services = (gpus: number, code = '') => `name: job
stop_timeout: 4s
services:
  model:
    command: [sh, ./puppet, model]
    port: \${MODEL_PORT:-9000}
    gpus: { count: ${gpus}, optional: true }
    env: { LEVEL: "\${LEVEL:-none}" }
    ready: { file: model.ready }
  page:
    command: [sh, ./puppet, page, "${code}"]
    depends_on: { model: ready }
`;

describe.skipIf(skipWhen([whyNoSlurm()], 'export slurm under Slurm'))('export slurm', () => {
  let slurm: Slurm;
  let count = 0;
  beforeAll(async () => {
    slurm = await startSlurm();
  });
  afterAll(() => slurm?.stop());

  interface Job {
    readonly folder: string;
    readonly submit: (options?: readonly string[], env?: Readonly<Record<string, string>>) => Promise<Ended>;
    readonly read: (name: string) => string;
    readonly events: () => string;
  }

  /** Exports the services into a folder with everything that a job needs. */
  const prepare = async (text: string, recipe: string | null = null): Promise<Job> => {
    count += 1;
    const folder = join(slurm.folder, `job-${count}`);
    mkdirSync(folder);
    const put = (name: string, content: string): void => {
      writeFileSync(join(folder, name), content);
      chmodSync(join(folder, name), 0o755);
    };
    put('services.yaml', text);
    put('apptainer', STAND_IN);
    put('puppet', PUPPET);
    if (recipe !== null) put('recipe.yaml', recipe);
    const flags = recipe === null ? [] : ['--recipe', 'recipe.yaml'];
    const command = [BINARY, 'export', 'slurm', '-f', 'services.yaml', '--image', 'debian', '-o', '.', ...flags];
    const { exitCode, stderr } = Bun.spawnSync(command, { cwd: folder });
    if (exitCode !== 0) throw new Error(stderr.toString());
    return {
      folder,
      submit: (options = [], env = {}) =>
        slurm.run(['sbatch', `--chdir=${folder}`, ...options, join(folder, 'job.sbatch')], {
          ...env,
          PATH: `${folder}:${process.env.PATH}`,
        }),
      read: (name) => readFileSync(join(folder, name), 'utf8'),
      events: () => {
        try {
          return readFileSync(join(folder, 'events'), 'utf8');
        } catch {
          return '';
        }
      },
    };
  };

  const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
    for (const deadline = performance.now() + 40_000; !(await holds()); await Bun.sleep(50)) {
      if (performance.now() > deadline) throw new Error(`${what} did not happen`);
    }
  };

  const show = async (id: string): Promise<string> => (await slurm.run(['scontrol', 'show', 'job', id])).output;
  const submitted = async (job: Job, env: Readonly<Record<string, string>> = {}): Promise<string> => {
    const { code, output } = await job.submit(['--parsable'], env);
    expect([code, output]).toEqual([0, expect.stringMatching(/^\d+/)]);
    return output.trim();
  };

  test('starts the services with its GPUs, and `scancel -b -s TERM` stops them in order', async () => {
    const job = await prepare(services(2));
    const id = await submitted(job, { LEVEL: 'high' });
    await until('the start', () => job.events() === 'model started\npage started\n');
    expect(job.read('job.env')).toContain('APPTAINERENV_CUDA_VISIBLE_DEVICES=0,1\n');
    expect(job.read('model.env')).toContain('LEVEL=high\n');
    expect(job.read('model.env')).not.toContain('SLURM_CONF=');
    // The name of the job's control socket contains its number, and commands in the job find it.
    expect(job.read('model.env')).toMatch(new RegExp(`^SVC_SUPER_SOCKET=/\\S+-${id}\\.sock$`, 'm'));
    const status = Bun.spawnSync([BINARY, 'status'], { env: { SLURM_JOB_ID: id } });
    expect([status.exitCode, status.stdout.toString()]).toEqual([0, expect.stringMatching(/^page +running/m)]);
    expect(job.read('apptainer.args')).toBe('run --nv --cleanenv --no-home job.sif\n');
    await slurm.run(['scancel', '--batch', '--signal=TERM', id]);
    await until('the end', async () => /JobState=(?!RUNNING|COMPLETING)/.test(await show(id)));
    expect(job.events()).toBe('model started\npage started\npage stopped\nmodel stopped\n');
    expect(await show(id)).toMatch(/JobState=COMPLETED[\s\S]*ExitCode=0:0/);
  });

  test('plain `scancel` ends everything too', async () => {
    const job = await prepare(services(0));
    const id = await submitted(job);
    await until('the start', () => job.events().includes('page started'));
    await slurm.run(['scancel', id]);
    await until('the end', async () => /JobState=CANCELLED/.test(await show(id)));
    await until('both stops', () => job.events().split('stopped').length === 3);
  });

  test('the exit code of a failed service is that of the job', async () => {
    const job = await prepare(services(1, '9'));
    const { code, output } = await job.submit(['--wait', '--parsable']);
    expect([code, await show(output.trim())]).toEqual([9, expect.stringMatching(/JobState=FAILED[\s\S]*ExitCode=9:0/)]);
    expect(job.events()).toBe('model started\npage started\nmodel stopped\n');
  });

  test('the script requests SIGTERM before the time limit, earlier than the services need', async () => {
    const job = await prepare(services(0));
    expect(job.read('job.sbatch')).toContain('#SBATCH --signal=B:TERM@14\n');
  });

  // Slurm counts limits in minutes: `npm run test:slurm` runs this too.
  if (process.env.SVC_TEST_LONG === '1') {
    test('the time limit stops the services in order', async () => {
      const job = await prepare(services(0));
      const { code, output } = await job.submit(['--wait', '--parsable', '--time=1']);
      expect(job.events()).toBe('model started\npage started\npage stopped\nmodel stopped\n');
      expect([code, await show(output.trim())]).toEqual([0, expect.stringMatching(/JobState=COMPLETED/)]);
    }, 180_000);
  }

  test('sbatch refuses more GPUs than a node has', async () => {
    const job = await prepare(services(3));
    expect(job.read('job.sbatch')).toContain('#SBATCH --gres=gpu:3\n');
    const { code, output } = await job.submit();
    expect([code, output]).toEqual([1, expect.stringContaining('Requested node configuration is not available')]);
  });

  test('a taken port on the node is not chosen', async () => {
    const job = await prepare(services(0));
    const server = createServer().listen(9000, '127.0.0.1');
    try {
      const id = await submitted(job);
      await until('the start', () => job.events().includes('page started'));
      expect(job.read('model.env')).toContain('PORT=9001\n');
      await slurm.run(['scancel', '--batch', '--signal=TERM', id]);
      await until('the end', async () => /JobState=COMPLETED/.test(await show(id)));
      expect(job.read(`job-${id}.out`)).toMatch(/^model: \S+:9001$/m);
    } finally {
      server.close();
    }
  });

  test('a recipe sets resources and the site’s options', async () => {
    const recipe = `name: job
container: { image: debian }
resources: { cpu: 1, memory: 100MB, gpu: 1, time_limit: 1h30m }
environment: { MODE: "a b" }
slurm: { partition: gpu }
`;
    const job = await prepare(services(1), recipe);
    const id = await submitted(job);
    await until('the start', () => job.events().includes('page started'));
    const shown = await show(id);
    expect(shown).toMatch(/Partition=gpu/);
    expect(shown).toMatch(/TimeLimit=01:30:00/);
    expect(job.read('model.env')).toContain('MODE=a b\n');
    await slurm.run(['scancel', '--batch', '--signal=TERM', id]);
    await until('the end', async () => /JobState=COMPLETED/.test(await show(id)));
    expect(job.events()).toEndWith('page stopped\nmodel stopped\n');
  });
});
