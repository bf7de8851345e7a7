// Services that are started by hand (`start: manual`, or a profile that is off): what starts them, what a stop makes of them, and
// that they count neither for the health nor for the end of the container.
import { describe, expect, test } from 'bun:test';
import { takeSnapshot } from '../../../src/core/snapshot.ts';
import type { ServicePlan } from '../../../src/plan/plan.ts';
import { every, gpus, on, plan, restart, service, stages, task, withCode } from '../../helpers/plans.ts';
import { type Simulator, simulate } from '../../helpers/simulator.ts';

const manual = (name: string, given: Parameters<typeof service>[1] = {}) =>
  service(name, { start: 'manual', essential: false, ...given });
const states = (run: Simulator, ...names: readonly string[]) => names.map((name) => run.state(name));
const begin = (...services: readonly ServicePlan[]) => simulate(plan(services)).until(100);

describe('a service that is started by hand', () => {
  test('is idle, does not count for the health, and no stage waits for it', () => {
    const run = begin(...stages([service('a'), manual('debug', { essential: true })], [service('b')]));
    expect(states(run, 'a', 'debug', 'b')).toEqual(['ready', 'idle', 'ready']);
    expect(takeSnapshot(run.world, run.now).healthy).toBe(true);
    expect(run.world.allReadyAt).not.toBeNull();
  });

  test('is wanted only from its start to its stop; one that is not enabled never is', () => {
    const run = begin(service('a'), manual('debug'), service('no', { enabled: false }));
    const wanted = () => takeSnapshot(run.world, run.now).services.map(({ wanted }) => wanted);
    expect(wanted()).toEqual(['up', 'down', 'down']);
    run.operate('start', 'debug', 'no').pass(100);
    expect(wanted()).toEqual(['up', 'up', 'down']);
    run.operate('stop', 'debug');
    expect(wanted()).toEqual(['up', 'down', 'down']);
    run.pass(100);
    expect([run.state('debug'), ...wanted()]).toEqual(['idle', 'up', 'down', 'down']);
  });

  test('starts with what it needs when the operator starts it, and is idle again after a stop', () => {
    const run = begin(service('a'), manual('store'), manual('debug', { edges: [on('store')] }));
    run.operate('start', 'debug').pass(100);
    expect(states(run, 'store', 'debug')).toEqual(['ready', 'ready']);
    run.operate('stop', 'debug').pass(100);
    expect(states(run, 'store', 'debug')).toEqual(['ready', 'idle']);
    run.operate('start', 'debug').pass(100);
    expect([run.state('debug'), run.service('debug').run]).toEqual(['ready', 2]);
  });

  test.each(['start', 'restart'] as const)(
    'a %s starts what it needs, also if that ran before and was stopped',
    (operation) => {
      const run = begin(service('a'), manual('store'), manual('debug', { edges: [on('store', 'started')] }));
      run.operate('start', 'debug').pass(100);
      run.operate('stop', ...(operation === 'start' ? ['store', 'debug'] : ['store'])).pass(100);
      run.operate(operation, 'debug').pass(100);
      expect(states(run, 'store', 'debug')).toEqual(['ready', 'ready']);
      expect(run.service('store').run).toBe(2);
    },
  );

  test('starts because a service that starts depends on it, directly or through another one', () => {
    const services = [manual('disk'), manual('store', { edges: [on('disk')] }), manual('other')];
    const run = begin(...services, service('api', { edges: [on('store')] }));
    expect(states(run, 'disk', 'store', 'other', 'api')).toEqual(['ready', 'ready', 'idle', 'ready']);
    expect(run.said('start-asked')).toEqual(['is needed, and was asked to start', 'is needed, and was asked to start']);
  });

  test('does not start again if its own restart policy does not say so, and then is no longer idle', () => {
    const run = simulate(plan([service('a'), manual('debug')]), { debug: { ends: { after: 50, exit: withCode(3) } } });
    run.until(100).operate('start', 'debug').pass(100);
    expect([run.state('debug'), run.code]).toEqual(['failed', null]);
  });

  test('is idle if it is stopped in the pause before its next run', () => {
    const policy = restart('always', { backoff: { initial: 60_000, max: 60_000, factor: 1 } });
    const run = simulate(plan([service('a'), manual('debug', { restart: policy })]), {
      debug: { ends: { after: 50, exit: withCode(3) } },
    });
    run.until(100).operate('start', 'debug').pass(200);
    expect(run.state('debug')).toBe('backoff');
    run.operate('stop', 'debug').pass(100);
    expect(run.state('debug')).toBe('idle');
  });
});

describe('a service that is started by hand, and its GPU', () => {
  const always = restart('always');

  test('is not there: its start fails at once with the reason, is not repeated, and ends nothing else', () => {
    const missing = gpus({ devices: [], missing: '`debug` requests a GPU, but there is none' });
    const run = begin(service('a'), manual('debug', { gpus: missing, restart: always }));
    run.operate('start', 'debug').pass(60_000);
    expect([run.state('debug'), run.service('debug').run, run.code]).toEqual(['failed', 1, null]);
    expect(run.deeds('debug')).toEqual([]);
    expect(run.said('failed').join()).toMatch(/^could not be started: `debug` requests a GPU, but there is none; /);
  });

  test('is smaller than `min_free`: its start fails at once, and is not repeated', () => {
    const memory = () => ({ kind: 'memory', devices: [{ used: 0, total: 24 * 2 ** 30 }], holders: [] }) as const;
    const big = manual('debug', { gpus: gpus({ minFree: 40 * 2 ** 30 }), restart: always });
    const run = simulate(plan([service('a'), big]), { debug: { memory } }).until(100);
    run.operate('start', 'debug').pass(60_000);
    expect([run.state('debug'), run.service('debug').run, run.code]).toEqual(['failed', 1, null]);
    expect(run.said('failed').join()).toContain('it needs 40.0 GiB (`min_free`), and GPU 0 has 24.0 GiB in all');
  });

  test('has a driver that does not respond: it fails, and the other services run on; one that starts by itself ends all', () => {
    const memory = () => ({ kind: 'lost', why: 'no driver' }) as const;
    const behaviours = { debug: { memory } };
    const run = simulate(plan([service('a'), manual('debug', { gpus: gpus(), restart: always })]), behaviours);
    run.until(100).operate('start', 'debug').pass(60_000);
    expect([run.state('debug'), run.state('a'), run.code]).toEqual(['failed', 'ready', null]);
    const auto = service('debug', { gpus: gpus(), restart: always, essential: false });
    expect(simulate(plan([service('a'), auto]), behaviours).until(60_000).code).toBe(75);
  });

  test('has a driver that does not respond, and a service that starts needs it: the container ends with 75', () => {
    const services = [manual('store', { gpus: gpus() }), service('api', { edges: [on('store')] })];
    const run = simulate(plan(services), { store: { memory: () => ({ kind: 'lost', why: 'no driver' }) } });
    expect(run.until(60_000).code).toBe(75);
  });
});

test('a scheduled task that is started by hand runs at once and then by its schedule, until it is stopped', () => {
  const backup = task('backup', { start: 'manual', essential: false, schedule: every(60_000) });
  const run = simulate(plan([service('a'), backup]), { backup: { ends: { after: 100, exit: withCode(0) } } });
  run.until(200_000);
  expect([run.state('backup'), run.service('backup').run]).toEqual(['idle', 0]);
  run.operate('start', 'backup').pass(130_000);
  expect([run.state('backup'), run.service('backup').run]).toEqual(['scheduled', 3]);
  run.operate('stop', 'backup').pass(200_000);
  expect([run.state('backup'), run.service('backup').run]).toEqual(['idle', 3]);
});

describe('the end', () => {
  test('does not wait for idle services, whether they have run or not', () => {
    const run = simulate(plan([task('job'), manual('debug'), manual('never')], { exit: 'all' }), {
      job: { ends: { after: 5_000, exit: withCode(0) } },
    });
    run.until(100).operate('start', 'debug').pass(100).operate('stop', 'debug');
    run.until(10_000);
    expect([run.code, run.state('debug'), run.state('never')]).toEqual([0, 'idle', 'idle']);
  });

  test('does not come while a service waits for an idle one: the operator may start that', () => {
    const slow = manual('store', { type: 'task' });
    const run = simulate(plan([slow, service('api', { edges: [on('store', 'completed')] })]), {
      store: { ends: { after: 5_000, exit: withCode(0) } },
    });
    run.until(100).operate('stop', 'store').pass(20_000);
    expect([run.code, ...states(run, 'store', 'api')]).toEqual([null, 'idle', 'pending']);
    run.operate('start', 'store').pass(10_000);
    expect(states(run, 'store', 'api')).toEqual(['completed', 'ready']);
  });
});

describe('a reload', () => {
  const other = service('a');

  test('starts an idle service that now starts by itself, and leaves a running one that no longer does', () => {
    const run = begin(other, manual('debug'));
    run.reload(plan([other, manual('debug', { start: 'auto' })])).pass(100);
    expect([run.state('debug'), run.service('debug').run]).toEqual(['ready', 1]);
    run.reload(plan([other, manual('debug')])).pass(100);
    expect([run.state('debug'), run.service('debug').run]).toEqual(['ready', 1]);
    run.operate('stop', 'debug').pass(100);
    expect(run.state('debug')).toBe('idle');
  });

  test('does not start an idle service whose command has changed, and starts a running one again', () => {
    const run = begin(other, manual('debug'));
    run.reload(plan([other, manual('debug', { argv: ['/new'] })])).pass(100);
    expect(run.state('debug')).toBe('idle');
    run.operate('start', 'debug').pass(100);
    run.reload(plan([other, manual('debug', { argv: ['/newer'] })])).pass(100);
    expect([run.state('debug'), run.service('debug').run]).toEqual(['ready', 2]);
  });

  test('starts an idle service that a new one depends on', () => {
    const run = begin(other, manual('store'));
    run.reload(plan([other, manual('store'), service('api', { edges: [on('store')] })])).pass(100);
    expect(states(run, 'store', 'api')).toEqual(['ready', 'ready']);
  });
});
