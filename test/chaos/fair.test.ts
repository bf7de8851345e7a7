// Time as the supervisor had it: what a busy machine, a fault or the watch itself took away does not count.
import { expect, test } from 'bun:test';
import { FairClock, type Reading } from '../../chaos/fair.ts';

const at = (wall: number, more: Partial<Reading> = {}): Reading => ({ wall, waited: 0, stopped: 0, late: 0, ...more });

test('it begins at nothing and goes with the clock on the wall', () => {
  const clock = new FairClock();
  expect(clock.read(at(5_000))).toBe(0);
  expect(clock.read(at(5_100))).toBe(100);
  expect(clock.now).toBe(100);
});

test('what was taken away is left out, whoever took it', () => {
  const clock = new FairClock();
  clock.read(at(0, { waited: 7 }));
  expect(clock.read(at(1_000, { waited: 307 }))).toBe(700);
  expect(clock.read(at(2_000, { waited: 307, stopped: 600 }))).toBe(1_100);
  expect(clock.read(at(3_000, { waited: 307, stopped: 600, late: 1_000 }))).toBe(1_100);
});

test('it never goes back: not where more was taken than went by, and not where the supervisor has gone', () => {
  const clock = new FairClock();
  clock.read(at(0, { waited: 500 }));
  expect(clock.read(at(100, { waited: 900 }))).toBe(0);
  expect(clock.read(at(200, { waited: 0 }))).toBe(100);
});
