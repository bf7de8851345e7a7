// Hooks in virtual time: what comes before what, deadlines, what a failure means, the drain.
import { describe, expect, test } from 'bun:test';
import type { Drain, Hooks } from '../../../src/plan/plan.ts';
import { on, plan, probe, restart, seconds, service, withCode } from '../../helpers/plans.ts';
import { simulate } from '../../helpers/simulator.ts';

const NONE: Hooks = { beforeStart: null, afterReady: null, beforeStop: null, afterExit: null };
const hooks = (given: Partial<Hooks>): { readonly hooks: Hooks } => ({ hooks: { ...NONE, ...given } });
const hook = (timeout = seconds(60)) => ({ argv: ['/bin/hook'], timeout });
const drain = (timeout: number | null = null): Drain => ({ waitFor: probe({ interval: 250, timeout: 500 }), timeout });

describe('before_start', () => {
  test('comes before the program, which begins when it is done', () => {
    const run = simulate(plan([service('a', hooks({ beforeStart: hook() }))]), {
      a: { hooks: { before_start: { takes: 300 } } },
    });
    run.until(299);
    expect(run.deeds('a')).toEqual(['0 run-hook before_start']);
    expect(run.state('a')).toBe('starting');
    run.until(301);
    expect(run.deeds('a')).toEqual(['0 run-hook before_start', '300 spawn']);
    expect(run.state('a')).toBe('ready');
  });

  test('does not count in start_timeout, which is the time of the program', () => {
    const timed = service('a', { ...hooks({ beforeStart: hook() }), ready: [probe()], startTimeout: 1_000 });
    const run = simulate(plan([timed]), {
      a: { hooks: { before_start: { takes: 5_000 } }, probe: ({ age }) => ({ ok: age >= 900 }) },
    });
    run.until(7_000);
    expect(run.state('a')).toBe('ready');
  });

  test('does not count in the times at which a slow start is reported', () => {
    const slow = service('a', { ...hooks({ beforeStart: hook() }), ready: [probe()] });
    const run = simulate(plan([slow]), {
      a: { hooks: { before_start: { takes: seconds(8) } }, probe: () => ({ ok: false }) },
    });
    run.until(seconds(20));
    expect(run.said('still-starting', 'a').map((text) => text.replace(/:.*/, ''))).toEqual([
      'still starting after 10.0 s',
    ]);
  });

  test('that fails is a failed start, with its code', () => {
    const run = simulate(plan([service('a', hooks({ beforeStart: hook() }))]), {
      a: { hooks: { before_start: { takes: 10, code: 7 } } },
    });
    run.untilEnd();
    expect(run.code).toBe(7);
    expect(run.deeds('a')).toEqual(['0 run-hook before_start']);
    expect(run.said('failed', 'a')).toEqual(['could not be started: before_start failed: exit code 7']);
  });

  test('that fails is tried again where the policy says so, and dependents wait', () => {
    const again = service('a', { ...hooks({ beforeStart: hook() }), restart: restart('on-failure') });
    const run = simulate(plan([again, service('b', { edges: [on('a', 'started')] })]), (name, number) =>
      name === 'a' && number < 3 ? { hooks: { before_start: { takes: 10, code: 1 } } } : {},
    );
    run.until(seconds(10));
    expect(run.deeds('a').map((deed) => deed.replace(/^\S+ /, ''))).toEqual([
      'run-hook before_start',
      'run-hook before_start',
      'run-hook before_start',
      'spawn',
    ]);
    expect(run.states()).toEqual({ a: 'ready', b: 'ready' });
  });

  test('that does not end is killed whole, and the start has failed with 124', () => {
    const run = simulate(plan([service('a', hooks({ beforeStart: hook(2_000) }))]), {
      a: { hooks: { before_start: { takes: null, killTakes: 40 } } },
    });
    run.until(2_010);
    expect(run.state('a')).toBe('stopping');
    run.untilEnd();
    expect(run.deeds('a')).toEqual(['0 run-hook before_start', '2000 kill-hook']);
    expect([run.code, run.endedAt]).toEqual([124, 2_040]);
    expect(run.said('failed', 'a')).toEqual(['could not be started: before_start did not end within 2.0 s: killed']);
  });

  test('is killed by a stop, and the program never comes', () => {
    const run = simulate(plan([service('a', hooks({ beforeStart: hook() }))]), {
      a: { hooks: { before_start: { takes: null, killTakes: 5 } } },
    });
    run.until(100).stop().untilEnd();
    expect(run.deeds('a')).toEqual(['0 run-hook before_start', '100 kill-hook']);
    expect([run.code, run.endedAt]).toEqual([0, 105]);
  });
});

describe('after_ready', () => {
  test('runs when it is ready, and no service waits for it', () => {
    const run = simulate(
      plan([service('a', { ...hooks({ afterReady: hook() }), ready: [probe()] }), service('b', { edges: [on('a')] })]),
      { a: { hooks: { after_ready: { takes: 5_000 } } } },
    );
    run.until(100);
    expect(run.deeds('a')).toEqual(['0 spawn', '1 run-hook after_ready']);
    expect(run.states()).toEqual({ a: 'ready', b: 'ready' });
  });

  test('that fails is a warning', () => {
    const run = simulate(plan([service('a', hooks({ afterReady: hook() }))]), {
      a: { hooks: { after_ready: { code: 3 } } },
    });
    run.until(seconds(10));
    expect(run.said('hook-failed', 'a')).toEqual(['after_ready failed: exit code 3']);
    expect(run.state('a')).toBe('ready');
  });

  test('that does not end is killed, and reported once', () => {
    const run = simulate(plan([service('a', hooks({ afterReady: hook(1_000) }))]), {
      a: { hooks: { after_ready: { takes: null } } },
    });
    run.until(seconds(10));
    expect(run.deeds('a')).toEqual(['0 spawn', '0 run-hook after_ready', '1000 kill-hook']);
    expect(run.said('hook-failed', 'a')).toEqual(['after_ready did not end within 1.0 s: killed']);
  });

  test('is killed when the service ends, which is not over before it is gone', () => {
    const run = simulate(plan([service('a', hooks({ afterReady: hook() }))]), {
      a: { ends: { after: 50, exit: withCode(4) }, hooks: { after_ready: { takes: null, killTakes: 30 } } },
    });
    run.untilEnd();
    expect([run.code, run.endedAt]).toEqual([4, 80]);
  });
});

describe('before_stop', () => {
  test('comes before the stop signal', () => {
    const run = simulate(plan([service('a', hooks({ beforeStop: { argv: ['/bin/leave'], timeout: null } }))]), {
      a: { hooks: { before_stop: { takes: 700 } } },
    });
    run.until(1_000).stop().untilEnd();
    expect(run.deeds('a')).toEqual([
      '0 spawn',
      '1000 run-hook before_stop',
      '1700 signal SIGTERM main',
      '1701 clean-up',
    ]);
    expect(run.code).toBe(0);
  });

  test('that fails is a warning, and the signal is sent', () => {
    const run = simulate(plan([service('a', hooks({ beforeStop: { argv: ['/bin/leave'], timeout: null } }))]), {
      a: { hooks: { before_stop: { code: 2 } } },
    });
    run.until(10).stop().untilEnd();
    expect(run.said('hook-failed')).toEqual(['before_stop failed: exit code 2']);
    expect(run.code).toBe(0);
  });

  test('leaves the program a quarter of the time', () => {
    const run = simulate(
      plan([service('a', hooks({ beforeStop: { argv: ['/bin/leave'], timeout: null } }))], {
        stopTimeout: 8_000,
      }),
      { a: { hooks: { before_stop: { takes: null } } } },
    );
    run.until(1_000).stop().untilEnd();
    expect(run.deeds('a').slice(1, 4)).toEqual([
      '1000 run-hook before_stop',
      '7000 kill-hook',
      '7000 signal SIGTERM main',
    ]);
    expect(run.code).toBe(0);
  });

  test('is left out for one that was never ready', () => {
    const slow = service('a', { ...hooks({ beforeStop: hook() }), ready: [probe()] });
    const run = simulate(plan([slow]), { a: { probe: () => ({ ok: false }) } });
    run.until(1_000).stop().untilEnd();
    expect(run.deeds('a')).toEqual(['0 spawn', '1000 signal SIGTERM main', '1001 clean-up']);
  });

  test('runs for a service that is not alive too', () => {
    const sick = service('a', {
      ...hooks({ beforeStop: hook() }),
      live: [probe({ interval: 1_000, failures: 1 })],
    });
    const run = simulate(plan([sick]), { a: { probe: () => ({ ok: false }) } });
    run.untilEnd();
    expect(run.deeds('a')).toContain('1001 run-hook before_stop');
  });

  test('is given up when the program ends meanwhile', () => {
    const run = simulate(plan([service('a', hooks({ beforeStop: hook() }))]), {
      a: { ends: { after: 1_500, exit: withCode(0) }, hooks: { before_stop: { takes: null, killTakes: 9 } } },
    });
    run.until(1_000).stop().untilEnd();
    expect(run.deeds('a')).toEqual(['0 spawn', '1000 run-hook before_stop', '1500 kill-hook', '1500 clean-up']);
    expect([run.code, run.endedAt]).toEqual([0, 1_509]);
  });

  test('is cut short by a second signal', () => {
    const run = simulate(plan([service('a', hooks({ beforeStop: hook() }))]), {
      a: { hooks: { before_stop: { takes: null } } },
    });
    run.until(1_000).stop().until(2_000).stop().untilEnd();
    expect(run.deeds('a')).toEqual(['0 spawn', '1000 run-hook before_stop', '2000 kill-hook', '2000 kill']);
    expect(run.code).toBe(137);
  });
});

describe('a drain', () => {
  const busyUntil = (age: number) => ({ probe: (asked: { age: number }) => ({ ok: asked.age >= age }) });

  test('asks until the service is idle, and then stops it', () => {
    const run = simulate(plan([service('a', hooks({ beforeStop: drain() }))]), { a: busyUntil(3_000) });
    run.until(2_000).stop().untilEnd();
    expect(run.attempts('a')).toEqual([2_000, 2_251, 2_502, 2_753, 3_004]);
    expect(run.deeds('a').slice(1)).toEqual(['3005 signal SIGTERM main', '3006 clean-up']);
  });

  test('has the dependents gone first, so that no new work comes', () => {
    const both = [service('a', hooks({ beforeStop: drain() })), service('b', { edges: [on('a', 'started')] })];
    const run = simulate(plan(both), { a: busyUntil(0), b: { stopTakes: 400 } });
    run.until(1_000).stop().untilEnd();
    expect(run.attempts('a')).toEqual([1_401]);
  });

  test('that lasts too long is reported, and the signal is sent', () => {
    const run = simulate(plan([service('a', hooks({ beforeStop: drain(1_000) }))]), { a: busyUntil(60_000) });
    run.until(1_000).stop().untilEnd();
    expect(run.said('hook-failed')).toEqual(['before_stop was not done within 1.0 s: stopping it all the same']);
    expect(run.deeds('a')).toContain('2000 signal SIGTERM main');
    expect(run.code).toBe(0);
  });

  test('continues after an attempt without a result', () => {
    const run = simulate(plan([service('a', hooks({ beforeStop: drain() }))]), {
      a: { probe: ({ attempt }) => (attempt < 3 ? null : { ok: true }) },
    });
    run.until(1_000).stop().untilEnd();
    expect(run.attempts('a')).toEqual([1_000, 1_750, 2_500]);
  });

  test('asks nothing of a service that is not alive', () => {
    const sick = service('a', { ...hooks({ beforeStop: drain() }), live: [probe({ interval: 1_000, failures: 1 })] });
    const run = simulate(plan([sick]), { a: { probe: () => ({ ok: false }) } });
    run.untilEnd();
    expect(run.deeds('a')).toEqual(['0 spawn', '1001 signal SIGTERM main', '1002 clean-up']);
  });
});

describe('after_exit', () => {
  test('that is being killed is not run again when the run is found empty once more', () => {
    const run = simulate(plan([service('a', hooks({ afterExit: hook(1_000) }))]), {
      a: { ends: { after: 100, exit: withCode(5) }, hooks: { after_exit: { takes: null, killTakes: 500 } } },
    }).until(1_200);
    run.deliver({ type: 'service', service: 'a', run: 1, event: { type: 'emptied', leftovers: [] } });
    run.untilEnd();
    expect(run.deeds('a').filter((deed) => deed.includes('after_exit')).length).toBe(1);
  });

  test('comes when nothing of the run is left, and before the next one', () => {
    const again = service('a', { ...hooks({ afterExit: hook() }), restart: restart('always') });
    const run = simulate(plan([again]), (_name, number) =>
      number === 1
        ? { ends: { after: 100, exit: withCode(1) }, others: [50], hooks: { after_exit: { takes: 900 } } }
        : {},
    );
    run.until(seconds(3));
    const [spawn, cleanUp, after, second] = run.deeds('a');
    expect([spawn, cleanUp, after]).toEqual(['0 spawn', '100 clean-up', '150 run-hook after_exit']);
    expect(second).toMatch(/^1[45]\d\d\.?\d* spawn$/);
  });

  test('that fails is a warning, and changes no code', () => {
    const run = simulate(plan([service('a', hooks({ afterExit: hook() }))]), {
      a: { ends: { after: 100, exit: withCode(5) }, hooks: { after_exit: { code: 1 } } },
    });
    run.untilEnd();
    expect(run.said('hook-failed')).toEqual(['after_exit failed: exit code 1']);
    expect(run.code).toBe(5);
  });

  test('that does not end is killed', () => {
    const run = simulate(plan([service('a', hooks({ afterExit: hook(1_000) }))]), {
      a: { ends: { after: 100, exit: withCode(5) }, hooks: { after_exit: { takes: null } } },
    });
    run.untilEnd();
    expect(run.said('hook-failed')).toEqual(['after_exit did not end within 1.0 s: killed']);
    expect([run.code, run.endedAt]).toEqual([5, 1_102]);
  });

  /** One that does not end, in a shutdown that has three seconds. */
  const endless = (afterExit: ReturnType<typeof hook>) =>
    simulate(plan([service('a', { ...hooks({ afterExit }), type: 'service' })], { stopTimeout: 3_000 }), {
      a: { hooks: { after_exit: { takes: null } } },
    });

  test('ends with the shutdown', () => {
    const run = endless(hook());
    run.until(1_000).stop().untilEnd();
    expect(run.endedAt).toBe(4_001);
    expect(run.said('hook-failed')).toEqual(['after_exit was killed: the time to stop is over']);
    expect(run.code).toBe(137);
  });

  test('that overruns its own deadline in a shutdown is a warning there too', () => {
    const run = endless(hook(300));
    run.until(1_000).stop().untilEnd();
    expect(run.said('hook-failed')).toEqual(['after_exit did not end within 300 ms: killed']);
    expect(run.code).toBe(0);
  });

  test('that a second SIGTERM kills makes the code 137', () => {
    const run = endless(hook(2_000));
    run.until(1_000).stop().until(1_500).stop().untilEnd();
    expect(run.endedAt).toBeLessThan(1_600);
    expect(run.code).toBe(137);
  });

  test('does not come for a program that never was', () => {
    const run = simulate(plan([service('a', hooks({ afterExit: hook() }))]), {
      a: { spawnFails: { step: 'exec', message: 'no such program', code: 127 } },
    });
    run.untilEnd();
    expect(run.deeds('a')).toEqual(['0 spawn']);
    expect(run.code).toBe(127);
  });
});

describe('a reload that takes a hook away while it is under way', () => {
  test('leaves before_start its deadline', () => {
    const with3s = service('a', { ...hooks({ beforeStart: hook(3_000) }), type: 'service' });
    const run = simulate(plan([with3s]), { a: { hooks: { before_start: { takes: null } } } }).until(1_000);
    run.reload(plan([service('a', { type: 'service' })])).untilEnd();
    expect(run.endedAt).toBeLessThan(3_100);
    expect(run.code).toBe(124);
  });

  test('ends the wait of before_stop', () => {
    const drain = { waitFor: probe(), timeout: null };
    const run = simulate(plan([service('a', hooks({ beforeStop: drain }))]), {
      a: { probe: () => null },
    }).until(1_000);
    run.operate('stop', 'a').until(1_100);
    run.reload(plan([service('a')])).until(30_000);
    expect(run.state('a')).toBe('stopped');
    const [asked = ''] = run.deeds('a').filter((deed) => deed.includes('signal SIGTERM'));
    // When the attempt that was under way is given up, at the latest.
    expect(Number(asked.split(' ')[0])).toBeLessThanOrEqual(6_000);
  });
});

test('a second SIGTERM kills after_ready too', () => {
  const run = simulate(
    plan([service('a', hooks({ afterReady: hook(60_000) })), service('b', { edges: [on('a', 'started')] })]),
    { a: { hooks: { after_ready: { takes: null } } }, b: { stopTakes: null } },
  );
  run.until(1_000).stop().until(2_000).stop().untilEnd();
  expect(run.deeds('a')).toContain('2000 kill-hook');
  expect(run.endedAt).toBeLessThan(2_100);
});
