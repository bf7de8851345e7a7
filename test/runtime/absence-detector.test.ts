// The detector of absences with a clock that the test moves.
import { expect, test } from 'bun:test';
import { AbsenceDetector } from '../../src/runtime/absence-detector.ts';

test('a watch that is turned off at the return from an absence does not go on', () => {
  let now = 0;
  let timers: (() => void)[] = [];
  let signs = 0;
  const clock = {
    now: () => now,
    wall: () => now,
    soon: () => undefined,
    after: (_ms: number, fn: () => void) => {
      timers.push(fn);
      return () => {
        timers = timers.filter((other) => other !== fn);
      };
    },
  };
  const detector: AbsenceDetector = new AbsenceDetector(
    clock,
    () => detector.watch(false),
    () => {
      signs += 1;
    },
  );
  const turn = (to: number) => {
    now = to;
    for (const timer of timers.splice(0)) timer();
  };
  detector.watch(true);
  turn(1_000);
  turn(60_000);
  expect({ signs, timers: timers.length }).toEqual({ signs: 1, timers: 0 });
  detector.watch(true);
  expect(timers).toHaveLength(1);
});
