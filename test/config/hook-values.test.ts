// Hooks: valid values, the resulting Plan, rejected values.
import { describe, expect, test } from 'bun:test';
import type { Hooks } from '../../src/plan/plan.ts';
import { messages, oneService, planOf, printed, serviceOf } from './rig.ts';

const hooksOf = (...lines: readonly string[]): Hooks => serviceOf(oneService('command: run', ...lines)).hooks;
const NONE: Hooks = { beforeStart: null, afterReady: null, beforeStop: null, afterExit: null };

describe('hooks', () => {
  test('are commands in the forms of `command`, with a timeout of a minute', () => {
    expect(hooksOf('hooks: { before_start: ./prepare --all, after_ready: [warm, "$X"], after_exit: a; b }')).toEqual({
      beforeStart: { argv: ['/bin/sh', '-c', 'exec ./prepare --all'], timeout: 60_000 },
      afterReady: { argv: ['warm', '$X'], timeout: 60_000 },
      beforeStop: null,
      afterExit: { argv: ['/bin/sh', '-c', 'a; b'], timeout: 60_000 },
    });
  });

  test('have their own timeouts', () => {
    expect(hooksOf('hooks: { before_start: { command: [prepare], timeout: 5m } }')).toEqual({
      ...NONE,
      beforeStart: { argv: ['prepare'], timeout: 300_000 },
    });
  });

  test('before_stop uses the time of the stop, unless it has a timeout', () => {
    expect(hooksOf('hooks: { before_stop: [leave] }').beforeStop).toEqual({ argv: ['leave'], timeout: null });
    expect(hooksOf('hooks: { before_stop: { command: [leave], timeout: 2s } }').beforeStop).toEqual({
      argv: ['leave'],
      timeout: 2_000,
    });
  });

  test('before_stop waits for a probe, which runs every 250 ms', () => {
    const wait = 'wait_for: { http: { path: /metrics, matches: "^vllm:num_requests_running.* 0\\\\.0$" } }';
    const hook = hooksOf('port: 9000', `hooks: { before_stop: { ${wait}, timeout: 20s } }`).beforeStop;
    expect(hook).toMatchObject({
      timeout: 20_000,
      waitFor: { kind: 'http', port: 9000, path: '/metrics', interval: 250, timeout: 5_000 },
    });
  });

  test('before_stop uses the interval of its probe', () => {
    const hook = hooksOf('hooks: { before_stop: { wait_for: { file: idle, interval: 1s } } }').beforeStop;
    expect(hook).toMatchObject({ waitFor: { kind: 'file', path: 'idle', interval: 1_000 }, timeout: null });
  });

  test('are taken from `defaults` one by one', () => {
    const text = `defaults: { hooks: { before_start: [a], after_exit: [b] } }
services: { x: { command: run, hooks: { after_exit: [c] } } }
`;
    expect(planOf(text).services[0]?.hooks).toEqual({
      ...NONE,
      beforeStart: { argv: ['a'], timeout: 60_000 },
      afterExit: { argv: ['c'], timeout: 60_000 },
    });
  });

  const wrong: Readonly<Record<string, string>> = {
    'hooks: [a]': '`hooks` must be a map, not a list',
    'hooks: { before_start: "" }': '`before_start` is empty',
    'hooks: { before_start: { timeout: 5s } }': '`before_start` has no `command`',
    'hooks: { before_start: { command: [a], timeout: 5 } }': '`timeout` must be a duration',
    'hooks: { pre_stop: a }': 'unknown key `pre_stop` in `hooks`',
    'hooks: { after_exit: { wait_for: { tcp: 1 } } }': 'unknown key `wait_for` in a hook',
    'hooks: { before_stop: { timeout: 1s } }': '`before_stop` has neither `command` nor `wait_for`',
    'hooks: { before_stop: { command: a, wait_for: { tcp: 1 } } }':
      '`before_stop` cannot have both `command` and `wait_for`',
    'hooks: { before_stop: { wait_for: { interval: 1s } } }':
      '`wait_for` must have one of `http`, `tcp`, `exec`, `file`',
    'hooks: { before_stop: { wait_for: { tcp: 1, file: x } } }': '`wait_for` must have one kind',
    'hooks: { before_stop: { wait_for: { log: x } } }': 'unknown key `log` in `wait_for`',
    'hooks: { before_stop: { wait_for: { http: /idle } } }': 'this probe has no port, and `a` has no `port`',
  };
  for (const [line, message] of Object.entries(wrong)) {
    test(`${line} is refused`, () => {
      expect(messages(oneService('command: run', line))[0]).toContain(message);
    });
  }

  test('a condition in the wrong place has a suggestion', () => {
    const text = `services:
  a:
    command: run
    port: 1
    hooks: { before_stop: { wait_for: { http: /metrics, matches: idle } } }
`;
    expect(printed(text)).toBe(`services.yaml:5:57: error: unknown key \`matches\` in \`wait_for\`
   5 |     hooks: { before_stop: { wait_for: { http: /metrics, matches: idle } } }
     |                                                         ~~~~~~~
     help: write it in \`http\`: \`http: {path: …, matches: …}\`
`);
  });
});
