// The assignment of GPUs, the variables for programs, and refused requests; on simulated machines.
import { describe, expect, test } from 'bun:test';
import { difference } from '../../src/plan/difference.ts';
import { explainAbsence, type Inventory, visibleGpus } from '../../src/plan/gpu-inventory.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { load, messages, oneService, planOf, printed } from '../config/rig.ts';

const variable = (name: string) => `\${${name}}`;

const UUIDS = ['aaaa', 'bbbb', 'cccc', 'dddd', 'eeee', 'ffff', '1111', '2222'];
const uuid = (index: number) => `GPU-${UUIDS[index]}0000-d72c-4106-c12f-20bd9faed9f6`;

function nvidia(count: number, more: Partial<Inventory> = {}): () => Inventory {
  const devices = Array.from({ length: count }, (_, index) => ({ uuid: uuid(index), name: 'NVIDIA H200' }));
  return () => ({ vendor: count === 0 ? null : 'nvidia', devices, driver: 'nvidia', forbidden: 0, ...more });
}
function amd(count: number): () => Inventory {
  const devices = Array.from({ length: count }, (_, index) => ({
    uuid: `GPU-000000000000000${index}`,
    name: 'gfx942',
  }));
  return () => ({ vendor: 'amd', devices, driver: 'amd', forbidden: 0 });
}
const nothing: () => Inventory = () => ({ vendor: null, devices: [], driver: null, forbidden: 0 });

/** `a: 1` and so on, in this order. */
function services(asks: Readonly<Record<string, string>>): string {
  const lines = Object.entries(asks).map(
    ([name, request]) => `  ${name}: { command: run${request === '' ? '' : `, gpus: ${request}`} }\n`,
  );
  return `services:\n${lines.join('')}`;
}

type Around = Parameters<typeof planOf>[1];

/** The joined ids of each service with devices. */
function placed(asks: Readonly<Record<string, string>>, count: number, around: Around = {}): Record<string, string> {
  const plan = planOf(services(asks), { gpus: nvidia(count), ...around });
  return idsOf(plan);
}
function idsOf(plan: Plan): Record<string, string> {
  return Object.fromEntries(
    plan.services.flatMap(({ name, gpus }) =>
      gpus === null ? [] : [[name, gpus.devices.map(({ id }) => id).join(',')]],
    ),
  );
}
const refused = (asks: Readonly<Record<string, string>>, count: number, around: Around = {}) =>
  messages(services(asks), { gpus: nvidia(count), ...around });

describe('assignment', () => {
  test('counts take the next free devices, in the order of the file', () => {
    expect(placed({ a: '2', b: '1', c: '1' }, 4)).toEqual({ a: '0,1', b: '2', c: '3' });
  });

  test('lists come first, whatever their position in the file', () => {
    expect(placed({ a: '2', b: '[0, 2]' }, 4)).toEqual({ a: '1,3', b: '0,2' });
    expect(placed({ a: '[2, 0]' }, 4)).toEqual({ a: '2,0' });
  });

  test('`all` is every device', () => {
    expect(placed({ a: 'all' }, 3)).toEqual({ a: '0,1,2' });
  });

  test('a UUID, or its beginning, selects a device', () => {
    expect(placed({ a: `[${uuid(1)}]`, b: '[GPU-CCCC]', c: '2' }, 4)).toEqual({ a: '1', b: '2', c: '0,3' });
  });

  test('every replica gets its own device, or the one that its number selects', () => {
    const copies = (request: string) =>
      `services: { a: { command: run, replicas: 3, gpus: ${request} }, b: { command: run, gpus: 1 } }\n`;
    expect(idsOf(planOf(copies('1'), { gpus: nvidia(4) }))).toEqual({ 'a.0': '0', 'a.1': '1', 'a.2': '2', b: '3' });
    expect(idsOf(planOf(copies(`["${variable('SVC_REPLICA')}"]`), { gpus: nvidia(4) }))).toMatchObject({
      'a.2': '2',
      b: '3',
    });
    expect(messages(copies('2'), { gpus: nvidia(4) })).toEqual([
      '`a.2` requests 2 GPUs, but none is free: `a.0` has GPU 0, 1 and `a.1` has GPU 2, 3',
      '`b` requests a GPU, but none is free: `a.0` has GPU 0, 1 and `a.1` has GPU 2, 3',
    ]);
  });

  test('services without `gpus` are unchanged, and a disabled one takes nothing', () => {
    const text = `${services({ a: '', b: '1' })}  c: { command: run, gpus: 4, enabled: false }\n`;
    const plan = planOf(text, { gpus: nvidia(1), environment: { CUDA_VISIBLE_DEVICES: '0' } });
    expect(idsOf(plan)).toEqual({ b: '0' });
    expect(plan.services[0]?.env).toMatchObject({ CUDA_VISIBLE_DEVICES: '0' });
    expect(plan.services[0]?.env.SVC_GPU_COUNT).toBe(undefined as never);
  });

  test('only selected services take devices', () => {
    expect(placed({ a: '1', b: '1' }, 1, { names: ['b'] })).toEqual({ b: '0' });
  });

  test('shared requests use any device, and never exclude others', () => {
    expect(placed({ a: '{ share: all }', b: '1', c: '1' }, 2)).toEqual({ a: '0,1', b: '0', c: '1' });
    expect(placed({ a: '1', b: '{ share: 1 }' }, 1)).toEqual({ a: '0', b: '0' });
    expect(placed({ a: '{ share: [1] }', b: '{ share: [1] }', c: '[1]' }, 2)).toEqual({ a: '1', b: '1', c: '1' });
  });

  test('sharing prefers free devices, then shared ones, then the least used', () => {
    const asks = { a: '1', b: '{ share: 1 }', c: '{ share: 1 }', d: '{ share: 1 }' };
    expect(placed(asks, 3)).toEqual({ a: '0', b: '1', c: '2', d: '1' });
    expect(placed({ a: '2', b: '{ share: 1 }', c: '{ share: 1 }', d: '{ share: 1 }' }, 2)).toEqual({
      a: '0,1',
      b: '0',
      c: '1',
      d: '0',
    });
  });

  test('an optional request takes the free devices, possibly none, with a warning', () => {
    const asks = { a: '1', b: '{ count: 4, optional: true }', c: '{ count: 1, optional: true }' };
    expect(placed(asks, 3)).toEqual({ a: '0', b: '1,2', c: '' });
    expect(refused(asks, 3)).toEqual([
      '`b` runs with 2 GPUs but requests 4 GPUs: no more are free',
      '`c` runs without a GPU: none is free',
    ]);
    expect(refused({ a: '{ count: 4, optional: true }' }, 1)).toEqual([
      '`a` runs with one GPU but requests 4 GPUs: no more are free',
    ]);
    expect(refused({ a: '[1]', b: '{ devices: [1, 2, 7], optional: true }' }, 3)).toEqual([
      '`b` runs with one GPU but requests GPUs 1, 2, 7: no more are free',
    ]);
    expect(refused({ a: '{ devices: [0, 2], optional: true }', b: '{ count: all, optional: true }' }, 3)).toEqual([
      '`b` runs with one GPU but requests all GPUs: no more are free',
    ]);
    expect(placed({ a: '[1]', b: '{ count: all, optional: true }' }, 3)).toEqual({ a: '1', b: '0,2' });
    expect(placed({ a: '[1]', b: '{ devices: [1, 2, 7], optional: true }' }, 3)).toEqual({ a: '1', b: '2' });
    expect(placed({ a: '{ count: 1, optional: true }', b: '{ share: all, optional: true }' }, 0)).toEqual({
      a: '',
      b: '',
    });
  });

  test('replicas with no or fewer devices are all named', () => {
    const copies = (count: number, request: string) =>
      `services: { a: { command: run, replicas: ${count}, gpus: { count: ${request}, optional: true } } }\n`;
    const says = (count: number, request: string) => messages(copies(count, request), { gpus: nvidia(3) });
    expect(says(3, '1')).toEqual([]);
    expect(says(4, '1')).toEqual(['`a.3` runs without a GPU: none is free']);
    expect(says(6, '1')).toEqual(['`a.3`, `a.4` and `a.5` run without a GPU: none is free']);
    expect(says(4, '2')).toEqual([
      '`a.1` runs with one GPU but requests 2 GPUs: no more are free',
      '`a.2` and `a.3` run without a GPU: none is free',
    ]);
  });

  test('a count of 0 is no GPU, without a warning', () => {
    expect(placed({ a: '0', b: 'all' }, 2)).toEqual({ a: '', b: '0,1' });
    expect(refused({ a: '0' }, 0)).toEqual([]);
  });

  test('the other fields are in the plan', () => {
    const text = oneService('command: run', 'gpus: { share: 1, min_free: 20GiB, free_timeout: 2m, on_lost: restart }');
    expect(planOf(text, { gpus: nvidia(1) }).services[0]?.gpus).toEqual({
      vendor: 'nvidia',
      devices: [{ id: '0', index: 0, name: 'NVIDIA H200' }],
      shared: true,
      minFree: 20 * 1024 ** 3,
      freeTimeout: 120_000,
      onLost: 'restart',
    });
  });
});

describe('a refusal', () => {
  test('names the missing device, at the position of the request, with the likely cause', () => {
    expect(printed(services({ vllm: '1' }), { gpus: nothing })).toBe(`\
services.yaml:2:31: error: \`vllm\` requests a GPU, but there is none
   2 |   vllm: { command: run, gpus: 1 }
     |                               ~
     help: was the container started without \`--gpus all\` (Apptainer: \`--nv\`)? or is NVIDIA's driver not loaded, or not mounted?
`);
  });

  test('names the services that have the devices', () => {
    expect(printed(services({ vllm: '1', embed: '1' }), { gpus: nvidia(1) })).toBe(`\
services.yaml:3:32: error: \`embed\` requests a GPU, but none is free: \`vllm\` has GPU 0
   3 |   embed: { command: run, gpus: 1 }
     |                                ~
     help: request fewer, or write \`gpus: {share: …}\` in services that may use the same devices
`);
  });

  const cases: readonly (readonly [Record<string, string>, number, readonly string[]])[] = [
    [{ a: '4' }, 2, ['`a` requests 4 GPUs, but there are only 2']],
    [{ a: '2' }, 1, ['`a` requests 2 GPUs, but there is only 1']],
    [{ a: 'all' }, 0, ['`a` requests all GPUs, but there is none']],
    [{ a: '[0]', b: 'all' }, 2, ['`b` requests all GPUs, but `a` has GPU 0']],
    [{ a: '1', b: '1', c: '2' }, 3, ['`c` requests 2 GPUs, but only 1 is free: `a` has GPU 0 and `b` has GPU 1']],
    [{ a: '[0, 1]', b: '[1, 2]' }, 4, ['`b` requests GPUs 1, 2, but `a` has GPU 1']],
    [{ a: '[0, 5]' }, 2, ['`a` requests GPU 5, but there are only GPUs 0 to 1']],
    [{ a: '[1]' }, 1, ['`a` requests GPU 1, but there is only GPU 0']],
    [{ a: '[0]' }, 0, ['`a` requests GPU 0, but there is no GPU']],
    [{ a: '[GPU-9999]' }, 1, [`\`a\` requests GPU GPU-9999, but there is only ${uuid(0)}`]],
    [{ a: '{ share: 3 }' }, 2, ['`a` requests 3 GPUs, but there are only 2']],
    [
      { a: '3', b: '[7]' },
      2,
      ['`a` requests 3 GPUs, but there are only 2', '`b` requests GPU 7, but there are only GPUs 0 to 1'],
    ],
  ];
  for (const [asks, count, says] of cases) {
    test(`${JSON.stringify(asks)} of ${count}`, () => expect(refused(asks, count)).toEqual([...says]));
  }

  test('does not occur for an invalid `gpus`, nor for other services because of it', () => {
    for (const wrong of ['[GPU_1]', '[0, GPU_1]', '{ count: 1, optionl: true }', '{ count: 7, min_free: x }']) {
      expect(refused({ a: wrong, b: '1' }, 1).length).toBe(1);
    }
  });

  test('does not occur without an inventory', () => {
    const text = services({ a: '1', b: 'all', c: '[7]' });
    expect(messages(text)).toEqual([]);
    expect(idsOf(planOf(text))).toEqual({});
  });

  test('the machine is inspected only for a running service with `gpus`', () => {
    const look = () => {
      throw new Error('looked');
    };
    expect(messages(services({ a: '' }), { gpus: look })).toEqual([]);
    expect(messages(`${services({ a: '' })}  b: { command: run, gpus: 1, enabled: no }\n`, { gpus: look })).toEqual([]);
  });

  test('a variable that `gpus` sets must not be set too', () => {
    for (const key of ['CUDA_VISIBLE_DEVICES', 'HIP_VISIBLE_DEVICES', 'ROCR_VISIBLE_DEVICES', 'SVC_GPU_COUNT']) {
      const text = oneService('command: run', 'gpus: 1', `env: { ${key}: "0" }`);
      const says = [`\`a\` has both \`gpus\` and \`${key}\`: \`gpus\` sets the variable`];
      expect(messages(text)).toEqual(says);
      expect(messages(text, { gpus: nvidia(1) })).toEqual(says);
    }
    expect(messages(oneService('command: run', 'env: { CUDA_VISIBLE_DEVICES: "0" }'))).toEqual([]);
  });
});

describe('with unknown UUIDs', () => {
  const unknown = (count: number): Around => {
    const devices = Array.from({ length: count }, () => ({ uuid: null, name: 'NVIDIA GPU' }));
    return { gpus: () => ({ vendor: 'nvidia', devices, driver: null, forbidden: 0 }) };
  };
  const one = '[GPU-8932f937]';

  test('a UUID may be any of the devices, so no other service gets one', () => {
    const taken = '`a` has GPU GPU-8932f937';
    expect(refused({ a: one, b: '1' }, 1, unknown(1))).toEqual([`\`b\` requests a GPU, but none is free: ${taken}`]);
    expect(refused({ a: one, b: '1' }, 1, unknown(2))).toEqual([`\`b\` requests a GPU, but none is free: ${taken}`]);
    expect(refused({ a: one, b: 'all' }, 1, unknown(2))).toEqual([`\`b\` requests all GPUs, but ${taken}`]);
    expect(refused({ a: one, b: '[1]' }, 1, unknown(2))).toEqual([`\`b\` requests GPU 1, but ${taken}`]);
    expect(refused({ a: '[0]', b: one }, 1, unknown(2))).toEqual(['`b` requests GPU GPU-8932f937, but `a` has GPU 0']);
    expect(refused({ a: one, b: '[GPU-8932F9]' }, 1, unknown(2))).toEqual([
      `\`b\` requests GPU GPU-8932F9, but ${taken}`,
    ]);
    expect(printed(services({ a: one, b: '1' }), unknown(1))).toContain('help: the UUIDs of the devices are unknown');
  });

  test('UUIDs may be used together, and with shared and empty requests', () => {
    const asks = { a: one, b: '[GPU-1111]', c: '{ share: 1 }', d: '0' };
    expect(idsOf(planOf(services(asks), unknown(2)))).toEqual({ a: 'GPU-8932f937', b: 'GPU-1111', c: '0', d: '' });
    expect(idsOf(planOf(services({ a: '[MIG-1]', b: '[MIG-2]', c: '1' }), unknown(1)))).toMatchObject({ c: '0' });
  });

  test('an unknown one is refused if UUIDs are known', () => {
    expect(refused({ a: '[GPU-abc]' }, 1)).toEqual([`\`a\` requests GPU GPU-abc, but there is only ${uuid(0)}`]);
  });
});

describe('the likely cause', () => {
  const cause = (inventory: Inventory, environment: Record<string, string> = {}) =>
    explainAbsence(inventory, visibleGpus(inventory, environment).length, environment);

  test('depends on the inventory', () => {
    expect(cause(nvidia(0)())).toContain("NVIDIA's driver is loaded: was the container started without `--gpus all`");
    expect(cause({ ...nothing(), driver: 'amd' })).toContain('--device /dev/kfd --device /dev/dri');
    expect(cause({ ...nothing(), forbidden: 2 })).toStartWith('2 devices exist but cannot be opened');
    expect(cause(nothing(), { NVIDIA_VISIBLE_DEVICES: 'void' })).toBe(
      '`NVIDIA_VISIBLE_DEVICES=void` excludes GPUs from the container',
    );
    expect(cause(nvidia(4)(), { CUDA_VISIBLE_DEVICES: '7' })).toBe(
      "the machine has 4, but the container's environment has `CUDA_VISIBLE_DEVICES=7`",
    );
  });
});

describe('the environment of the container', () => {
  const visible = (count: number, environment: Record<string, string>, inventory = nvidia(count)()) =>
    visibleGpus(inventory, environment).map(({ id, index }) => `${id}@${index}`);

  const cuda: Readonly<Record<string, readonly string[]>> = {
    '2,3': ['2@2', '3@3'],
    '3,0': ['3@3', '0@0'],
    '': [],
    '-1': [],
    NoDevFiles: [],
    // Entries after an invalid one are ignored.
    '1,9,0': ['1@1'],
    '0,-1,1': ['0@0'],
    [uuid(2)]: [`${uuid(2)}@2`],
    'GPU-bbbb,0': ['GPU-bbbb@1', '0@0'],
    'MIG-1234,MIG-5678': ['MIG-1234@null', 'MIG-5678@null'],
  };
  for (const [value, expected] of Object.entries(cuda)) {
    test(`CUDA_VISIBLE_DEVICES=${value} restricts and orders`, () => {
      expect(visible(4, { CUDA_VISIBLE_DEVICES: value })).toEqual([...expected]);
    });
  }

  test('position 0 is the first entry, and the program receives that entry', () => {
    const around = { environment: { CUDA_VISIBLE_DEVICES: '2,3' }, gpus: nvidia(4) };
    const plan = planOf(services({ a: '[1]', b: '1' }), around);
    expect(plan.services.map(({ env }) => env.CUDA_VISIBLE_DEVICES)).toEqual(['3', '2']);
    expect(messages(services({ a: '3' }), around)).toEqual(['`a` requests 3 GPUs, but there are only 2']);
  });

  const runtime: Readonly<Record<string, readonly string[]>> = {
    all: ['0@0', '1@1', '2@2', '3@3'],
    // CDI sets it together with the devices that it adds.
    void: ['0@0', '1@1', '2@2', '3@3'],
    none: [],
    // Only a privileged container sees more than it names.
    '1,2': ['1@1', '2@2'],
    [uuid(3)]: ['3@3'],
    // Names of the host, all of them present.
    '4,5,6,7': ['0@0', '1@1', '2@2', '3@3'],
    'MIG-1234,MIG-5678': ['MIG-1234@null', 'MIG-5678@null'],
  };
  for (const [value, expected] of Object.entries(runtime)) {
    test(`NVIDIA_VISIBLE_DEVICES=${value}`, () => {
      expect(visible(4, { NVIDIA_VISIBLE_DEVICES: value })).toEqual([...expected]);
    });
  }

  test('each service gets its own MIG slice', () => {
    const around = { environment: { NVIDIA_VISIBLE_DEVICES: 'MIG-1234,MIG-5678' } };
    expect(placed({ a: '1', b: '1' }, 1, around)).toEqual({ a: 'MIG-1234', b: 'MIG-5678' });
    expect(placed({ a: '1', b: '[MIG-1234]' }, 1, around)).toEqual({ a: 'MIG-5678', b: 'MIG-1234' });
    expect(refused({ a: '[MIG-9]' }, 1, around)).toEqual([
      '`a` requests GPU MIG-9, but there is only MIG-1234, MIG-5678',
    ]);
  });

  const hip: readonly (readonly [Record<string, string>, readonly string[]])[] = [
    [{ ROCR_VISIBLE_DEVICES: '2,3' }, ['0@2', '1@3']],
    [{ ROCR_VISIBLE_DEVICES: 'GPU-0000000000000001' }, ['0@1']],
    [{ HIP_VISIBLE_DEVICES: '3,1' }, ['3@3', '1@1']],
    [{ CUDA_VISIBLE_DEVICES: '1' }, ['1@1']],
    [{ HIP_VISIBLE_DEVICES: '', CUDA_VISIBLE_DEVICES: '' }, ['0@0', '1@1', '2@2', '3@3']],
    [{ HIP_VISIBLE_DEVICES: '-1' }, []],
    [{ ROCR_VISIBLE_DEVICES: '2,3', HIP_VISIBLE_DEVICES: '1' }, ['1@3']],
    [{ ROCR_VISIBLE_DEVICES: '' }, []],
  ];
  for (const [environment, expected] of hip) {
    test(`for AMD ${JSON.stringify(environment)}`, () => {
      expect(visible(4, environment, amd(4)())).toEqual([...expected]);
    });
  }
});

describe('the variables of a program', () => {
  const told = (request: string, around: Around) => {
    const { env } = planOf(oneService('command: run', `gpus: ${request}`), around)
      .services[0] as Plan['services'][number];
    const names = /^(?:CUDA_VISIBLE_DEVICES|CUDA_DEVICE_ORDER|HIP_VISIBLE_DEVICES|ROCR_VISIBLE_DEVICES|SVC_GPU_COUNT)$/;
    return Object.fromEntries(Object.entries(env).filter(([key]) => names.test(key)));
  };

  test('of NVIDIA', () => {
    expect(told('2', { gpus: nvidia(4) })).toEqual({
      CUDA_VISIBLE_DEVICES: '0,1',
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
      SVC_GPU_COUNT: '2',
    });
    const environment = { CUDA_DEVICE_ORDER: 'FASTEST_FIRST' };
    expect(told('1', { gpus: nvidia(1), environment })).toMatchObject(environment);
  });

  test('of AMD: for HIP, counted from the devices that ROCR_VISIBLE_DEVICES leaves, which is never set', () => {
    expect(told('2', { gpus: amd(4) })).toEqual({
      HIP_VISIBLE_DEVICES: '0,1',
      CUDA_VISIBLE_DEVICES: '0,1',
      SVC_GPU_COUNT: '2',
    });
    const environment = { ROCR_VISIBLE_DEVICES: '2,3' };
    expect(told('[1]', { gpus: amd(4), environment })).toEqual({
      HIP_VISIBLE_DEVICES: '1',
      CUDA_VISIBLE_DEVICES: '1',
      ROCR_VISIBLE_DEVICES: '2,3',
      SVC_GPU_COUNT: '1',
    });
  });

  test('without devices: an empty list for CUDA, and an index that no device has for HIP', () => {
    const none = { CUDA_VISIBLE_DEVICES: '', HIP_VISIBLE_DEVICES: '-1', SVC_GPU_COUNT: '0' };
    expect(told('0', { gpus: nvidia(4) })).toEqual(none);
    expect(told('{ count: 1, optional: true }', { gpus: nothing })).toEqual(none);
    expect(told('0', { gpus: amd(1) })).toEqual(none);
  });

  test('`gpus` overrides the container, an env file and the top level', () => {
    const text = 'env: { CUDA_VISIBLE_DEVICES: "7" }\nservices: { a: { command: run, gpus: 1, env_file: a.env } }\n';
    const around = { gpus: nvidia(8), files: { '/app/a.env': 'CUDA_VISIBLE_DEVICES=6\nSVC_GPU_COUNT=6\n' } };
    expect(planOf(text, around).services[0]?.env).toMatchObject({ CUDA_VISIBLE_DEVICES: '0', SVC_GPU_COUNT: '1' });
  });
});

describe('a reload', () => {
  const again = (
    before: Readonly<Record<string, string>>,
    after: Readonly<Record<string, string>>,
    count: number,
  ): unknown => {
    const old = planOf(services(before), { gpus: nvidia(count) });
    const now = planOf(services(after), { gpus: nvidia(count), before: old });
    return {
      ...(idsOf(now) as Record<string, unknown>),
      changed: difference(old, now).changed.map(({ name }) => name),
    };
  };

  test('keeps the devices of a service when others are added or removed before it', () => {
    expect(again({ b: '1', c: '1' }, { a: '1', b: '1', c: '1' }, 3)).toEqual({ a: '2', b: '0', c: '1', changed: [] });
    expect(again({ a: '1', b: '1' }, { b: '1' }, 2)).toEqual({ b: '1', changed: [] });
    expect(again({ a: '1', b: '1' }, { b: '1', c: '1' }, 2)).toEqual({ b: '1', c: '0', changed: [] });
  });

  test('keeps as many devices as possible when a request changes', () => {
    expect(again({ a: '1', b: '1' }, { a: '1', b: '2' }, 3)).toEqual({ a: '0', b: '1,2', changed: ['b'] });
    expect(again({ a: '1', b: '2' }, { a: '1', b: '1' }, 3)).toEqual({ a: '0', b: '1', changed: ['b'] });
  });

  test('yields to a list', () => {
    expect(again({ a: '1' }, { a: '1', b: '[0]' }, 2)).toEqual({ a: '1', b: '0', changed: ['a'] });
  });

  test('keeps shared devices', () => {
    const before = { a: '{ share: 1 }', b: '{ share: 1 }' };
    expect(again(before, { z: '{ share: 1 }', ...before }, 2)).toMatchObject({ a: '0', b: '1', changed: [] });
  });
});

test('a configuration without `gpus` does not load this module', async () => {
  const script = `
    const { loadPlan } = await import('./src/plan/expand.ts');
    const load = (text) => loadPlan({ path: '/s', environment: {}, gpus: () => ({ vendor: null, devices: [], driver: null, forbidden: 0 }),
      files: { list: () => null, stat: () => ({ size: 1, isFile: true, isDirectory: false }), read: () => new TextEncoder().encode(text) } });
    const loaded = () => Object.keys(require.cache).filter((path) => /gpu(s|-inventory|-memory|s-amd)\\.ts$/.test(path)).length;
    const before = load('services: { a: { command: run } }').ok && loaded();
    load('services: { a: { command: run, gpus: 0 } }');
    console.log(JSON.stringify([before, loaded()]));
  `;
  const child = Bun.spawn([process.execPath, '-e', script], { cwd: `${import.meta.dir}/../..`, stdout: 'pipe' });
  const [without, having] = JSON.parse(await child.stdout.text()) as [number, number];
  expect(without).toBe(0);
  expect(having).toBeGreaterThan(0);
});

test('a file with only GPU errors has no other diagnostic', () => {
  const loaded = load(services({ a: '1' }), { gpus: nothing });
  expect(loaded.ok ? [] : loaded.error.diagnostics.map(({ code }) => code)).toEqual(['too-few-gpus']);
});

describe('services that are started by hand', () => {
  const text = `services:
  auto: { command: run, gpus: 1 }
  hand: { command: run, gpus: 1, start: manual }
  off: { command: run, gpus: 1, profiles: [x] }
`;

  test('get what the others leave, or where that is not enough the same devices', () => {
    expect(idsOf(planOf(text, { gpus: nvidia(3) }))).toEqual({ auto: '0', hand: '1', off: '2' });
    expect(idsOf(planOf(text, { gpus: nvidia(2) }))).toEqual({ auto: '0', hand: '1', off: '0' });
    expect(idsOf(planOf(text, { gpus: nvidia(1) }))).toEqual({ auto: '0', hand: '0', off: '0' });
    expect(messages(text, { gpus: nvidia(1) }).filter((message) => message.includes('auto'))).toEqual([]);
  });

  test('get the devices that they name, by the positions that all services use', () => {
    const named = text.replace('hand: { command: run, gpus: 1', 'hand: { command: run, gpus: [0]');
    expect(idsOf(planOf(named, { gpus: nvidia(3) }))).toEqual({ auto: '0', hand: '0', off: '1' });
    const several = text.replace('hand: { command: run, gpus: 1', 'hand: { command: run, gpus: 3');
    expect(idsOf(planOf(several, { gpus: nvidia(3) }))).toMatchObject({ auto: '0', hand: '0,1,2' });
  });

  test('are no error where there is no GPU, and a warning unless their profile is off', () => {
    const without = text.replace('auto: { command: run, gpus: 1 }', 'auto: { command: run }');
    expect(load(without, { gpus: nothing }).ok).toBe(true);
    expect(messages(without, { gpus: nothing })).toEqual([
      expect.stringContaining('`hand` requests a GPU, but there is none: it cannot be started'),
    ]);
    expect(planOf(without, { gpus: nothing }).services.map(({ gpus }) => gpus?.missing)).toEqual([
      undefined,
      '`hand` requests a GPU, but there is none',
      '`off` requests a GPU, but there is none',
    ]);
  });

  test('may run with fewer if their request is optional, and must have all if a service that starts needs them', () => {
    const optional = text.replaceAll('gpus: 1', 'gpus: { count: 2, optional: true }');
    const found = planOf(optional, { gpus: nvidia(1) }).services.map(({ gpus }) => gpus?.missing);
    expect(found).toEqual([undefined, undefined, undefined]);
    const needed = `services:
  hand: { command: run, gpus: 1, start: manual }
  auto: { command: run, depends_on: [hand] }
`;
    expect(load(needed, { gpus: nothing }).ok).toBe(false);
  });
});
