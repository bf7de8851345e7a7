// A main process that dies by TERM, INT or QUIT although the supervisor did not send it: its end waits a moment for the
// request to stop that may explain it (scancel and systemd signal a whole job, services first). Also services that end
// before they are ready.
import { describe, expect, test } from 'bun:test';
import { readyFrom } from '../../helpers/behaviour.ts';
import { bySignal, on, plan, probe, restart, service, task, withCode } from '../../helpers/plans.ts';
import { simulate } from '../../helpers/simulator.ts';

const term = bySignal('SIGTERM');
const dies = (after: number, exit = term) => ({ ends: { after, exit } });
const chain = [service('db'), service('api', { edges: [on('db')] }), service('web', { edges: [on('api')] })];

describe('a death by a signal that means stop', () => {
  test('belongs to a request to stop that comes within a tenth of a second: the code is 0', () => {
    const sim = simulate(plan(chain), { db: dies(100), api: dies(101), web: dies(102) });
    expect(sim.until(150).stop().untilEnd().code).toBe(0);
    expect(sim.states()).toEqual({ db: 'stopped', api: 'stopped', web: 'stopped' });
  });

  test('counts as it is when none comes, at the end of that time', () => {
    const sim = simulate(plan(chain), { api: dies(100) }).until(190);
    expect(sim.said('failed')).toEqual([]);
    sim.untilEnd();
    expect(sim.code).toBe(143);
    expect(sim.said('failed')).toEqual(['was killed by SIGTERM after 100 ms']);
  });

  test('is followed by no restart when a request comes', () => {
    const again = chain.map((one) => ({ ...one, restart: restart('always', { initial: 10 }) }));
    const sim = simulate(plan(again), { db: dies(100), api: dies(100), web: dies(100) });
    expect(sim.until(130).stop().untilEnd().code).toBe(0);
    expect(sim.said('restarting')).toEqual([]);
  });

  test('is that of a shell or runtime which passes it on as a code', () => {
    const sim = simulate(plan([service('a')]), { a: dies(100, withCode(143)) });
    expect(sim.until(150).stop().untilEnd().code).toBe(0);
  });

  test('is that of before_start: nothing was started yet', () => {
    const hooks = {
      beforeStart: { argv: ['prepare'], timeout: 5_000 },
      afterReady: null,
      beforeStop: null,
      afterExit: null,
    };
    const killed = { hooks: { before_start: { takes: 100, code: 143 } } };
    expect(
      simulate(plan([service('a', { hooks })]), { a: killed })
        .until(150)
        .stop()
        .untilEnd().code,
    ).toBe(0);
    const alone = simulate(plan([service('a', { hooks })]), { a: killed }).untilEnd();
    expect([alone.code, alone.endedAt]).toEqual([143, 200]);
  });

  test('is an exit with success that is none here: not ready yet, or not listed', () => {
    for (const given of [{ ready: [probe()] }, { successCodes: [] }]) {
      const behaviour = { probe: readyFrom(Infinity), ends: { after: 100, exit: withCode(0) } };
      expect(
        simulate(plan([service('a', given)]), { a: behaviour })
          .until(150)
          .stop()
          .untilEnd().code,
      ).toBe(0);
      expect(simulate(plan([service('a', given)]), { a: behaviour }).untilEnd().code).toBe(1);
    }
  });

  test('is not any other death: SIGKILL and an own code count at once', () => {
    for (const [exit, code] of [
      [bySignal('SIGKILL'), 137],
      [withCode(3), 3],
    ] as const) {
      const sim = simulate(plan([service('a')]), { a: dies(100, exit) });
      expect(sim.until(105).untilEnd().code).toBe(code);
      expect(sim.endedAt).toBeLessThan(110);
    }
  });
});

describe('a service with a readiness probe that ends before it was ready', () => {
  const waits = { probe: readyFrom(Infinity) };

  test('has failed, whatever its code: 1 for 0, and its own for others', () => {
    for (const [code, due] of [
      [0, 1],
      [3, 3],
    ] as const) {
      const sim = simulate(plan([service('a', { ready: [probe()] }), service('b', { edges: [on('a')] })]), {
        a: { ...waits, ends: { after: 100, exit: withCode(code) } },
      });
      expect(sim.untilEnd().code).toBe(due);
      expect(sim.said('failed')).toEqual([`exited with code ${code} after 100 ms, before it was ready`]);
    }
  });

  test('starts again with on-failure', () => {
    const given = { ready: [probe()], restart: restart('on-failure', { initial: 10 }) };
    const sim = simulate(plan([service('a', given)]), (_, run) =>
      run === 1 ? { ...waits, ends: { after: 100, exit: withCode(0) } } : { probe: readyFrom(0) },
    );
    sim.until(500);
    expect(sim.states()).toEqual({ a: 'ready' });
  });

  test('is a task no failure: that is meant to finish', () => {
    const sim = simulate(plan([task('a', { ready: [probe()] }), service('b')]), {
      a: { ...waits, ends: { after: 100, exit: withCode(0) } },
    });
    sim.until(500);
    expect(sim.states()).toMatchObject({ a: 'completed', b: 'ready' });
  });
});
