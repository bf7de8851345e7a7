// GPUs with the real binary: their assignment, refused requests, and the pre-flight as text. The devices are files in the run's
// own /dev, the driver is a script; test/gpu uses real ones.
import { expect, test } from 'bun:test';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { devices, HELD, LOST, smi } from '../helpers/gpus.ts';
import { freePort, isRoot, played, type UpOptions, until, up, useRig } from '../helpers/rig.ts';

useRig();

const FREE = smi([100, 24_576], [200, 24_576]);

/** A run on a machine with this many GPUs. */
function machine(count: number, tool: string | null = FREE, more: UpOptions = {}): UpOptions {
  const before = `${devices(count)}\n${more.before ?? ''}`;
  return { ...more, before, ...(tool !== null && { files: { 'nvidia-smi': tool, ...more.files } }) };
}

test('each service sees its own GPUs, and `status` shows them', async () => {
  await using run = await up(
    {
      services: {
        web: played(),
        big: played({ gpus: 1 }),
        second: played({ gpus: [0] }),
        aside: played({ gpus: { share: 'all' } }),
        none: played({ gpus: 0 }),
      },
    },
    machine(2),
  );
  const told = async (name: string) => {
    const { env } = await (await run.puppet(name)).facts();
    return [env.CUDA_VISIBLE_DEVICES, env.CUDA_DEVICE_ORDER, env.SVC_GPU_COUNT];
  };
  expect(await told('web')).toEqual([undefined, undefined, undefined]);
  expect(await told('big')).toEqual(['1', 'PCI_BUS_ID', '1']);
  expect(await told('second')).toEqual(['0', 'PCI_BUS_ID', '1']);
  expect(await told('aside')).toEqual(['0,1', 'PCI_BUS_ID', '2']);
  expect(await told('none')).toEqual(['', undefined, '0']);
  const { services } = await run.status();
  expect(services.map(({ name, gpus }) => [name, gpus])).toEqual([
    ['web', null],
    ['big', ['1']],
    ['second', ['0']],
    ['aside', ['0', '1']],
    ['none', []],
  ]);
  const { stdout } = await run.command('status');
  const [head = '', ...rows] = stdout.split('\n');
  expect(head).toMatch(/MEMORY\s+GPU\s+NOTE/);
  const column = head.indexOf('GPU');
  expect(rows.slice(0, 5).map((row) => row.slice(column).split(' ')[0])).toEqual(['-', '1', '0', '0,1', '-']);
});

test('a machine without a GPU is reported before anything starts', async () => {
  await using run = await up({ services: { web: played(), vllm: played({ gpus: 1 }) } }, machine(0));
  await run.ends(78);
  await run.line(/services\.yaml:\d+:\d+: error: `vllm` requests a GPU, but there is none/);
  await run.line(/help: .*was the container started without `--gpus all`/);
  expect(run.hasCalled('web')).toBe(false);
});

test('of two services on one GPU the second is refused, unless they share it', async () => {
  const services = (second: unknown) => ({ a: played({ gpus: 1 }), b: played({ gpus: second }) });
  {
    await using run = await up({ services: services(1) }, machine(1));
    await run.ends(78);
    await run.line(/`b` requests a GPU, but none is free: `a` has GPU 0/);
  }
  await using run = await up({ services: services({ share: 1 }) }, machine(1));
  for (const name of ['a', 'b']) {
    const { env } = await (await run.puppet(name)).facts();
    expect(env.CUDA_VISIBLE_DEVICES).toBe('0');
  }
});

test('a missing optional GPU is reported, and the service runs without it', async () => {
  await using run = await up({ services: { a: played({ gpus: { count: 1, optional: true } }) } }, machine(0));
  await run.line(/svc-super \| warning: .*`a` runs without a GPU: there are none/);
  const { env } = await (await run.puppet('a')).facts();
  expect([env.CUDA_VISIBLE_DEVICES, env.SVC_GPU_COUNT]).toEqual(['', '0']);
});

test('a driver that does not respond ends the start with 75, before any spawn', async () => {
  await using run = await up({ services: { web: played(), a: played({ gpus: 1 }) } }, machine(1, LOST));
  await run.ends(75);
  await run.line(
    /^svc-super: the GPU driver does not answer \(Failed to initialize NVML: Unknown Error\): restart the container, because a restart of the service does not help; nothing was started$/,
  );
  expect(run.hasCalled('web')).toBe(false);
});

test('a driver that does not respond is no reason not to start what has no GPU; a service that is started by hand fails', async () => {
  const services = {
    web: played(),
    hand: played({ gpus: 1, start: 'manual' }),
    off: played({ gpus: 1, profiles: ['x'] }),
  };
  await using run = await up({ services }, machine(1, LOST));
  await run.puppet('web');
  const started = await run.command('start', '--wait', 'hand');
  expect(started.code).toBe(1);
  expect(started.stderr).toContain('hand is failed: lost its GPU: Failed to initialize NVML: Unknown Error');
  await run.command('start', '--wait', 'off');
  expect((await run.status()).services.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'web ready',
    'hand failed',
    'off failed',
  ]);
  run.signal('SIGTERM');
  await run.ends(0);
});

test('with no GPU on the machine, a service that is started by hand is refused with the reason', async () => {
  const services = { web: played(), hand: played({ gpus: 1, start: 'manual', restart: 'always' }) };
  await using run = await up({ services }, machine(0));
  await run.puppet('web');
  await run.line(/warning: .*`hand` requests a GPU, but there is none: it cannot be started/);
  const { code, stderr } = await run.command('start', '--wait', 'hand');
  expect(code).toBe(1);
  expect(stderr).toContain('could not be started: `hand` requests a GPU, but there is none');
  expect(await run.service('hand')).toMatchObject({ state: 'failed', run: 1, restarts: 0 });
  expect(run.hasCalled('hand')).toBe(false);
});

test('with `on_lost: restart` the start continues', async () => {
  await using run = await up({ services: { a: played({ gpus: { count: 1, on_lost: 'restart' } }) } }, machine(1, LOST));
  await run.puppet('a');
});

test('without nvidia-smi the start continues', async () => {
  await using run = await up({ services: { a: played({ gpus: { count: 1, min_free: '20GiB' } }) } }, machine(1, null));
  await run.puppet('a');
  if (Bun.which('nvidia-smi') === null) await run.line(/a has a GPU whose memory cannot be read, so `min_free` is not/);
});

test('warnings of a driver do not prevent a start', async () => {
  const tool = `${smi([100, 24_576])}echo "WARNING: infoROM is corrupted at gpu 0000:3B:00.0"\nexit 14\n`;
  await using run = await up({ services: { a: played({ gpus: 1 }) } }, machine(1, tool));
  await run.puppet('a');
  await run.line(/a has a GPU whose driver complains: WARNING: infoROM is corrupted at gpu 0000:3B:00\.0$/);
});

test('a GPU that is too small for `min_free` ends the start with 78', async () => {
  const services = { a: played({ gpus: { count: 1, min_free: '40GiB' } }) };
  await using run = await up({ services }, machine(1));
  await run.ends(78);
  await run.line(/^svc-super: a needs 40 GiB \(`min_free`\), and GPU 0 has 24 GiB in all; nothing was started$/);
});

const AGAIN = { policy: 'always', backoff: { initial: '1ms', max: '1ms' } };

test('a run waits until the memory of the previous one is free', async () => {
  await using run = await up({ services: { a: played({ gpus: 1, restart: AGAIN }) } }, machine(1, HELD));
  const first = await run.puppet('a', 1);
  const held = join(run.folder, 'tmp/held');
  writeFileSync(held, '4');
  run.kill(first.pid);
  await run.line(/a waits for GPU memory: 19\.5 GiB of GPU 0 are in use, 100 MiB were before the service's last run$/);
  await run.puppet('a', 2);
  expect(existsSync(held)).toBe(false);
});

test('memory that is not freed within `free_timeout` is a failed start, with the processes that hold it', async () => {
  const services = {
    a: played({ gpus: { count: 1, free_timeout: '300ms' }, restart: { ...AGAIN, max: 1 } }),
    other: { command: 'exec 9<>/dev/nvidia0; exec sleep infinity' },
  };
  await using run = await up({ services }, machine(1, HELD, { leaves: ['tmp/held'] }));
  const first = await run.puppet('a', 1);
  const { pid } = await run.state('other', 'ready');
  await until('the device to be open', () => run.find(pid ?? 0)?.name === 'sleep');
  writeFileSync(join(run.folder, 'tmp/held'), '100000');
  run.kill(first.pid);
  await run.line(
    new RegExp(`GPU memory did not become free within 300 ms: .*; held by sleep \\(pid ${pid} of other\\)`),
  );
});

test('a driver that is lost while a service runs ends the container with 75 before its next run', async () => {
  await using run = await up({ services: { a: played({ gpus: 1, restart: AGAIN }) } }, machine(1));
  const first = await run.puppet('a', 1);
  writeFileSync(join(run.folder, 'nvidia-smi'), LOST);
  run.kill(first.pid);
  await run.ends(75);
  await run.line(/error: a lost its GPU: Failed to initialize NVML: Unknown Error; only a new container can fix that/);
});

test('memory that cannot be read is reported once, and nothing waits for it', async () => {
  const tool = '#!/bin/sh\necho "0, GPU-0, [N/A], [N/A]"\n';
  await using run = await up({ services: { a: played({ gpus: 1, restart: AGAIN }) } }, machine(1, tool));
  for (const number of [1, 2, 3]) run.kill((await run.puppet('a', number)).pid);
  await run.puppet('a', 4);
  expect(run.lines.filter((line) => line.includes('nvidia-smi does not report the memory of GPU 0')).length).toBe(1);
});

test('without `gpus` the driver is not called', async () => {
  const tool = '#!/bin/sh\ntouch "$(dirname "$0")/tmp/asked"\n';
  await using run = await up({ services: { a: played(), b: played({ depends_on: ['a'] }) } }, machine(2, tool));
  await run.puppet('b');
  expect(existsSync(join(run.folder, 'tmp/asked'))).toBe(false);
});

test('a reload keeps the GPU of a service when another is added before it', async () => {
  const config = (services: object) => JSON.stringify({ services });
  const a = played({ gpus: 1 });
  await using run = await up(config({ a }), machine(2));
  const first = await run.puppet('a');
  writeFileSync(join(run.folder, 'services.yaml'), config({ fresh: played({ gpus: 1 }), a }));
  run.signal('SIGHUP');
  const { env } = await (await run.puppet('fresh')).facts();
  expect(env.CUDA_VISIBLE_DEVICES).toBe('1');
  expect(await run.service('a')).toMatchObject({ pid: first.pid, run: 1, gpus: ['0'] });
  // A file that requests more than there is changes nothing.
  writeFileSync(join(run.folder, 'services.yaml'), config({ a: played({ gpus: 3 }) }));
  run.signal('SIGHUP');
  await run.line(/`a` requests 3 GPUs, but there are only 2/);
  await run.line(/nothing was changed/);
  expect(await run.service('a')).toMatchObject({ pid: first.pid, run: 1 });
});

test('check --runtime prints a line with a mark for each check', async () => {
  const port = await freePort();
  const services = {
    vllm: {
      command: ['sleep', '1'],
      gpus: { count: 1, min_free: '20GiB' },
      port,
      cwd: '/',
      log: { file: { path: 'logs/vllm.log' } },
      ...(isRoot && { user: '65534' }),
    },
    shell: { command: 'sleep 1; true' },
  };
  await using run = await up({ services }, machine(2, FREE, { args: ['check', '--runtime'] }));
  await run.ends(0);
  const sleep = Bun.which('sleep');
  // A machine with a GPU reports its model.
  const lines = run.lines.map((line) => line.replaceAll(run.folder, '').replace(/\(NVIDIA .*\)/, '(NVIDIA GPU)'));
  expect(lines.filter((line) => / {7}\/dev\/shm has .+ of .+ free/.test(line))).toHaveLength(1);
  // Its size depends on the machine.
  const isOther = (line: string) => / user | uid |\/dev\/shm|--shm-size/.test(line);
  expect(lines.filter((line) => !isOther(line))).toEqual([
    `✓ vllm  ${sleep}`,
    '✓ vllm  works in /',
    '✓ vllm  writes its log to /logs',
    `✓ vllm  port ${port} is free`,
    '✓ vllm  GPU 0 (NVIDIA GPU)',
    '✓       the driver answers: GPU 0 has 23.9 GiB of 24 GiB free',
    '✓ vllm  20 GiB are free on each of its GPUs',
    '/services.yaml: ok, 2 services',
  ]);
});

test('check --runtime has a suggestion for each problem, and exits with 78', async () => {
  const port = await freePort();
  const listener = Bun.listen({ hostname: '127.0.0.1', port, socket: { data: () => undefined } });
  const script = '#!/opt/nowhere/python\n';
  const services = {
    web: { command: 'no-such-program --flag', port },
    api: { command: ['./script'], cwd: '/nowhere' },
    brought: { command: ['/opt/late'], depends_on: { install: 'completed' } },
    install: { command: 'true; true', type: 'task' },
    vllm: { command: ['sleep', '1'], gpus: { count: 1, min_free: '24GiB' }, log: { file: { path: '/srv/x/a.log' } } },
  };
  await using run = await up(
    { services },
    machine(1, smi([4_096, 24_576]), {
      args: ['check', '--runtime'],
      files: { 'nvidia-smi': smi([4_096, 24_576]), script },
      before: 'chmod 755 script; mount -t tmpfs -o ro none /srv',
    }),
  );
  await run.ends(78);
  listener.stop(true);
  const lines = run.lines;
  expect(lines).toContain('✗ web      cannot execute no-such-program: it is in no folder of PATH');
  expect(lines).toContain('✗ api      cannot execute ./script: there is no /nowhere/script');
  expect(lines).toContain('! brought  cannot execute /opt/late: there is no such file');
  expect(lines).toContain('✗ api      works in /nowhere: there is no such folder');
  expect(lines.some((line) => line.startsWith(`✗ web      port ${port} is taken by `))).toBe(true);
  expect(lines).toContain('✗ vllm     needs 24 GiB (`min_free`), but GPU 0 has 20 GiB of 24 GiB free');
  expect(lines).toContain('✗ vllm     writes its log to /srv/x: /srv may not be written to');
  expect(lines.filter((line) => line.startsWith('           help: ') && !line.includes('--shm-size')).length).toBe(7);
});

test('check --runtime finds a script whose interpreter is missing', async () => {
  await using run = await up(
    { services: { a: { command: ['./script'] } } },
    { args: ['check', '--runtime'], files: { script: '#!/opt/nowhere/python\n' }, before: 'chmod 755 script' },
  );
  await run.ends(78);
  await run.line(
    /^✗ a {2}cannot execute \.\/script: .*\/script needs \/opt\/nowhere\/python, and there is no such file$/,
  );
});

test('check --runtime checks the programs of hooks, probes and stop commands too', async () => {
  const missing = (what: string) => [`/no/${what}`, 'x'];
  const services = {
    a: {
      command: ['sleep', '1'],
      ready: { exec: missing('ready') },
      live: [{ exec: missing('live') }, { exec: ['true'] }],
      stop: { command: missing('stop') },
      hooks: {
        after_ready: missing('after-ready'),
        before_stop: { wait_for: { exec: missing('drained') } },
        after_exit: 'echo only the shell knows; echo that',
      },
    },
    prepared: { command: ['sleep', '1'], hooks: { before_start: missing('prepare'), before_stop: missing('leave') } },
    installs: { command: 'pip install tool && tool serve', hooks: { after_exit: missing('tool') } },
  };
  await using run = await up({ services }, { args: ['check', '--runtime'] });
  await run.ends(78);
  const told = (mark: string) => run.lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(2));
  const why = 'there is no such file';
  expect(told('✗')).toEqual([
    `a         ready: cannot execute /no/ready: ${why}`,
    `a         after_ready: cannot execute /no/after-ready: ${why}`,
    `a         live: cannot execute /no/live: ${why}`,
    `a         before_stop: cannot execute /no/drained: ${why}`,
    `a         stop.command: cannot execute /no/stop: ${why}`,
    `prepared  before_start: cannot execute /no/prepare: ${why}`,
  ]);
  expect(told('!')).toEqual([
    `prepared  before_stop: cannot execute /no/leave: ${why}`,
    `installs  after_exit: cannot execute /no/tool: ${why}`,
  ]);
  expect(told('✓')).toContain(`a         live: ${Bun.which('true')}`);
});

test('check --runtime checks the rest if GPUs are missing, and explains a lost driver', async () => {
  const services = { a: { command: ['sleep', '1'], gpus: 1 } };
  {
    await using run = await up({ services }, machine(0, FREE, { args: ['check', '--runtime'] }));
    await run.ends(78);
    await run.line(/error: `a` requests a GPU, but there is none/);
    await run.line(/^✓ a {2}.*sleep$/);
  }
  await using run = await up({ services }, machine(1, LOST, { args: ['check', '--runtime', '--json'] }));
  await run.ends(78);
  const { ok, findings } = JSON.parse(run.lines.join('\n'));
  expect(ok).toBe(false);
  expect(findings.at(-1)).toEqual({
    service: null,
    check: 'driver',
    verdict: 'wrong',
    text: 'the driver does not answer: Failed to initialize NVML: Unknown Error',
    help: 'restart the container, because a restart of the service does not help; then check the host (nvidia-smi, dmesg)',
  });
});

test('check --build ignores GPUs, plain check refuses like up', async () => {
  const services = { a: { command: ['sleep', '1'], gpus: 4 } };
  {
    await using run = await up({ services }, machine(0, FREE, { args: ['check', '--build'] }));
    await run.ends(0);
    expect(run.lines.filter((line) => !line.endsWith(': ok, 1 service'))).toEqual([]);
  }
  await using run = await up({ services }, machine(0, FREE, { args: ['check'] }));
  await run.ends(78);
  await run.line(/`a` requests 4 GPUs, but there is none/);
});

test('a missing program is reported before its service would start', async () => {
  await using run = await up({
    services: {
      slow: played({ ready: { file: 'never' } }),
      late: { command: ['/opt/nothing'], depends_on: { slow: 'ready' } },
      brought: { command: ['/opt/other'], depends_on: { install: 'completed', slow: 'ready' } },
      install: played({ type: 'task' }),
    },
  });
  await run.puppet('install');
  await run.line(/svc-super \| warning: late will fail to start: cannot execute \/opt\/nothing: there is no such file/);
  expect(run.lines.filter((line) => line.includes('/opt/other'))).toEqual([]);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
  test(`${signal} while the driver has yet to respond ends the start with 0, and stops the calls of the driver`, async () => {
    const asking = '#!/bin/sh\necho $$ >"$(dirname "$0")/tmp/asking"\nexec sleep 1000\n';
    await using run = await up(
      { services: { vllm: played({ gpus: 1 }) } },
      machine(1, asking, { leaves: ['tmp/asking'] }),
    );
    await until('the driver to be asked', () => existsSync(join(run.folder, 'tmp/asking')));
    run.signal(signal);
    await run.ends(0);
    await run.line(/received a stop signal before any service was started/);
    expect(run.lines.filter((line) => /started \(pid|does not answer/.test(line))).toEqual([]);
  });
}
