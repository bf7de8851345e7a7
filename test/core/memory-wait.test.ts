// The memory of GPUs before a run, in virtual time: what is waited for, how long, and what a silent driver means.
import { describe, expect, test } from 'bun:test';
import type { GpuReading, Holder } from '../../src/plan/gpu-reading.ts';
import type { GpuPlan, ServicePlan } from '../../src/plan/plan.ts';
import type { Behaviour } from '../helpers/behaviour.ts';
import { gpus, plan, restart, seconds, service, withCode } from '../helpers/plans.ts';
import { type Simulator, simulate } from '../helpers/simulator.ts';

const GIB = 1024 ** 3;
const reading = (used: number, holders: readonly Holder[] = []): GpuReading => ({
  kind: 'memory',
  devices: [{ used: used * GIB, total: 140 * GIB }],
  holders,
});
const model = (given: Partial<GpuPlan> = {}, more: Partial<Omit<ServicePlan, 'stop'>> = {}) =>
  service('vllm', { gpus: gpus(given), restart: restart('always'), ...more });

/** Its first run ends after 10 s; from then on its memory is as `after` says. */
function crash(after: (since: number) => GpuReading, given: Partial<GpuPlan> = {}): Simulator {
  const memory = (at: number) => (at < seconds(10) ? reading(1) : after(at - seconds(10)));
  return simulate(
    plan([model(given)]),
    (_name, run): Behaviour => (run === 1 ? { memory, ends: { after: seconds(10), exit: withCode(1) } } : { memory }),
  );
}

const spawns = (run: Simulator): number[] =>
  run.deeds('vllm').flatMap((deed) => (deed.endsWith(' spawn') ? [Number(deed.split(' ')[0])] : []));

describe('the first run', () => {
  test('begins when the memory has been read, however much is in use', () => {
    const run = simulate(plan([model()]), { vllm: { memory: () => reading(100) } });
    run.until(100);
    expect(run.deeds('vllm')).toEqual(['0 read-gpus', '1 spawn']);
  });

  test('waits until as much is free as it asks for', () => {
    const run = simulate(plan([model({ minFree: 20 * GIB })]), {
      vllm: { memory: (at) => reading(at < 3_000 ? 130 : 100) },
    });
    run.until(seconds(6));
    const [first = 0] = spawns(run);
    expect(first).toBeGreaterThan(3_000);
    expect(first).toBeLessThan(4_000);
    expect(run.said('gpu-memory')).toEqual([
      'waits for GPU memory: 10.0 GiB of GPU 0 are free, and 20.0 GiB are asked for',
    ]);
  });

  test('is not held up where nothing can be read, which is said once', () => {
    const again = service('vllm', { gpus: gpus(), restart: restart('always') });
    const memory = (): GpuReading => ({ kind: 'unreadable', why: 'there is no nvidia-smi' });
    const run = simulate(plan([again]), (_name, number) =>
      number < 4 ? { memory, ends: { after: 100, exit: withCode(1) } } : { memory },
    );
    run.until(seconds(20));
    expect(spawns(run).length).toBe(4);
    expect(run.said('gpu-memory')).toEqual([
      'has a GPU whose memory cannot be read, so the start does not wait for memory: there is no nvidia-smi',
    ]);
  });

  test('of which `min_free` cannot be looked at is a warning', () => {
    const memory = (): GpuReading => ({ kind: 'unreadable', why: 'there is no nvidia-smi' });
    const run = simulate(plan([model({ minFree: 20 * GIB })]), { vllm: { memory } });
    run.until(100);
    expect(spawns(run).length).toBe(1);
    expect(run.said('gpu-memory')).toEqual([
      'has a GPU whose memory cannot be read, so `min_free` is not checked, and the start does not wait for memory: there is no nvidia-smi',
    ]);
  });

  test('begins though the driver complains, which is said once', () => {
    const devices = [{ used: GIB, total: 140 * GIB }];
    const warning = 'WARNING: infoROM is corrupted';
    const memory = (): GpuReading => ({ kind: 'memory', devices, holders: [], warning });
    const run = simulate(plan([model()]), (_name, number) =>
      number < 3 ? { memory, ends: { after: 100, exit: withCode(1) } } : { memory },
    );
    run.until(seconds(20));
    expect(spawns(run).length).toBe(3);
    expect(run.said('gpu-memory')).toEqual(['has a GPU whose driver complains: WARNING: infoROM is corrupted']);
  });

  test('reads nothing without devices', () => {
    const run = simulate(plan([model({ devices: [] })]));
    run.until(100);
    expect(run.deeds('vllm')).toEqual(['0 spawn']);
  });
});

describe('the next run', () => {
  test('begins when the memory is back at what it was', () => {
    const run = crash((since) => reading(since < 8_000 ? 1 + (8_000 - since) / 100 : 1));
    run.until(seconds(30));
    const [, second = 0] = spawns(run);
    expect(second).toBeGreaterThanOrEqual(17_900);
    expect(second).toBeLessThan(19_200);
    expect(run.said('gpu-memory')[0]).toMatch(
      /^waits for GPU memory: \d+\.\d GiB of GPU 0 are in use, 1\.0 GiB were before the service's last run$/,
    );
  });

  test('does not wait for the last megabytes of the driver', () => {
    const run = crash(() => reading(1.2));
    run.until(seconds(12));
    expect(spawns(run).length).toBe(2);
  });

  test('fails in time where another process keeps the memory, and names it', () => {
    const other = { pid: 77, name: 'python3', service: null };
    const run = crash(() => reading(21, [other]));
    run.until(seconds(69));
    expect(spawns(run).length).toBe(1);
    run.until(seconds(73));
    expect(run.said('restarting').at(-1)).toContain(
      'could not be started: GPU memory did not become free within 1m00s: 21.0 GiB of GPU 0 are in use, ' +
        "1.0 GiB were before the service's last run, after 1m00s; held by python3 (pid 77)",
    );
  });

  test('goes on when the memory does not change and no process here holds it', () => {
    const run = crash(() => reading(21));
    run.until(seconds(18));
    expect(spawns(run).length).toBe(2);
    expect(run.said('gpu-memory').at(-1)).toContain('it does not change any more, so others use it');
  });

  test('goes on when the memory does not change and is shared, whichever process holds it', () => {
    const other = { pid: 77, name: 'python3', service: null };
    const run = crash(() => reading(21, [other]), { shared: true });
    run.until(seconds(18));
    expect(spawns(run).length).toBe(2);
  });

  test('goes on in the end when the memory is shared and keeps moving, but not without `min_free`', () => {
    const moving = (since: number) => reading(20 + (Math.floor(since / 70) % 20));
    const shared = crash(moving, { shared: true });
    shared.until(seconds(69));
    expect(spawns(shared).length).toBe(1);
    shared.until(seconds(73));
    expect(spawns(shared).length).toBe(2);
    expect(shared.said('gpu-memory').at(-1)).toMatch(
      /^is started though \d+\.0 GiB of GPU 0 are in use, 1\.0 GiB were before the service's last run, after 1m00s; it is shared, so others use it$/,
    );
    for (const given of [{ shared: false }, { shared: true, minFree: 130 * GIB }]) {
      const run = crash(moving, given);
      run.until(seconds(73));
      expect(spawns(run).length).toBe(1);
      expect(run.said('restarting').at(-1)).toContain('GPU memory did not become free within 1m00s');
    }
  });

  test('is not fooled by a pause in the giving back', () => {
    const run = crash((since) => reading(since < 4_000 ? 30 : since < 8_000 ? 20 : 1));
    run.until(seconds(30));
    const [, second = 0] = spawns(run);
    expect(second).toBeGreaterThanOrEqual(seconds(18));
  });

  test('is given up by a stop, at once', () => {
    const run = crash(() => reading(21, [{ pid: 77, name: 'python3', service: null }]));
    run.until(seconds(20)).stop().untilEnd();
    expect([run.code, run.endedAt]).toEqual([0, seconds(20)]);
  });
});

describe('a driver that does not respond', () => {
  const lost: GpuReading = { kind: 'lost', why: 'Failed to initialize NVML: Unknown Error' };

  test('ends the container with 75, whatever the restart policy says', () => {
    const run = crash(() => lost);
    run.untilEnd();
    expect(run.code).toBe(75);
    expect(run.said('failed')).toEqual([
      'lost its GPU: Failed to initialize NVML: Unknown Error; only a new container can fix that',
    ]);
    expect(run.said('stopping')).toEqual(['stopping everything: vllm lost its GPU']);
  });

  test('does so for a service that is not essential, and with `exit: all`', () => {
    const minor = model({}, { essential: false });
    const run = simulate(plan([minor, service('other')], { exit: 'all' }), { vllm: { memory: () => lost } });
    run.untilEnd();
    expect(run.code).toBe(75);
  });

  test('changes nothing where it is not to', () => {
    const run = crash(() => lost, { onLost: 'restart' });
    run.until(seconds(15));
    expect(spawns(run).length).toBe(2);
    expect(run.said('gpu-lost').length).toBe(1);
  });
});

describe('a device that a reload gives to another service', () => {
  const successor = (given: Partial<GpuPlan> = {}) => service('sglang', { gpus: gpus(given) });

  test('is waited for until the one before is gone and its memory is back', () => {
    const memory = (at: number) => reading(at < 100 ? 1 : at < 5_000 ? 100 : 1);
    const run = simulate(plan([model()]), { vllm: { memory, stopTakes: 1_000 }, sglang: { memory } })
      .until(200)
      .reload(plan([successor()]))
      .until(seconds(9));
    const [read, ...rest] = run.deeds('sglang');
    // The stop took a second, and the driver four more.
    expect(Number(read?.split(' ')[0])).toBeGreaterThan(1_200);
    expect(Number(rest.find((deed) => deed.endsWith(' spawn'))?.split(' ')[0])).toBeGreaterThan(5_000);
    expect(run.state('sglang')).toBe('ready');
  });

  test('is not waited for where both share it', () => {
    const memory = () => reading(100);
    const run = simulate(plan([model({ shared: true })]), { vllm: { memory, stopTakes: 1_000 }, sglang: { memory } })
      .until(200)
      .reload(plan([successor({ shared: true })]))
      .until(400);
    expect(run.state('sglang')).toBe('ready');
  });
});
