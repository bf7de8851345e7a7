// What a run waits for and why a start has failed, as sentences.
import { expect, test } from 'bun:test';
import type { ProbeDetail, StartFailure } from '../../src/core/detail.ts';
import { renderDetail, renderStartFailure, withDetail } from '../../src/messages/details.ts';

const GIB = 1024 ** 3;
const shortage = [
  { kind: 'free', device: '0', free: 10 * GIB, wanted: 20 * GIB },
  { kind: 'used', device: '1', used: GIB / 2, usual: GIB / 4 },
] as const;
const short =
  "10.0 GiB of GPU 0 are free, and 20.0 GiB are asked for; 512 MiB of GPU 1 are in use, 256 MiB were before the service's last run";

const DETAILS: readonly [ProbeDetail, string][] = [
  [{ kind: 'hook' }, 'before_start is under way'],
  [{ kind: 'memory', shortage }, `waits for GPU memory: ${short}`],
  [{ kind: 'line', pattern: '^UP' }, 'waiting for a line that matches /^UP/'],
  [{ kind: 'newline', fd: 3 }, 'waiting for a newline on descriptor 3'],
  [{ kind: 'notification' }, 'waiting for READY=1'],
  [{ kind: 'result', text: 'HTTP 503' }, 'HTTP 503'],
  [{ kind: 'no-answer', within: 250 }, 'no answer within 250 ms'],
];
for (const [detail, text] of DETAILS) test(text, () => expect(renderDetail(detail)).toBe(text));

const FAILURES: readonly [StartFailure, string][] = [
  [{ kind: 'spawn', message: 'no such file: /x' }, 'no such file: /x'],
  [{ kind: 'hook-failed', detail: 'code 3' }, 'before_start failed: code 3'],
  [{ kind: 'hook-late', after: 2_000 }, 'before_start did not end within 2.0 s: killed'],
  [
    { kind: 'memory', within: 60_000, waited: 60_100, shortage, holders: [] },
    `GPU memory did not become free within 1m00s: ${short}, after 1m00s; no process that can be seen here holds it`,
  ],
];
for (const [failure, text] of FAILURES) test(text, () => expect(renderStartFailure(failure)).toBe(text));

test('of processes that hold memory at most five are named', () => {
  const holders = Array.from({ length: 7 }, (_, at) => ({ pid: at + 1, name: 'py', service: at === 0 ? 'b' : null }));
  const text = renderStartFailure({ kind: 'memory', within: 1, waited: 1, shortage, holders });
  expect(text).toEndWith('; held by py (pid 1 of b), py (pid 2), py (pid 3), py (pid 4), py (pid 5), and 2 more');
});

test('nothing known adds nothing', () => expect(withDetail(null)).toBe(''));
