// The level and the sentence of each notice, beyond those that the tests of the core read.
import { describe, expect, test } from 'bun:test';
import type { Notice } from '../../src/core/notice.ts';
import type { Ended } from '../../src/core/run.ts';
import { renderNotice } from '../../src/messages/notices.ts';
import { withCode } from '../helpers/plans.ts';

const failed: Ended = {
  service: 'api',
  run: 3,
  cause: { kind: 'exited' },
  exit: withCode(3),
  verdict: { success: false, code: 3 },
  lasted: 1_500,
};
const sh = { pid: 7, name: 'sh' };

const TABLE: readonly (readonly [Notice, string])[] = [
  [{ event: 'skipped' }, 'info: is not enabled'],
  [{ event: 'removed' }, 'info: is not in the configuration any more'],
  [{ event: 'restart-asked', by: { kind: 'operator' } }, 'info: was asked to restart'],
  [{ event: 'start-asked', by: { kind: 'dependent' } }, 'info: is needed, and was asked to start'],
  [{ event: 'restart-asked', by: { kind: 'dependency', name: 'db' } }, 'info: starts again after db, which restarts'],
  [
    { event: 'blocked', blockage: { obstacle: { kind: 'not-enabled', on: 'db' }, choice: null } },
    'error: never starts: db is not enabled',
  ],
  [
    {
      event: 'blocked',
      blockage: { obstacle: { kind: 'failed', on: 'm.0', ended: failed }, choice: { least: 2, of: ['m.0', 'm.1'] } },
    },
    'error: never starts: fewer than 2 of m.0, m.1 can come: m.0 exited with code 3 after 1.5 s',
  ],
  [{ event: 'ready', after: 6_200 }, 'info: ready after 6.2 s'],
  [{ event: 'ready', after: null }, 'info: ready again'],
  [{ event: 'unready', detail: { kind: 'result', text: 'refused' } }, 'warn: not ready any more: refused'],
  [{ event: 'still-starting', elapsed: 10_000, detail: null }, 'info: still starting after 10.0 s'],
  [
    { event: 'gpu-memory', about: { kind: 'complaint', warning: 'ECC' } },
    'warn: has a GPU whose driver complains: ECC',
  ],
  [
    { event: 'gpu-memory', about: { kind: 'unread', why: 'no tool', isMinFreeIgnored: false } },
    'info: has a GPU whose memory cannot be read, so the start does not wait for memory: no tool',
  ],
  [
    { event: 'gpu-memory', about: { kind: 'unread', why: 'no tool', isMinFreeIgnored: true } },
    'warn: has a GPU whose memory cannot be read, so `min_free` is not checked, and the start does not wait for memory: no tool',
  ],
  [
    { event: 'hook-failed', failure: { kind: 'late', hook: 'after_ready', after: 2_000 } },
    'warn: after_ready did not end within 2.0 s: killed',
  ],
  [{ event: 'hook-failed', failure: { kind: 'not-run' } }, 'warn: after_exit was not run: no time was left for it'],
  [{ event: 'killed', waited: 9_000 }, 'warn: did not stop within 9.0 s: sending SIGKILL to all its processes'],
  [{ event: 'killed', waited: null }, 'warn: leftover processes did not stop in time: sending SIGKILL'],
  [
    { event: 'unkillable', refused: [sh], waited: null },
    "error: cannot be ended: SIGKILL is not permitted to sh (pid 7): another user's, and CAP_KILL is missing. " +
      "Start the container with CAP_KILL, or run the program as svc-super's own user",
  ],
  [
    { event: 'unkillable', refused: Array.from({ length: 10 }, () => sh), waited: null },
    `error: cannot be ended: SIGKILL is not permitted to ${'sh (pid 7), '.repeat(8)}and 2 more: another user's, and CAP_KILL is ` +
      "missing. Start the container with CAP_KILL, or run the program as svc-super's own user",
  ],
  [
    { event: 'unkillable', refused: null, waited: 20_000 },
    'error: still has processes 20.0 s after it was told to stop: they do not die of SIGKILL',
  ],
  [
    { event: 'cleaned-up', name: 'api', leftovers: [sh, { pid: 8, name: 'sleep' }], isBackground: false },
    'warn: cleaned up 2 processes of api: sh (pid 7), sleep (pid 8)',
  ],
  [{ event: 'stopped', exit: withCode(0) }, 'info: stopped (code 0)'],
  [
    { event: 'failed', ended: failed, restarts: 1 },
    'error: exited with code 3 after 1.5 s; not started again: 1 restart was its limit',
  ],
  [
    { event: 'restarting', ended: failed, delay: 500 },
    'warn: exited with code 3 after 1.5 s; starting again in 500 ms',
  ],
  [
    { event: 'stopping', why: { kind: 'signal', signal: 'SIGTERM', within: 9_000 } },
    'info: SIGTERM received: stopping everything within 9.0 s',
  ],
  [
    { event: 'stopping', why: { kind: 'ended', ended: failed } },
    'info: stopping everything: api failed, and it is essential',
  ],
  [{ event: 'killing', signal: 'SIGINT' }, 'warn: SIGINT received again: killing what is left'],
  [{ event: 'unfinished', services: ['a', 'b'] }, 'error: ending while processes are left: a, b'],
  [
    { event: 'all-ended', blocked: 1, code: 1 },
    'info: nothing runs any more, and nothing can start: ending with code 1',
  ],
  [
    { event: 'all-ready', after: 130_000, ready: 2, unprobed: 0, completed: 1, scheduled: 0 },
    'info: everything is ready after 2m10s',
  ],
  [
    { event: 'all-ready', after: 7, ready: 1, unprobed: 2, completed: 1, scheduled: 1 },
    'info: everything has started after 7 ms: 1 ready, 2 running without a readiness probe, 1 completed',
  ],
  [
    { event: 'all-ready', after: 7, ready: 0, unprobed: 2, completed: 0, scheduled: 0 },
    'info: everything has started after 7 ms: 2 running without a readiness probe',
  ],
  [
    { event: 'liveness-failed', failures: 1, of: 3, detail: { kind: 'result', text: 'refused' } },
    'warn: liveness probe failed (1 of 3): refused',
  ],
  [
    { event: 'liveness-failed', failures: 3, of: 3, detail: { kind: 'no-answer', within: 250 } },
    'warn: liveness probe failed (3 of 3): no answer within 250 ms; it is stopped',
  ],
  [{ event: 'liveness-recovered' }, 'info: liveness probe holds again'],
  [
    {
      event: 'reloaded',
      difference: {
        added: ['db'],
        removed: ['old'],
        changed: [{ name: 'api', fields: ['argv', 'env'] }],
        unchanged: ['x'],
      },
      scaled: null,
    },
    'info: configuration read again: added db; changed api (command, env); removed old; 1 unchanged',
  ],
  [
    {
      event: 'reloaded',
      difference: { added: ['web.1'], removed: [], changed: [], unchanged: ['web.0'] },
      scaled: { service: 'web', replicas: 2 },
    },
    'info: web scaled to 2 replicas: added web.1; 1 unchanged',
  ],
];

describe('a notice', () => {
  for (const [notice, expected] of TABLE)
    test(`of ${expected}`, () => {
      const { level, event, text } = renderNotice(notice);
      expect([event, `${level}: ${text}`]).toEqual([notice.event, expected]);
    });
});
