// What responses of the supervisor change: samples of CPU and memory, the selected service, the message after a restart of the supervisor.
import { expect, test } from 'bun:test';
import { listed, recent, SAMPLE_EVERY } from '../../../src/cli/top/model.ts';
import { intervalsOf, withHistory, withLogs, withStatus } from '../../../src/cli/top/update.ts';
import { NOON, screenOf, statusOf, topModel, topService } from '../../helpers/top.ts';

const using = (cpu_seconds: number, run = 1) =>
  statusOf([topService('a', { run, usage: { cpu_seconds, memory_bytes: 1_000, processes: 1 } })]);

test('CPU is the difference of two responses over the time between them, and not across runs', () => {
  const first = withStatus(topModel([]), using(10), NOON + 1_000);
  const second = withStatus(first, using(11), NOON + 3_000);
  expect(second.series.get('a')?.cpu).toBe(0.5);
  expect(withStatus(second, using(0.5, 2), NOON + 4_000).series.get('a')?.cpu).toBeNull();
});

test('a sample keeps the peak of its time, and times without a response stay empty', () => {
  let model = withStatus(topModel([]), using(0), NOON);
  for (const [seconds, cpu] of [
    [1, 1],
    [2, 1],
    [20, 1],
  ] as const)
    model = withStatus(model, using(cpu), NOON + seconds * 1_000);
  const samples = recent(model.series.get('a'), NOON + 20_000, 5);
  expect(samples.map((sample) => sample?.cpu ?? null)).toEqual([1, null, null, null, 0]);
  expect(SAMPLE_EVERY).toBe(5_000);
});

test('the selected service stays selected while the order changes; if it is removed, the first is', () => {
  const model = { ...topModel([topService('a'), topService('b')]), selected: 'b' };
  const failing = withStatus(model, statusOf([topService('a'), topService('b', { state: 'failed' })]), NOON);
  expect(failing.selected).toBe('b');
  expect(withStatus(failing, statusOf([topService('c')]), NOON).selected).toBe('c');
});

test('the history of the supervisor comes before the own samples, three cells for each of its values', () => {
  const model = withStatus(topModel([]), using(0), NOON);
  const services = { a: { cpu_percent: [50, 200], memory_bytes: [1, 2], restarts: [0, 0] } };
  const times = [NOON - 20_000, NOON - 5_000];
  const filled = withHistory(model, { interval_seconds: 15, times, services, gpus: {} });
  const memory = recent(filled.series.get('a'), NOON, 8).map((sample) => sample?.memory ?? null);
  expect(memory).toEqual([null, 1, 1, 1, 2, 2, 2, 1_000]);
  expect(filled.series.get('a')?.samples.at(-2)?.cpu).toBe(2);
});

test('a service that restarts again and again stays above those that run', () => {
  const status = (state: 'ready' | 'backoff') => statusOf([topService('a'), topService('b', { state })]);
  const failing = withStatus(topModel([]), status('backoff'), NOON);
  const between = withStatus(failing, status('ready'), NOON + 1_000);
  expect(listed(between).map(({ name }) => name)).toEqual(['b', 'a']);
  expect(listed(withStatus(between, status('ready'), NOON + 70_000)).map(({ name }) => name)).toEqual(['a', 'b']);
});

test('a restart of the supervisor is reported', () => {
  const model = withStatus(topModel([topService('a')]), statusOf([topService('a')], 1), NOON);
  expect(screenOf(model)).toContain('the supervisor was restarted');
});

test('only what is on the screen is requested', () => {
  // Again and again until there was a response.
  expect(intervalsOf(topModel([topService('a')])).history).toBe(15_000);
  const model = { ...topModel([topService('a')]), hasHistory: true };
  expect(Object.keys(intervalsOf(model))).toEqual(['status', 'logs']);
  expect(Object.keys(intervalsOf({ ...model, pane: 'details' }))).toEqual(['status', 'details']);
  expect(Object.keys(intervalsOf({ ...model, pane: 'start-up' }))).toEqual(['status', 'timeline']);
  expect(Object.keys(intervalsOf({ ...model, awaySince: NOON }))).toEqual(['status']);
});

test('lines that the filter hides do not move the line that was found, nor the lines on the screen', () => {
  const line = (index: number, text: string) => ({
    time: new Date(NOON + index).toISOString(),
    service: 'a',
    stream: 'stdout' as const,
    text,
  });
  const lines = Array.from({ length: 5_000 }, (_, index) => line(index, index % 2 === 0 ? `even ${index}` : 'odd'));
  const read = withLogs({ ...topModel([topService('a')]), selected: 'a', filter: 'even' }, 'a', lines);
  const found = { ...read, foundAt: 100, scroll: { up: 10, right: 0 } };
  const after = withLogs(found, 'a', [line(4_999, 'odd'), ...[1, 2, 3, 4].map((at) => line(5_000 + at, 'odd'))]);
  // Two of the four lines that were dropped are shown by the filter, and none of the new ones.
  expect([after.foundAt, after.scroll.up]).toEqual([98, 10]);
});
