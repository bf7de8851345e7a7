// The small rules as tables: how an end is judged, when a service starts again, how often it is probed, what a service
// leaves to those that stop after it, how durations read.
import { describe, expect, test } from 'bun:test';
import {
  type Cause,
  decideRestart,
  judge,
  probeDelay,
  type RestartHistory,
  randomOf,
  reserved,
  shellCode,
} from '../../src/core/policy.ts';
import { renderExit } from '../../src/messages/ends.ts';
import type { Exit } from '../../src/plan/process.ts';
import { renderDuration } from '../../src/text.ts';
import { bySignal, restart, seconds, withCode } from '../helpers/plans.ts';

const exited: Cause = { kind: 'exited' };
const late: Cause = { kind: 'start-timeout', after: 100, detail: null };
const stalled: Cause = { kind: 'start-stall', after: 100, detail: null };
const dead: Cause = { kind: 'not-alive', detail: { kind: 'result', text: 'refused' } };
const missing: Cause = { kind: 'not-started', failure: { kind: 'spawn', message: 'no such file' }, code: 127 };
const forbidden: Cause = { ...missing, failure: { kind: 'spawn', message: 'permission denied' }, code: 126 };
const asked: Cause = { kind: 'asked' };

describe('the judgement of an end', () => {
  const table: readonly [string, Cause, Exit | null, readonly number[], boolean, number][] = [
    ['a listed 0 is a success', exited, withCode(0), [0], true, 0],
    ['another code is a failure with that code', exited, withCode(3), [0], false, 3],
    ['a listed code other than 0 is a success with 0', exited, withCode(3), [0, 3], true, 0],
    ['an exit of 0 that is not listed is a failure with 1', exited, withCode(0), [], false, 1],
    ['0 is not a success where only another code is', exited, withCode(0), [3], false, 1],
    ['a death by signal 9 is 137', exited, bySignal('SIGKILL'), [0], false, 137],
    ['a death by signal 11 is 139', exited, bySignal('SIGSEGV'), [0], false, 139],
    ['a death by a signal whose code is listed is a success', exited, bySignal('SIGTERM'), [143], true, 0],
    ['a command that is not found is 127', missing, null, [0], false, 127],
    ['a command that may not be executed is 126', forbidden, null, [0], false, 126],
    ['a failed start is never a success, whatever is listed', missing, null, [0, 127], false, 127],
    ['start_timeout is 124, however the process ended', late, withCode(0), [0], false, 124],
    ['start_timeout is 124 when SIGKILL was needed', late, bySignal('SIGKILL'), [0], false, 124],
    ['start_stall is 124', stalled, bySignal('SIGTERM'), [0, 143], false, 124],
    ['a failed liveness has the code of the death that followed', dead, bySignal('SIGTERM'), [0], false, 143],
    ['a failed liveness is a failure with 1 though the exit was 0', dead, withCode(0), [0], false, 1],
    ['an end that was asked for is a success', asked, bySignal('SIGKILL'), [0], true, 0],
  ];
  for (const [title, cause, exit, successCodes, success, code] of table) {
    test(title, () => expect(judge({ successCodes }, cause, exit)).toEqual({ success, code }));
  }

  test('a code is reported as by a shell', () => {
    expect(shellCode(withCode(42))).toBe(42);
    expect(shellCode(bySignal('SIGHUP'))).toBe(129);
    expect([renderExit(withCode(3)), renderExit(bySignal('SIGKILL'))]).toEqual(['code 3', 'SIGKILL']);
  });
});

describe('the decision to start again', () => {
  const fresh: RestartHistory = { at: [], streak: 0 };
  const decide = (policy: Parameters<typeof restart>, success: boolean, history = fresh, now = 0, random = 0.5) =>
    decideRestart(restart(...policy), success, history, now, random);

  const table: readonly ['never' | 'on-failure' | 'always', boolean, boolean][] = [
    ['never', true, false],
    ['never', false, false],
    ['on-failure', true, false],
    ['on-failure', false, true],
    ['always', true, true],
    ['always', false, true],
  ];
  for (const [policy, success, again] of table) {
    test(`${policy} after a ${success ? 'success' : 'failure'} ${again ? 'starts again' : 'is the end'}`, () => {
      const decision = decide([policy], success);
      expect(decision.restart).toBe(again);
      if (!decision.restart) expect(decision.why).toBe('policy');
    });
  }

  test('the pause doubles from 500 ms to 30 s and stays there', () => {
    const pauses = [0, 1, 2, 3, 4, 5, 6, 7, 500].map((streak) => {
      const decision = decide(['always'], true, { at: [], streak });
      return decision.restart ? decision.delay : null;
    });
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  test('the pause follows its own initial, factor and max', () => {
    const backoff = { initial: 100, max: 1_000, factor: 3 };
    const pauses = [0, 1, 2, 3].map((streak) => {
      const decision = decideRestart(restart('always', { backoff }), true, { at: [], streak }, 0, 0.5);
      return decision.restart ? decision.delay : null;
    });
    expect(pauses).toEqual([100, 300, 900, 1_000]);
  });

  test('jitter moves the pause by at most a tenth either way', () => {
    const delayOf = (random: number) => {
      const decision = decide(['always'], true, fresh, 0, random);
      return decision.restart ? decision.delay : Number.NaN;
    };
    expect(delayOf(0)).toBeCloseTo(450);
    expect(delayOf(0.999_999)).toBeCloseTo(550, 2);
    for (let run = 1; run <= 200; run += 1) {
      const delay = delayOf(randomOf(7, run));
      expect(delay).toBeGreaterThanOrEqual(450);
      expect(delay).toBeLessThan(550);
    }
  });

  test('the same seed and run give the same jitter, other runs another', () => {
    const drawn = Array.from({ length: 50 }, (_, run) => randomOf(42, run));
    expect(drawn).toEqual(Array.from({ length: 50 }, (_, run) => randomOf(42, run)));
    expect(new Set(drawn).size).toBe(50);
    expect(randomOf(43, 1)).not.toBe(randomOf(42, 1));
    expect(drawn.every((value) => value >= 0 && value < 1)).toBe(true);
  });

  test('max without within counts the restarts in a row', () => {
    expect(decide(['always', { max: 2 }], false, { at: [], streak: 1 }).restart).toBe(true);
    expect(decide(['always', { max: 2 }], false, { at: [], streak: 2 })).toEqual({ restart: false, why: 'limit' });
    expect(decide(['on-failure', { max: 0 }], false)).toEqual({ restart: false, why: 'limit' });
  });

  test('max with within counts only the restarts of that time', () => {
    const policy: Parameters<typeof restart> = ['always', { max: 2, within: seconds(60) }];
    const history = { at: [seconds(10), seconds(50)], streak: 9 };
    expect(decide(policy, false, history, seconds(69))).toEqual({ restart: false, why: 'limit' });
    const decision = decide(policy, false, history, seconds(70));
    expect(decision).toMatchObject({ restart: true, history: { at: [seconds(50), seconds(70)], streak: 10 } });
  });

  test('without within no instants are kept', () => {
    expect(decide(['always'], false)).toMatchObject({ restart: true, history: { at: [], streak: 1 } });
  });
});

describe('the pause between two attempts of a start', () => {
  const table: readonly [number, number][] = [
    [0, 20],
    [seconds(1), 20],
    [seconds(5), 20],
    [seconds(10), 40],
    [seconds(60), 240],
    [seconds(250), 1_000],
    [seconds(3_600), 1_000],
  ];
  for (const [elapsed, delay] of table) {
    test(`is ${delay} ms after ${renderDuration(elapsed)}`, () => expect(probeDelay(elapsed)).toBe(delay));
  }
});

test('a service leaves a tenth of the shutdown to each level below it, at most half', () => {
  expect([0, 1, 2, 5, 6, 50].map((levels) => reserved(9_000, levels))).toEqual([0, 900, 1_800, 4_500, 4_500, 4_500]);
  expect(reserved(0, 3)).toBe(0);
});

describe('a duration reads', () => {
  const table: readonly [number, string][] = [
    [0, '0 ms'],
    [412.4, '412 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [1_000, '1.0 s'],
    [6_240, '6.2 s'],
    [59_940, '59.9 s'],
    [59_960, '1m00s'],
    [130_000, '2m10s'],
    [3_599_400, '59m59s'],
    [3_599_600, '1h00m'],
    [11_100_000, '3h05m'],
    [86_399_000, '23h59m'],
    [187_200_000, '2d04h'],
  ];
  for (const [ms, text] of table) test(`${ms} ms as ${text}`, () => expect(renderDuration(ms)).toBe(text));
});
