// The lines of a service that the post-mortem shows, and the lines that fit into a termination message.
import { describe, expect, test } from 'bun:test';
import type { Ended } from '../../src/core/run.ts';
import { renderPostmortem, renderTerminationMessage } from '../../src/messages/postmortem.ts';
import { chooseLastLines, looksLikeError, probeRequestsTo } from '../../src/runtime/last-lines.ts';
import { plan, service, tcp, withCode } from '../helpers/plans.ts';
import { processorTime } from '../helpers/processor.ts';

const numbered = (count: number, word = 'line') => Array.from({ length: count }, (_, index) => `${word} ${index}`);
const HEALTH = [{ method: 'GET', path: '/health' }];

describe('the last lines of a post-mortem', () => {
  test('are twenty', () => {
    expect(chooseLastLines(numbered(30), []).lines).toEqual(numbered(30).slice(10));
    expect(chooseLastLines(numbered(3), []).lines).toEqual(numbered(3));
    expect(chooseLastLines([], HEALTH)).toEqual({ lines: [], leftOut: 0 });
  });

  test('leave out access-log lines of probes', () => {
    const access = 'INFO:     127.0.0.1:51234 - "GET /health HTTP/1.1" 200 OK';
    const lines = numbered(25).flatMap((line) => [line, access]);
    const { lines: chosen, leftOut } = chooseLastLines(lines, HEALTH);
    expect(chosen).toEqual(numbered(25).slice(5));
    expect(leftOut).toBe(20);
    expect(chooseLastLines([access, access], HEALTH)).toEqual({ lines: [], leftOut: 2 });
  });

  test('recognize the access logs of several servers, and include other requests', () => {
    const ofProbes = [
      '127.0.0.1 - - [29/Nov/2026:23:27:51 +0000] "GET /health HTTP/1.1" 200 2 "-" "svc-super"',
      '[GIN] 2026/11/29 - 23:27:51 | 200 | 12.3µs | 127.0.0.1 | GET      "/health"',
      'GET /health 200 1.2 ms',
      'INFO: "GET /health?deep=1 HTTP/1.1" 200',
    ];
    const others = ['"GET /healthy HTTP/1.1" 200', '"POST /health HTTP/1.1" 200', '"GET /v1/health HTTP/1.1" 200'];
    expect(chooseLastLines([...ofProbes, ...others], HEALTH)).toEqual({ lines: others, leftOut: 0 });
    expect(chooseLastLines([...others, ...ofProbes], HEALTH)).toEqual({ lines: others, leftOut: 4 });
  });

  test('keep a line about a probe that looks like an error', () => {
    const lines = ['ERROR: GET /health failed: the engine is dead'];
    expect(chooseLastLines(lines, HEALTH).lines).toEqual(lines);
  });

  test('begin earlier, at the first line that looks like an error', () => {
    const lines = [...numbered(10, 'before'), 'Traceback (most recent call last):', ...numbered(40, 'frame')];
    expect(chooseLastLines(lines, []).lines).toEqual(lines.slice(10));
  });

  test('are sixty at most: the first after the error, and the last twenty', () => {
    const lines = ['ERROR out of memory', ...numbered(150)];
    const { lines: chosen } = chooseLastLines(lines, []);
    expect(chosen).toHaveLength(60);
    expect(chosen[0]).toBe('ERROR out of memory');
    expect(chosen[39]).toBe('[92 lines left out]');
    expect(chosen.slice(40)).toEqual(lines.slice(-20));
  });

  test('are among the last two hundred lines', () => {
    expect(chooseLastLines(['ERROR long ago', ...numbered(200)], []).lines).toEqual(numbered(200).slice(180));
  });

  test('are chosen in linear time, for any content', () => {
    const start = processorTime();
    chooseLastLines(
      ['a'.repeat(65_000), 'GET '.repeat(16_000), 'Error'.repeat(13_000), 'error '.repeat(9_000)],
      HEALTH,
    );
    expect(processorTime() - start).toBeLessThan(500);
  });
});

test('a line that looks like an error is recognized for most languages and loggers', () => {
  const errors = [
    'ERROR 11-29 23:27:51 [core.py:708] EngineCore failed to start.',
    'torch.OutOfMemoryError: CUDA out of memory.',
    'Exception in thread "main" java.lang.IllegalStateException',
    'panic: runtime error: index out of range',
    '{"level":"error","msg":"x"}',
    'time=… level=fatal msg=x',
    '[error] 7#7: bind() failed',
    'E1129 23:27:51.000000 7 main.cc:1] x',
    'terminate called after throwing an instance of',
    'Segmentation fault (core dumped)',
    'nginx: [emerg] bind() to 0.0.0.0:80 failed',
    '[Error] the model is missing',
    'ts=… level=Error msg=x',
  ];
  const others = ['INFO: 0 errors', 'no error', 'handled 12 requests', 'error_log /dev/stderr', 'Listening on 80'];
  expect(errors.filter((line) => !looksLikeError(line))).toEqual([]);
  expect(others.filter(looksLikeError)).toEqual([]);
});

test('the probe requests to a service are those of its own probes, and those of other services to its port', () => {
  const { kind: _, ...common } = tcp();
  const rest = { scheme: 'http', method: 'GET', headers: {}, body: null, status: [], contains: null } as const;
  const http = (port: number, path: string) =>
    ({
      ...common,
      ...rest,
      kind: 'http',
      port,
      path,
      matches: null,
      notMatches: null,
      json: null,
      verifyTls: true,
    }) as const;
  const vllm = service('vllm', {
    ports: [9000],
    ready: [http(9001, '/own')],
    hooks: {
      beforeStart: null,
      afterReady: null,
      beforeStop: { waitFor: http(9000, '/metrics'), timeout: null },
      afterExit: null,
    },
  });
  const web = service('web', { ready: [http(8000, '/web'), http(9000, '/through')] });
  const paths = probeRequestsTo(vllm, plan([vllm, web])).map(({ path }) => path);
  expect(paths).toEqual(['/own', '/metrics', '/through']);
});

describe('a post-mortem', () => {
  const ended: Ended = {
    service: 'vllm',
    run: 1,
    cause: { kind: 'exited' },
    exit: withCode(3),
    verdict: { success: false, code: 3 },
    lasted: 1_000,
  };

  test('reports that lines about probes were left out', () => {
    const words = renderPostmortem(ended, 3, {
      oomKills: null,
      lastLines: ['a', 'b'],
      leftOut: 7,
      wasRestarted: false,
    });
    expect(words.slice(1)).toEqual(['last 2 lines of vllm, without 7 about probes:', '  a', '  b']);
    const none = { oomKills: null, lastLines: [], leftOut: 3, wasRestarted: false };
    expect(renderPostmortem(ended, 3, none).slice(1)).toEqual(['last 3 lines of vllm left out: only about probes']);
  });

  test('fits into a termination message, with the cause and the last lines', () => {
    const words = ['vllm exited', 'last 60 lines of vllm:', ...numbered(60, `  ${'é'.repeat(50)}`)];
    const message = renderTerminationMessage(words);
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(4_096);
    expect(Buffer.byteLength(message)).toBeGreaterThan(3_900);
    expect(message).toStartWith('vllm exited\nlast 38 lines of vllm:\n  é');
    expect(message.split('\n').length).toBe(2 + 38 + 1);
    expect(message).toEndWith('é 59\n');
    expect(renderTerminationMessage(['short', '  line'])).toBe('short\n  line\n');
  });

  test('whose last line is longer than a termination message has the beginning of that line', () => {
    const message = renderTerminationMessage([
      'vllm exited',
      'last 2 lines of vllm:',
      '  a',
      `  b${'é'.repeat(5_000)}`,
    ]);
    expect(Buffer.byteLength(message)).toBeWithin(4_090, 4_097);
    expect(message).toMatch(/^vllm exited\nlast line of vllm:\n {2}bé+…\n$/);
  });
});
