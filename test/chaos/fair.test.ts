// The fair clock: time lost to a busy machine, a fault or the watch itself does not count.
import { expect, test } from 'bun:test';
import { FairClock, type Reading } from '../../chaos/fair.ts';

const at = (wall: number, more: Partial<Reading> = {}): Reading => ({ wall, waited: 0, stopped: 0, late: 0, ...more });

test('it begins at zero and follows wall time', () => {
  const clock = new FairClock();
  expect(clock.read(at(5_000))).toBe(0);
  expect(clock.read(at(5_100))).toBe(100);
  expect(clock.now).toBe(100);
});

test('lost time is left out, whatever the cause', () => {
  const clock = new FairClock();
  clock.read(at(0, { waited: 7 }));
  expect(clock.read(at(1_000, { waited: 307 }))).toBe(700);
  expect(clock.read(at(2_000, { waited: 307, stopped: 600 }))).toBe(1_100);
  expect(clock.read(at(3_000, { waited: 307, stopped: 600, late: 1_000 }))).toBe(1_100);
});

test('it never goes back: neither with more lost time than elapsed time, nor without a supervisor', () => {
  const clock = new FairClock();
  clock.read(at(0, { waited: 500 }));
  expect(clock.read(at(100, { waited: 900 }))).toBe(0);
  expect(clock.read(at(200, { waited: 0 }))).toBe(100);
});
