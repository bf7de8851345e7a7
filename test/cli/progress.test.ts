// The line that shows what a wait waits for, and its requests. Pure.
import { expect, test } from 'bun:test';
import { FailureLines, ProgressLine, renderProgress, renderWaiting } from '../../src/cli/progress.ts';
import { splitNames } from '../../src/cli/waiting.ts';

const awaited = {
  name: 'vllm',
  state: 'starting',
  reason: 'HTTP 503',
  uptime_seconds: 130,
  last_line: 'Loading safetensors 3/8',
};

test('progress has the name, the time, the reason, the last line, and the number of others', () => {
  expect(renderProgress([awaited])).toBe('vllm starting 2m10s · HTTP 503 · last line: Loading safetensors 3/8');
  const pending = {
    name: 'web',
    state: 'pending',
    reason: 'waits for vllm to be ready',
    uptime_seconds: null,
    last_line: null,
  };
  expect(renderProgress([pending, { ...awaited, last_line: '\x1b[32mok\x1b[0m\tnow\x07' }])).toBe(
    'vllm starting 2m10s · HTTP 503 · last line: ok now · and 1 more',
  );
  expect(renderProgress([])).toBe('');
});

test('a line without a terminal names the first services and counts the others', () => {
  const some = (count: number) => Array.from({ length: count }, (_, at) => ({ ...awaited, name: `w.${at}` }));
  expect(renderWaiting(some(2))).toBe('w.0 (starting), w.1 (starting)');
  expect(renderWaiting(some(500))).toMatch(/^w\.0 \(starting\), .*, w\.7 \(starting\), and 492 more$/);
});

test('a ready service that is to stop has the reason why it does not yet', () => {
  const reason = 'stops after the services that need it';
  expect(renderWaiting([{ ...awaited, name: 'db', state: 'ready', reason }])).toBe(`db (ready: ${reason})`);
});

test('a failed start is reported once for each reason, whatever its durations', () => {
  const lines = new FailureLines();
  const failed = (reason: string, name = 'a') => lines.take([{ name, reason }]);
  expect(failed('exited with code 3 after 412 ms; starts again in 1.0 s')).toEqual([
    'a exited with code 3 after 412 ms; starts again in 1.0 s',
  ]);
  expect(failed('exited with code 3 after 2m10s; starts again in 3h05m')).toEqual([]);
  expect(failed('exited with code 4 after 412 ms; starts again in 1.0 s').length).toBe(1);
  expect(failed('exited with code 3 after 412 ms; starts again in 1.0 s', 'b').length).toBe(1);
  expect(failed('could not be started: \x1b[31m')).toEqual(['a could not be started: \\x1b[31m']);
});

test('after the first failed start a wait says once what ends it', () => {
  const written: string[] = [];
  const context = { terminal: { out: null, err: null }, err: (text: string) => void written.push(text) };
  const line = new ProgressLine(context, { hasTimeout: false });
  const waiting = [{ ...awaited, state: 'backoff' }];
  const show = (...reasons: readonly string[]) =>
    line.show({
      result: 'waiting',
      waiting,
      failed: [],
      failed_starts: reasons.map((reason) => ({ name: 'vllm', reason })),
    });
  show();
  show('exited with code 3');
  show('exited with code 4');
  expect(written).toEqual([
    'waiting for vllm (backoff)\n',
    'svc-super: vllm exited with code 3\n',
    'svc-super: still waiting: Ctrl-C ends the wait, and --timeout limits it; `max` of `restart` limits the number of starts\n',
    'svc-super: vllm exited with code 4\n',
  ]);
});

test('the names of a wait are split into requests whose heads the supervisor accepts', () => {
  expect(splitNames([])).toEqual([[]]);
  const names = Array.from({ length: 900 }, (_, at) => `${'long-name-'.repeat(6)}.${at}`);
  const parts = splitNames(names);
  expect(parts.flat()).toEqual(names);
  expect(parts.length).toBeGreaterThan(1);
  for (const part of parts) expect(part.map((name) => `&service=${name}`).join('').length).toBeLessThan(16_000);
});

test('a line on a terminal is cut to its columns, whatever characters it has', () => {
  const written: string[] = [];
  const context = { terminal: { out: null, err: 40 }, err: (text: string) => void written.push(text) };
  const line = new ProgressLine(context, { hasTimeout: false });
  const waiting = [{ ...awaited, last_line: '読み込み中'.repeat(9) }];
  line.show({ result: 'waiting', waiting, failed: [], failed_starts: [] });
  const shown = written.join('').replace('\r\x1b[K', '');
  expect(shown.endsWith('…')).toBe(true);
  expect(Bun.stringWidth(shown)).toBeLessThan(40);
});
