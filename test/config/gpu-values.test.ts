// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Every form of `gpus`, the resulting configuration, and the messages for rejected values.
import { describe, expect, test } from 'bun:test';
import { loadConfig } from '../../src/config/load.ts';
import { memoryFiles, messages, oneService, PATH, printed } from './rig.ts';

function gpusOf(text: string, environment: Readonly<Record<string, string>> = {}, name = 'a'): unknown {
  const loaded = loadConfig(PATH, memoryFiles({ [PATH]: text }), environment);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error.diagnostics));
  return loaded.value.services.find((service) => service.name === name)?.gpus;
}

const REST = { optional: false, min_free: null, free_timeout: 60_000, on_lost: 'exit' };
const wish = (wanted: unknown, shared = false) => ({ wish: wanted, shared, ...REST });

describe('a request', () => {
  const right: Readonly<Record<string, unknown>> = {
    '1': wish(1),
    '0': wish(0),
    '8': wish(8),
    all: wish('all'),
    '"2"': wish(2),
    '[0, 1]': wish(['0', '1']),
    '["0", GPU-8932f937-d72c-4106-c12f-20bd9faed9f6]': wish(['0', 'GPU-8932f937-d72c-4106-c12f-20bd9faed9f6']),
    '[MIG-GPU-8932f937/1/0]': wish(['MIG-GPU-8932f937/1/0']),
    '{ count: 2 }': wish(2),
    '{ count: all }': wish('all'),
    '{ devices: [3] }': wish(['3']),
    '{ share: all }': wish('all', true),
    '{ share: 1 }': wish(1, true),
    '{ share: [0, 2] }': wish(['0', '2'], true),
    '{ count: 1, optional: true, min_free: 20GiB, free_timeout: 2m, on_lost: restart }': {
      wish: 1,
      shared: false,
      optional: true,
      min_free: 20 * 1024 ** 3,
      free_timeout: 120_000,
      on_lost: 'restart',
    },
  };
  for (const [written, expected] of Object.entries(right)) {
    test(`gpus: ${written}`, () => expect(gpusOf(oneService('command: run', `gpus: ${written}`))).toEqual(expected));
  }

  test('is null without `gpus`', () => {
    expect(gpusOf(oneService('command: run'))).toBe(null);
  });

  test('may come from a variable, as a number or as `all`', () => {
    const text = oneService('command: run', 'gpus: ${GPUS:-1}');
    expect(gpusOf(text)).toEqual(wish(1));
    expect(gpusOf(text, { GPUS: '4' })).toEqual(wish(4));
    expect(gpusOf(text, { GPUS: '0' })).toEqual(wish(0));
    expect(gpusOf(text, { GPUS: 'all' })).toEqual(wish('all'));
    const map = oneService('command: run', 'gpus: { share: "${N}", min_free: "${M:-1GiB}", optional: "${O:-true}" }');
    expect(gpusOf(map, { N: '2' })).toEqual({ ...wish(2, true), min_free: 1024 ** 3, optional: true });
    const list = oneService('command: run', 'gpus: ["${A}", "${B}"]');
    expect(gpusOf(list, { A: '1', B: 'GPU-8932f937' })).toEqual(wish(['1', 'GPU-8932f937']));
  });

  test('may be in `defaults`; a service that overrides it keeps the other fields', () => {
    const text = `
defaults: { gpus: { count: 1, min_free: 1GiB, free_timeout: 2m } }
services:
  a: { command: run }
  b: { command: run, gpus: { share: all, free_timeout: 5s } }
  c: { command: run, gpus: 0 }
`;
    expect(gpusOf(text)).toEqual({ ...wish(1), min_free: 1024 ** 3, free_timeout: 120_000 });
    expect(gpusOf(text, {}, 'b')).toEqual({ ...wish('all', true), min_free: 1024 ** 3, free_timeout: 5000 });
    expect(gpusOf(text, {}, 'c')).toMatchObject({ wish: 0 });
  });
});

describe('an invalid request', () => {
  const A = 'a number, `all`, a list of devices, or a map';
  const D = 'a position (0 is the first), a UUID (`GPU-…`) or the name of a MIG slice (`MIG-…`)';
  const wrong: Readonly<Record<string, string>> = {
    'gpus: some': `\`gpus\` must be ${A}, not "some"`,
    'gpus: true': `\`gpus\` must be ${A}, not true`,
    'gpus: -1': `\`gpus\` must be ${A}, not -1`,
    'gpus: 1.5': `\`gpus\` must be ${A}, not 1.5`,
    'gpus: 257': `\`gpus\` must be ${A}, not 257`,
    'gpus:': `\`gpus\` is empty: it must be ${A}`,
    'gpus: []': '`gpus` is an empty list: it must be a list of devices',
    'gpus: [0, 0]': '`gpus` names `0` twice',
    'gpus: [first]': `an item of \`gpus\` must be ${D}, not "first"`,
    'gpus: [-1]': `an item of \`gpus\` must be ${D}, not -1`,
    'gpus: [[0]]': `an item of \`gpus\` must be ${D}, not a list`,
    'gpus: {}': '`gpus` has neither a number nor a list of devices: it needs `count`',
    'gpus: { min_free: 1GiB }': '`gpus` has neither a number nor a list of devices: it needs `count`',
    'gpus: { count: 1, devices: [0] }': '`count` and `devices` are alternatives',
    'gpus: { share: all, count: 1 }': '`count` and `share` are alternatives',
    'gpus: { count: 1, memory: 20GiB }': 'unknown key `memory` in `gpus`',
    'gpus: { count: 1, min_free: 20 }': '`min_free` must be a size, not 20',
    'gpus: { count: 1, free_timeout: 60 }': '`free_timeout` must be a duration, not 60',
    'gpus: { count: 1, on_lost: ignore }': '`on_lost` must be `exit` or `restart`, not "ignore"',
    'gpus: { devices: 0 }': '`devices` must be a list of devices, not 0',
    'gpus: { share: some }': '`share` must be a number of devices, or `all`, not "some"',
  };
  for (const [line, message] of Object.entries(wrong)) {
    test(`${line} is refused`, () => expect(messages(oneService('command: run', line))).toEqual([message]));
  }

  const advice: Readonly<Record<string, string>> = {
    'gpus: 0,1': 'write `[0,1]`',
    'gpus: GPU-8932f937': 'write `[GPU-8932f937]`',
    'gpus: none': 'write `0` to hide all GPUs from the service',
    'gpus: yes': 'write `1`, or `all`',
    'gpus: { devices: 0 }': 'write `[0]`',
    'gpus: { count: 1, memory: 20GiB }': 'it is called `min_free`',
    'gpus: { min_free: 1GiB }': 'or `devices: [0, 1]`, or `share: all`',
  };
  for (const [line, suggestion] of Object.entries(advice)) {
    test(`${line} has a suggestion`, () => {
      expect(printed(oneService('command: run', line))).toContain(`help: ${suggestion}\n`);
    });
  }
});
