// depends_on with `restart: true`: dependents that restart together with what they depend on, whatever
// the reason; and those without it, which are left alone. Virtual time.
import { describe, expect, test } from 'bun:test';
import type { Condition, Edge } from '../../src/plan/plan.ts';
import { type Behaviour, readyFrom } from '../helpers/behaviour.ts';
import { on, plan, probe, restart, seconds, service, task, withCode } from '../helpers/plans.ts';
import { simulate } from '../helpers/simulator.ts';

const restartsWith = (target: string, condition: Condition = 'ready'): Edge => ({
  ...on(target, condition),
  restarts: true,
});
const slow = (given: Behaviour = {}): Behaviour => ({ probe: readyFrom(200), ...given });
const crash = { ends: { after: 1_000, exit: withCode(1) } };
const starts = (sim: ReturnType<typeof simulate>, name: string) =>
  sim.deeds(name).filter((deed) => deed.includes('spawn'));
const again = restart('on-failure', { initial: 500 });
const ray = service('ray', { ready: [probe()], restart: again });
const done: Behaviour = { ends: { after: 50, exit: withCode(0) } };

describe('a service that depends on one with `restart: true`', () => {
  const services = [ray, service('api', { edges: [restartsWith('ray')] }), service('web', { edges: [on('ray')] })];
  const crashing = (name: string, run: number): Behaviour => (name === 'ray' ? slow(run === 1 ? crash : {}) : {});

  test('is stopped when that crashes and starts again once it is ready; one without it is left alone', () => {
    const sim = simulate(plan(services), crashing).until(seconds(60));
    expect(sim.states()).toEqual({ ray: 'ready', api: 'ready', web: 'ready' });
    expect(sim.deeds('api').slice(1, 3)).toEqual(['1000 signal SIGTERM main', '1001 clean-up']);
    expect(starts(sim, 'web')).toHaveLength(1);
    const ready = Number(
      sim.records.findLast(
        ({ effect }) => effect.type === 'announce' && effect.notice.event === 'ready' && effect.service === 'ray',
      )?.at,
    );
    expect(starts(sim, 'api').at(-1)).toBe(`${ready} spawn`);
    expect(sim.said('restart-asked', 'api')).toEqual(['starts again after ray, which restarts']);
  });

  test('does not start again before the restart, however long others take to stop', () => {
    const dependents = ['a', 'b', 'c'].map((name) => service(name, { edges: [restartsWith('ray')] }));
    const takes: Readonly<Record<string, number>> = { a: 0, b: 300, c: 600 };
    const sim = simulate(plan([ray, ...dependents]), (name) =>
      name === 'ray' ? slow() : { stopTakes: takes[name] ?? 0 },
    );
    sim.until(seconds(5)).operate('restart', 'ray').until(seconds(60));
    expect(sim.states()).toEqual({ ray: 'ready', a: 'ready', b: 'ready', c: 'ready' });
    for (const name of ['a', 'b', 'c']) {
      expect(starts(sim, name)).toHaveLength(2);
      expect(Number(starts(sim, name)[1]?.split(' ')[0])).toBeGreaterThan(5_600);
    }
  });

  test('has not failed, and its own count of restarts stays as it is', () => {
    const sim = simulate(plan(services), crashing).until(seconds(60));
    expect([sim.code, sim.service('api').restarts, sim.world.failures]).toEqual([null, 0, []]);
  });

  test('is stopped before that when the operator restarts it, and started after it', () => {
    const sim = simulate(plan(services), (name) => (name === 'ray' ? slow() : { stopTakes: 100 }));
    sim.until(seconds(5)).operate('restart', 'ray').until(seconds(60));
    expect(sim.deeds('api').slice(1, 3)).toEqual(['5000 signal SIGTERM main', '5100 clean-up']);
    expect(sim.deeds('ray').slice(1, 2)).toEqual(['5101 signal SIGTERM main']);
    expect(sim.states()).toEqual({ ray: 'ready', api: 'ready', web: 'ready' });
    expect([starts(sim, 'ray').length, starts(sim, 'api').length, starts(sim, 'web').length]).toEqual([2, 2, 1]);
  });

  test('restarts when a reload changes that', () => {
    const sim = simulate(plan(services), { ray: slow() }).until(seconds(5));
    const changed = services.map((one) => (one.name === 'ray' ? { ...one, env: { A: 'b' } } : one));
    sim.reload(plan(changed)).until(seconds(60));
    expect([starts(sim, 'ray').length, starts(sim, 'api').length, starts(sim, 'web').length]).toEqual([2, 2, 1]);
  });

  test('restarts from the reload on that adds `restart: true`, without a restart of its own for that', () => {
    const before = services.map((one) => (one.name === 'api' ? { ...one, edges: [on('ray')] } : one));
    const sim = simulate(plan(before), { ray: slow() }).until(seconds(5)).reload(plan(services)).until(seconds(9));
    expect(starts(sim, 'api')).toHaveLength(1);
    sim.operate('restart', 'ray').until(seconds(60));
    expect(starts(sim, 'api')).toHaveLength(2);
  });

  test('restarts when that was stopped and is started again, and not before', () => {
    const sim = simulate(plan(services), { ray: slow() }).until(seconds(5)).operate('stop', 'ray').until(seconds(9));
    expect(sim.states()).toEqual({ ray: 'stopped', api: 'ready', web: 'ready' });
    sim.operate('start', 'ray').until(seconds(60));
    expect([starts(sim, 'api').length, starts(sim, 'web').length]).toEqual([2, 1]);
  });

  test('stays down when the operator holds it down, and when it has never run', () => {
    const sim = simulate(plan(services), crashing).until(500).operate('stop', 'api').until(seconds(60));
    expect(sim.states()).toEqual({ ray: 'ready', api: 'stopped', web: 'ready' });
    const early = simulate(plan(services), (name, run) =>
      name === 'ray' ? { probe: readyFrom(run === 1 ? Infinity : 200), ...(run === 1 ? crash : {}) } : {},
    ).until(seconds(60));
    expect(starts(early, 'api')).toHaveLength(1);
    expect(early.said('restart-asked')).toEqual([]);
  });

  test('that waits for it to be started waits for its next start', () => {
    const started = service('api', { edges: [restartsWith('ray', 'started')] });
    const sim = simulate(plan([ray, started]), crashing).until(seconds(60));
    const [, second] = starts(sim, 'ray');
    expect(starts(sim, 'api')).toEqual(['0 spawn', String(second)]);
  });

  test('in its own pause before a restart waits for that too', () => {
    const flapping = service('api', { edges: [restartsWith('ray')], restart: restart('always', { initial: 200 }) });
    const sim = simulate(plan([ray, flapping]), (name, run) =>
      name === 'ray' ? slow(run === 1 ? crash : {}) : run === 1 ? { ends: { after: 750, exit: withCode(1) } } : {},
    ).until(1_300);
    expect([sim.state('ray'), sim.state('api')]).toEqual(['backoff', 'pending']);
    expect(sim.until(seconds(9)).state('api')).toBe('ready');
  });
});

describe('a task that depends on a service with `restart: true`', () => {
  const services = [
    ray,
    task('deploy', { edges: [restartsWith('ray')] }),
    service('web', { edges: [restartsWith('deploy', 'completed')] }),
    service('beside', { edges: [on('deploy', 'completed')] }),
  ];
  const behave = (name: string, run: number): Behaviour =>
    name === 'ray' ? slow(run === 1 ? crash : {}) : name === 'deploy' ? done : {};

  test('runs again after that, and what restarts with the task does so after it', () => {
    const sim = simulate(plan(services), behave).until(seconds(60));
    expect(sim.states()).toEqual({ ray: 'ready', deploy: 'completed', web: 'ready', beside: 'ready' });
    expect(['ray', 'deploy', 'web', 'beside'].map((name) => starts(sim, name).length)).toEqual([2, 2, 2, 1]);
    const [deployed] = starts(sim, 'deploy').slice(-1);
    const [served] = starts(sim, 'web').slice(-1);
    expect(Number.parseFloat(served ?? '')).toBeGreaterThan(Number.parseFloat(deployed ?? ''));
  });

  test('is not healthy meanwhile: it has not completed', () => {
    const sim = simulate(plan(services), behave).until(1_100);
    expect(sim.states()).toEqual({ ray: 'backoff', deploy: 'pending', web: 'pending', beside: 'ready' });
  });

  test('with a chain, dependents stop first, however long the chain is', () => {
    const chain = Array.from({ length: 20 }, (_, at) =>
      service(`s${at}`, at === 0 ? {} : { edges: [restartsWith(`s${at - 1}`)] }),
    );
    const sim = simulate(plan(chain)).until(seconds(1)).operate('restart', 's0').until(seconds(60));
    const order = sim.records.flatMap(({ effect }) =>
      effect.type === 'service' && effect.effect.type === 'signal' ? [effect.service] : [],
    );
    expect(order).toEqual(chain.map(({ name }) => name).toReversed());
    expect(chain.every(({ name }) => sim.state(name) === 'ready' && starts(sim, name).length === 2)).toBe(true);
  });
});
