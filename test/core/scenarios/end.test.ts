// Whether the end of a service ends the container, and with which code: exit first, failure and all; services and tasks;
// essential or not; the first cause against all that dies after it. Virtual time.
import { describe, expect, test } from 'bun:test';
import type { Plan } from '../../../src/plan/plan.ts';
import type { Exit } from '../../../src/plan/process.ts';
import { type Behaviour, readyFrom } from '../../helpers/behaviour.ts';
import { bySignal, on, plan, probe, restart, seconds, service, task, withCode } from '../../helpers/plans.ts';
import { simulate } from '../../helpers/simulator.ts';

const ends = (after: number, exit: Exit = withCode(1)): Behaviour => ({ ends: { after, exit } });
const culpritOf = (sim: ReturnType<typeof simulate>) => {
  const end = sim.records.at(-1)?.effect;
  return end?.type === 'end' ? (end.culprit?.service ?? null) : undefined;
};

describe('the end of one service beside one that runs on', () => {
  /** The container's code, or null: it goes on. */
  const table: readonly [Plan['exit'], 'service' | 'task', 'succeeds' | 'fails', boolean, number | null][] = [
    ['first', 'service', 'succeeds', true, 0],
    ['first', 'service', 'fails', true, 3],
    ['first', 'service', 'succeeds', false, null],
    ['first', 'service', 'fails', false, null],
    ['first', 'task', 'succeeds', true, null],
    ['first', 'task', 'fails', true, 3],
    ['first', 'task', 'succeeds', false, null],
    ['first', 'task', 'fails', false, null],
    ['failure', 'service', 'succeeds', true, null],
    ['failure', 'service', 'fails', true, 3],
    ['failure', 'service', 'succeeds', false, null],
    ['failure', 'service', 'fails', false, null],
    ['failure', 'task', 'succeeds', true, null],
    ['failure', 'task', 'fails', true, 3],
    ['failure', 'task', 'succeeds', false, null],
    ['failure', 'task', 'fails', false, null],
    ['all', 'service', 'succeeds', true, null],
    ['all', 'service', 'fails', true, null],
    ['all', 'service', 'fails', false, null],
    ['all', 'task', 'succeeds', true, null],
    ['all', 'task', 'fails', true, null],
    ['all', 'task', 'fails', false, null],
  ];
  for (const [exit, type, how, essential, code] of table) {
    const which = `a${essential ? 'n essential' : ' non-essential'} ${type} that ${how}`;
    test(`exit: ${exit}: ${which} ${code === null ? 'ends nothing' : `ends everything with ${code}`}`, () => {
      const services = [service('a', { type, essential }), service('other')];
      const sim = simulate(plan(services, { exit }), { a: ends(100, withCode(how === 'fails' ? 3 : 0)) });
      sim.until(seconds(60));
      expect(sim.code).toBe(code);
      if (code === null) expect(sim.state('other')).toBe('ready');
      else expect(sim.deeds('other')).toEqual(['0 spawn', '100 signal SIGTERM main', '101 clean-up']);
      if (code !== null) expect(culpritOf(sim)).toBe(code === 0 ? null : 'a');
    });
  }
});

describe('when all have ended', () => {
  const table: readonly [Plan['exit'], readonly (readonly [number, number, boolean])[], number][] = [
    [
      'all',
      [
        [10, 0, true],
        [20, 0, true],
      ],
      0,
    ],
    [
      'all',
      [
        [30, 4, true],
        [20, 5, true],
      ],
      5,
    ],
    [
      'all',
      [
        [10, 0, true],
        [20, 5, true],
      ],
      5,
    ],
    [
      'all',
      [
        [10, 6, false],
        [20, 5, true],
        [30, 7, true],
      ],
      5,
    ],
    [
      'all',
      [
        [10, 6, false],
        [20, 0, true],
      ],
      0,
    ],
    [
      'failure',
      [
        [10, 0, true],
        [20, 0, true],
      ],
      0,
    ],
    [
      'failure',
      [
        [10, 6, false],
        [20, 0, true],
      ],
      0,
    ],
    [
      'first',
      [
        [10, 6, false],
        [20, 6, false],
      ],
      0,
    ],
  ];
  for (const [exit, codes, code] of table) {
    const listed = codes.map(([at, value, essential]) => `${value} at ${at} ms${essential ? '' : ' (non-essential)'}`);
    test(`exit: ${exit}: codes ${listed.join(', ')} come to ${code}`, () => {
      const services = codes.map(([, , essential], position) => service(`s${position}`, { essential }));
      const sim = simulate(plan(services, { exit }), (name) => {
        const [at = 0, value = 0] = codes[Number(name.slice(1))] ?? [];
        return ends(at, withCode(value));
      });
      expect(sim.untilEnd().code).toBe(code);
      expect(sim.said('all-ended')).toEqual([`every service has ended: ending with code ${code}`]);
    });
  }

  test('tasks alone come to 0 when each succeeds', () => {
    const sim = simulate(plan([task('a'), task('b', { edges: [on('a', 'completed')] })]), () => ends(10, withCode(0)));
    expect(sim.untilEnd().code).toBe(0);
    expect(sim.states()).toEqual({ a: 'completed', b: 'completed' });
  });

  test('one that is not enabled does not count', () => {
    const sim = simulate(plan([service('a', { enabled: false }), task('b')]), { b: ends(10, withCode(0)) });
    expect(sim.untilEnd().code).toBe(0);
  });
});

test('the first cause is the first service to exit, in whatever order leftover processes end', () => {
  const sim = simulate(plan([service('vllm'), service('webui')]), {
    vllm: { ends: { after: 100, exit: withCode(3) }, others: [1_500] },
    webui: { ends: { after: 600, exit: withCode(5) } },
  });
  expect(sim.untilEnd().code).toBe(3);
});

describe('the code of the container', () => {
  const codeOf = (behaviour: Behaviour, given: Parameters<typeof service>[1] = {}) =>
    simulate(plan([service('a', given), service('other')]), { a: behaviour }).untilEnd().code;

  test('is the service’s own', () => expect(codeOf(ends(10, withCode(42)))).toBe(42));
  test('is 128+n for a death by signal n', () => {
    expect(codeOf(ends(10, bySignal('SIGKILL')))).toBe(137);
    expect(codeOf(ends(10, bySignal('SIGSEGV')))).toBe(139);
  });
  test('is 0 for a listed success code', () => {
    expect(codeOf(ends(10, withCode(3)), { successCodes: [3] })).toBe(0);
    expect(codeOf(ends(10, bySignal('SIGTERM')), { successCodes: [0, 143] })).toBe(0);
  });
  test('is 1 for an exit of 0 that is not listed, and says that this is not a success', () => {
    const sim = simulate(plan([service('a', { successCodes: [] })]), { a: ends(10, withCode(0)) }).untilEnd();
    expect(sim.code).toBe(1);
    expect(sim.said('failed')).toEqual(['exited with code 0, which is not a success here, after 10 ms']);
  });
  test('is 127 for a command that is not found and 126 for one that may not be executed', () => {
    expect(codeOf({ spawnFails: { step: 'exec', message: 'not found', code: 127 } })).toBe(127);
    expect(codeOf({ spawnFails: { step: 'exec', message: 'permission denied', code: 126 } })).toBe(126);
  });
  test('of a failed start names the step', () => {
    const failing = { spawnFails: { step: 'cwd', message: '/nowhere: no such folder', code: 1 } };
    const sim = simulate(plan([service('a')]), { a: failing }).untilEnd();
    expect([sim.code, culpritOf(sim)]).toEqual([1, 'a']);
    expect(sim.said('failed')).toEqual(['could not be started: /nowhere: no such folder']);
  });
  test('is the last run’s when restarts were used up', () => {
    const given = { restart: restart('on-failure', { max: 2, initial: 10 }) };
    const sim = simulate(plan([service('a', given)]), (_, run) => ends(5, withCode(run)));
    expect(sim.untilEnd().code).toBe(3);
  });
});

describe('the first cause', () => {
  test('wins over all that dies in the shutdown', () => {
    const services = [service('a'), service('b'), service('c', { restart: restart('always') })];
    const sim = simulate(plan(services), {
      a: ends(100, withCode(3)),
      b: { stopTakes: 50, stopExit: withCode(9) },
      c: { stopTakes: null },
    });
    expect(sim.untilEnd().code).toBe(3);
    expect(culpritOf(sim)).toBe('a');
  });

  test('wins though it was a success and the others fail or have to be killed', () => {
    const sim = simulate(plan([service('a'), service('b')]), { a: ends(100, withCode(0)), b: { stopTakes: null } });
    expect(sim.untilEnd().code).toBe(0);
    expect(culpritOf(sim)).toBeNull();
  });

  test('is the one that was over first', () => {
    const sim = simulate(plan([service('a'), service('b')]), { a: ends(101, withCode(3)), b: ends(100, withCode(4)) });
    expect(sim.untilEnd().code).toBe(4);
  });

  test('is the request when that came first, whatever fails afterwards', () => {
    const sim = simulate(plan([service('a'), service('b')]), { a: { stopTakes: 200 }, b: ends(150, withCode(4)) });
    sim.until(100).stop().untilEnd();
    expect(sim.code).toBe(0);
    expect(culpritOf(sim)).toBeNull();
  });

  test('is not a request that comes while everything is being stopped', () => {
    const sim = simulate(plan([service('a'), service('b')]), { a: ends(100, withCode(3)), b: { stopTakes: 300 } });
    sim.until(200).stop().untilEnd();
    expect(sim.code).toBe(3);
  });

  test('is not a service that will start again', () => {
    const services = [service('a', { restart: restart('always') }), service('b')];
    const sim = simulate(plan(services), { a: ends(100, withCode(3)), b: ends(seconds(1), withCode(4)) });
    expect(sim.untilEnd().code).toBe(4);
  });

  test('is not one that is not essential', () => {
    const services = [service('a', { essential: false }), service('b')];
    const sim = simulate(plan(services), { a: ends(100, withCode(3)), b: ends(200, withCode(4)) });
    expect(sim.untilEnd().code).toBe(4);
  });

  test('may be a start that took too long', () => {
    const services = [service('a', { ready: [probe()], startTimeout: seconds(1) }), service('b')];
    const sim = simulate(plan(services), { a: { probe: readyFrom(Infinity), stopExit: withCode(0) } });
    expect(sim.untilEnd().code).toBe(124);
    expect(sim.said('stopping')).toEqual(['stopping everything: a failed, and it is essential']);
  });

  test('ends a container whose other services have not begun yet: they never do', () => {
    const services = [service('a', { ready: [probe()] }), service('b', { edges: [on('a')] })];
    const sim = simulate(plan(services), { a: { probe: readyFrom(Infinity), ...ends(50, withCode(3)) } });
    expect(sim.untilEnd().code).toBe(3);
    expect(sim.deeds('b')).toEqual([]);
  });
});

describe('an essential service that can never start any more', () => {
  const spawnFails = { step: 'exec', message: 'not found', code: 127 };
  const chain = (essential: boolean) => [
    service('db', { essential: false }),
    service('api', { essential: false, edges: [on('db', 'completed')] }),
    service('web', { essential, edges: [on('api')] }),
    service('other'),
  ];

  for (const exit of ['first', 'failure'] as const) {
    test(`ends everything with exit: ${exit}, with the code of what it waited for, which is the culprit`, () => {
      const sim = simulate(plan(chain(true), { exit }), { db: ends(100, withCode(3)) });
      sim.until(99);
      expect(sim.state('other')).toBe('ready');
      expect(sim.untilEnd().code).toBe(3);
      expect(culpritOf(sim)).toBe('db');
      expect(sim.deeds('other')).toEqual(['0 spawn', '101 signal SIGTERM main', '102 clean-up']);
      expect(sim.said('blocked')).toEqual([
        'never starts: db exited with code 3 after 100 ms',
        'never starts: api never starts',
      ]);
      expect(sim.said('stopping')).toEqual(['stopping everything: web can never start, and it is essential']);
    });
  }

  test('ends nothing with exit: all', () => {
    const sim = simulate(plan(chain(true), { exit: 'all' }), { db: ends(100, withCode(3)) });
    expect(sim.until(seconds(60)).states()).toEqual({ db: 'failed', api: 'pending', web: 'pending', other: 'ready' });
  });

  test('ends nothing where it is not essential', () => {
    const sim = simulate(plan(chain(false)), { db: ends(100, withCode(3)) });
    expect(sim.until(seconds(60)).state('other')).toBe('ready');
  });

  test('ends everything with 1 where nothing failed: what it waits for is not enabled, or ended without being ready', () => {
    const web = service('web', { edges: [on('db')] });
    const off = simulate(plan([service('db', { enabled: false }), web, service('other')]));
    expect([off.code, off.deeds('other'), culpritOf(off)]).toEqual([1, [], null]);
    const sim = simulate(plan([task('db', { ready: [probe()] }), web, service('other')]), {
      db: { probe: readyFrom(Infinity), ...ends(100, withCode(0)) },
    });
    expect([sim.untilEnd().code, culpritOf(sim)]).toEqual([1, null]);
  });

  test('ends with the code of the first of several failures that it comes from', () => {
    const services = [
      service('a', { essential: false }),
      service('b', { essential: false }),
      service('web', { edges: [on('a'), on('b')] }),
      service('other', { essential: false }),
    ];
    const sim = simulate(plan(services), {
      a: { spawnTakes: 50, spawnFails },
      b: { spawnTakes: 20, spawnFails: { ...spawnFails, code: 126 } },
      other: ends(10, withCode(9)),
    });
    expect([sim.untilEnd().code, culpritOf(sim)]).toEqual([126, 'b']);
  });

  test('is not one that waits for a service that starts again, or that the operator holds down', () => {
    const again = restart('on-failure', { initial: 1_000 });
    const services = [
      service('db', { essential: false, ready: [probe()], restart: again }),
      service('web', { edges: [on('db')] }),
      service('other'),
    ];
    const sim = simulate(plan(services), (name) =>
      name === 'db' ? { probe: readyFrom(Infinity), ...ends(100, withCode(3)) } : {},
    );
    sim.until(150).operate('stop', 'db').until(seconds(60));
    expect(sim.states()).toEqual({ db: 'stopped', web: 'pending', other: 'ready' });
  });

  test('is not one whose stage comes after a service that the operator holds down', () => {
    const services = [
      service('db', { essential: false }),
      service('web', { stageEdges: [on('db', 'ready', 'stage')], ports: [80] }),
      service('other'),
    ];
    const sim = simulate(plan(services)).until(100).operate('stop', 'db', 'web').until(200).operate('start', 'web');
    expect(sim.until(seconds(60)).states()).toEqual({ db: 'stopped', web: 'ready', other: 'ready' });
  });
});

test('the end is reported once, as the last effect, with how the first cause ended', () => {
  const sim = simulate(plan([service('a'), service('b')]), { a: ends(100, withCode(3)) }).untilEnd();
  expect(sim.records.filter(({ effect }) => effect.type === 'end')).toHaveLength(1);
  expect(sim.records.at(-1)?.effect).toEqual({
    type: 'end',
    code: 3,
    culprit: {
      service: 'a',
      run: 1,
      cause: { kind: 'exited' },
      exit: { kind: 'code', code: 3 },
      verdict: { success: false, code: 3 },
      lasted: 100,
    },
  });
});
