// Who starts when: the conditions of depends_on, stages, services that are not enabled, and what becomes of those whose
// turn can never come. Virtual time; the Simulator's Referee watches every step besides.
import { describe, expect, test } from 'bun:test';
import { readyFrom } from '../helpers/behaviour.ts';
import { on, plan, probe, restart, seconds, service, stages, task, withCode } from '../helpers/plans.ts';
import { simulate } from '../helpers/simulator.ts';

const endsAfter = (after: number, code = 0) => ({ ends: { after, exit: withCode(code) } });

describe('a service without dependencies', () => {
  test('is spawned at once, all of them in the order of the file', () => {
    const sim = simulate(plan([service('b'), service('a'), task('c')]), { a: { spawnTakes: 5 } });
    expect(sim.states()).toEqual({ b: 'starting', a: 'starting', c: 'starting' });
    expect(sim.records.map(({ effect }) => effect.type === 'service' && effect.service)).toEqual(['b', 'a', 'c']);
  });

  test('is ready as soon as its program is executing, when it has no probe', () => {
    const sim = simulate(plan([service('a')]), { a: { spawnTakes: 30 } });
    expect(sim.until(29).state('a')).toBe('starting');
    expect(sim.until(30).state('a')).toBe('ready');
    expect(sim.said('started', 'a')).toEqual(['started (pid 101)']);
    expect(sim.said('ready', 'a')).toEqual([]);
  });

  test('is ready when its probe holds, and says after how long', () => {
    const sim = simulate(plan([service('a', { ready: [probe()] })]), { a: { probe: readyFrom(300) } });
    expect(sim.until(300).state('a')).toBe('starting');
    expect(sim.until(330).state('a')).toBe('ready');
    expect(sim.said('ready', 'a')).toEqual(['ready after 316 ms']);
  });

  test('that is slow to start says so after 10 s, after 30 s and then every minute, with what is missing', () => {
    const sim = simulate(plan([service('a', { ready: [probe()] })]), { a: { probe: readyFrom(Infinity) } });
    sim.until(seconds(190));
    expect(sim.said('still-starting', 'a')).toEqual(
      ['10.0 s', '30.0 s', '1m00s', '2m00s', '3m00s'].map((age) => `still starting after ${age}: refused`),
    );
  });
});

describe('depends_on', () => {
  const pair = (condition: Parameters<typeof on>[1], given: Parameters<typeof service>[1] = {}) =>
    plan([service('db', { essential: false, ...given }), service('web', { edges: [on('db', condition)] })]);

  test('started: waits until the program is executing, not only until it was spawned', () => {
    const sim = simulate(pair('started', { ready: [probe()] }), {
      db: { spawnTakes: 40, probe: readyFrom(seconds(9)) },
    });
    expect(sim.until(39).state('web')).toBe('pending');
    expect(sim.until(40).states()).toEqual({ db: 'starting', web: 'ready' });
  });

  test('started: holds for one that has ended since', () => {
    const sim = simulate(pair('started'), { db: { ...endsAfter(0, 1) } });
    expect(sim.until(10).states()).toEqual({ db: 'failed', web: 'ready' });
  });

  test('ready: waits for the probes', () => {
    const sim = simulate(pair('ready', { ready: [probe()] }), { db: { probe: readyFrom(200) } });
    expect(sim.until(200).state('web')).toBe('pending');
    expect(sim.until(250).states()).toEqual({ db: 'ready', web: 'ready' });
  });

  test('ready: does not hold while the target is unready, and holds again when it recovers', () => {
    const continuous = [probe({ continuous: true, interval: seconds(1) })];
    const services = [
      service('db', { ready: continuous }),
      task('slow'),
      service('web', { edges: [on('db', 'ready'), on('slow', 'completed')] }),
    ];
    const sick = { probe: ({ age }: { age: number }) => ({ ok: age < 500 || age > seconds(5) }) };
    const sim = simulate(plan(services), { db: sick, slow: endsAfter(seconds(3)) });
    expect(sim.until(seconds(4)).states()).toEqual({ db: 'unready', slow: 'completed', web: 'pending' });
    expect(sim.until(seconds(7)).states()).toEqual({ db: 'ready', slow: 'completed', web: 'ready' });
  });

  test('ready: holds for one that was ready and has ended with success', () => {
    const services = [
      task('db', { ready: [probe()] }),
      task('slow'),
      service('web', { edges: [on('db', 'ready'), on('slow', 'completed')] }),
    ];
    const sim = simulate(plan(services), { db: endsAfter(500), slow: endsAfter(seconds(1)) });
    expect(sim.until(seconds(2)).states()).toEqual({ db: 'completed', slow: 'completed', web: 'ready' });
  });

  test('completed: waits for an end with success, and for all processes to be gone', () => {
    const sim = simulate(pair('completed', { type: 'task' }), { db: { ...endsAfter(100), others: [50] } });
    expect(sim.until(149).states()).toEqual({ db: 'stopping', web: 'pending' });
    expect(sim.until(150).states()).toEqual({ db: 'completed', web: 'ready' });
  });

  test('completed: a run that fails and is started again keeps its dependents waiting', () => {
    const given = { type: 'task', restart: restart('on-failure', { initial: 100 }) } as const;
    const sim = simulate(pair('completed', given), (name, run) =>
      name === 'db' ? endsAfter(10, run < 3 ? 1 : 0) : {},
    );
    expect(sim.until(200).state('web')).toBe('pending');
    expect(sim.until(500).states()).toEqual({ db: 'completed', web: 'ready' });
    expect(sim.service('db')).toMatchObject({ run: 3, restarts: 2 });
  });

  test('exited: holds after an end with any code that no restart follows', () => {
    const sim = simulate(pair('exited'), { db: endsAfter(100, 3) });
    expect(sim.until(99).state('web')).toBe('pending');
    expect(sim.until(102).states()).toEqual({ db: 'failed', web: 'ready' });
  });

  test('exited: not while it is to start again', () => {
    const sim = simulate(pair('exited', { restart: restart('always', { initial: seconds(1) }) }), { db: endsAfter(9) });
    expect(sim.until(900).states()).toEqual({ db: 'backoff', web: 'pending' });
  });

  test('all conditions of a service must hold', () => {
    const services = [
      service('db', { ready: [probe()] }),
      task('setup'),
      service('web', { edges: [on('db', 'ready'), on('setup', 'completed')] }),
    ];
    const sim = simulate(plan(services), { db: { probe: readyFrom(100) }, setup: endsAfter(400) });
    expect(sim.until(390).state('web')).toBe('pending');
    expect(sim.until(420).state('web')).toBe('ready');
  });

  test('a chain starts one after the other, and what depends on nothing does not wait', () => {
    const services = [
      service('a', { ready: [probe()] }),
      service('b', { ready: [probe()], edges: [on('a')] }),
      service('c', { edges: [on('b')] }),
      service('free'),
    ];
    const sim = simulate(plan(services), { a: { probe: readyFrom(100) }, b: { probe: readyFrom(100) } });
    expect(sim.until(50).states()).toEqual({ a: 'starting', b: 'pending', c: 'pending', free: 'ready' });
    expect(sim.until(150).states()).toEqual({ a: 'ready', b: 'starting', c: 'pending', free: 'ready' });
    expect(sim.until(300).state('c')).toBe('ready');
  });
});

describe('stages', () => {
  const plans = plan(
    stages([service('db', { ready: [probe()] }), task('fetch')], [service('api'), service('web')], [service('last')]),
  );

  test('begin when every service of the one before is ready and every task has completed', () => {
    const sim = simulate(plans, { db: { probe: readyFrom(300) }, fetch: endsAfter(200) });
    expect(sim.until(250).states()).toMatchObject({ fetch: 'completed', api: 'pending', web: 'pending' });
    expect(sim.until(350).states()).toMatchObject({ api: 'ready', web: 'ready', last: 'ready' });
  });

  test('never begin when a member of the one before has failed', () => {
    const sim = simulate({ ...plans, exit: 'all' }, { fetch: endsAfter(200, 1) });
    sim.until(500);
    expect(sim.states()).toEqual({ db: 'ready', fetch: 'failed', api: 'pending', web: 'pending', last: 'pending' });
    expect(sim.said('blocked', 'web')).toEqual(['never starts: fetch exited with code 1 after 200 ms']);
    expect(sim.said('blocked', 'last')).toEqual(['never starts: api never starts']);
  });
});

describe('the moment when everything is ready', () => {
  const later = (given: Parameters<typeof service>[1]) => service('a', { ready: [probe()], ...given });

  test('is reported once, with how long it took, services ready and tasks completed', () => {
    const sick = [probe({ continuous: true, interval: 1_000 })];
    const services = [later({ ready: sick }), task('setup'), service('off', { enabled: false })];
    const sim = simulate(plan(services), {
      a: { probe: ({ age }) => ({ ok: (age > 300 && age < 900) || age > 2_000 }) },
      setup: endsAfter(1_000),
    });
    expect(sim.until(999).said('all-ready')).toEqual([]);
    expect(sim.until(seconds(9)).said('ready', 'a').at(-1)).toBe('ready again');
    expect(sim.said('all-ready')).toEqual(['everything is ready after 1.0 s']);
  });

  test('is not reported of a single service, which reports its own readiness, nor when one of them never becomes ready', () => {
    expect(
      simulate(plan([later({})]))
        .until(seconds(9))
        .said('all-ready'),
    ).toEqual([]);
    const sim = simulate(plan([later({}), service('b')]), { a: { probe: readyFrom(Infinity) } });
    expect(sim.until(seconds(9)).said('all-ready')).toEqual([]);
  });
});

describe('what can never start', () => {
  test('is not started when it is not enabled', () => {
    const sim = simulate(plan([service('a', { enabled: false }), service('b')]));
    expect(sim.until(seconds(1)).states()).toEqual({ a: 'skipped', b: 'ready' });
    expect(sim.said('skipped')).toEqual(['is not enabled']);
    expect(sim.deeds('a')).toEqual([]);
  });

  for (const condition of ['started', 'ready', 'completed', 'exited'] as const) {
    test(`waits in vain for a service that is not enabled to be ${condition}, and says why, once`, () => {
      const edges = [on('a', condition)];
      const services = [service('a', { enabled: false }), service('b', { edges }), service('c')];
      const sim = simulate(plan(services, { exit: 'all' }));
      expect(sim.until(seconds(90)).states()).toEqual({ a: 'skipped', b: 'pending', c: 'ready' });
      expect(sim.said('blocked', 'b')).toEqual(['never starts: a is not enabled']);
    });
  }

  for (const condition of ['ready', 'completed'] as const) {
    test(`says once that what it waits for to be ${condition} has failed, when that is certain`, () => {
      const again = restart('on-failure', { max: 1, initial: 100 });
      const first = service('a', { essential: false, ready: [probe()], restart: again });
      const services = [first, service('b', { edges: [on('a', condition)] }), service('c')];
      const sim = simulate(plan(services), { a: { probe: readyFrom(Infinity), ...endsAfter(50, 3) } });
      expect(sim.until(60).said('blocked')).toEqual([]);
      expect(sim.until(seconds(90)).said('blocked')).toEqual([
        'never starts: a exited with code 3 after 50 ms, before it was ready',
      ]);
    });
  }

  test('says so when what it waits for to be started cannot be executed', () => {
    const sim = simulate(
      plan([service('a', { essential: false }), service('b', { edges: [on('a', 'started')] }), service('c')]),
      { a: { spawnFails: { step: 'user', message: 'no such user', code: 1 } } },
    );
    expect(sim.until(10).said('blocked', 'b')).toEqual(['never starts: a could not be started: no such user']);
  });

  test('says so when what it waits for to be ready has completed without ever being ready', () => {
    const services = [task('a', { ready: [probe()] }), service('b', { edges: [on('a', 'ready')] }), service('c')];
    const sim = simulate(plan(services), { a: { probe: readyFrom(Infinity), ...endsAfter(50) } });
    expect(sim.until(100).said('blocked', 'b')).toEqual(['never starts: a ended before it was ready']);
  });

  test('says so down the whole chain', () => {
    const services = [
      service('a', { enabled: false }),
      service('b', { edges: [on('a')] }),
      service('c', { edges: [on('b')] }),
      service('d'),
    ];
    const sim = simulate(plan(services));
    expect(sim.said('blocked', 'c')).toEqual(['never starts: b never starts']);
  });

  test('reports nothing in a shutdown', () => {
    const services = [service('a'), service('b', { edges: [on('a', 'completed')] })];
    const sim = simulate(plan(services), { a: endsAfter(50, 1) });
    expect(sim.untilEnd().said('blocked')).toEqual([]);
  });
});

describe('a container in which nothing can start', () => {
  test('ends with 1 at once and says why', () => {
    const sim = simulate(plan([service('a', { enabled: false }), service('b', { edges: [on('a')] })]));
    expect(sim.code).toBe(1);
    expect(sim.said('blocked', 'b')).toEqual(['never starts: a is not enabled']);
    expect(sim.said('stopping')).toEqual(['stopping everything: b can never start, and it is essential']);
    expect(sim.deeds('b')).toEqual([]);
  });

  test('ends with the code of the failure that kept an essential service from starting', () => {
    const services = [service('a', { essential: false }), service('b', { edges: [on('a')] })];
    const sim = simulate(plan(services), { a: { spawnFails: { step: 'exec', message: 'not found', code: 127 } } });
    expect(sim.untilEnd().code).toBe(127);
    const end = sim.records.at(-1)?.effect;
    expect(end).toMatchObject({ type: 'end', culprit: { service: 'a', verdict: { code: 127 } } });
  });

  test('ends with 0 when nothing essential is missing', () => {
    const b = service('b', { essential: false, edges: [on('a')] });
    expect(simulate(plan([service('a', { enabled: false }), b])).code).toBe(0);
    expect(simulate(plan([service('a', { enabled: false })])).code).toBe(0);
  });

  test('goes on while something still runs that others wait for', () => {
    const services = [service('a', { ready: [probe()] }), service('b', { edges: [on('a')] })];
    const sim = simulate(plan(services), { a: { probe: readyFrom(Infinity) } });
    expect(sim.until(seconds(600)).code).toBeNull();
  });
});
