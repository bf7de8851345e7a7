// What an operator does to services and what a reload changes, in virtual time (SPEC section 6): what is wanted and what is
// are apart, only what is named moves, and nothing that the operator stops ends the container.
import { describe, expect, test } from 'bun:test';
import { toWireSnapshot } from '../../src/control/wire.ts';
import { takeSnapshot } from '../../src/core/snapshot.ts';
import { on, plan, restart, service, stages, task, withCode } from '../helpers/plans.ts';
import { simulate } from '../helpers/simulator.ts';

const chain = plan([service('db'), service('api', { edges: [on('db')] }), service('web', { edges: [on('api')] })]);

describe('stop', () => {
  test('stops that service alone, with the usual stop sequence, and the container goes on', () => {
    const services = [service('db', { stop: { timeout: 1_000 } }), service('api', { edges: [on('db')] })];
    const sim = simulate(plan(services), { db: { stopTakes: null } })
      .until(100)
      .operate('stop', 'db')
      .until(60_000);
    expect(sim.deeds('db')).toEqual(['0 spawn', '100 signal SIGTERM main', '1100 kill']);
    expect(sim.states()).toEqual({ db: 'stopped', api: 'ready' });
    expect(sim.code).toBeNull();
  });

  test('of several stops dependents first', () => {
    const sim = simulate(chain, { web: { stopTakes: 50 } })
      .until(100)
      .operate('stop', 'db', 'web')
      .until(1_000);
    expect(sim.deeds('web')).toContain('100 signal SIGTERM main');
    expect(sim.deeds('db')).toContain('100 signal SIGTERM main');
    const all = simulate(chain, { web: { stopTakes: 50 }, api: { stopTakes: 20 } }).until(100);
    all.operate('stop', 'db', 'api', 'web').until(1_000);
    expect(all.deeds('web')[1]).toBe('100 signal SIGTERM main');
    expect(all.deeds('api')[1]).toMatch(/^15\d signal/);
    expect(all.deeds('db')[1]).toMatch(/^17\d signal/);
    expect(all.code).toBeNull();
  });

  test('of a service whose dependents stop first: that is its reason, also in a shutdown', () => {
    const shown = (sim: ReturnType<typeof simulate>) =>
      takeSnapshot(sim.world, sim.now).services.map(({ state, reason }) => `${state} ${reason?.kind}`);
    const later = 'ready stops-later';
    const stopped = simulate(chain, { web: { stopTakes: 50 } }).until(100);
    expect(shown(stopped.operate('restart', 'db', 'api', 'web').until(120))).toEqual([
      later,
      later,
      'stopping stopping',
    ]);
    const ended = simulate(chain, { web: { stopTakes: 50 } }).until(100);
    expect(shown(ended.stop().until(120))[0]).toBe(later);
    expect(shown(simulate(chain).until(100))[0]).toBe('ready undefined');
  });

  test('ends a pause between two runs, and a wait', () => {
    const services = [service('a', { restart: restart('always') }), service('b', { edges: [on('a', 'completed')] })];
    const sim = simulate(plan(services), { a: { ends: { after: 10, exit: withCode(1) } } }).until(100);
    expect(sim.states()).toEqual({ a: 'backoff', b: 'pending' });
    sim.operate('stop', 'a', 'b').until(60_000);
    expect(sim.states()).toEqual({ a: 'stopped', b: 'stopped' });
    expect(sim.deeds('a')).toEqual(['0 spawn', '11 clean-up'].slice(0, 1).concat(sim.deeds('a').slice(1)));
    expect(sim.code).toBeNull();
  });

  test('a run that fails while it is being stopped is no failure', () => {
    const sim = simulate(plan([service('a')]), { a: { stopExit: withCode(3) } })
      .until(100)
      .operate('stop', 'a');
    sim.until(1_000);
    expect([sim.state('a'), sim.code]).toEqual(['stopped', null]);
    sim.stop().untilEnd();
    expect(sim.code).toBe(0);
  });

  test('changes nothing in a service that has ended or is not enabled', () => {
    const services = [task('done'), service('off', { enabled: false }), service('a')];
    const sim = simulate(plan(services), { done: { ends: { after: 5, exit: withCode(0) } } }).until(100);
    sim.operate('stop', 'done', 'off').until(200);
    expect(sim.states()).toEqual({ done: 'completed', off: 'skipped', a: 'ready' });
  });

  test('a stage does not wait for a member that is held down', () => {
    const services = stages([service('db')], [service('api')]);
    const sim = simulate(plan(services), {}).until(100).operate('stop', 'db').until(200).operate('restart', 'api');
    sim.until(300);
    expect(sim.states()).toEqual({ db: 'stopped', api: 'ready' });
    expect(sim.service('api').run).toBe(2);
  });
});

describe('start', () => {
  test('revives what was stopped, and what it needs', () => {
    const sim = simulate(chain).until(100).operate('stop', 'db', 'api', 'web').until(200);
    expect(sim.states()).toEqual({ db: 'stopped', api: 'stopped', web: 'stopped' });
    sim.operate('start', 'api').until(300);
    expect(sim.states()).toEqual({ db: 'ready', api: 'ready', web: 'stopped' });
    expect(sim.said('start-asked', 'db')).toEqual(['is needed, and was asked to start']);
  });

  test('of a service that is being stopped waits until it is empty, then starts it', () => {
    const sim = simulate(plan([service('a')]), { a: { stopTakes: 500 } })
      .until(100)
      .operate('stop', 'a');
    sim.until(200).operate('start', 'a').until(590);
    expect(sim.service('a').run).toBe(1);
    sim.until(700);
    expect([sim.state('a'), sim.service('a').run]).toEqual(['ready', 2]);
  });

  test('begins at once a run that was to come after a pause, earlier failures forgotten', () => {
    const services = [service('a', { restart: restart('on-failure', { initial: 10_000 }) }), service('b')];
    const sim = simulate(plan(services), (name, run) =>
      name === 'a' && run === 1 ? { ends: { after: 10, exit: withCode(1) } } : {},
    ).until(100);
    sim.operate('start', 'a').until(110);
    expect([sim.state('a'), sim.service('a').run, sim.service('a').history.streak]).toEqual(['ready', 2, 0]);
  });

  test('of one that has failed makes it count no more', () => {
    const services = [service('a'), service('b')];
    const sim = simulate(plan(services, { exit: 'all' }), (name, run) =>
      name === 'b'
        ? { ends: { after: 500, exit: withCode(0) } }
        : { ends: { after: 10, exit: withCode(run === 1 ? 3 : 0) } },
    ).until(100);
    expect(sim.state('a')).toBe('failed');
    sim.operate('start', 'a').untilEnd();
    expect(sim.code).toBe(0);
  });

  test('changes nothing in what runs', () => {
    const sim = simulate(chain).until(100).operate('start', 'db', 'web').until(200);
    expect(sim.deeds('db')).toEqual(['0 spawn']);
    expect(sim.deeds('web')).toEqual(['0 spawn']);
  });
});

describe('restart', () => {
  test('is a stop, and the next run when nothing is left; dependents go on', () => {
    const sim = simulate(chain, { db: { stopTakes: 100, others: [300] } })
      .until(100)
      .operate('restart', 'db');
    sim.until(1_000);
    expect(sim.service('db').run).toBe(2);
    expect(sim.deeds('db')).toEqual(['0 spawn', '100 signal SIGTERM main', '200 clean-up', '500 spawn']);
    expect(sim.service('api').run).toBe(1);
    expect(sim.code).toBeNull();
  });

  test('of several: each waits for what it depends on', () => {
    const sim = simulate(chain, { db: { spawnTakes: 200 } })
      .until(300)
      .operate('restart', 'db', 'api', 'web');
    sim.until(2_000);
    expect(sim.states()).toEqual({ db: 'ready', api: 'ready', web: 'ready' });
    const spawn = (name: string) => Number(sim.deeds(name).at(-1)?.split(' ')[0]);
    expect(spawn('api')).toBeGreaterThanOrEqual(spawn('db') + 200);
    expect(['db', 'api', 'web'].map((name) => sim.service(name).run)).toEqual([2, 2, 2]);
  });

  test('does not count as one by policy', () => {
    const sim = simulate(chain).until(100).operate('restart', 'db').until(200);
    expect(sim.service('db').restarts).toBe(0);
  });

  test('in a shutdown changes nothing', () => {
    const sim = simulate(plan([service('a')]), { a: { stopTakes: 100 } })
      .until(100)
      .stop()
      .operate('restart', 'a');
    sim.untilEnd();
    expect([sim.code, sim.service('a').run]).toEqual([0, 1]);
  });
});

test('a signal reaches the main process of the services named', () => {
  const sim = simulate(chain)
    .until(100)
    .deliver({ type: 'signal-asked', signal: 'SIGUSR1', services: ['db', 'nobody'] });
  expect(sim.deeds('db')).toContain('100 signal SIGUSR1 main');
  expect(sim.deeds('api')).toEqual(['0 spawn']);
});

const reasonOf = (sim: ReturnType<typeof simulate>, name: string) =>
  toWireSnapshot(takeSnapshot(sim.world, 0), 0).services.find((one) => one.name === name)?.reason;

describe('reload', () => {
  const before = [service('db'), service('api', { edges: [on('db')] }), service('web', { edges: [on('api')] })];

  test('starts what is new, stops and forgets what is gone, restarts what differs, and touches nothing else', () => {
    const after = [
      service('db'),
      service('api', { edges: [on('db')], env: { A: '1' } }),
      service('new', { edges: [on('api')] }),
    ];
    const sim = simulate(plan(before)).until(100).reload(plan(after)).until(1_000);
    expect(sim.states()).toEqual({ db: 'ready', api: 'ready', new: 'ready' });
    expect(sim.service('api').run).toBe(2);
    expect(sim.deeds('db')).toEqual(['0 spawn']);
    expect(sim.deeds('web')).toContain('100 signal SIGTERM main');
    expect(sim.said('reloaded')).toEqual([
      'configuration read again: added new; changed api (env); removed web; 1 unchanged',
    ]);
    expect(sim.code).toBeNull();
  });

  test('of fifty services of which one differs restarts that one', () => {
    const many = Array.from({ length: 50 }, (_, at) => service(`s${at}`, at === 0 ? {} : { edges: [on('s0')] }));
    const after = many.map((one) => (one.name === 's0' ? { ...one, argv: ['/bin/other'] } : one));
    const sim = simulate(plan(many)).until(100).reload(plan(after)).until(1_000);
    expect(many.map(({ name }) => sim.service(name).run)).toEqual([2, ...Array(49).fill(1)]);
  });

  test('a run is stopped as its own plan says, and the next one follows the new plan', () => {
    const old = service('a', { argv: ['/bin/old'], stop: { signal: 'SIGINT' } });
    const fresh = service('a', { argv: ['/bin/new'], stop: { signal: 'SIGQUIT' } });
    const sim = simulate(plan([old]), { a: { stopTakes: 50 } })
      .until(100)
      .reload(plan([fresh]));
    expect(sim.deeds('a')).toContain('100 signal SIGINT main');
    sim.until(500).stop();
    expect(sim.deeds('a').at(-1)).toBe('500 signal SIGQUIT main');
  });

  test('what no process has to know of is in force at once, without a restart', () => {
    const sim = simulate(plan([service('a')])).until(100);
    const changed = service('a', {
      essential: false,
      restart: restart('always'),
      edges: [],
      stop: { signal: 'SIGINT' },
    });
    sim.reload(plan([changed, service('b')])).until(200);
    expect(sim.service('a').run).toBe(1);
    expect(sim.world.plan.services[0]?.essential).toBe(false);
  });

  test('nothing that differs is nothing to do', () => {
    const sim = simulate(plan(before))
      .until(100)
      .reload(plan(before.map((one) => ({ ...one }))))
      .until(200);
    expect(sim.said('reloaded')).toEqual(['configuration read again: nothing has changed']);
    expect(before.map(({ name }) => sim.service(name).run)).toEqual([1, 1, 1]);
  });

  test('what the operator holds down stays down, with its new plan', () => {
    const sim = simulate(plan(before)).until(100).operate('stop', 'web').until(200);
    const after = before.map((one) => (one.name === 'web' ? { ...one, argv: ['/bin/new'] } : one));
    sim.reload(plan(after)).until(300);
    expect(sim.state('web')).toBe('stopped');
    sim.operate('start', 'web').until(400);
    expect(sim.world.index.plans.get('web')?.argv).toEqual(['/bin/new']);
    expect(sim.state('web')).toBe('ready');
  });

  test('enabling starts, disabling stops', () => {
    const off = [service('a'), service('b', { enabled: false })];
    const turned = [service('a', { enabled: false }), service('b')];
    const sim = simulate(plan(off)).until(100).reload(plan(turned)).until(1_000);
    expect(sim.states()).toEqual({ a: 'skipped', b: 'ready' });
    expect(sim.code).toBeNull();
  });

  test('removed and added again while it still stops, it comes back', () => {
    const sim = simulate(plan(before), { web: { stopTakes: 500 } }).until(100);
    sim
      .reload(plan(before.slice(0, 2)))
      .until(200)
      .reload(plan(before))
      .until(2_000);
    expect([sim.state('web'), sim.service('web').run]).toEqual(['ready', 2]);
  });

  test('that waits to stop a service is not undone by a request to start it', () => {
    const old = [service('db', { argv: ['/bin/old'] }), service('api', { edges: [on('db')] })];
    const sim = simulate(plan(old), { api: { stopTakes: 500 } })
      .until(100)
      .reload(plan([service('db', { argv: ['/bin/new'] })]))
      .until(200);
    sim.operate('start', 'db').until(2_000);
    expect([sim.state('db'), sim.service('db').run, sim.service('db').next]).toEqual(['ready', 2, null]);
  });

  test('a service that takes over the port of another starts when nothing of that is left', () => {
    const web = service('web', { ports: [8000] });
    const renamed = simulate(plan([web]), { web: { stopTakes: 500 } })
      .until(100)
      .reload(plan([service('site', { ports: [8000] }), service('other', { ports: [9000] })]))
      .until(300);
    expect(renamed.states()).toEqual({ web: 'stopping', site: 'pending', other: 'ready' });
    expect(reasonOf(renamed, 'site')).toBe('waits for web to give back port 8000');
    renamed.until(1_000);
    expect(renamed.states()).toEqual({ site: 'ready', other: 'ready' });
    expect(renamed.deeds('site')).toEqual(['601 spawn']);
    expect(renamed.code).toBeNull();
  });

  test('two that change ports start again one after the other', () => {
    const [a, b] = [service('a', { ports: [1] }), service('b', { ports: [2] })];
    const swapped = [service('a', { ports: [2] }), service('b', { ports: [1] })];
    const sim = simulate(plan([a, b]), { b: { stopTakes: 900 } })
      .until(100)
      .reload(plan(swapped))
      .until(2_000);
    expect(sim.states()).toEqual({ a: 'ready', b: 'ready' });
    expect(sim.deeds('a').at(-1)).toBe('1001 spawn');
    expect(sim.deeds('b').at(-1)).toBe('1001 spawn');
  });

  test('a SIGHUP that no service forwards asks for one; one that is forwarded, and one in a shutdown, do not', () => {
    const asks = (sim: ReturnType<typeof simulate>) =>
      sim.records.filter(({ effect }) => effect.type === 'reload').length;
    expect(asks(simulate(plan(before)).until(100).signal('SIGHUP'))).toBe(1);
    const forwards = plan([service('a', { forward: { SIGHUP: 'SIGHUP' } }), service('b')]);
    expect(asks(simulate(forwards).until(100).signal('SIGHUP'))).toBe(0);
    const disabled = service('a', { forward: { SIGHUP: 'SIGHUP' }, enabled: false });
    expect(
      asks(
        simulate(plan([disabled, service('b')]))
          .until(100)
          .signal('SIGHUP'),
      ),
    ).toBe(1);
    expect(
      asks(
        simulate(plan(before), { db: { stopTakes: 100 } })
          .until(100)
          .stop()
          .signal('SIGHUP'),
      ),
    ).toBe(0);
  });

  test('in a shutdown changes nothing', () => {
    const sim = simulate(plan(before), { db: { stopTakes: 100 } })
      .until(100)
      .stop();
    sim.reload(plan([...before, service('new')]));
    expect(Object.keys(sim.states())).toEqual(['db', 'api', 'web']);
    sim.untilEnd();
    expect(sim.code).toBe(0);
  });
});
