// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// GPUs of Compose services: requests for devices, runtimes and NVIDIA_VISIBLE_DEVICES.
import { expect, test } from 'bun:test';
import { importText, lines } from './rig.ts';

/** `gpus` of a service with these fields, as it is written, and the report about it. */
async function gpusOf(fields: string): Promise<{ readonly gpus: string; readonly report: string }> {
  const source = `services:\n  a:\n    image: app\n    command: run\n    ${fields.replaceAll('\n', '\n    ')}\n`;
  const result = await importText('compose', source);
  if (!result.ok) throw new Error(result.message);
  return { gpus: /^ {4}gpus: (.*)$/m.exec(result.text)?.[1] ?? '', report: lines(result.findings).join('\n') };
}

const devices = (...requests: readonly string[]) =>
  `deploy: {resources: {reservations: {devices: [${requests.join(', ')}]}}}`;
const request = (fields: string, driver = 'nvidia') => `{driver: ${driver}, capabilities: [gpu], ${fields}}`;
const visible = (value: string) => `runtime: nvidia\nenvironment: {NVIDIA_VISIBLE_DEVICES: "${value}"}`;

test.each([
  [devices(request('device_ids: ["0"]'), request('device_ids: ["1"]')), '[0, 1]'],
  [devices(request('count: 1'), request('count: 2')), '2'],
  [devices(request('device_ids: ["0"]'), request('count: all')), 'all'],
  [devices(request('count: 1', 'amd')), '1'],
  [devices(request('count: 1', 'xyz')), ''],
  [devices(request('count: 1', '"${D:-nvidia}"')), '1'],
  ['gpus: "${G:-all}"', 'all'],
  ['runtime: nvidia', 'all'],
  ['runtime: runc', ''],
  [visible('all'), 'all'],
  [visible('0,MIG-1a'), '[0, MIG-1a]'],
  [visible('none'), '0'],
  [visible('void'), '0'],
  [visible(''), '0'],
])('%s becomes gpus: %s', async (fields, gpus) => {
  expect((await gpusOf(fields)).gpus).toBe(gpus);
});

test('the report has what is lost, and `capabilities: [gpu]` is not', async () => {
  const lost = await gpusOf(devices('{capabilities: [gpu, utility], options: {x: y}}'));
  expect(lost.report).toContain('capabilities of a: [gpu, utility]: a service can use all capabilities');
  expect(lost.report).toContain('devices.options of a: {x: y}: `gpus` has no such option');
  expect((await gpusOf(devices(request('count: 1')))).report).not.toContain('capabilities');
  expect((await gpusOf('runtime: crun')).report).toContain('runtime crun of a: the whole container has one runtime');
  expect((await gpusOf(visible('$${X}'))).report).toContain('it gets all devices');
});

test('the `docker run` line has the devices of the maker, and none for no device', async () => {
  expect((await gpusOf(devices(request('count: 1')))).report).toContain('--gpus all');
  expect((await gpusOf(devices(request('count: 1', 'amd')))).report).toContain('--device /dev/kfd --device /dev/dri');
  expect((await gpusOf(visible('none'))).report).not.toContain('--gpus');
  const both = (await gpusOf(devices(request('count: 1', 'amd'), request('count: 1')))).report;
  expect(both).toContain('--device /dev/kfd --device /dev/dri');
  expect(both).toContain('--gpus all');
  // The other one is refused.
  const amd = (await gpusOf(devices(request('count: 1', 'amd'), request('count: 1', 'xyz')))).report;
  expect(amd).toContain('--device /dev/kfd --device /dev/dri');
  expect(amd).not.toContain('--gpus all');
});

test('another runtime is given to the container: the command of the advice is quoted', async () => {
  expect((await gpusOf('runtime: runc')).report).toContain('. `docker run --runtime runc`');
});

test('replicas share the devices of their service', async () => {
  const scaled = await gpusOf(`${devices(request('count: 1'))}\nscale: 2`);
  expect(scaled.gpus).toBe('{ share: 1 }');
  expect(scaled.report).toContain('GPUs of a: all its replicas use them, and Docker reserves none, so they are shared');
  const alone = await gpusOf(`${devices(request('count: 1'))}\nscale: 1`);
  expect(alone.gpus).toBe('1');
});

test('a service without a device takes no part in sharing', async () => {
  const real = `a:\n    image: app\n    command: run\n    ${devices(request('count: 1'))}`;
  const service = (fields: string) => `b: {image: app, command: run, ${fields}}`;
  const imported = async (fields: string) => {
    const result = await importText('compose', `services:\n  ${real}\n  ${service(fields)}\n`);
    if (!result.ok) throw new Error(result.message);
    return result.text;
  };
  expect(await imported('runtime: nvidia, environment: {NVIDIA_VISIBLE_DEVICES: none}')).toContain('    gpus: 1\n');
  expect(await imported(devices(request('count: 0')))).toContain('    gpus: 1\n');
  expect(await imported('runtime: nvidia')).toContain('share: 1');
});
