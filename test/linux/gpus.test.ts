// The GPUs found in /dev, /proc and /sys, and the results of their drivers: with fake trees, and a fake nvidia-smi that
// succeeds, fails, hangs or reports no values. The child processes are real.
import { afterAll, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Captured, capture } from '../../src/linux/capture.ts';
import { gpuReader, parseSmi } from '../../src/linux/gpu-memory.ts';
import { readInventory } from '../../src/linux/gpus.ts';
import type { FoundGpu, Inventory } from '../../src/plan/gpu-inventory.ts';
import type { GpuDevice, GpuPlan } from '../../src/plan/plan.ts';
import { makeClock } from '../../src/ports.ts';

const GIB = 1024 ** 3;
const made: string[] = [];
afterAll(() => made.forEach((folder) => void rmSync(folder, { recursive: true, force: true })));

/** A tree of files; a value that begins with `->` is a symbolic link. */
function tree(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'svc-gpus-'));
  made.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (text.startsWith('->')) symlinkSync(text.slice(2), join(root, path));
    else writeFileSync(join(root, path), text);
    if (text.startsWith('#!')) chmodSync(join(root, path), 0o755);
  }
  return root;
}

const information = (minor: number, uuid: string, model = 'NVIDIA H200') =>
  `Model: \t\t ${model}\nIRQ:   \t\t 120\nGPU UUID: \t ${uuid}\nVideo BIOS: \t 96.00.5f.00.01\nBus Type: \t PCIe\nBus Location: \t 0000:0${minor}:00.0\nDevice Minor: \t ${minor}\nGPU Firmware: \t 560.35.05\n`;
const BUS = 'proc/driver/nvidia/gpus';
/** The second device comes first on the bus. */
const TWO = {
  'dev/nvidiactl': '',
  'dev/nvidia-uvm': '',
  'dev/nvidia0': '',
  'dev/nvidia1': '',
  'proc/driver/nvidia/version': 'NVRM version: …',
  [`${BUS}/0000:81:00.0/information`]: information(0, 'GPU-aaaa'),
  [`${BUS}/0000:18:00.0/information`]: information(1, 'GPU-bbbb', 'NVIDIA L4'),
};

/** The inventory of a container that may open all its devices. */
const open = (vendor: 'nvidia' | 'amd', ...devices: readonly FoundGpu[]): Inventory => ({
  vendor,
  devices,
  driver: vendor,
  forbidden: 0,
});

describe('an inventory', () => {
  test('has NVIDIA devices in the order of the bus, with the values of the kernel', () => {
    expect(readInventory(tree(TWO))).toEqual(
      open('nvidia', { uuid: 'GPU-bbbb', name: 'NVIDIA L4' }, { uuid: 'GPU-aaaa', name: 'NVIDIA H200' }),
    );
  });

  test('has only devices with a file, whatever the kernel lists', () => {
    const { 'dev/nvidia1': _gone, ...one } = TWO;
    expect(readInventory(tree(one)).devices).toEqual([{ uuid: 'GPU-aaaa', name: 'NVIDIA H200' }]);
  });

  test('without a kernel list has the files, by their numbers', () => {
    const root = tree({
      'dev/nvidia10': '',
      'dev/nvidia2': '',
      'dev/nvidia-caps/nvidia-cap1': '',
      'dev/nvidiactl': '',
    });
    const nameless = { uuid: null, name: 'NVIDIA GPU' };
    expect(readInventory(root)).toMatchObject({ vendor: 'nvidia', devices: [nameless, nameless], driver: null });
  });

  test('has no UUID before the driver has initialized the GPU', () => {
    const root = tree({ 'dev/nvidia0': '', [`${BUS}/0000:81:00.0/information`]: information(0, 'GPU-????????-????') });
    expect(readInventory(root).devices).toEqual([{ uuid: null, name: 'NVIDIA H200' }]);
  });

  test('of a container without devices shows that the kernel has the driver', () => {
    const root = tree({ 'proc/driver/nvidia/version': 'NVRM', 'dev/null': '' });
    expect(readInventory(root)).toEqual({ vendor: null, devices: [], driver: 'nvidia', forbidden: 0 });
    expect(readInventory(tree({ 'dev/null': '' }))).toEqual({ vendor: null, devices: [], driver: null, forbidden: 0 });
    expect(readInventory(join(tree({}), 'nowhere')).devices).toEqual([]);
  });

  test('counts files that may not be opened separately', () => {
    // No user, not even root, can open a link to a missing file.
    const root = tree({ 'dev/nvidia0': '->/nowhere', 'dev/nvidia1': '' });
    expect(readInventory(root)).toMatchObject({ devices: [{ name: 'NVIDIA GPU' }], forbidden: 1 });
    const none = tree({ 'dev/nvidia0': '->/nowhere' });
    expect(readInventory(none)).toEqual({ vendor: null, devices: [], driver: null, forbidden: 1 });
  });

  test('counts the single file of WSL 2 as a device', () => {
    expect(readInventory(tree({ 'dev/dxg': '' }))).toMatchObject({ vendor: 'nvidia', devices: [{ uuid: null }] });
  });

  const NODES = 'sys/class/kfd/kfd/topology/nodes';
  const gpu = (minor: number, version = 90402) => ({
    [`${NODES}/${minor - 127}/gpu_id`]: `${minor}77\n`,
    [`${NODES}/${minor - 127}/properties`]: `cpu_cores_count 0\nsimd_count 304\ndrm_render_minor ${minor}\ngfx_target_version ${version}\nunique_id 1311768467463790320\n`,
  });
  const AMD = {
    'dev/kfd': '',
    'dev/dri/renderD128': '',
    'dev/dri/renderD129': '',
    [`${NODES}/0/gpu_id`]: '0\n',
    [`${NODES}/0/properties`]: 'cpu_cores_count 64\nsimd_count 0\ndrm_render_minor 0\n',
    ...gpu(128),
    ...gpu(129, 90010),
    ...gpu(130),
  };

  test('has AMD devices in the order of the kernel, without CPUs and without devices of other containers', () => {
    const uuid = 'GPU-123456789abcdef0';
    expect(readInventory(tree(AMD))).toEqual(open('amd', { uuid, name: 'gfx942' }, { uuid, name: 'gfx90a' }));
    const { 'dev/kfd': _gone, ...without } = AMD;
    expect(readInventory(tree(without))).toMatchObject({ vendor: null, driver: 'amd', forbidden: 0 });
  });
});

const device = (index: number | null, id = String(index)): GpuDevice => ({ id, index, name: 'NVIDIA H200' });
const plan = (devices: readonly GpuDevice[], more: Partial<GpuPlan> = {}): GpuPlan => ({
  vendor: 'nvidia',
  devices,
  shared: false,
  minFree: null,
  freeTimeout: 60_000,
  onLost: 'exit',
  ...more,
});
const never = new AbortController().signal;

const PROGRAMS = Object.fromEntries(['cat', 'dirname', 'sleep'].map((name) => [`bin/${name}`, `->${Bun.which(name)}`]));

/** A reader whose nvidia-smi is this script. */
function reader(
  script: string | null,
  more: { readonly files?: Readonly<Record<string, string>>; readonly limit?: number } = {},
) {
  const root = tree({
    ...TWO,
    ...PROGRAMS,
    ...(script !== null && { 'bin/nvidia-smi': `#!/bin/sh\n${script}\n` }),
    ...more.files,
  });
  const counts = { started: 0 };
  const run = (
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
    abort: AbortSignal,
  ): Promise<Captured> => {
    counts.started += 1;
    return capture(argv, env, abort);
  };
  // The nvidia-smi of this machine must not be found.
  const environment = { PATH: join(root, 'bin') };
  const { limit } = more;
  const owners = () => new Map([[42, 'vllm']]);
  const read = gpuReader({ clock: makeClock(), environment, run, root, owners, ...(limit !== undefined && { limit }) });
  return { read, root, counts };
}
const ROWS = 'echo "0, GPU-bbbb, 1024, 24576"; echo "1, GPU-aaaa, 512, 143771"';

describe('a reading', () => {
  test('is used and total bytes, in the order of the plan', async () => {
    const { read } = reader(ROWS);
    const reading = await read(plan([device(1), device(0)]), { holders: false }, never);
    expect(reading).toEqual({
      kind: 'memory',
      devices: [
        { used: 0.5 * GIB, total: 143_771 * 1024 ** 2 },
        { used: GIB, total: 24 * GIB },
      ],
      holders: [],
    });
  });

  test('succeeds if each device has its memory, even with warnings of the driver', async () => {
    const { read } = reader(`${ROWS}; echo "WARNING: infoROM is corrupted at gpu 0000:3B:00.0"; exit 14`);
    expect(await read(plan([device(0)]), { holders: false }, never)).toMatchObject({
      kind: 'memory',
      devices: [{ used: GIB }],
      warning: 'WARNING: infoROM is corrupted at gpu 0000:3B:00.0',
    });
    const silent = reader(`${ROWS}; exit 15`);
    expect(await silent.read(plan([device(0)]), { holders: false }, never)).toMatchObject({
      kind: 'memory',
      warning: 'nvidia-smi ended with exit code 15',
    });
  });

  test('finds a UUID in any case', async () => {
    const { read } = reader(ROWS);
    expect((await read(plan([device(null, 'GPU-AAAA')]), { holders: false }, never)).kind).toBe('memory');
  });

  test('runs nvidia-smi with fixed arguments and without translation', async () => {
    const { read } = reader(
      `[ "$LC_ALL" = C ] && [ "$*" = "--query-gpu=index,uuid,memory.used,memory.total --format=csv,noheader,nounits" ] && ${ROWS}`,
    );
    expect((await read(plan([device(0)]), { holders: false }, never)).kind).toBe('memory');
  });

  test('finds a device by its UUID where it has no number', async () => {
    const { read } = reader(ROWS);
    expect(await read(plan([device(null, 'GPU-aa')]), { holders: false }, never)).toMatchObject({
      devices: [{ used: 0.5 * GIB }],
    });
  });

  const others: Readonly<
    Record<string, { script: string | null; kind: string; why: string; devices?: readonly GpuDevice[] }>
  > = {
    'a driver that is lost': {
      script: 'echo "Failed to initialize NVML: Unknown Error"; exit 255',
      kind: 'lost',
      why: 'Failed to initialize NVML: Unknown Error',
    },
    'a driver that cannot be reached': {
      script: 'echo "NVIDIA-SMI has failed because it couldn\'t communicate with the NVIDIA driver." >&2; exit 9',
      kind: 'lost',
      why: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
    },
    'a failure without a message': { script: 'exit 3', kind: 'lost', why: 'exit code 3' },
    'a device that is gone': {
      script: 'echo "0, GPU-bbbb, 1, 2"',
      kind: 'lost',
      why: 'nvidia-smi does not list GPU 1 any more',
    },
    'a driver whose library does not fit it': {
      script:
        'echo "Failed to initialize NVML: Driver/library version mismatch"; echo "NVML library version: 570.133"; exit 18',
      kind: 'lost',
      why: 'Failed to initialize NVML: Driver/library version mismatch',
    },
    'a driver that is lost, with exit code 0': {
      script: 'echo "Failed to initialize NVML: Unknown Error"',
      kind: 'lost',
      why: 'Failed to initialize NVML: Unknown Error',
    },
    'a driver without output': { script: 'exit 0', kind: 'lost', why: 'nvidia-smi lists no GPU' },
    'a device that cannot be reached, between others': {
      script:
        'echo "0, GPU-bbbb, 1, 2"; echo "note"; echo "Unable to determine the device handle for GPU1: Unknown Error"; exit 15',
      kind: 'lost',
      why: 'Unable to determine the device handle for GPU1: Unknown Error',
    },
    'a query that nvidia-smi does not support': {
      script: 'echo \'Field "memory.used" is not a valid field to query.\'; exit 2',
      kind: 'unreadable',
      why: 'Field "memory.used" is not a valid field to query.',
    },
    'a user without permission': { script: 'exit 4', kind: 'unreadable', why: 'exit code 4' },
    'a library that is too old': { script: 'exit 13', kind: 'unreadable', why: 'exit code 13' },
    'a UUID that does not exist': {
      script: ROWS,
      kind: 'lost',
      why: 'there is no GPU GPU-cccc: nvidia-smi lists GPU-bbbb, GPU-aaaa',
      devices: [device(null, 'GPU-cccc')],
    },
    'a UUID that does not exist, with a warning': {
      script: `${ROWS}; echo "WARNING: infoROM is corrupted"; exit 14`,
      kind: 'lost',
      why: 'there is no GPU GPU-cccc: nvidia-smi lists GPU-bbbb, GPU-aaaa',
      devices: [device(null, 'GPU-cccc')],
    },
    'no nvidia-smi': {
      script: null,
      kind: 'unreadable',
      why: 'there is no nvidia-smi (it comes with NVIDIA_DRIVER_CAPABILITIES=compute,utility)',
    },
    'an nvidia-smi without its library': {
      script: 'echo "NVIDIA-SMI couldn\'t find libnvidia-ml.so library in your system."; exit 12',
      kind: 'unreadable',
      why: "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.",
    },
    'memory that is not reported': {
      script: 'echo "1, GPU-aaaa, [N/A], [N/A]"',
      kind: 'unreadable',
      why: 'nvidia-smi does not report the memory of GPU 1',
    },
    'a MIG slice': {
      script: 'exit 3',
      kind: 'unreadable',
      why: 'nvidia-smi does not report the memory of a MIG slice',
      devices: [device(null, 'MIG-1234')],
    },
  };
  for (const [what, { script, kind, why, devices }] of Object.entries(others)) {
    test(`of ${what} is ${kind}`, async () => {
      const { read } = reader(script);
      const reading = await read(plan(devices ?? [device(1)]), { holders: false }, never);
      expect(reading).toEqual({ kind, why } as never);
    });
  }

  test('of a driver that hangs is lost after the limit, and the child is killed', async () => {
    const { read, root } = reader('echo $$ > "$(dirname "$0")/pid"; exec sleep 1000', { limit: 300 });
    const reading = await read(plan([device(0)]), { holders: false }, never);
    expect(reading).toEqual({ kind: 'lost', why: 'nvidia-smi did not answer within 0.3 s' });
    const pid = Number(readFileSync(join(root, 'bin/pid'), 'utf8'));
    while (existsSync(`/proc/${pid}/stat`)) await Bun.sleep(5);
  });

  test('starts no second query while one hangs, and does not wait for it', async () => {
    let started = 0;
    const hang = () => {
      started += 1;
      return new Promise<Captured>(() => undefined);
    };
    const root = tree({ ...TWO, 'bin/nvidia-smi': '#!/bin/sh\n' });
    const read = gpuReader({
      clock: makeClock(),
      environment: { PATH: join(root, 'bin') },
      run: hang,
      root,
      limit: 20,
    });
    for (let times = 0; times < 3; times += 1) {
      expect((await read(plan([device(0)]), { holders: false }, never)).kind).toBe('lost');
    }
    expect(started).toBe(1);
  });

  test('waits until an aborted query has ended, and then starts a new one', async () => {
    const results: PromiseWithResolvers<Captured>[] = [];
    const slow = () => {
      const result = Promise.withResolvers<Captured>();
      results.push(result);
      return result.promise;
    };
    const root = tree({ ...TWO, 'bin/nvidia-smi': '#!/bin/sh\n' });
    const read = gpuReader({ clock: makeClock(), environment: { PATH: join(root, 'bin') }, run: slow, root });
    const first = new AbortController();
    const given = read(plan([device(0)]), { holders: false }, first.signal);
    first.abort();
    await given;
    const second = read(plan([device(0)]), { holders: false }, never);
    expect(results.length).toBe(1);
    results[0]?.resolve({ code: 137, stdout: '', stderr: '', failure: null });
    while (results.length === 1) await Bun.sleep(1);
    results[1]?.resolve({ code: 0, stdout: '0, GPU-a, 1, 2\n', stderr: '', failure: null });
    expect(await second).toMatchObject({ kind: 'memory', devices: [{ used: 1024 ** 2, total: 2 * 1024 ** 2 }] });
  });

  test('is shared by two callers at the same time', async () => {
    const { read, counts } = reader(ROWS);
    const both = await Promise.all([device(0), device(1)].map((one) => read(plan([one]), { holders: false }, never)));
    expect(both.map((one) => one.kind === 'memory' && one.devices[0]?.used)).toEqual([GIB, 0.5 * GIB]);
    expect(counts.started).toBe(1);
    await read(plan([device(0)]), { holders: false }, never);
    expect(counts.started).toBe(2);
  });

  test('that is aborted returns at once, and its child is killed when no other caller waits', async () => {
    const { read, root } = reader('echo $$ > "$(dirname "$0")/pid"; exec sleep 1000');
    const [one, other] = [new AbortController(), new AbortController()];
    const readings = [one, other].map(({ signal }) => read(plan([device(0)]), { holders: false }, signal));
    const file = join(root, 'bin/pid');
    while (!existsSync(file) || readFileSync(file, 'utf8') === '') await Bun.sleep(5);
    const stat = `/proc/${Number(readFileSync(file, 'utf8'))}/stat`;
    one.abort();
    expect((await readings[0])?.kind).toBe('lost');
    expect(existsSync(stat)).toBe(true);
    other.abort();
    expect((await readings[1])?.kind).toBe('lost');
    while (existsSync(stat)) await Bun.sleep(5);
  });

  test('of no device runs no program', async () => {
    const { read, counts } = reader('exit 1');
    expect(await read(plan([]), { holders: true }, never)).toEqual({ kind: 'memory', devices: [], holders: [] });
    expect(counts.started).toBe(0);
  });

  test('names the processes that have one of the devices open, with their services', async () => {
    // /dev/nvidia1 comes first on the bus.
    const { read } = reader(ROWS, {
      files: {
        'proc/42/comm': 'VLLM::EngineCor\n',
        'proc/42/fd/0': '->/dev/null',
        'proc/42/fd/9': '->/dev/nvidia1',
        'proc/43/comm': 'python\n',
        'proc/43/fd/5': '->/dev/nvidia0',
        'proc/44/fd/5': '->/dev/nvidia-uvm',
        'proc/45/comm': 'nobody\n',
        'proc/46/fd/7': '->/dev/nvidia1',
      },
    });
    const reading = await read(plan([device(0)]), { holders: true }, never);
    // The beginning of a UUID, in any case.
    const named = await read(plan([device(null, 'GPU-BB')]), { holders: true }, never);
    expect(named).toEqual(reading);
    expect(reading.kind === 'memory' && reading.holders).toEqual([
      { pid: 42, name: 'VLLM::EngineCor', service: 'vllm' },
      { pid: 46, name: '?', service: null },
    ]);
  });

  test('of AMD comes from the two files of each device', async () => {
    const node = 'sys/class/kfd/kfd/topology/nodes/1';
    const memory = 'sys/class/drm/renderD128/device';
    const files = {
      'dev/kfd': '',
      'dev/dri/renderD128': '',
      [`${node}/gpu_id`]: '4711',
      [`${node}/properties`]: 'simd_count 304\ndrm_render_minor 128\n',
      [`${memory}/mem_info_vram_used`]: `${3 * GIB}\n`,
      [`${memory}/mem_info_vram_total`]: `${192 * GIB}\n`,
      'proc/42/comm': 'python\n',
      'proc/42/fd/3': '->/dev/dri/renderD128',
      'proc/43/fd/3': '->/dev/kfd',
    };
    const { read, root } = reader(null, { files });
    const gpus = plan([{ id: '0', index: 0, name: 'gfx942' }], { vendor: 'amd' });
    expect(await read(gpus, { holders: true }, never)).toEqual({
      kind: 'memory',
      devices: [{ used: 3 * GIB, total: 192 * GIB }],
      holders: [{ pid: 42, name: 'python', service: 'vllm' }],
    });
    const byUuid = plan([{ id: 'GPU-12', index: null, name: 'GPU' }], { vendor: 'amd' });
    expect((await read(byUuid, { holders: false }, never)).kind).toBe('unreadable');
    rmSync(join(root, memory, 'mem_info_vram_used'));
    expect((await read(gpus, { holders: false }, never)).kind).toBe('unreadable');
    rmSync(join(root, 'sys'), { recursive: true });
    expect((await read(gpus, { holders: false }, never)).kind).toBe('lost');
  });
});

test('lines of nvidia-smi that are not rows are ignored', () => {
  expect(
    parseSmi('warning: infoROM is corrupted\n0, GPU-a, 1, 2\n\n1, GPU-b, [Insufficient Permissions], 5\n'),
  ).toEqual([
    { index: 0, uuid: 'GPU-a', used: 1024 ** 2, total: 2 * 1024 ** 2 },
    { index: 1, uuid: 'GPU-b', used: null, total: 5 * 1024 ** 2 },
  ]);
});
