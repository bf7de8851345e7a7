// A shutdown that is requested again: what a second and a third signal kill, and when it ends. Virtual time; nothing
// here waits.
import { describe, expect, test } from 'bun:test';
import type { Behaviour } from '../../helpers/behaviour.ts';
import { on, plan, service, withCode } from '../../helpers/plans.ts';
import { simulate } from '../../helpers/simulator.ts';

const obstinate: Behaviour = { stopTakes: null };
const stopsOf = (sim: ReturnType<typeof simulate>, name: string) =>
  sim.deeds(name).filter((deed) => deed.includes('signal') || deed.includes('kill'));

describe('a second signal', () => {
  test('kills what is left, now', () => {
    const sim = simulate(plan([service('db'), service('web', { edges: [on('db')] })]), { web: obstinate })
      .until(1_000)
      .stop()
      .until(3_000)
      .stop('SIGINT');
    expect([sim.untilEnd().code, sim.endedAt]).toEqual([137, 3_001]);
    expect(stopsOf(sim, 'web')).toEqual(['1000 signal SIGTERM main', '3000 kill']);
    expect(stopsOf(sim, 'db')).toEqual(['3000 kill']);
    expect(sim.said('killing')).toEqual(['SIGINT received again: killing what is left']);
  });

  test('kills them all in one go: no service is asked to stop any more, whatever the order in the file', () => {
    const services = [service('web', { edges: [on('db')] }), service('db')];
    const sim = simulate(plan(services), { web: obstinate }).until(1_000).stop().until(3_000).stop().untilEnd();
    expect([stopsOf(sim, 'web').at(-1), ...stopsOf(sim, 'db')]).toEqual(['3000 kill', '3000 kill']);
  });

  test('is the first one where a failure had begun the shutdown: it kills nothing, and the next one does', () => {
    const failing = { bad: { ends: { after: 100, exit: withCode(3) } }, web: obstinate };
    const sim = simulate(plan([service('web'), service('bad')]), failing)
      .until(1_000)
      .stop()
      .until(2_000);
    expect(stopsOf(sim, 'web')).toEqual(['100 signal SIGTERM main']);
    expect(sim.stop().untilEnd().code).toBe(3);
    expect(stopsOf(sim, 'web')).toEqual(['100 signal SIGTERM main', '2000 kill']);
  });

  test('that is a SIGQUIT kills nothing', () => {
    const sim = simulate(plan([service('a')]), { a: obstinate })
      .until(1_000)
      .stop('SIGQUIT')
      .until(3_000)
      .stop('SIGQUIT');
    sim.untilEnd();
    expect(stopsOf(sim, 'a')).toEqual(['1000 signal SIGTERM main', '10000 kill']);
  });

  test('that comes within 500 ms is the same request', () => {
    const sim = simulate(plan([service('a')]), { a: { stopTakes: 900 } })
      .until(1_000)
      .stop()
      .until(1_499)
      .stop();
    expect([sim.untilEnd().code, sim.endedAt]).toEqual([0, 1_901]);
  });

  test('that comes after 500 ms is not', () => {
    const sim = simulate(plan([service('a')]), { a: { stopTakes: 900 } })
      .until(1_000)
      .stop()
      .until(1_500)
      .stop();
    expect([sim.untilEnd().code, sim.endedAt]).toEqual([137, 1_501]);
  });

  test('may be the third when the second came too soon', () => {
    const sim = simulate(plan([service('a')]), { a: obstinate })
      .until(1_000)
      .stop()
      .until(1_100)
      .stop();
    expect(sim.until(1_600).stop().untilEnd().endedAt).toBe(1_601);
  });

  test('ends it half a second later even when SIGKILL does not help', () => {
    const sim = simulate(plan([service('a')]), { a: { ...obstinate, killTakes: null } })
      .until(1_000)
      .stop();
    expect([sim.until(3_000).stop().untilEnd().code, sim.endedAt]).toEqual([137, 3_500]);
  });

  test('and a third change nothing more', () => {
    const sim = simulate(plan([service('a')]), { a: { ...obstinate, killTakes: 300 } })
      .until(1_000)
      .stop();
    sim.until(3_000).stop().until(3_100).stop().untilEnd();
    expect(stopsOf(sim, 'a')).toEqual(['1000 signal SIGTERM main', '3000 kill']);
    const immortal = simulate(plan([service('a')]), { a: { ...obstinate, killTakes: null } })
      .until(1_000)
      .stop();
    expect(immortal.until(3_000).stop().until(3_400).stop().untilEnd().endedAt).toBe(3_500);
  });

  test('reaches one whose program is only just being executed', () => {
    const sim = simulate(plan([service('a')]), { a: { spawnTakes: 2_000 } })
      .until(100)
      .stop()
      .until(1_800)
      .stop();
    expect([sim.untilEnd().code, sim.endedAt]).toEqual([137, 2_001]);
  });

  test('after a failure keeps the failure’s code', () => {
    const sim = simulate(plan([service('a'), service('b')]), {
      a: { ends: { after: 100, exit: withCode(3) } },
      b: obstinate,
    });
    sim.until(1_000).stop().until(2_000).stop();
    expect(sim.untilEnd().code).toBe(3);
    expect(sim.endedAt).toBeLessThanOrEqual(2_001);
  });
});
