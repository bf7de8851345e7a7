// The line of `status` about restarts of the supervisor. Pure.
import { expect, test } from 'bun:test';
import { renderRestarts } from '../../src/control/table.ts';

test('the line about restarts of the supervisor exists if there were any', () => {
  const last = { time: '2026-01-02T03:04:05.000Z', reason: 'was killed by SIGKILL' };
  const wall = Date.parse(last.time) + 90_000;
  const line = (restarts: number) =>
    renderRestarts({ restarts, reasons: {}, last: restarts === 0 ? null : last }, wall);
  expect(line(0)).toBe('');
  expect(line(1)).toBe('the supervisor was restarted once, last 1m30s ago: it was killed by SIGKILL\n');
  expect(line(3)).toBe('the supervisor was restarted 3 times, last 1m30s ago: it was killed by SIGKILL\n');
});
