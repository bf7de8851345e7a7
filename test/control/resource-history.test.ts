// The history of processor time, memory, restarts and GPUs: what a sample contains, how long sampling lasts, and that the
// memory is bounded. Virtual time.
import { describe, expect, test } from 'bun:test';
import type { HistoryJson } from '../../src/control/resource-history.ts';
import { MAX_SAMPLES, ResourceHistory, SAMPLE_INTERVAL } from '../../src/control/resource-history.ts';
import { bodyOf, FakeSource, request, seen } from './fake.ts';

function rig() {
  const source = new FakeSource();
  const used = { cpu_seconds: 1, memory_bytes: 1000, processes: 1 };
  source.usage = () => new Map([['db', { ...used }]]);
  /** Lets an interval pass, in which `db` used this much processor time. */
  const pass = (seconds: number) => {
    used.cpu_seconds += seconds;
    source.now += SAMPLE_INTERVAL;
    source.tick();
  };
  return { source, used, pass };
}

describe('a history', () => {
  test('has the share of a processor since the sample before, memory and restarts', () => {
    const { source, used, pass } = rig();
    const history = new ResourceHistory(source);
    history.ask();
    used.memory_bytes = 5000;
    source.services = [seen('db', { restarts: 2 }), seen('api')];
    pass(7.5);
    expect(history.read(['db', 'api'], 0)).toEqual({
      interval_seconds: 15,
      times: [1_000, 16_000],
      services: {
        db: { cpu_percent: [null, 50], memory_bytes: [1000, 5000], restarts: [0, 2] },
        api: { cpu_percent: [null, null], memory_bytes: [null, null], restarts: [0, 0] },
      },
      gpus: {},
    });
    // Only the newer samples of the wanted services.
    expect(history.read(['db'], 1_000)).toMatchObject({ times: [16_000], services: { db: { cpu_percent: [50] } } });
    expect(history.read(['db'], 1_000).services.api).toBeUndefined();
  });

  test('does not compare two runs', () => {
    const { source, used, pass } = rig();
    const history = new ResourceHistory(source);
    history.ask();
    source.services = [seen('db', { run: 2 })];
    used.cpu_seconds = 0;
    pass(3);
    pass(3);
    expect(history.read(['db'], 0).services.db?.cpu_percent).toEqual([null, null, 20]);
  });

  test('keeps one hour, and nothing of services that are gone', () => {
    const { source, pass } = rig();
    const history = new ResourceHistory(source);
    history.keep();
    for (let count = 0; count < MAX_SAMPLES + 5; count += 1) pass(1);
    const { times, services } = history.read(['db'], 0);
    expect(times).toHaveLength(MAX_SAMPLES);
    expect([times.at(0), times.at(-1)]).toEqual([1_000 + 6 * SAMPLE_INTERVAL, 1_000 + 245 * SAMPLE_INTERVAL]);
    expect(services.db?.cpu_percent).toHaveLength(MAX_SAMPLES);
    source.services = [seen('api')];
    pass(1);
    expect(Object.keys(history.read(['db', 'api'], 0).services)).toEqual(['api']);
  });

  test('ends ten minutes after the last request, unless it is kept', () => {
    const { source, pass } = rig();
    const history = new ResourceHistory(source);
    history.ask();
    for (let count = 0; count < 39; count += 1) pass(1);
    expect(source.timers).toHaveLength(1);
    history.ask();
    for (let count = 0; count < 39; count += 1) pass(1);
    expect(source.timers).toHaveLength(1);
    pass(1);
    expect(source.timers).toHaveLength(0);
    history.ask();
    history.keep();
    for (let count = 0; count < 100; count += 1) pass(1);
    expect(source.timers).toHaveLength(1);
  });

  test('is sampled less often if a sample takes long, but at least every five minutes', () => {
    const { source } = rig();
    const pauses = [10, 200, 5_000].map((took) => {
      source.usage = () => {
        source.now += took;
        return new Map();
      };
      source.timers.length = 0;
      new ResourceHistory(source).ask();
      return source.timers[0]?.ms;
    });
    expect(pauses).toEqual([SAMPLE_INTERVAL, 100_000, 300_000]);
  });

  test('queries the GPUs only while it is asked for', async () => {
    const { source, pass } = rig();
    let asked = 0;
    const device = { index: 0, id: 'GPU-0', name: 'H200', memory_total_bytes: 9 };
    source.gpus = () => {
      asked += 1;
      return Promise.resolve({ devices: [{ ...device, use_percent: 97, memory_used_bytes: null }], why: null });
    };
    const history = new ResourceHistory(source);
    history.keep();
    pass(1);
    expect(asked).toBe(0);
    history.ask();
    pass(1);
    expect(asked).toBe(1);
    await Promise.resolve();
    expect(history.read([], 0).gpus).toEqual({ 'GPU-0': { use_percent: [null, 97], memory_bytes: [null, null] } });
    for (let count = 0; count < 20; count += 1) pass(1);
    expect(asked).toBe(7);
  });
});

test('GET /v1/history begins to sample, and refuses a wrong parameter', async () => {
  const { source } = rig();
  const history = bodyOf(await request(source, 'GET', '/v1/history?service=d*')) as unknown as HistoryJson;
  expect(history).toMatchObject({ times: [1_000], services: { db: { memory_bytes: [1000] } } });
  expect(Object.keys(history.services)).toEqual(['db']);
  expect(await request(source, 'GET', '/v1/history?since=yesterday')).toMatchObject({ status: 400 });
  expect(await request(source, 'GET', '/v1/history?service=nope')).toMatchObject({ status: 404 });
});
