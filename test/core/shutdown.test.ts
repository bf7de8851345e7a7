// The shutdown: when and how each service is asked to stop, how the one stop_timeout is shared, and what is killed when.
// scenarios/second-signal.test.ts tests a second request. Virtual time; nothing here waits.
import { describe, expect, test } from 'bun:test';
import { type Behaviour, readyFrom } from '../helpers/behaviour.ts';
import { on, plan, probe, restart, seconds, service, task, withCode } from '../helpers/plans.ts';
import { simulate } from '../helpers/simulator.ts';

const obstinate: Behaviour = { stopTakes: null };
const chain = (...names: readonly string[]) =>
  names.map((name, position) => service(name, { edges: position === 0 ? [] : [on(names[position - 1] ?? '')] }));
const isStop = (deed: string) => deed.includes('signal') || deed.includes('kill');
const stopsOf = (sim: ReturnType<typeof simulate>, name: string) => sim.deeds(name).filter(isStop);

describe('asked to stop', () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT']) {
    test(`by ${signal}, it ends with 0 when all went in time`, () => {
      const sim = simulate(plan([service('a'), service('b')]))
        .until(100)
        .stop(signal)
        .untilEnd();
      expect(sim.code).toBe(0);
      expect(sim.said('stopping')).toEqual([`${signal} received: stopping everything within 9.0 s`]);
      expect(sim.states()).toEqual({ a: 'stopped', b: 'stopped' });
    });
  }

  test('it ends with 0 whatever the services’ own codes are', () => {
    const sim = simulate(plan([service('a'), service('b', { successCodes: [] })]), {
      a: { stopExit: withCode(3) },
      b: { stopExit: withCode(0) },
    });
    expect(sim.until(10).stop().untilEnd().code).toBe(0);
    expect(sim.said('stopped', 'a')).toEqual(['stopped (code 3)']);
  });

  test('it ends with 137 when something had to be killed', () => {
    const sim = simulate(plan([service('a'), service('b')]), { b: obstinate })
      .until(100)
      .stop()
      .untilEnd();
    expect([sim.code, sim.endedAt]).toEqual([137, 9_101]);
    expect(sim.said('killed', 'b')).toEqual(['did not stop within 9.0 s: sending SIGKILL to all its processes']);
  });

  test('it ends with 137 when only what a service left behind had to be killed', () => {
    const sim = simulate(plan([service('a')]), { a: { others: [null] } })
      .until(100)
      .stop()
      .untilEnd();
    expect([sim.code, sim.endedAt]).toEqual([137, 9_101]);
    expect(sim.deeds('a')).toEqual(['0 spawn', '100 signal SIGTERM main', '101 clean-up', '9100 kill']);
  });

  test('it starts nothing more: not what waits, not what was to start again', () => {
    const services = [
      task('setup'),
      service('web', { edges: [on('setup', 'completed')] }),
      service('flaky', { restart: restart('always', { initial: 1_000 }) }),
    ];
    const sim = simulate(plan(services), {
      setup: { stopTakes: 3_000, stopExit: withCode(0) },
      flaky: { ends: { after: 10, exit: withCode(1) } },
    });
    sim.until(100).stop().untilEnd();
    expect(sim.states()).toEqual({ setup: 'stopped', web: 'pending', flaky: 'stopped' });
    expect(sim.deeds('web')).toEqual([]);
    expect(sim.deeds('flaky')).toEqual(['0 spawn', '10 clean-up']);
  });

  test('a service that dies of itself meanwhile is not started again', () => {
    const services = [...chain('db', 'web'), service('x')];
    const again = services.map((given) => ({ ...given, restart: restart('always', { initial: 10 }) }));
    const sim = simulate(plan(again), { db: { ends: { after: 200, exit: withCode(1) } }, web: { stopTakes: 1_000 } });
    expect(sim.until(100).stop().untilEnd().code).toBe(0);
    expect(sim.states()).toEqual({ db: 'failed', web: 'stopped', x: 'stopped' });
    expect(sim.service('db').run).toBe(1);
  });
});

describe('asked to stop at an awkward moment', () => {
  test('during a start: the process is sent the stop signal and its probes are abandoned', () => {
    const sim = simulate(plan([service('a', { ready: [probe()] })]), { a: { probe: readyFrom(Infinity) } });
    expect(sim.until(500).stop().untilEnd().code).toBe(0);
    expect(sim.deeds('a')).toEqual(['0 spawn', '500 signal SIGTERM main', '501 clean-up']);
    expect(sim.attempts('a').every((at) => at < 500)).toBe(true);
  });

  test('between spawn and the first instruction: the stop waits for neither', () => {
    const sim = simulate(plan([service('a')]), { a: { spawnTakes: 300 } })
      .until(100)
      .stop()
      .untilEnd();
    expect([sim.code, sim.endedAt]).toEqual([0, 302]);
    expect(sim.state('a')).toBe('stopped');
  });

  test('and the program cannot be executed then: it has just stopped', () => {
    const failing = { spawnTakes: 300, spawnFails: { step: 'exec', message: 'not found', code: 127 } };
    const sim = simulate(plan([service('a')]), { a: failing })
      .until(100)
      .stop()
      .untilEnd();
    expect([sim.code, sim.state('a')]).toEqual([0, 'stopped']);
  });

  test('during the pause before the next run: there is nothing to wait for', () => {
    const policy = restart('always', { initial: 5_000 });
    const sim = simulate(plan([service('a', { restart: policy })]), { a: { ends: { after: 10, exit: withCode(1) } } });
    sim.until(100).stop();
    expect([sim.code, sim.endedAt]).toEqual([0, 100]);
  });

  test('while leftover processes of a service are being cleaned up: that goes on, and its own end was the first cause', () => {
    const sim = simulate(plan([service('a')]), { a: { ends: { after: 50, exit: withCode(3) }, others: [500] } });
    sim.until(100).stop().untilEnd();
    expect([sim.code, sim.endedAt]).toEqual([3, 550]);
    expect(sim.deeds('a')).toEqual(['0 spawn', '50 clean-up']);
  });

  test('while what was left ignores SIGTERM: the shutdown’s deadline counts when it is earlier', () => {
    const sim = simulate(plan([service('a', { stop: { timeout: seconds(60) } })], { stopTimeout: 500 }), {
      a: { ends: { after: 50, exit: withCode(3) }, others: [null] },
    });
    expect(sim.until(100).stop().untilEnd().code).toBe(3);
    expect(sim.deeds('a')).toEqual(['0 spawn', '50 clean-up', '550 kill']);
  });

  test('while a service is being stopped for a start that failed: it gets no second stop signal', () => {
    const given = { ready: [probe()], startTimeout: 1_000, stop: { timeout: seconds(60) } };
    const sim = simulate(plan([service('a', given)]), { a: { ...obstinate, probe: readyFrom(Infinity) } });
    expect(sim.until(seconds(5)).stop().untilEnd().code).toBe(137);
    expect(sim.deeds('a')).toEqual(['0 spawn', '1000 signal SIGTERM main', '14000 kill']);
  });

  test('before anything was spawned but for what is disabled or blocked: it is over already', () => {
    const sim = simulate(plan([service('a', { enabled: false })]));
    expect(sim.stop().code).toBe(0);
  });
});

describe('the order', () => {
  test('dependents stop before what they depend on', () => {
    const sim = simulate(plan(chain('a', 'b', 'c')), () => ({ stopTakes: 100 }))
      .until(1_000)
      .stop()
      .untilEnd();
    expect(stopsOf(sim, 'c')).toEqual(['1000 signal SIGTERM main']);
    expect(stopsOf(sim, 'b')).toEqual(['1101 signal SIGTERM main']);
    expect(stopsOf(sim, 'a')).toEqual(['1202 signal SIGTERM main']);
  });

  test('a service waits for all its dependents, and for the last process of each', () => {
    const services = [service('db'), service('x', { edges: [on('db')] }), service('y', { edges: [on('db')] })];
    const sim = simulate(plan(services), { x: { stopTakes: 10, others: [700] }, y: { stopTakes: 300 } });
    sim.until(100).stop().untilEnd();
    expect(stopsOf(sim, 'db')).toEqual(['810 signal SIGTERM main']);
  });

  test('independent ones stop at the same time', () => {
    const sim = simulate(plan(['a', 'b', 'c'].map((name) => service(name))))
      .until(100)
      .stop();
    expect(['a', 'b', 'c'].flatMap((name) => stopsOf(sim, name))).toEqual(Array(3).fill('100 signal SIGTERM main'));
  });

  test('holds for every kind of condition and for stages', () => {
    for (const condition of ['started', 'ready', 'exited'] as const) {
      const services = [
        service('db', { restart: restart('always', { initial: 1 }), essential: false }),
        service('web', { edges: [on('db', condition, 'stage')] }),
      ];
      const sim = simulate(plan(services), { web: { stopTakes: 400 } })
        .until(seconds(1))
        .stop();
      if (condition === 'exited') expect(stopsOf(sim, 'db')).toHaveLength(1);
      else expect(stopsOf(sim.untilEnd(), 'db')).toEqual(['1401 signal SIGTERM main']);
    }
  });

  test('a dependent that is not running delays no service', () => {
    const services = [service('db', { ready: [probe()] }), service('web', { edges: [on('db')] })];
    const sim = simulate(plan(services), { db: { probe: readyFrom(Infinity) } })
      .until(100)
      .stop();
    expect(stopsOf(sim, 'db')).toEqual(['100 signal SIGTERM main']);
  });

  test('is the same when a failure is the cause', () => {
    const services = [...chain('db', 'web'), service('bad')];
    const sim = simulate(plan(services), { bad: { ends: { after: 100, exit: withCode(3) } }, web: { stopTakes: 200 } });
    expect(sim.untilEnd().code).toBe(3);
    expect([stopsOf(sim, 'web'), stopsOf(sim, 'db')]).toEqual([
      ['100 signal SIGTERM main'],
      ['301 signal SIGTERM main'],
    ]);
  });
});

describe('one stop_timeout for all', () => {
  test('a service without dependencies has the whole of it', () => {
    const sim = simulate(plan([service('a')]), { a: obstinate })
      .until(1_000)
      .stop()
      .untilEnd();
    expect(stopsOf(sim, 'a')).toEqual(['1000 signal SIGTERM main', '10000 kill']);
  });

  test('each level below has a tenth of it left to it', () => {
    const sim = simulate(plan(chain('a', 'b', 'c')), () => obstinate)
      .until(1_000)
      .stop()
      .untilEnd();
    expect(stopsOf(sim, 'c')).toEqual(['1000 signal SIGTERM main', '8200 kill']);
    expect(stopsOf(sim, 'b')).toEqual(['8200 signal SIGTERM main', '9100 kill']);
    expect(stopsOf(sim, 'a')).toEqual(['9100 signal SIGTERM main', '10000 kill']);
    expect([sim.code, sim.endedAt]).toEqual([137, 10_001]);
  });

  test('a level that is not running has nothing left to it', () => {
    const services = [task('a'), ...chain('b', 'c')].map((given) =>
      given.name === 'b' ? { ...given, edges: [on('a', 'completed')] } : given,
    );
    const sim = simulate(plan(services), (name) =>
      name === 'a' ? { ends: { after: 10, exit: withCode(0) } } : obstinate,
    );
    sim.until(1_000).stop().untilEnd();
    expect(stopsOf(sim, 'c')).toEqual(['1000 signal SIGTERM main', '9100 kill']);
  });

  test('many levels leave half of it to the first', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const sim = simulate(plan(chain(...names)), () => obstinate)
      .until(1_000)
      .stop()
      .untilEnd();
    expect(stopsOf(sim, 'h')).toEqual(['1000 signal SIGTERM main', '5500 kill']);
    expect(stopsOf(sim, 'a')).toEqual(['9100 signal SIGTERM main', '10000 kill']);
    expect(names.every((name) => stopsOf(sim, name).length === 2)).toBe(true);
  });

  test('a service’s own stop.timeout shortens its time', () => {
    const services = [service('db'), service('web', { edges: [on('db')], stop: { timeout: 2_000 } })];
    const sim = simulate(plan(services), { web: obstinate }).until(1_000).stop().untilEnd();
    expect(stopsOf(sim, 'web')).toEqual(['1000 signal SIGTERM main', '3000 kill']);
    expect(stopsOf(sim, 'db')).toEqual(['3000 signal SIGTERM main']);
    expect(sim.endedAt).toBe(3_002);
  });

  test('and never lengthens it', () => {
    const sim = simulate(plan([service('a', { stop: { timeout: seconds(60) } })]), { a: obstinate });
    expect(stopsOf(sim.until(1_000).stop().untilEnd(), 'a')).toEqual(['1000 signal SIGTERM main', '10000 kill']);
  });

  test('outside a shutdown a service’s own stop.timeout counts alone', () => {
    const given = { ready: [probe()], startTimeout: 1_000, stop: { timeout: seconds(60) } };
    const sim = simulate(plan([service('a', given)]), { a: { ...obstinate, probe: readyFrom(Infinity) } });
    expect(stopsOf(sim.untilEnd(), 'a')).toEqual(['1000 signal SIGTERM main', '61000 kill']);
  });

  test('is for what a service leaves behind too', () => {
    const sim = simulate(plan([service('a')]), { a: { stopTakes: 8_500, others: [null] } })
      .until(1_000)
      .stop();
    expect(sim.untilEnd().deeds('a')).toEqual(['0 spawn', '1000 signal SIGTERM main', '9500 clean-up', '10000 kill']);
  });

  test('of nothing means: killed at once', () => {
    const sim = simulate(plan([service('a')], { stopTimeout: 0 }), { a: { stopTakes: 100 } })
      .until(1_000)
      .stop();
    expect([sim.untilEnd().code, sim.endedAt]).toEqual([137, 1_001]);
  });
});

describe('a process that does not even die of SIGKILL', () => {
  test('does not hang the shutdown: half a second after the deadline it is over', () => {
    const sim = simulate(plan([service('a')]), { a: { ...obstinate, killTakes: null } });
    expect([sim.until(1_000).stop().untilEnd().code, sim.endedAt]).toEqual([137, 10_500]);
    expect(sim.said('unfinished')).toEqual(['ending while processes are left: a']);
  });

  test('does not delay the stop of what it depends on', () => {
    const sim = simulate(plan(chain('db', 'web')), { web: { ...obstinate, killTakes: null }, db: { stopTakes: 300 } });
    expect(sim.until(1_000).stop().untilEnd().endedAt).toBe(10_500);
    expect(stopsOf(sim, 'db')).toEqual(['9100 signal SIGTERM main']);
    expect(sim.states()).toEqual({ db: 'stopped', web: 'stopping' });
  });

  test('keeps the code of the first cause', () => {
    const sim = simulate(plan([service('a'), service('b')]), {
      a: { ends: { after: 100, exit: withCode(3) } },
      b: { ...obstinate, killTakes: null },
    });
    expect([sim.untilEnd().code, sim.endedAt]).toEqual([3, 9_600]);
  });

  test('is no reason to wait longer when the clock jumps over every deadline', () => {
    const immortal = () => ({ ...obstinate, killTakes: null });
    const sim = simulate(plan(chain('db', 'web')), immortal, { lag: seconds(3_600) })
      .until(1_000)
      .stop();
    expect(sim.untilEnd(seconds(3_700)).code).toBe(137);
    expect(['db', 'web'].every((name) => stopsOf(sim, name).some((deed) => deed.endsWith('kill')))).toBe(true);
  });
});

describe('how a service is asked to stop', () => {
  test('its stop signal goes once, to the main process', () => {
    const sim = simulate(plan([service('a', { stop: { signal: 'SIGQUIT' } })]), { a: { stopTakes: 5_000 } });
    expect(stopsOf(sim.until(100).stop().untilEnd(), 'a')).toEqual(['100 signal SIGQUIT main']);
  });

  test('stop.to: group sends it to the whole process group', () => {
    const sim = simulate(plan([service('a', { stop: { to: 'group' } })]), { a: { others: [100, 200] } });
    expect(stopsOf(sim.until(100).stop().untilEnd(), 'a')).toEqual(['100 signal SIGTERM group']);
  });

  test('stop.command runs in place of the signal, with the same deadline', () => {
    const stop = { argv: ['/bin/nicely'] };
    const sim = simulate(plan([service('a', { stop })]), { a: { stopTakes: 50 } })
      .until(100)
      .stop()
      .untilEnd();
    expect(sim.deeds('a')).toEqual(['0 spawn', '100 run-stop-command', '150 clean-up']);
    const deaf = simulate(plan([service('a', { stop })]), { a: obstinate })
      .until(100)
      .stop()
      .untilEnd();
    expect(deaf.deeds('a')).toEqual(['0 spawn', '100 run-stop-command', '9100 kill']);
  });

  test('the signal is sent after all when stop.command fails, within the same deadline', () => {
    const given = { stop: { argv: ['/bin/nicely'], signal: 'SIGINT', to: 'group' } } as const;
    const failing = { stopCommandFails: 200, stopTakes: 50 };
    const sim = simulate(plan([service('a', given)]), { a: failing })
      .until(100)
      .stop()
      .untilEnd();
    expect(sim.deeds('a')).toEqual(['0 spawn', '100 run-stop-command', '300 signal SIGINT group', '350 clean-up']);
    expect(sim.said('stop-command-failed')).toEqual(['stop.command failed (exit code 1): sent SIGINT instead']);
    const deaf = simulate(plan([service('a', given)]), { a: { ...failing, stopTakes: null } })
      .until(100)
      .stop();
    expect(deaf.untilEnd().deeds('a').at(-1)).toBe('9100 kill');
  });

  test('a stop.command that fails when its service is gone, or being killed, changes nothing', () => {
    const given = { stop: { argv: ['/bin/nicely'] } };
    const failing = { stopCommandFails: 200, ends: { after: 250, exit: withCode(0) }, others: [null] };
    const sim = simulate(plan([service('a', given)]), { a: failing })
      .until(100)
      .stop()
      .untilEnd();
    expect(sim.deeds('a')).toEqual(['0 spawn', '100 run-stop-command', '250 clean-up', '9100 kill']);
    const killed = simulate(plan([service('a', given)], { stopTimeout: 100 }), {
      a: { ...obstinate, stopCommandFails: 150, killTakes: 300 },
    });
    killed.until(100).stop().untilEnd();
    expect(killed.deeds('a')).toEqual(['0 spawn', '100 run-stop-command', '200 kill']);
  });

  test('SIGKILL is not waited for twice: an exit after it is just the end', () => {
    const sim = simulate(plan([service('a')]), { a: { ...obstinate, others: [null, null], killTakes: 100 } });
    sim.until(100).stop().untilEnd();
    expect(sim.deeds('a')).toEqual(['0 spawn', '100 signal SIGTERM main', '9100 kill']);
    expect(sim.endedAt).toBe(9_200);
  });
});

test('what depends on a service through a finished task stops before it all the same', () => {
  const run = simulate(
    plan([
      service('db'),
      task('migrate', { edges: [on('db')] }),
      task('seed', { edges: [on('migrate', 'completed')] }),
      service('api', { edges: [on('seed', 'completed')] }),
    ]),
    {
      migrate: { ends: { after: 10, exit: withCode(0) } },
      seed: { ends: { after: 10, exit: withCode(0) } },
      api: { stopTakes: 1_000 },
    },
  );
  run.until(500).stop().untilEnd();
  expect(run.deeds('api')).toContain('500 signal SIGTERM main');
  expect(run.deeds('db')).toContain('1501 signal SIGTERM main');
});

test('what depends on it only through a service that has never run holds nothing up', () => {
  const choice = { of: 'worker', least: 1 };
  const run = simulate(
    plan([
      service('db'),
      service('model', { ready: [probe()] }),
      service('worker.0'),
      service('worker.1', { edges: [on('db'), on('model', 'ready')] }),
      service('api', {
        edges: [
          { ...on('worker.0'), choice },
          { ...on('worker.1'), choice },
        ],
      }),
    ]),
    { model: { probe: readyFrom(60_000) }, api: { stopTakes: 1_000 } },
  );
  run.until(500).stop().untilEnd();
  expect(run.deeds('worker.1')).toEqual([]);
  expect(run.deeds('api')).toContain('500 signal SIGTERM main');
  expect(run.deeds('db')).toContain('500 signal SIGTERM main');
});
