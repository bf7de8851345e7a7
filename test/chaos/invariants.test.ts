// Each invariant fails for the breach that it covers and for no other: one sound round, and breaches of it for each
// invariant.
import { describe, expect, test } from 'bun:test';
import { generate } from '../../chaos/generate.ts';
import { INVARIANTS, judge } from '../../chaos/invariants.ts';
import type { Noted, Observation, Told } from '../../chaos/observation.ts';
import type { ServiceSpec } from '../../chaos/scenario.ts';

const T = 1_000_000;

function spec(name: string, more: Partial<ServiceSpec> = {}): ServiceSpec {
  const [first] = generate(0).services;
  if (first === undefined) throw new Error('unreachable');
  const plain = { type: 'service', essential: true, restart: 'never', successCodes: [0] } as const;
  return { ...first, ...plain, name, ...more };
}

const reported = (at: number, service: string | null, event: string, text: string): Told => ({
  at: T + at,
  service,
  event,
  text,
});
const noted = (at: number, service: string, run: number, pid: number, what: Noted['what'], value = 'alone'): Noted => ({
  at: T + at,
  service,
  run,
  pid,
  what,
  value,
  beside: what === 'born' && value === 'beside',
});

/** An end that the harness did not request. */
const end = (code: number | null, signal: string | null = null) => ({
  at: T + 1_100,
  code,
  signal,
  askedAt: null,
  took: null,
});

/** `db` restarts after an exit and after a SIGKILL from outside; `web` exits with 3, which stops everything. */
function sound(): Observation {
  const events = [
    reported(0, 'db', 'started', 'started (pid 7)'),
    reported(1, 'web', 'started', 'started (pid 8)'),
    reported(100, 'db', 'restarting', 'exited with code 42 after 99 ms; starting again in 50 ms'),
    reported(150, 'db', 'started', 'started (pid 9)'),
    reported(300, 'db', 'restarting', 'was killed by SIGKILL after 150 ms; starting again in 100 ms'),
    reported(400, 'db', 'started', 'started (pid 10)'),
    reported(1_000, 'web', 'failed', 'exited with code 3 after 1.0 s'),
    reported(1_000, null, 'stopping', 'stopping everything: web failed, and it is essential'),
    reported(1_010, 'db', 'stopped', 'stopped (SIGTERM)'),
  ];
  const scenario = generate(0);
  return {
    scenario: {
      ...scenario,
      exit: 'first',
      services: [spec('db', { essential: false, restart: 'always' }), spec('web'), spec('api')],
    },
    journal: [
      noted(1, 'db', 1, 7, 'born'),
      noted(2, 'web', 1, 8, 'born'),
      noted(99, 'db', 1, 7, 'code', '42'),
      noted(110, 'db', 1, 70, 'after', '42:'),
      noted(151, 'db', 2, 9, 'born'),
      noted(310, 'db', 2, 71, 'after', '137:SIGKILL'),
      noted(401, 'db', 3, 10, 'born'),
      noted(999, 'web', 1, 8, 'code', '3'),
    ],
    reported: events,
    served: events.slice(0, 7).map((event, at) => ({ ...event, seq: at + 1 })),
    sent: [{ at: T + 299, pid: 9, signal: 9 }],
    done: [],
    zombies: [{ pid: 30, name: 'perl', age: 900 }],
    asked: [{ at: T + 10, took: 4, answered: true }],
    control: 0,
    stood: [{ name: 'db', state: 'backoff', wanted: 'up', blocked: false }],
    most: { memory: 30 << 20, files: 40 },
    end: end(3),
    left: [],
    files: [],
    excused: 0,
    treeSignalled: null,
    away: [],
    outside: [],
    strange: [],
  };
}

/** The sound round with more lines in the journal. */
const alsoNoted = (...more: readonly Noted[]): Observation => ({ ...sound(), journal: [...sound().journal, ...more] });

/** The sound round with more events on standard error. */
const alsoReported = (...more: readonly Told[]): Observation => ({
  ...sound(),
  reported: [...sound().reported, ...more],
});

/** The sound round with some events changed: index -> event, or null for none. */
function changed(changes: Readonly<Record<number, Told | null>>): Observation {
  const seen = sound();
  const events = seen.reported.flatMap((event, at) => {
    const change = changes[at];
    return change === undefined ? [event] : change === null ? [] : [change];
  });
  // The result that a hook received would not match any more either.
  const journal = seen.journal.filter(({ what }) => what !== 'after');
  return { ...seen, journal, reported: events, served: [] };
}

/** With a stop request of the harness. */
function asked(code: number, more: readonly Told[] = []): Observation {
  const seen = sound();
  const events = [
    ...seen.reported.slice(0, 6),
    reported(1_000, null, 'stopping', 'SIGTERM received: stopping everything within 3.0 s'),
    ...more,
    reported(1_010, 'db', 'stopped', 'stopped (SIGTERM)'),
    reported(1_011, 'web', 'stopped', 'stopped (SIGTERM)'),
  ];
  const journal = seen.journal.slice(0, -1);
  return {
    ...seen,
    journal,
    reported: events,
    served: [],
    end: { at: T + 1_100, code, signal: null, askedAt: T + 999, took: 101 },
  };
}

/** SIGTERM to every process: `web` dies of it, and PID 1 gets it this many milliseconds later. */
function tree(gap: number): Observation {
  const seen = sound();
  const events = [
    ...seen.reported.slice(0, 6),
    reported(1_000, 'web', 'failed', 'was killed by SIGTERM after 1.0 s'),
    ...seen.reported.slice(7),
  ];
  return {
    ...seen,
    journal: seen.journal.slice(0, -1),
    reported: events,
    served: [],
    sent: [...seen.sent, { at: T + 999, pid: 8, signal: 15 }],
    treeSignalled: { from: T + 999, to: T + 999 + gap },
    end: { at: T + 1_100, code: 143, signal: null, askedAt: T + 999 + gap, took: 101 },
  };
}

const BASE = spec('base', { group: 'a', ready: null });
const staged = (ready: ServiceSpec['ready'], events: readonly Told[]): Observation => ({
  ...sound(),
  scenario: {
    ...sound().scenario,
    groups: ['a', 'none', 'b'],
    services: [...sound().scenario.services, { ...BASE, ready }, spec('top', { group: 'b' })],
  },
  reported: [
    ...events,
    ...sound().reported,
    reported(1_020, 'base', 'stopped', 'stopped'),
    reported(1_020, 'top', 'stopped', 'stopped'),
  ],
  served: [],
});
const PROBED = { probe: 'tcp', after: 0, continuous: false, timeout: 3_000 } as const;
const baseStarts = reported(-20, 'base', 'started', 'started (pid 5)');
const topStarts = reported(-10, 'top', 'started', 'started (pid 6)');

/** `api` does not become ready in time, or is killed at the end of its stop; the supervisor was stopped meanwhile. */
function absent(last: Told, away: Observation['away']): Observation {
  const seen = sound();
  return {
    ...seen,
    scenario: {
      ...seen.scenario,
      services: [...seen.scenario.services.slice(0, 2), spec('api', { ready: PROBED, essential: false, stop: SLOW })],
    },
    reported: [
      reported(-4_000, 'api', 'started', 'started (pid 6)'),
      ...seen.reported.slice(0, 6),
      last,
      ...seen.reported.slice(6),
    ],
    away,
    served: [],
  };
}
const SLOW = { signal: 'TERM', timeout: 1_500, to: 'main', command: 'none', drain: 'none' } as const;
const unready = reported(-400, 'api', 'failed', 'was not ready within start_timeout (3.0 s)');
const awayFor = (ms: number) => [{ from: T - 3_000, to: T - 3_000 + ms }];

const hookKilled = reported(1_005, 'db', 'hook-failed', 'after_exit was killed: the time to stop is over');
const hookLate = reported(1_005, 'db', 'hook-failed', 'after_exit did not end within 300 ms: killed');

test('a sound round has no breach', () => {
  expect(judge(sound())).toEqual([]);
  expect(judge(asked(0))).toEqual([]);
  expect(
    judge(
      asked(137, [reported(1_005, 'db', 'killed', 'did not stop within 5 ms: sending SIGKILL to all its processes')]),
    ),
  ).toEqual([]);
  expect(judge(asked(137, [hookKilled]))).toEqual([]);
  expect(judge(asked(0, [hookLate]))).toEqual([]);
});

type Name = keyof typeof INVARIANTS;

const FIRST_CAUSE = 'the first cause determines the exit code';

/** The breaches of each invariant. */
const BROKEN: readonly (readonly [Name, string, Observation])[] = [
  [
    'never two runs at the same time',
    'a run that meets an earlier one',
    {
      ...sound(),
      journal: sound().journal.map((one) => (one.pid === 10 && one.what === 'born' ? { ...one, beside: true } : one)),
    },
  ],
  [
    'never two runs at the same time',
    'a hook that meets another',
    alsoNoted({ ...noted(500, 'api', 1, 77, 'hook', 'after_ready'), beside: true }),
  ],
  ['a hook receives the exit of its run', 'another code', alsoNoted(noted(120, 'db', 1, 70, 'after', '41:'))],
  [
    'a hook receives the exit of its run',
    'a code in place of a signal',
    alsoNoted(noted(320, 'db', 2, 71, 'after', '9:')),
  ],
  ['every run has one end', 'a start before the previous end is reported', changed({ 2: null })],
  ['every run has one end', 'an end that is never reported', changed({ 8: null })],
  [
    'every run has one end',
    'an end that is reported twice',
    {
      ...sound(),
      reported: sound().reported.toSpliced(
        3,
        0,
        reported(110, 'db', 'restarting', 'exited with code 42 after 99 ms; starting again in 50 ms'),
      ),
    },
  ],
  ['every run has one end', 'an end in an unknown form', changed({ 8: reported(1_010, 'db', 'stopped', 'went away') })],
  [
    'every exit status is right',
    'another code',
    changed({ 2: reported(100, 'db', 'restarting', 'exited with code 41 after 99 ms; starting again in 50 ms') }),
  ],
  [
    'every exit status is right',
    'a code in place of a signal',
    changed({ 4: reported(300, 'db', 'restarting', 'exited with code 0 after 150 ms; starting again in 100 ms') }),
  ],
  [
    'every exit status is right',
    'a signal that was not sent',
    changed({ 4: reported(300, 'db', 'restarting', 'was killed by SIGSEGV after 150 ms; starting again in 100 ms') }),
  ],
  ['every exit status is right', 'a SIGKILL without a reason', { ...sound(), sent: [] }],
  [
    'every exit status is right',
    'a SIGKILL that another process received',
    { ...sound(), sent: [{ at: T + 299, pid: 10, signal: 9 }] },
  ],
  ['no exit is lost', 'a process without an event', alsoNoted(noted(500, 'api', 1, 77, 'born'))],
  ['no zombie older than a second', 'an old zombie', { ...sound(), zombies: [{ pid: 30, name: 'perl', age: 1_001 }] }],
  ['nothing remains', 'a process', { ...sound(), left: ['left 12 perl'] }],
  ['nothing remains', 'a file', { ...sound(), files: ['control.sock'] }],
  [FIRST_CAUSE, 'another code', { ...sound(), end: end(1) }],
  [FIRST_CAUSE, '0 though something was killed', asked(0, [reported(1_005, 'db', 'killed', 'did not stop')])],
  [FIRST_CAUSE, '137 though nothing was killed', asked(137)],
  [FIRST_CAUSE, '0 though the shutdown killed a hook', asked(0, [hookKilled])],
  [FIRST_CAUSE, '137 for a hook that overran its own deadline', asked(137, [hookLate])],
  [
    FIRST_CAUSE,
    'a later one',
    {
      ...sound(),
      journal: [...sound().journal, noted(-2_000, 'api', 1, 6, 'code', '5')],
      reported: [
        reported(-2_500, 'api', 'started', 'started (pid 6)'),
        reported(-1_999, 'api', 'restarting', 'exited with code 5 after 1 s'),
        ...sound().reported,
      ],
    },
  ],
  [
    FIRST_CAUSE,
    'a cause that did not end',
    {
      ...sound(),
      reported: sound().reported.toSpliced(
        7,
        1,
        reported(1_000, null, 'stopping', 'stopping everything: api failed, and it is essential'),
      ),
      served: [],
    },
  ],
  ['`status` always responds', 'no answer', { ...sound(), asked: [{ at: T, took: 1, answered: false }] }],
  ['`status` always responds', 'a late answer', { ...sound(), asked: [{ at: T, took: 3_001, answered: true }] }],
  [
    'services that must restart do',
    'a service that is given up',
    { ...sound(), stood: [{ name: 'db', state: 'failed', wanted: 'up', blocked: false }] },
  ],
  ['memory is bounded', 'much memory', { ...sound(), most: { memory: 300 << 20, files: 40 } }],
  ['it stops on request', 'no end', { ...sound(), end: null }],
  ['it stops on request', 'an end by a signal', { ...sound(), end: end(null, 'SIGSEGV') }],
  [
    'it stops on request',
    'a late end',
    { ...asked(0), end: { at: T + 9_000, code: 0, signal: null, askedAt: T + 999, took: 8_001 } },
  ],
  [
    'nothing starts after a request to stop',
    'a start in the shutdown',
    alsoReported(
      reported(1_420, 'api', 'started', 'started (pid 90)'),
      reported(1_430, 'api', 'stopped', 'stopped (SIGTERM)'),
    ),
  ],
  [
    'nothing starts after a request to stop',
    'a restart after SIGTERM to every process',
    {
      ...asked(0, [reported(1_005, 'db', 'restarting', 'was killed by SIGTERM after 9 ms; starting again in 50 ms')]),
      sent: [...sound().sent, { at: T + 1_001, pid: 10, signal: 15 }],
      treeSignalled: { from: T + 999, to: T + 1_003 },
    },
  ],
  [FIRST_CAUSE, 'a death by the SIGTERM that every process gets', tree(10)],
  [
    'a stage waits for the previous one',
    'a start before that of the stage before',
    staged(null, [topStarts, baseStarts]),
  ],
  ['a stage waits for the previous one', 'a start before it is ready', staged(PROBED, [baseStarts, topStarts])],
  [
    'deadlines move by the absence of the supervisor',
    'a start that fails by an absence',
    absent(unready, awayFor(2_500)),
  ],
  [
    'nothing outside a log folder is changed',
    'a file of root that has another content',
    { ...sound(), outside: ['a.log was changed'] },
  ],
  [
    'a reload accepts exactly the valid files',
    'a wrong file that is accepted',
    {
      ...sound(),
      done: [
        { at: T, fault: { at: 1, kind: 'reload', by: 'api', file: { text: 'wrong' } }, note: 'WRONG ANSWER 200: {}' },
      ],
    },
  ],
  [
    'both accounts of events agree',
    'one that was never printed',
    { ...sound(), served: [{ ...reported(1, 'db', 'ready', 'ready again'), seq: 1 }] },
  ],
  ['both accounts of events agree', 'two in another order', { ...sound(), served: sound().served.toReversed() }],
  ['no bug is reported', 'words of the runtime', { ...sound(), strange: ['panic(main thread): Segmentation fault'] }],
  [
    'no bug is reported',
    'a bug that is reported',
    { ...alsoReported(reported(1, null, 'bug', 'a bug in svc-super, please report it')), served: [] },
  ],
];

describe('each invariant detects its breaches', () => {
  for (const [name, how, seen] of BROKEN) {
    test(`${name}: ${how}`, () => {
      const broken = judge(seen).map(({ invariant }) => invariant);
      expect([...new Set(broken)]).toEqual([name]);
    });
  }

  test('every invariant is tested', () => {
    expect(new Set(BROKEN.map(([name]) => name))).toEqual(new Set(Object.keys(INVARIANTS) as Name[]));
  });
});

test('a service that exits before it is ready has failed: its code, or 1 for 0', () => {
  const ended = (code: number): Observation => ({
    ...changed({ 6: reported(1_000, 'web', 'failed', `exited with code ${code} after 1.0 s, before it was ready`) }),
    end: end(1),
  });
  const rule = INVARIANTS[FIRST_CAUSE];
  expect(rule(ended(0))).toEqual([]);
  expect(rule(ended(3))).toHaveLength(1);
});

test('a start in progress is reported after the request to stop', () => {
  const rule = INVARIANTS['nothing starts after a request to stop'];
  const seen = alsoReported(
    reported(1_420, 'api', 'started', 'started (pid 90)'),
    reported(1_430, 'api', 'stopped', 'stopped (code 0)'),
  );
  expect(rule(seen)).toHaveLength(1);
  expect(rule({ ...seen, journal: [...seen.journal, noted(990, 'api', 1, 90, 'born')] })).toEqual([]);
});

test('a hook that dies of SIGTERM to every process is not a failure', () => {
  const text = 'could not be started: before_start failed: killed by SIGTERM';
  const seen = tree(10);
  const events = seen.reported.map((one) => (one.event === 'failed' ? { ...one, text } : one));
  const rule = INVARIANTS[FIRST_CAUSE];
  expect(rule({ ...seen, reported: events })).toHaveLength(1);
  const last = reported(1_020, null, 'all-ended', 'every service has ended: ending with code 143');
  const ended = [...events.filter(({ event }) => event !== 'stopping'), last];
  expect(rule({ ...seen, reported: ended })).toHaveLength(1);
  expect(rule({ ...seen, reported: ended, treeSignalled: null })).toEqual([]);
});

test('a death by SIGTERM counts if PID 1 gets the signal too late to explain it', () => {
  expect(judge(tree(200))).toEqual([]);
});

test('a stage may start when the previous one has started, or is ready if it has a probe', () => {
  expect(judge(staged(null, [baseStarts, topStarts]))).toEqual([]);
  const stopped = reported(-15, 'base', 'stop-asked', 'was asked to stop');
  expect(INVARIANTS['a stage waits for the previous one'](staged(PROBED, [baseStarts, stopped, topStarts]))).toEqual(
    [],
  );
  expect(judge(staged(PROBED, [baseStarts, reported(-15, 'base', 'ready', 'ready after 5 ms'), topStarts]))).toEqual(
    [],
  );
});

test('a deadline passes if the supervisor had the whole time, or its absence was short', () => {
  expect(judge(absent(unready, []))).toEqual([]);
  expect(judge(absent(unready, awayFor(1_900)))).toEqual([]);
  const later = reported(2_500, 'api', 'failed', unready.text);
  expect(INVARIANTS['deadlines move by the absence of the supervisor'](absent(later, awayFor(2_500)))).toEqual([]);
});

test("SIGKILL is not early because of an absence, and comes at the service's own deadline", () => {
  const rule = INVARIANTS['deadlines move by the absence of the supervisor'];
  const killed = (at: number, took: string) =>
    reported(at, 'api', 'killed', `did not stop within ${took}: sending SIGKILL to all its processes`);
  expect(rule(absent(killed(-300, '2.6 s'), awayFor(2_500)))).toHaveLength(1);
  expect(rule(absent(killed(900, '4.0 s'), awayFor(2_500)))).toEqual([]);
});

test('slowness on a slow machine is not a breach', () => {
  const slow = {
    ...sound(),
    asked: [{ at: T, took: 4_000, answered: true }],
    zombies: [{ pid: 3, name: 'a', age: 1_900 }],
  };
  expect(judge({ ...slow, control: 20 })).toHaveLength(2);
  expect(judge({ ...slow, control: 300 })).toEqual([]);
});

test('a service that the operator stopped, or whose dependency cannot be met, need not restart', () => {
  const failed = { name: 'db', state: 'failed', wanted: 'up', blocked: false };
  const stood = [
    { ...failed, wanted: 'down' },
    { ...failed, blocked: true },
    { ...failed, name: 'web' },
  ];
  expect(judge({ ...sound(), stood })).toEqual([]);
});

test('time that the supervisor did not have counts for the second cause too', () => {
  const late = alsoNoted(noted(-1_500, 'api', 1, 8, 'code', '5'));
  expect(INVARIANTS[FIRST_CAUSE](late)).toHaveLength(1);
  expect(INVARIANTS[FIRST_CAUSE]({ ...late, excused: 5_000 })).toEqual([]);
});
