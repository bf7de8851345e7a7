// The output of `logs -f` and `events -f` over a restart of the supervisor: repeated lines are not shown again.
import { describe, expect, test } from 'bun:test';
import { EventCursor, LogCursor } from '../../src/cli/following.ts';

const line = (service: string, time: number, text = 'x') => ({
  time: new Date(time).toISOString(),
  service,
  stream: 'stdout' as const,
  text,
});

describe('the log', () => {
  test('shows everything until a supervisor ends', () => {
    const cursor = new LogCursor(100);
    for (const time of [50, 50, 40, 120]) expect(cursor.take(line('a', time))).toBe(true);
  });

  test('does not repeat lines up to the last one of that service', () => {
    const cursor = new LogCursor(100);
    for (const [service, time] of [
      ['a', 110],
      ['b', 200],
      ['a', 150],
    ] as const)
      cursor.take(line(service, time));
    expect(cursor.resume()).toBe(100);
    expect(cursor.take(line('a', 110))).toBe(false);
    expect(cursor.take(line('a', 150))).toBe(false);
    expect(cursor.take(line('a', 151))).toBe(true);
    expect(cursor.take(line('a', 151))).toBe(true);
    expect(cursor.take(line('b', 199))).toBe(false);
    // No line of `c` was shown: its lines from before the command were not requested.
    expect(cursor.take(line('c', 99))).toBe(false);
    expect(cursor.take(line('c', 100))).toBe(true);
    expect(cursor.take({ skipped: 3, text: '[3 lines skipped]' })).toBe(true);
  });

  test('shows a new line of the millisecond of the last one', () => {
    const cursor = new LogCursor(100);
    for (const time of [110, 150, 150]) cursor.take(line('a', time));
    cursor.resume();
    expect([110, 150, 150, 150, 151].map((time) => cursor.take(line('a', time)))).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
    cursor.resume();
    expect([150, 150, 150, 151, 151].map((time) => cursor.take(line('a', time)))).toEqual([
      false,
      false,
      false,
      false,
      true,
    ]);
  });

  test('requests lines since the oldest of the last lines', () => {
    const cursor = new LogCursor(100);
    cursor.take(line('a', 30));
    expect(cursor.resume()).toBe(30);
  });

  test('shows everything after the replay, even if the clock is set back', () => {
    const cursor = new LogCursor(100);
    cursor.take(line('a', 200));
    cursor.resume();
    cursor.endReplay();
    expect(cursor.take(line('a', 10))).toBe(true);
  });
});

test('events are shown once, and missing ones are counted', () => {
  const cursor = new EventCursor();
  const take = (seq: number) => cursor.take({ seq, time: '', level: 'info', service: null, event: 'x', text: '' });
  expect(cursor.last).toBe(null);
  expect([7, 8, 8, 7, 11, 12].map(take)).toEqual([0, 0, null, null, 2, 0]);
  expect(cursor.last).toBe(12);
});
