// The details of a service: what is shown of its environment and to whom, its probes, and its runs as the notices of the core
// report them.
import { describe, expect, test } from 'bun:test';
import { describeService } from '../../src/control/details.ts';
import { MAX_RUNS, RunLog } from '../../src/control/run-log.ts';
import type { LastAttempt } from '../../src/control/source.ts';
import type { Ended } from '../../src/core/run.ts';
import { hideInArguments } from '../../src/plan/secrets.ts';
import { on, plan, service } from '../helpers/plans.ts';
import { seen } from './fake.ts';

const ENV = {
  PORT: '80',
  HF_TOKEN: 'hf_1',
  FROM_FILE: 'from-file',
  DATABASE_URL: 'postgres://me:hunter2@db:5432/x',
};

function details(showsValues: boolean, runs = new RunLog(), attempts: readonly LastAttempt[] = []) {
  const own = plan([
    service('db', { argv: ['db', 'redis://u:pw@h'], env: ENV, secrets: ['FROM_FILE'], ports: [80] }),
    service('api', { edges: [on('db')] }),
  ]);
  const now = 60_000;
  return describeService({
    service: seen('db', { run: 3 }),
    plan: own,
    attempts,
    environment: null,
    runs: runs.of('db'),
    now,
    showsValues,
  });
}

const ended = (run: number, code: number): Ended => ({
  service: 'db',
  run,
  cause: { kind: 'exited' },
  exit: { kind: 'code', code },
  verdict: { success: code === 0, code },
  lasted: 1_500,
});

describe('the details of a service', () => {
  test('hide secrets, and without a token every value', () => {
    expect(details(true)?.env).toEqual([
      { name: 'DATABASE_URL', value: 'postgres://me:***@db:5432/x' },
      { name: 'FROM_FILE', value: null },
      { name: 'HF_TOKEN', value: null },
      { name: 'PORT', value: '80' },
    ]);
    expect(details(false)?.env.map(({ value }) => value)).toEqual([null, null, null, null]);
    expect(JSON.stringify(details(true))).not.toMatch(/hunter2|hf_1|from-file|pw@/);
    expect(details(true)).toMatchObject({
      command: ['db', 'redis://u:***@h'],
      ports: [80],
      needed_by: [{ name: 'api' }],
    });
  });

  test.each([
    ['serve --api-key x1 --api-key=x1 --max-tokens=9', 'serve --api-key *** --api-key=*** --max-tokens=9'],
    ['serve --tokenizer bert --token', 'serve --tokenizer bert --token'],
    ['PGPASSWORD=x1 http://h/?token=x1&n=1', 'PGPASSWORD=*** http://h/?token=***&n=1'],
    ['{"password":"x1"} https://x1@h/p git@h:p', '{"password":"***"} https://***@h/p git@h:p'],
    ['accessToken=x1 authToken:x1 validtoken=9', 'accessToken=*** authToken:*** validtoken=9'],
  ])('hide secrets in arguments: %s', (argv, shown) =>
    expect(hideInArguments(argv.split(' '))).toEqual(shown.split(' ')),
  );

  test('hide the value of an Authorization header', () =>
    expect(
      hideInArguments([
        'Authorization: Bearer x1',
        'authorization:x1',
        '{"Authorization":"Basic x1","n":1}',
        'basic auth',
      ]),
    ).toEqual(['Authorization: Bearer ***', 'authorization:***', '{"Authorization":"Basic ***","n":1}', 'basic auth']));

  test('have the runs, newest first, and one that the previous supervisor has started', () => {
    const runs = new RunLog();
    runs.note('db', 1, { event: 'started', pid: 7 }, 10_000);
    runs.note('db', 1, { event: 'ready', after: 250 }, 10_250);
    runs.note('db', 1, { event: 'restarting', ended: ended(1, 3), delay: 1_000 }, 11_500);
    runs.note('db', 2, { event: 'started', pid: 8 }, 12_500);
    runs.note('db', 2, { event: 'stopped', exit: { kind: 'signal', signal: 'SIGTERM', number: 15 } }, 14_500);
    const shown = details(true, runs)?.runs;
    expect(shown).toMatchObject([
      { run: 3, started: '1970-01-01T00:00:59.000Z', result: 'running', ended: null },
      { run: 2, result: 'stopped', lasted_seconds: 2, exit: { code: null, signal: 'SIGTERM' } },
      { run: 1, result: 'failed', ready_after_seconds: 0.25, lasted_seconds: 1.5, exit: { code: 3, signal: null } },
    ]);
    expect(shown?.[2]?.text).toBe('exited with code 3 after 1.5 s');
  });

  test('have a run that ended though this supervisor did not start it, and one that never began', () => {
    const runs = new RunLog();
    runs.note('db', 1, { event: 'failed', ended: ended(1, 1), restarts: null }, 5_000);
    const failure = { kind: 'spawn', message: 'no such file' } as const;
    const cause = { kind: 'not-started', failure, code: 127 } as const;
    runs.note('db', 2, { event: 'failed', ended: { ...ended(2, 127), cause, exit: null }, restarts: null }, 6_000);
    runs.note('db', 2, { event: 'stopped', exit: null }, 7_000);
    expect(runs.of('db')).toMatchObject([
      { run: 1, startedAt: 3_500, endedAt: 5_000, result: 'failed' },
      { run: 2, startedAt: null, endedAt: 6_000, text: 'could not be started: no such file' },
    ]);
  });

  test('keep a limited number of runs, and none of a removed service', () => {
    const runs = new RunLog();
    for (let run = 1; run <= MAX_RUNS + 9; run += 1) runs.note('db', run, { event: 'started', pid: run }, run);
    expect(runs.of('db')).toHaveLength(MAX_RUNS);
    expect(runs.of('db')[0]?.run).toBe(10);
    runs.note('db', 29, { event: 'removed' }, 99);
    expect(runs.of('db')).toEqual([]);
  });

  test('have the last result of each probe', () => {
    const probe = {
      timeout: 1_000,
      interval: 5_000,
      startInterval: null,
      successes: 1,
      failures: 3,
      continuous: false,
    };
    const http = {
      ...probe,
      kind: 'http',
      scheme: 'http',
      host: '127.0.0.1',
      port: 80,
      socket: null,
      path: '/up',
    } as const;
    const rest = { method: 'GET', headers: { authorization: 'x' }, body: null, status: [], contains: null } as const;
    const own = { ...http, ...rest, matches: null, notMatches: null, json: null, verifyTls: true };
    const last = {
      kind: 'live',
      index: 0,
      at: 2_000,
      result: 'failed',
      detail: 'exit code 1: https://me:x1@h',
      took: 12,
    } as const;
    const found = describeService({
      service: seen('db'),
      plan: plan([
        service('db', { ready: [{ ...probe, kind: 'log', pattern: 'up$' }], live: [own, { ...own, host: '::1' }] }),
      ]),
      attempts: [last],
      environment: null,
      runs: [],
      now: 0,
      showsValues: true,
    });
    expect(found?.probes).toMatchObject([
      { use: 'ready', kind: 'log', target: 'up$', last: null },
      {
        use: 'live',
        target: 'GET http://127.0.0.1:80/up',
        last: {
          time: '1970-01-01T00:00:02.000Z',
          result: 'failed',
          text: 'exit code 1: https://me:***@h',
          seconds: 0.012,
        },
      },
      { use: 'live', target: 'GET http://[::1]:80/up', last: null },
    ]);
  });
});
