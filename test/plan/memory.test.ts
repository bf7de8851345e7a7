// The memory of a service in the plan: watched, limited by the kernel, or watched because the kernel cannot; and mistakes.
import { describe, expect, test } from 'bun:test';
import { load, messages, oneService, printed, serviceOf } from '../config/rig.ts';

const GIB = 2 ** 30;
const LIMITED = oneService('command: run', 'memory_limit: 8GiB');

describe('the memory of a service', () => {
  test('is neither watched nor limited by default', () => {
    const { memoryWatch, attributes } = serviceOf(oneService('command: run'));
    expect([memoryWatch, attributes.memory]).toEqual([null, null]);
  });

  test('is watched by max_memory, with restart as the default', () => {
    const watch = (...lines: readonly string[]) => serviceOf(oneService('command: run', ...lines)).memoryWatch;
    expect(watch('max_memory: 8GiB')).toEqual({ field: 'max_memory', max: 8 * GIB, onExceed: 'restart' });
    expect(watch('max_memory: 1MB', 'on_exceed: warn')).toEqual({
      field: 'max_memory',
      max: 1_000_000,
      onExceed: 'warn',
    });
  });

  test('is limited by the kernel by memory_limit, and the whole service ends with it', () => {
    const { memoryWatch, attributes } = serviceOf(LIMITED);
    expect(memoryWatch).toBeNull();
    expect(attributes.memory).toEqual({ bytes: 8 * GIB, oomGroup: true, group: 'a' });
  });

  test('is watched where the kernel cannot limit it, which a warning says', () => {
    const loaded = load(LIMITED, { limitMemory: () => '/sys/fs/cgroup cannot be written (EROFS)' });
    const plan = loaded.ok ? loaded.value.plan.services[0] : undefined;
    expect(plan?.attributes.memory).toBeNull();
    expect(plan?.memoryWatch).toEqual({ field: 'memory_limit', max: 8 * GIB, onExceed: 'fail' });
    const said = loaded.ok ? loaded.value.warnings.map(({ message }) => message) : [];
    expect(said).toEqual([
      'the kernel cannot limit the memory of `a`: /sys/fs/cgroup cannot be written (EROFS). svc-super watches it instead: a run that uses more than 8.0 GiB fails',
    ]);
  });

  test('a limit of its own stays in force then', () => {
    const both = oneService('command: run', 'memory_limit: 8GiB', 'max_memory: 4GiB');
    const loaded = load(both, { limitMemory: () => 'no' });
    expect(loaded.ok && loaded.value.plan.services[0]?.memoryWatch).toEqual({
      field: 'max_memory',
      max: 4 * GIB,
      onExceed: 'restart',
    });
    expect(loaded.ok && loaded.value.warnings.map(({ message }) => message)).toEqual([
      'the kernel cannot limit the memory of `a`: no. Only `max_memory` applies, with `on_exceed: restart`',
    ]);
  });

  test.each([
    ['on_exceed: fail', '`on_exceed` says what happens above `max_memory`, which `a` does not have'],
    ['oom_group: false', '`oom_group` says what happens above `memory_limit`, which `a` does not have'],
    ['max_memory: 2GiB, memory_limit: 2GiB', '`max_memory` is not below `memory_limit`: the kernel would come first'],
  ])('%s is a mistake', (fields, says) => {
    expect(messages(`services: { a: { command: run, ${fields} } }\n`)).toEqual([says]);
  });

  test('`defaults` may have fields that only services with a limit need', () => {
    const services = 'services: { a: { command: run }, b: { command: run, max_memory: 1GiB } }\n';
    expect(messages(`defaults: { on_exceed: fail, oom_group: false }\n${services}`)).toEqual([]);
  });

  test('words of other systems lead to the fields', () => {
    expect(printed(oneService('command: run', 'mem_limit: 1g'))).toContain('help: it is called `memory_limit`');
    expect(printed(oneService('command: run', 'max_memory_restart: 1G'))).toContain('help: it is called `max_memory`');
    expect(printed(oneService('command: run', 'max_memory: 1GiB', 'on_exceed: kill'))).toContain(
      'did you mean `fail`?',
    );
  });
});
