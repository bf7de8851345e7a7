// The line that shows what a wait waits for. Pure.
import { expect, test } from 'bun:test';
import { renderProgress } from '../../src/cli/progress.ts';

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
