// The use of the GPUs of a container, from a fake nvidia-smi and from fake files of the AMD driver. The child processes are real.
import { afterAll, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { capture } from '../../src/linux/capture.ts';
import { gpuUseReader, parseUse } from '../../src/linux/gpu-use.ts';
import { makeClock } from '../../src/ports.ts';

const root = mkdtempSync(join(tmpdir(), 'svc-gpu-use-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const NODE = 'sys/class/kfd/kfd/topology/nodes/1';
const DEVICE = 'sys/class/drm/renderD128/device';
const AMD = {
  [`${NODE}/properties`]: 'simd_count 4\ndrm_render_minor 128\ngfx_target_version 90402\nunique_id 255\n',
  [`${NODE}/gpu_id`]: '1\n',
  'dev/kfd': '',
  'dev/dri/renderD128': '',
  [`${DEVICE}/mem_info_vram_used`]: '5\n',
  [`${DEVICE}/mem_info_vram_total`]: '10\n',
};

function write(name: string, files: Readonly<Record<string, string>>): string {
  const folder = join(root, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
    if (text.startsWith('#!')) chmodSync(join(folder, path), 0o755);
  }
  return folder;
}

function read(name: string, files: Readonly<Record<string, string>>) {
  const folder = write(name, files);
  return gpuUseReader({ clock: makeClock(), environment: {}, run: capture, root: folder })();
}

test('nvidia-smi: use and memory; a value that it does not report is null', async () => {
  const rows = 'echo "0, GPU-a, 1024, 2048, 97"; echo "1, GPU-b, [N/A], [N/A], [N/A]"; echo "a warning"';
  const smi = { 'usr/bin/nvidia-smi': `#!/bin/sh\n${rows}\n`, 'dev/nvidia0': '', 'dev/nvidia1': '' };
  const MIB = 1024 ** 2;
  const second = { index: 1, id: 'GPU-b', use_percent: null, memory_used_bytes: null, memory_total_bytes: null };
  expect(await read('nvidia', smi)).toMatchObject({
    devices: [
      { index: 0, id: 'GPU-a', use_percent: 97, memory_used_bytes: 1024 * MIB, memory_total_bytes: 2048 * MIB },
      second,
    ],
    why: null,
  });
  // The stand-in of other tests, and an old nvidia-smi, have no fifth column.
  expect(parseUse('0, GPU-a, 1, 2\n', ['NVIDIA H200'])).toMatchObject([{ name: 'NVIDIA H200', use_percent: null }]);
});

test('no device, no nvidia-smi, a driver that complains', async () => {
  expect(await read('none', { 'dev/null': '' })).toEqual({ devices: [], why: null });
  expect((await read('bare', { 'dev/nvidia0': '' })).why).toMatch(/there is no nvidia-smi/);
  const smi = '#!/bin/sh\necho "Failed to initialize NVML: Unknown Error"\nexit 255\n';
  const lost = await read('lost', { 'dev/nvidia0': '', 'usr/bin/nvidia-smi': smi });
  expect(lost).toEqual({ devices: [], why: 'Failed to initialize NVML: Unknown Error' });
});

test('AMD: a query that cannot be started is reported', async () => {
  const folder = write('amd-failed', AMD);
  const run = async () => ({ code: 127, failure: 'there is no tail', stdout: '', stderr: '' });
  const uses = await gpuUseReader({ clock: makeClock(), environment: {}, run, root: folder })();
  expect(uses).toEqual({ devices: [], why: 'there is no tail' });
});

test('AMD: the files of the driver, of which one may be missing', async () => {
  const gpu = { index: 0, id: 'GPU-00000000000000ff', name: 'gfx942', memory_used_bytes: 5, memory_total_bytes: 10 };
  expect(await read('amd', AMD)).toEqual({ devices: [{ ...gpu, use_percent: null }], why: null });
  expect(await read('amd', { ...AMD, [`${DEVICE}/gpu_busy_percent`]: '42\n' })).toEqual({
    devices: [{ ...gpu, use_percent: 42 }],
    why: null,
  });
});
