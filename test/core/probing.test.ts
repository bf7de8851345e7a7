// When probes are attempted and what their results mean: rounds while starting, watches after ready, latches, time
// limits of an attempt, late results. Virtual time.
import { describe, expect, test } from 'bun:test';
import { takeSnapshot } from '../../src/core/snapshot.ts';
import type { Probe } from '../../src/plan/plan.ts';
import { type Asked, type Behaviour, readyFrom } from '../helpers/behaviour.ts';
import { bySignal, logLine, notify, on, plan, probe, restart, seconds, service, withCode } from '../helpers/plans.ts';
import { simulate } from '../helpers/simulator.ts';

const one = (ready: readonly Probe[], given: Parameters<typeof service>[1] = {}) =>
  plan([service('a', { ready, ...given })]);

/** From which age on each probe holds. */
const each =
  (...from: readonly number[]) =>
  ({ index, age }: Asked) => ({
    ok: age >= (from[index] ?? 0),
    detail: `probe ${index} at ${age >= (from[index] ?? 0)}`,
  });

/** Which probe each attempt asked. */
function asked(sim: ReturnType<typeof simulate>): string {
  return sim.records
    .flatMap(({ effect }) =>
      effect.type === 'service' && effect.effect.type === 'probe'
        ? [`${effect.effect.kind[0]}${effect.effect.index}`]
        : [],
    )
    .join(' ');
}

describe('while starting', () => {
  test('the first attempt is made the moment the program is executing', () => {
    const sim = simulate(one([probe()]), { a: { spawnTakes: 70 } });
    expect(sim.until(80).attempts('a')).toEqual([70]);
  });

  test('no attempt is made before that, however long it takes', () => {
    const sim = simulate(one([probe()]), { a: { spawnTakes: seconds(40) } });
    expect(sim.until(seconds(41)).attempts('a')).toEqual([seconds(40)]);
    expect(sim.said('still-starting')).toEqual(['still starting after 10.0 s', 'still starting after 30.0 s']);
  });

  test('attempts follow each other after 20 ms at first, then ever slower, up to one a second', () => {
    const sim = simulate(one([probe()]), { a: { probe: () => ({ ok: false, after: 0 }) } });
    const attempts = sim.until(seconds(300)).attempts('a');
    const gaps = attempts.slice(1).map((at, position) => at - (attempts[position] ?? 0));
    expect(attempts.slice(0, 4)).toEqual([0, 20, 40, 60]);
    expect(gaps.every((gap, position) => gap >= (gaps[position - 1] ?? 0) - 1e-6)).toBe(true);
    expect(gaps.at(-1)).toBeCloseTo(1_000);
    expect(attempts.length).toBeLessThan(1_300);
  });

  test('the pause counts from the result, and the next attempt waits for it', () => {
    const sim = simulate(one([probe()]), { a: { probe: () => ({ ok: false, after: 400 }) } });
    expect(sim.until(900).attempts('a')).toEqual([0, 420, 840]);
  });

  test('an attempt without a result fails at its timeout and the next follows', () => {
    const sim = simulate(one([probe({ timeout: 250 })]), { a: { probe: () => null } });
    expect(sim.until(600).attempts('a')).toEqual([0, 270, 540]);
    expect(sim.service('a').state).toMatchObject({ probing: { detail: { kind: 'no-answer', within: 250 } } });
  });

  test('an attempt is given its whole timeout, whatever else falls due meanwhile', () => {
    const slow = ({ age }: Asked) => ({ ok: age > seconds(9), after: age > seconds(9) ? 1_500 : 400 });
    const sim = simulate(one([probe({ timeout: 2_000 })]), { a: { probe: slow } });
    expect(sim.until(seconds(12)).said('still-starting')).toHaveLength(1);
    expect(sim.said('ready')).toEqual(['ready after 10.8 s']);
  });

  test('the result of an attempt that was abandoned changes nothing, even when it is a success', () => {
    const slow = ({ attempt }: Asked) => (attempt === 1 ? { ok: true, after: 300 } : { ok: false, after: 1 });
    const sim = simulate(one([probe({ timeout: 250 })]), { a: { probe: slow } });
    expect(sim.until(seconds(1)).state('a')).toBe('starting');
  });

  test('several probes must all hold in one round', () => {
    const sim = simulate(one([probe(), probe(), probe()]), { a: { probe: each(0, 100, 50) } });
    sim.until(150);
    expect(asked(sim)).toBe('r0 r1 r0 r1 r0 r1 r0 r1 r0 r1 r0 r1 r2');
    expect(sim.state('a')).toBe('ready');
  });

  test('a probe that held before must hold again in the round that counts', () => {
    const wavering = ({ index, age }: Asked) => ({ ok: index === 0 ? age < 30 || age > 200 : age > 100 });
    const sim = simulate(one([probe(), probe()]), { a: { probe: wavering } });
    expect(sim.until(199).state('a')).toBe('starting');
    expect(sim.until(250).state('a')).toBe('ready');
  });

  test('successes asks for so many in a row', () => {
    const results = [false, true, true, false, true, true, true, false];
    const counted = ({ attempt }: Asked) => ({ ok: results[attempt - 1] ?? false, after: 0 });
    const sim = simulate(one([probe({ successes: 3 })]), { a: { probe: counted } });
    expect(sim.until(119).state('a')).toBe('starting');
    expect(sim.until(120).state('a')).toBe('ready');
    expect(sim.attempts('a')).toHaveLength(7);
  });

  test('one probe at a time is tried, however many there are', () => {
    const sim = simulate(one([probe(), probe()]), { a: { probe: () => ({ ok: true, after: 100 }) } });
    expect(sim.until(99).attempts('a')).toEqual([0]);
    expect(sim.until(199).attempts('a')).toEqual([0, 100]);
    expect(sim.until(200).state('a')).toBe('ready');
  });

  test('what is missing is reported as the result that failed, not the one that held', () => {
    const sim = simulate(one([probe(), probe({ timeout: 1_000 })]), {
      a: { probe: ({ index }) => (index === 0 ? { ok: true, detail: '200' } : null) },
    });
    sim.until(seconds(3));
    expect(sim.service('a').state).toMatchObject({ probing: { detail: { kind: 'no-answer', within: 1_000 } } });
  });
});

describe('start_interval', () => {
  const failing: Behaviour = { probe: () => ({ ok: false, after: 0 }) };

  test('is the pause after each attempt of a start, instead of the one that grows', () => {
    const sim = simulate(one([probe({ startInterval: seconds(2) })]), { a: failing });
    expect(sim.until(seconds(7)).attempts('a')).toEqual([0, 2_000, 4_000, 6_000]);
    const often = simulate(one([probe({ startInterval: 100 })]), { a: failing });
    const attempts = often.until(seconds(300)).attempts('a');
    expect(attempts.at(-1)).toBe(seconds(300));
    expect(attempts).toHaveLength(3_001);
  });

  test('counts from the result', () => {
    const sim = simulate(one([probe({ startInterval: 1_000 })]), { a: { probe: () => ({ ok: false, after: 400 }) } });
    expect(sim.until(3_000).attempts('a')).toEqual([0, 1_400, 2_800]);
  });

  test('makes a round wait, so that all probes hold at nearly the same time', () => {
    const slow = ({ index, age }: Asked) => ({ ok: index === 0 || age >= seconds(25), after: 0 });
    const ready = [probe(), probe({ startInterval: seconds(10) })];
    const sim = simulate(one(ready), { a: { probe: slow } }).until(seconds(40));
    expect(asked(sim)).toBe('r0 r1 r0 r1 r0 r1 r0 r1');
    expect(sim.attempts('a')).toEqual([0, 0, 10_000, 10_000, 20_000, 20_000, 30_000, 30_000]);
    expect(sim.state('a')).toBe('ready');
  });

  test('bounds how often a probe is asked that holds while another does not', () => {
    const other = ({ index, age }: Asked) => ({ ok: index === 0 || age >= seconds(12), after: 0 });
    const sim = simulate(one([probe({ startInterval: seconds(5) }), probe()]), { a: { probe: other } });
    expect(sim.until(seconds(30)).attempts('a')).toEqual([0, 0, 5_000, 5_000, 10_000, 10_000, 15_000, 15_000]);
  });

  test('is the pause between the successes that are asked for', () => {
    const sim = simulate(one([probe({ startInterval: 700, successes: 3 })]), {
      a: { probe: () => ({ ok: true, after: 0 }) },
    });
    expect(sim.until(seconds(3)).attempts('a')).toEqual([0, 700, 1_400]);
    expect(sim.state('a')).toBe('ready');
  });

  test('begins anew with each run', () => {
    const crashing: Behaviour = { probe: () => ({ ok: false, after: 0 }), ends: { after: 300, exit: withCode(1) } };
    const again = one([probe({ startInterval: seconds(60) })], { restart: restart('always', { initial: 100 }) });
    const sim = simulate(again, { a: crashing });
    expect(sim.until(seconds(2)).attempts('a').length).toBeGreaterThan(1);
  });
});

describe('a log or notify probe', () => {
  test('holds from the moment it has seen what it waits for', () => {
    const sim = simulate(one([logLine('listening')]), { a: { latches: [{ index: 0, after: 700 }] } });
    expect(sim.until(699).state('a')).toBe('starting');
    expect(sim.service('a').state).toMatchObject({
      probing: { detail: { kind: 'line', pattern: 'listening' } },
    });
    expect(sim.until(700).state('a')).toBe('ready');
    expect(sim.attempts('a')).toEqual([]);
  });

  test('says what it waits for', () => {
    const detailOf = (ready: Probe) =>
      simulate(one([ready]))
        .pass(1)
        .service('a').state;
    expect(detailOf(notify())).toMatchObject({ probing: { detail: { kind: 'notification' } } });
    expect(detailOf(notify(3))).toMatchObject({ probing: { detail: { kind: 'newline', fd: 3 } } });
  });

  test('keeps the others from being tried until it holds; then they are tried at once', () => {
    const sim = simulate(one([probe(), logLine(), probe()]), { a: { latches: [{ index: 1, after: 500 }] } });
    expect(sim.until(510).attempts('a')).toEqual([500, 501]);
    expect(sim.state('a')).toBe('ready');
  });

  test('all of them must hold', () => {
    const latches = [
      { index: 0, after: 100 },
      { index: 0, after: 150 },
      { index: 1, after: 200 },
    ];
    const sim = simulate(one([logLine(), notify()]), { a: { latches } });
    expect(sim.until(199).state('a')).toBe('starting');
    expect(sim.until(200).state('a')).toBe('ready');
  });

  test('holds for one run only', () => {
    const given = { restart: restart('always', { initial: 100 }) };
    const sim = simulate(one([logLine()], given), (_, run) => ({
      latches: run === 1 ? [{ index: 0, after: 50 }] : [],
      ...(run === 1 && { ends: { after: 100, exit: withCode(1) } }),
    }));
    expect(sim.until(seconds(5)).service('a')).toMatchObject({ run: 2, state: { id: 'starting' } });
  });

  test('is not asked again after ready, though it be continuous', () => {
    const sim = simulate(one([logLine('x', { continuous: true, interval: 100 })]), {
      a: { latches: [{ index: 0, after: 50 }] },
    });
    expect(sim.until(seconds(5)).attempts('a')).toEqual([]);
    expect(sim.state('a')).toBe('ready');
  });
});

describe('events of another run or attempt', () => {
  const crashing = (_: string, run: number): Behaviour =>
    run === 1 ? { ends: { after: 100, exit: withCode(1) }, probe: readyFrom(Infinity) } : { probe: () => null };
  const again = one([probe()], { restart: restart('always', { initial: 100 }) });

  test('of an earlier run changes nothing, whatever it says', () => {
    const sim = simulate(again, crashing).until(500);
    const before = sim.world;
    for (const event of [
      { type: 'spawned', pid: 9 },
      { type: 'exited', exit: bySignal('SIGKILL') },
      { type: 'emptied', leftovers: [] },
      { type: 'probe-ended', attempt: 1, ok: true, detail: 'late' },
      { type: 'latched', index: 0 },
      { type: 'progressed' },
      { type: 'spawn-failed', step: 'exec', message: 'late', code: 127 },
    ] as const) {
      sim.tell('a', event, 1);
    }
    expect(sim.world).toBe(before);
    expect(sim.service('a')).toMatchObject({ run: 2, state: { id: 'starting' } });
  });

  test('of a service that there is not changes nothing', () => {
    const sim = simulate(again, crashing);
    const before = sim.world;
    sim.tell('nobody', { type: 'progressed' }, 1);
    expect(sim.world).toBe(before);
  });

  test('of an attempt of this run that was never made changes nothing', () => {
    const sim = simulate(one([probe()]), { a: { probe: () => null } }).pass(1);
    sim.tell('a', { type: 'probe-ended', attempt: 7, ok: true, detail: 'early' });
    sim.tell('a', { type: 'probe-ended', attempt: 0, ok: true, detail: 'none' });
    expect(sim.state('a')).toBe('starting');
    sim.tell('a', { type: 'probe-ended', attempt: 1, ok: true, detail: 'this one' });
    expect(sim.state('a')).toBe('ready');
  });
});

describe('after ready', () => {
  test('a ready probe that is not continuous is never tried again', () => {
    const sim = simulate(one([probe({ interval: 100 })]));
    expect(sim.until(seconds(60)).attempts('a')).toHaveLength(1);
  });

  test('a continuous ready probe is tried every interval', () => {
    const sim = simulate(one([probe({ continuous: true, interval: seconds(10) })]));
    expect(sim.until(seconds(35)).attempts('a')).toEqual([0, 10_001, 20_002, 30_003]);
  });

  test('one that fails makes the service unready and changes nothing else; it becomes ready again', () => {
    const sick = { probe: ({ age }: Asked) => ({ ok: age < 500 || age > 2_500, detail: 'busy' }) };
    const services = [
      service('a', { ready: [probe({ continuous: true, interval: seconds(1) })] }),
      service('b', { edges: [on('a')] }),
    ];
    const sim = simulate(plan(services), { a: sick }).until(1_500);
    expect(sim.states()).toEqual({ a: 'unready', b: 'ready' });
    expect(sim.until(3_500).state('a')).toBe('ready');
    expect(sim.said('unready')).toEqual(['not ready any more: busy']);
    expect(sim.said('ready')).toEqual(['ready after 1 ms', 'ready again']);
    expect([sim.deeds('a'), sim.deeds('b')]).toEqual([['0 spawn'], ['1 spawn']]);
  });

  test('one that gives no result makes the service unready at its timeout', () => {
    const mute = { probe: ({ attempt }: Asked) => (attempt === 1 ? { ok: true } : null) };
    const sim = simulate(one([probe({ continuous: true, interval: 1_000, timeout: 300 })]), { a: mute });
    expect(sim.until(1_300).state('a')).toBe('ready');
    expect(sim.until(1_301).state('a')).toBe('unready');
  });

  test('to become ready again takes as many successes as it took at first, of those that failed', () => {
    const sick = ({ index, age }: Asked) => ({ ok: index === 0 || age < 900 || age > 1_500 });
    const ready = [
      probe({ continuous: true, interval: seconds(60), successes: 3 }),
      probe({ continuous: true, interval: 1_000, successes: 2 }),
    ];
    const sim = simulate(one(ready), { a: { probe: sick } });
    expect(sim.until(1_200).state('a')).toBe('unready');
    expect(sim.until(2_200).state('a')).toBe('unready');
    expect(sim.until(3_200).state('a')).toBe('ready');
  });

  test('a live probe is tried every interval, the first time one interval after ready', () => {
    const live = [probe({ interval: seconds(2) })];
    const sim = simulate(one([], { live }));
    expect(sim.until(seconds(7)).attempts('a')).toEqual([2_000, 4_001, 6_002]);
  });

  test('a live probe that fails `failures` times in a row is a failure of the service', () => {
    const results = [true, false, false, true, false, false, false];
    const sick = { probe: ({ attempt }: Asked) => ({ ok: results[attempt - 1] ?? true, detail: 'hung', after: 0 }) };
    const sim = simulate(one([], { live: [probe({ interval: 100, failures: 3 })] }), { a: sick });
    expect(sim.until(699).state('a')).toBe('ready');
    expect(sim.until(700).state('a')).toBe('stopping');
    expect(sim.untilEnd().code).toBe(143);
    expect(sim.deeds('a')).toEqual(['0 spawn', '700 signal SIGTERM main', '701 clean-up']);
    expect(sim.said('failed')).toEqual(['failed its liveness probe after 701 ms: hung']);
    expect(sim.said('liveness-failed')).toEqual([
      'liveness probe failed (1 of 3): hung',
      'liveness probe failed (2 of 3): hung',
      'liveness probe failed (1 of 3): hung',
      'liveness probe failed (2 of 3): hung',
      'liveness probe failed (3 of 3): hung; it is stopped',
    ]);
    expect(sim.said('liveness-recovered')).toEqual(['liveness probe holds again']);
  });

  test('a live probe that fails is the reason that is shown, until it holds again', () => {
    const results = [true, false, true];
    const sick = { probe: ({ attempt }: Asked) => ({ ok: results[attempt - 1] ?? true, detail: 'hung', after: 0 }) };
    const sim = simulate(one([], { live: [probe({ interval: 100, failures: 3 })] }), { a: sick });
    const shown = (at: number) => takeSnapshot(sim.until(at).world, at).services[0]?.reason ?? null;
    expect(shown(150)).toBeNull();
    expect(shown(250)).toMatchObject({ kind: 'liveness', lapse: { failures: 1, of: 3 } });
    expect(shown(350)).toBeNull();
  });

  test('a service that is stopped by its live probe has failed, though it exits with 0', () => {
    const live = [probe({ interval: 100, failures: 1 })];
    const policy = restart('always', { backoff: { initial: 60_000, max: 60_000, factor: 1 } });
    const dying = { probe: () => ({ ok: false, detail: 'hung', after: 0 }), stopTakes: 1, stopExit: withCode(0) };
    const sim = simulate(one([], { live, restart: policy }), { a: dying });
    const [a] = takeSnapshot(sim.until(500).world, 500).services;
    expect(a).toMatchObject({ state: 'backoff', exit: withCode(0), success: false });
  });

  /** Probe 0 is attempted at 1000, 2000 and 3000, and holds again at 3000; probe 1 every 300, and holds again at 1500. */
  const two = [probe({ interval: 1_000, failures: 9 }), probe({ interval: 300, failures: 9 })];
  const sick = {
    probe: ({ index, age }: Asked) => ({
      ok: age === 0 || age >= (index === 0 ? 2_500 : 1_400),
      detail: `probe ${index}`,
      after: 0,
    }),
  };

  test('of two liveness probes that fail, the other is shown when one holds again, and is not reported twice', () => {
    const sim = simulate(one([], { live: two }), { a: sick });
    const shown = (at: number) => takeSnapshot(sim.until(at).world, at).services[0]?.reason ?? null;
    expect(shown(1_250)).toMatchObject({ kind: 'liveness', lapse: { failures: 4, detail: { text: 'probe 1' } } });
    expect(shown(1_600)).toMatchObject({ kind: 'liveness', lapse: { failures: 1, detail: { text: 'probe 0' } } });
    expect(sim.said('liveness-recovered')).toEqual([]);
    expect(shown(3_100)).toBeNull();
    // Four of probe 1, and two of probe 0.
    expect(sim.said('liveness-failed')).toHaveLength(6);
    expect(sim.said('liveness-recovered')).toHaveLength(1);
  });

  test('of two readiness probes that fail, the one that still fails is shown', () => {
    const sim = simulate(one(two.map((each) => ({ ...each, continuous: true }))), { a: sick });
    const shown = (at: number) => takeSnapshot(sim.until(at).world, at).services[0]?.reason ?? null;
    expect(shown(1_250)).toMatchObject({ kind: 'probe', detail: { text: 'probe 1' } });
    expect(shown(1_600)).toMatchObject({ kind: 'probe', detail: { text: 'probe 0' } });
    expect(shown(3_100)).toBeNull();
  });

  test('liveness probes that give no result are failures too', () => {
    const live = [probe({ interval: 1_000, timeout: 500, failures: 2 })];
    const sim = simulate(one([], { live }), { a: { probe: () => null, stopExit: withCode(0) } });
    expect(sim.until(2_999).state('a')).toBe('ready');
    expect(sim.until(3_000).state('a')).toBe('stopping');
    expect(sim.untilEnd().code).toBe(1);
  });

  test('a service whose liveness failed is started again as its policy says', () => {
    const given = { live: [probe({ interval: 100, failures: 1 })], restart: restart('on-failure', { initial: 100 }) };
    const sim = simulate(one([], given), (_, run) => (run === 1 ? { probe: readyFrom(Infinity) } : {}));
    expect(sim.until(seconds(5)).service('a')).toMatchObject({ run: 2, restarts: 1, state: { id: 'ready' } });
  });

  test('live probes go on while the service is unready', () => {
    const given = { live: [probe({ interval: 1_000, failures: 2 })] };
    const ready = [probe({ continuous: true, interval: 300 })];
    const sick = simulate(one(ready, given), { a: { probe: ({ age }: Asked) => ({ ok: age < 100 }) } });
    expect(sick.until(1_900).state('a')).toBe('unready');
    expect(sick.until(2_300).state('a')).toBe('failed');
  });

  test('of several that are due, the one that has been due longest goes first', () => {
    const live = [probe({ interval: 1_000 }), probe({ interval: 900 }), probe({ interval: 700 })];
    const slow = ({ attempt }: Asked) => ({ ok: true, after: attempt === 1 ? 800 : 1 });
    const sim = simulate(one([], { live }), { a: { probe: slow } }).until(1_600);
    expect(asked(sim)).toBe('l2 l1 l0');
    expect(sim.attempts('a')).toEqual([700, 1_500, 1_501]);
  });
});

describe('start_timeout', () => {
  const strict = { startTimeout: seconds(2) };

  test('past it the start has failed, with 124, and why not ready', () => {
    const sim = simulate(one([probe()], strict), { a: { probe: readyFrom(Infinity), stopExit: withCode(0) } });
    expect(sim.until(1_999).state('a')).toBe('starting');
    expect(sim.untilEnd().code).toBe(124);
    expect(sim.deeds('a')).toEqual(['0 spawn', '2000 signal SIGTERM main', '2001 clean-up']);
    expect(sim.said('failed')).toEqual(['was not ready within start_timeout (2.0 s): refused']);
  });

  test('is 124 also when its process ignores SIGTERM and is killed after stop_timeout', () => {
    const sim = simulate(one([probe()], strict), { a: { probe: readyFrom(Infinity), stopTakes: null } });
    expect(sim.untilEnd().code).toBe(124);
    expect(sim.deeds('a')).toEqual(['0 spawn', '2000 signal SIGTERM main', '11000 kill']);
  });

  test('its kill comes after the service’s own stop.timeout where it has one', () => {
    const given = { ...strict, stop: { timeout: 700 } };
    const sim = simulate(one([probe()], given), { a: { probe: readyFrom(Infinity), stopTakes: null } });
    expect(sim.untilEnd().deeds('a')).toEqual(['0 spawn', '2000 signal SIGTERM main', '2700 kill']);
  });

  test('counts from the spawn, and not at all once ready', () => {
    const sim = simulate(one([probe()], strict), { a: { spawnTakes: 1_500, probe: readyFrom(400) } });
    expect(sim.until(seconds(60)).state('a')).toBe('ready');
    const late = simulate(one([probe()], strict), { a: { spawnTakes: 1_500, probe: readyFrom(600) } });
    expect(late.untilEnd().code).toBe(124);
  });

  test('is for those who have a probe: one without is ready at once', () => {
    expect(simulate(one([], strict)).until(seconds(9)).state('a')).toBe('ready');
  });

  test('a start that failed is made again as the policy says', () => {
    const given = { ...strict, restart: restart('on-failure', { initial: 500 }) };
    const sim = simulate(one([probe()], given), (_, run) => ({ probe: readyFrom(run === 1 ? Infinity : 100) }));
    expect(sim.until(seconds(9)).service('a')).toMatchObject({ run: 2, state: { id: 'ready' } });
  });

  test('an exit while it is being stopped for it stays 124', () => {
    const sim = simulate(one([probe()], strict), {
      a: { probe: readyFrom(Infinity), stopTakes: 300, stopExit: withCode(3) },
    });
    expect(sim.untilEnd().code).toBe(124);
  });
});

describe('start_stall', () => {
  const stalling = { startStall: seconds(1) };

  test('without output or a changed result for so long the start has failed, with 124', () => {
    const sim = simulate(one([probe()], stalling), {
      a: { probe: () => ({ ok: false, detail: 'refused', after: 0 }) },
    });
    expect(sim.untilEnd().code).toBe(124);
    expect(sim.deeds('a')[1]).toBe('1000 signal SIGTERM main');
    expect(sim.said('failed')).toEqual(['made no progress for start_stall (1.0 s): refused']);
  });

  test('output is progress', () => {
    const sim = simulate(one([probe()], stalling), { a: { probe: readyFrom(Infinity), output: [700, 1_400, 2_100] } });
    expect(sim.until(3_099).state('a')).toBe('starting');
    expect(sim.until(3_100).state('a')).toBe('stopping');
  });

  test('another result of the same probe is progress', () => {
    const moving = ({ age }: Asked) => ({ ok: false, detail: `loaded ${Math.floor(age / 900)}`, after: 0 });
    const sim = simulate(one([probe()], stalling), { a: { probe: moving } });
    expect(sim.until(seconds(20)).state('a')).toBe('starting');
  });

  test('a failure that becomes a success is progress, even with the same text', () => {
    const turning = ({ age }: Asked) => ({ ok: age > 600, detail: 'port 80', after: 0 });
    const sim = simulate(one([probe({ successes: 999 })], stalling), { a: { probe: turning } });
    expect(sim.until(1_500).state('a')).toBe('starting');
    expect(sim.until(1_700).state('a')).toBe('failed');
  });

  test('two probes that each always give the same result are no progress, though their results differ', () => {
    const stuck = ({ index }: Asked) => ({ ok: index === 0, detail: `probe ${index}`, after: 0 });
    const sim = simulate(one([probe(), probe()], stalling), { a: { probe: stuck } });
    expect(sim.untilEnd().code).toBe(124);
    expect(sim.endedAt).toBe(1_002);
  });

  test('is off unless it is asked for', () => {
    const sim = simulate(one([probe()]), { a: { probe: () => null } });
    expect(sim.until(seconds(1_700)).state('a')).toBe('starting');
  });

  test('counts while starting only', () => {
    expect(
      simulate(one([probe()], stalling))
        .until(seconds(60))
        .state('a'),
    ).toBe('ready');
  });
});
