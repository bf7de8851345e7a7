// From the end of one run to the beginning of the next: what is cleaned up, when a run is over, which pause follows, when it is
// the end that no restart follows. Virtual time.
import { describe, expect, test } from 'bun:test';
import type { Exit } from '../../../src/plan/process.ts';
import { type Behaviour, readyFrom } from '../../helpers/behaviour.ts';
import { bySignal, on, plan, probe, restart, seconds, service, task, withCode } from '../../helpers/plans.ts';
import { simulate } from '../../helpers/simulator.ts';

const ends = (after: number, exit: Exit = withCode(1)): Behaviour => ({ ends: { after, exit } });
const alone = (given: Parameters<typeof service>[1]) => plan([service('a', given)], { exit: 'all' });
const spawns = (sim: ReturnType<typeof simulate>) => sim.deeds('a').filter((deed) => deed.endsWith('spawn'));

describe('a restart policy', () => {
  const table: readonly ['never' | 'on-failure' | 'always', Exit, string][] = [
    ['never', withCode(0), 'completed'],
    ['never', withCode(1), 'failed'],
    ['on-failure', withCode(0), 'completed'],
    ['on-failure', withCode(1), 'ready'],
    ['on-failure', bySignal('SIGSEGV'), 'ready'],
    ['always', withCode(0), 'ready'],
    ['always', withCode(1), 'ready'],
  ];
  for (const [policy, exit, state] of table) {
    const how = exit.kind === 'code' ? `code ${exit.code}` : exit.signal;
    test(`${policy}: after ${how} the service is ${state}`, () => {
      const services = [service('a', { restart: restart(policy) }), service('other')];
      const sim = simulate(plan(services, { exit: 'all' }), (name, run) =>
        name === 'a' && run === 1 ? ends(100, exit) : {},
      );
      expect(sim.until(seconds(2)).state('a')).toBe(state);
      expect(sim.service('a').run).toBe(state === 'ready' ? 2 : 1);
    });
  }

  test('a success is what success_codes says', () => {
    const given = { restart: restart('on-failure'), successCodes: [3] };
    expect(simulate(alone(given), { a: ends(10, withCode(3)) }).untilEnd().code).toBe(0);
    const sim = simulate(alone(given), (_, run) => ends(10, withCode(run === 1 ? 0 : 3)));
    expect(sim.untilEnd().service('a')).toMatchObject({ run: 2, state: { id: 'completed' } });
  });

  test('a program that could not be started is a failure like any other', () => {
    const failing = { spawnFails: { step: 'exec', message: 'not found', code: 127 } };
    const sim = simulate(alone({ restart: restart('on-failure') }), (_, run) => (run < 3 ? failing : {}));
    expect(sim.until(seconds(5)).service('a')).toMatchObject({ run: 3, restarts: 2, state: { id: 'ready' } });
  });
});

describe('the pause', () => {
  test('grows from one restart to the next, within its jitter', () => {
    const sim = simulate(alone({ restart: restart('always') }), { a: ends(0) });
    sim.until(seconds(100));
    const at = spawns(sim).map((deed) => Number.parseFloat(deed));
    const pauses = at.slice(1).map((instant, position) => instant - (at[position] ?? 0) - 1);
    const usual = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000];
    for (const [position, pause] of usual.entries()) {
      expect(pauses[position]).toBeGreaterThanOrEqual(pause * 0.9);
      expect(pauses[position]).toBeLessThanOrEqual(pause * 1.1);
    }
  });

  test('is reported together with what happened', () => {
    const sim = simulate(alone({ restart: restart('always') }), { a: ends(100, bySignal('SIGSEGV')) });
    expect(sim.until(200).said('restarting')[0]).toMatch(
      /^was killed by SIGSEGV after 100 ms; starting again in \d+ ms$/,
    );
    expect(sim.state('a')).toBe('backoff');
  });

  test('begins anew after 60 s of readiness', () => {
    const lasting = (_: string, run: number) => ends(run === 3 ? seconds(60) : 0);
    const sim = simulate(alone({ restart: restart('always') }), lasting);
    sim.until(seconds(70));
    const at = spawns(sim).map((deed) => Number.parseFloat(deed));
    expect((at[3] ?? 0) - (at[2] ?? 0) - seconds(60)).toBeLessThan(600);
  });

  test('does not begin anew after 60 s without readiness, nor after less of it', () => {
    const streakAfter = (from: number) => {
      const given = { restart: restart('always'), ready: [probe()] };
      const sim = simulate(alone(given), { a: { probe: readyFrom(from), ...ends(seconds(61)) } });
      return sim.until(seconds(62)).service('a').history.streak + sim.until(seconds(125)).service('a').history.streak;
    };
    expect(streakAfter(0)).toBe(1 + 1);
    expect(streakAfter(seconds(5))).toBe(1 + 2);
    expect(streakAfter(Infinity)).toBe(1 + 2);
  });

  test('differs between two services that fail together', () => {
    const services = ['a', 'b', 'c'].map((name) => service(name, { restart: restart('always') }));
    const sim = simulate(plan(services), () => ends(0)).until(450);
    const until = ['a', 'b', 'c'].map((name) => {
      const { state } = sim.service(name);
      return state.id === 'backoff' ? state.until : null;
    });
    expect(new Set(until).size).toBe(3);
  });
});

describe('the limit of restarts', () => {
  test('max is so many in a row; then there is no restart, and the notice says why', () => {
    const sim = simulate(alone({ restart: restart('always', { max: 2 }) }), { a: ends(10, withCode(3)) });
    expect(sim.untilEnd().code).toBe(3);
    expect(sim.service('a')).toMatchObject({ run: 3, restarts: 2 });
    expect(sim.said('failed')).toEqual([
      'exited with code 3 after 10 ms; not started again: 2 restarts were its limit',
    ]);
  });

  test('max counts anew after 60 s of readiness', () => {
    const lasting = (_: string, run: number) => ends(run === 3 ? seconds(61) : 10);
    const sim = simulate(alone({ restart: restart('always', { max: 2 }) }), lasting);
    expect(sim.untilEnd().service('a').run).toBe(5);
  });

  test('max within a time forgets what is older', () => {
    const policy = restart('always', { max: 2, within: seconds(10), backoff: { initial: 100, max: 100, factor: 1 } });
    const quick = simulate(alone({ restart: policy }), { a: ends(seconds(1)) });
    expect(quick.untilEnd().service('a').run).toBe(3);
    const slow = simulate(alone({ restart: policy }), { a: ends(seconds(6)) });
    expect(slow.until(seconds(600)).service('a').run).toBeGreaterThan(90);
  });
});

describe('a run', () => {
  test('is over only when no process of it is left: then, and not before, comes the next', () => {
    const sim = simulate(alone({ restart: restart('always', { initial: 100 }) }), (_, run) =>
      run === 1 ? { ...ends(1_000), others: [900, 300] } : {},
    );
    expect(sim.until(1_899).state('a')).toBe('stopping');
    expect(sim.until(1_900).state('a')).toBe('backoff');
    sim.until(seconds(3));
    expect(sim.deeds('a').slice(0, 2)).toEqual(['0 spawn', '1000 clean-up']);
    expect(Number.parseFloat(sim.deeds('a')[2] ?? '')).toBeGreaterThanOrEqual(1_990);
  });

  test('what outlives its main process is killed after 2 s, and the next run waits for that too', () => {
    const sim = simulate(alone({ restart: restart('always', { initial: 100 }) }), (_, run) =>
      run === 1 ? { ...ends(1_000), others: [null, 10], killTakes: 400 } : {},
    );
    sim.until(seconds(5));
    expect(sim.deeds('a').slice(0, 3)).toEqual(['0 spawn', '1000 clean-up', '3000 kill']);
    expect(Number.parseFloat(sim.deeds('a')[3] ?? '')).toBeGreaterThanOrEqual(3_490);
    expect(sim.said('killed')).toEqual(['leftover processes did not stop in time: sending SIGKILL']);
    expect(sim.said('cleaned-up')).toEqual(['cleaned up 2 processes of a: other-102 (pid 102), other-103 (pid 103)']);
  });

  test('that is stopped ends with all of its processes: those that outlive its main process are no news', () => {
    const asked = ['stop', 'restart'] as const;
    for (const to of ['main', 'group'] as const)
      for (const operation of asked) {
        const sim = simulate(alone({ stop: { to } }), { a: { others: [50, 300] } }).until(100);
        expect(sim.operate(operation, 'a').pass(1_000).said('cleaned-up')).toEqual([]);
        expect(sim.said('stopped')).toHaveLength(1);
      }
    const sick = service('a', { live: [probe()], restart: restart('always', { initial: 100 }) });
    const failing = { probe: ({ kind }: { kind: string }) => ({ ok: kind !== 'live' }), others: [300] };
    const restarted = simulate(plan([sick]), (_, run) => (run === 1 ? failing : {})).until(seconds(60));
    expect([restarted.service('a').restarts, restarted.said('cleaned-up')]).toEqual([1, []]);
    // The signal that reached its main process first was part of the stop.
    const explained = simulate(alone({}), { a: { ...ends(100, bySignal('SIGTERM')), others: [20] } }).until(150);
    expect(explained.stop().until(seconds(5)).said('cleaned-up')).toEqual([]);
  });

  test('that is stopped, and has processes that need SIGKILL after the main process has ended: they are named', () => {
    const stop = { timeout: 1_000 };
    const left = simulate(alone({ stop }), { a: { others: [null, 10] } }).until(100);
    expect(left.operate('stop', 'a').pass(5_000).said('cleaned-up')).toEqual([
      'cleaned up 1 process of a: other-102 (pid 102)',
    ]);
    const together = simulate(alone({ stop }), { a: { stopTakes: null, others: [null] } }).until(100);
    expect(together.operate('stop', 'a').pass(5_000).said('cleaned-up')).toEqual([]);
    expect(together.said('killed')).toHaveLength(1);
  });

  test('`stop.leftover_timeout` is the time that what outlives its main process has', () => {
    const given = { restart: restart('always', { initial: 100 }), stop: { timeout: 1_000, leftoverTimeout: 6_000 } };
    const sim = simulate(alone(given), (_, run) => (run === 1 ? { ...ends(1_000), others: [null, 5_000] } : {}));
    sim.until(seconds(9));
    expect(sim.deeds('a').slice(0, 3)).toEqual(['0 spawn', '1000 clean-up', '7000 kill']);
  });

  test('asks once whether its program goes into the background, where that ends soon, with 0, and leaves others', () => {
    const asked = (behave: Parameters<typeof simulate>[1]) => {
      const sim = simulate(alone({ restart: restart('always', { initial: 100 }), successCodes: [0, 1] }), behave);
      return sim
        .until(seconds(60))
        .said('cleaned-up')
        .filter((text) => text.includes('into the background?')).length;
    };
    expect(asked(() => ({ ...ends(50, withCode(0)), others: [10] }))).toBe(1);
    expect(asked(() => ({ ...ends(50, withCode(1)), others: [10] }))).toBe(0);
    expect(asked(() => ({ ...ends(10_000, withCode(0)), others: [10] }))).toBe(0);
    expect(asked(() => ends(50, withCode(0)))).toBe(0);
  });

  test('is not over before its main process is, and ends only once', () => {
    const sim = simulate(alone({}), { a: { stopTakes: null, others: [null] } })
      .until(100)
      .stop();
    sim.tell('a', { type: 'emptied', leftovers: [] });
    expect(sim.state('a')).toBe('stopping');
    sim.tell('a', { type: 'exited', exit: withCode(3) }).tell('a', { type: 'exited', exit: withCode(4) });
    expect(sim.deeds('a').filter((deed) => deed.endsWith('clean-up'))).toHaveLength(1);
    expect(sim.service('a').state).toMatchObject({ exit: { code: 3 } });
  });

  test('that leaves nothing behind is over at once, and nothing is said of it', () => {
    const sim = simulate(alone({ restart: restart('always', { initial: 100 }) }), { a: ends(1_000) });
    expect(sim.until(1_002).state('a')).toBe('backoff');
    expect(sim.said('cleaned-up')).toEqual([]);
  });

  test('whose processes do not die of SIGKILL never starts again, and says so', () => {
    const policy = restart('always', { initial: 100 });
    const sim = simulate(alone({ restart: policy }), { a: { ...ends(1_000), others: [null], killTakes: null } });
    expect(sim.until(seconds(200)).state('a')).toBe('stopping');
    expect(spawns(sim)).toHaveLength(1);
    expect(sim.said('unkillable').slice(0, 2)).toEqual([
      'still has processes 12.0 s after it was told to stop: they do not die of SIGKILL',
      'still has processes 1m12s after it was told to stop: they do not die of SIGKILL',
    ]);
    expect(sim.said('unkillable')).toHaveLength(4);
  });

  test('has a higher number than the one before, and takes no restart for granted in its dependents', () => {
    const services = [
      service('a', { restart: restart('always', { initial: 100 }) }),
      service('b', { edges: [on('a')] }),
    ];
    const sim = simulate(plan(services), (name, run) => (name === 'a' && run < 4 ? ends(100) : {}));
    sim.until(seconds(9));
    expect(sim.service('a')).toMatchObject({ run: 4, restarts: 3, state: { id: 'ready' } });
    expect(sim.deeds('b')).toHaveLength(1);
  });

  test('of a task that fails is repeated until it succeeds', () => {
    const given = { restart: restart('on-failure', { initial: 10 }) };
    const sim = simulate(plan([task('a', given)]), (_, run) => ends(5, withCode(run < 5 ? 1 : 0)));
    expect(sim.untilEnd().code).toBe(0);
    expect(sim.service('a').run).toBe(5);
  });
});
