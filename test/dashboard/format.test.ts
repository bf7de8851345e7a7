// What the dashboard calls a state, which services need a person, and which actions it offers.
import { describe, expect, test } from 'bun:test';
import type { DependencyEdge } from '../../src/control/consequences.ts';
import {
  actionsOf,
  count,
  countServices,
  describeNeeds,
  labelOf,
  moodOf,
  renderShare,
  sizeOf,
  span,
  urgencyOf,
} from '../../src/dashboard/format.ts';
import { seen as wire } from '../control/fake.ts';

const seen = (given: Parameters<typeof wire>[1]) => ({ ...wire('a', given), usage: null });
const STATES = [
  'skipped',
  'pending',
  'starting',
  'ready',
  'unready',
  'stopping',
  'backoff',
  'stopped',
  'completed',
  'failed',
  'idle',
  'scheduled',
] as const;

test('the counts above the table: each service once, one that restarts after a success among those in progress', () => {
  const all = STATES.map((state) => seen({ state }));
  const counts = countServices([...all, seen({ state: 'backoff', success: true })]);
  expect(counts).toEqual({ urgent: 3, up: 1, inProgress: 4, notRunning: 5 });
});

describe('a service', () => {
  test('is never offered two actions with the same effect: none of a state that is over has start and restart', () => {
    for (const type of ['service', 'task'] as const) {
      for (const state of STATES) {
        const actions = actionsOf(seen({ type, state }));
        expect(new Set(actions.map(([, label]) => label)).size).toBe(actions.length);
        const operations = actions.map(([operation]) => operation);
        if (['stopped', 'completed', 'failed', 'idle'].includes(state)) expect(operations).toEqual(['start']);
        expect(operations.includes('start') && operations.includes('restart')).toBe(false);
      }
    }
    expect(actionsOf(seen({ type: 'task', state: 'completed' }))).toEqual([['start', 'Run again']]);
  });

  test('that failed, is blocked or fails again and again needs a person; one that is stopped or starts does not', () => {
    const order = [
      seen({ state: 'failed' }),
      seen({ state: 'stopping', unkillable: true }),
      seen({ state: 'pending', blocked: true }),
      seen({ state: 'backoff', success: false }),
      seen({ state: 'unready' }),
    ].map(urgencyOf);
    expect(order).toEqual([0, 1, 2, 4, 5]);
    const again = seen({ state: 'backoff', success: true });
    expect([urgencyOf(again), moodOf(labelOf(again)), countServices([again]).inProgress]).toEqual([null, 'wait', 1]);
    for (const state of ['ready', 'starting', 'stopped', 'completed', 'pending'] as const)
      expect(urgencyOf(seen({ state }))).toBeNull();
  });

  test('has a word for each state, and only what is well has the colour for that', () => {
    expect(labelOf({ type: 'task', state: 'running' })).toBe('running');
    expect(labelOf({ type: 'service', state: 'ready', probed: false })).toBe('running');
    const good = STATES.filter((state) => moodOf(labelOf({ type: 'service', state })) === 'good');
    expect(good).toEqual(['ready', 'completed']);
  });
});

test('durations, sizes and shares for people', () => {
  expect([0.4121, 6.24, 42.9, 130, 3_600, 11_100, 200_000, null].map(span)).toEqual([
    ...['412 ms', '6.2 s', '42 s', '2m 10s', '1h', '3h 5m', '2d 7h', '–'],
  ]);
  expect([0, 1_023, 1_536, 150 * 1_024 ** 3, null].map(sizeOf)).toEqual(['0 B', '1023 B', '1.5 KiB', '150 GiB', '–']);
  expect([0.04, 9.96, 87.4, null].map(renderShare)).toEqual(['0.0 %', '10.0 %', '87 %', '–']);
  expect([count(1, 'line'), count(2, 'process', 'processes')]).toEqual(['1 line', '2 processes']);
});

const edge = (name: string, on: string, more: Partial<DependencyEdge> = {}): DependencyEdge => ({
  ...{ name, on, condition: 'ready', origin: 'declared' },
  ...more,
});

test('what a service waits for: a number of replicas belongs only to their own target', () => {
  const any = { of: 'a', least: 1 };
  expect(describeNeeds([edge('web', 'db'), edge('web', 'cache', { condition: 'started' })])).toBe(
    'db (ready), cache (started)',
  );
  expect(describeNeeds([edge('web', 'a-1', { any }), edge('web', 'a-2', { any })])).toBe(
    '1 of a-1 (ready), a-2 (ready)',
  );
  expect(describeNeeds([edge('web', 'db'), edge('web', 'a-1', { any }), edge('web', 'a-2', { any })])).toBe(
    'db (ready); 1 of a-1 (ready), a-2 (ready)',
  );
});
