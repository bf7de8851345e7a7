// What `logs -f` and `events -f` show when a supervisor is restarted: lines that come again are not shown again.
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

  test('does not show again what is as old as the last line of that service', () => {
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
    // Nothing of `c` was shown: what it printed before the command began was not asked for.
    expect(cursor.take(line('c', 100))).toBe(false);
    expect(cursor.take(line('c', 101))).toBe(true);
    expect(cursor.take({ skipped: 3, text: '[3 lines skipped]' })).toBe(true);
  });

  test('asks for what came after the oldest of the last lines', () => {
    const cursor = new LogCursor(100);
    cursor.take(line('a', 30));
    expect(cursor.resume()).toBe(30);
  });

  test('shows everything once the past is over, also if the clock is set back', () => {
    const cursor = new LogCursor(100);
    cursor.take(line('a', 200));
    cursor.resume();
    cursor.pastIsOver();
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
