// The charts of the last hour: gaps where nothing is known, the beginning of the time axis, marks of restarts.
import { describe, expect, test } from 'bun:test';
import { beginningOf, highest, pathsOf, restartTimes, withLatest } from '../../src/dashboard/plot.ts';

describe('a chart', () => {
  const times = [0, 60_000, 120_000, 180_000];
  test('has a gap where a value is unknown, and stays within its box', () => {
    const { line, area } = pathsOf({ times, values: [0, null, 50, 400] }, 240_000, 100, 100, 10);
    expect(line).toBe('M0.0,10.0h0.1M50.0,5.0L75.0,0.0');
    expect(area).toBe('M0.0,10L0.0,10.0L0.0,10ZM50.0,10L50.0,5.0L75.0,0.0L75.0,10Z');
    expect(pathsOf({ times: [], values: [] }, 1, 100, 100, 10)).toEqual({ line: '', area: '' });
  });

  test('begins at most an hour ago, at its first sample, and shows at least two minutes', () => {
    const now = 10 * 3_600_000;
    expect(beginningOf([0], now)).toBe(now - 3_600_000);
    expect(beginningOf([now - 600_000], now)).toBe(now - 600_000);
    expect(beginningOf([], now)).toBe(now - 120_000);
  });

  test('ends with the latest value, if it is known and newer than the last sample', () => {
    const samples = { times: [1, 2], values: [5, null] };
    expect(withLatest([1, 2], [5, null], 3, 7)).toEqual({ times: [1, 2, 3], values: [5, null, 7] });
    expect(withLatest([1, 2], [5, null], 2, 7)).toEqual(samples);
    expect(withLatest([1, 2], [5, null], 3, null)).toEqual(samples);
    expect(withLatest([1, 2], undefined, 3, 7)).toEqual({ times: [3], values: [7] });
  });

  test('marks the samples before which a restart was', () => {
    expect(restartTimes({ times, values: [0, 1, null, 1] })).toEqual([60_000]);
    expect(highest([null, 3, 1])).toBe(3);
    expect(highest([null])).toBeNull();
  });
});
