// How the container's environment comes back, and the words for a start that fails.
import { describe, expect, test } from 'bun:test';
import { constants } from 'node:os';
import fc from 'fast-check';
import { SIGNAL_NAMES } from '../../src/config/signal.ts';
import { KEPT, restore, SETTINGS, SETTLED } from '../../src/sys/boot.ts';
import { candidates, describeExecFailure, isPlain } from '../../src/sys/launch.ts';
import { SIGNALS, signalName, signalNumber } from '../../src/sys/signals.ts';

describe("the container's environment", () => {
  const PID = 7;
  const value = fc.string();
  const name = fc.oneof(
    fc.constantFrom('PATH', 'BUN_OPTIONS', 'LD_PRELOAD', '__proto__', 'SVC_SUPER_SETTLED', 'SVC_SUPER_KEEP_X'),
    fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,12}$/).filter((name) => !Object.hasOwn(SETTINGS, name)),
  );
  const environments = fc.dictionary(name, value);
  /** As entry.c makes it of one that holds these. */
  const settled = (environment: Readonly<Record<string, string>>, pid: number) => {
    const kept = Object.entries(environment).map(([name, value]) => [`${KEPT}${name}`, value]);
    return { ...Object.fromEntries(kept), ...SETTINGS, [SETTLED]: String(pid) };
  };

  test('comes back whole from the one that the runtime is given', () => {
    fc.assert(
      fc.property(environments, (environment) => {
        expect(restore(settled(environment, PID), PID)).toEqual(environment);
      }),
      { numRuns: 2_000 },
    );
  });

  test('is what is there where none was made for this process', () => {
    fc.assert(fc.property(environments, (environment) => expect(restore(environment, PID)).toBe(environment)));
    const inherited = settled({ A: 'b' }, PID + 1);
    expect(restore(inherited, PID)).toBe(inherited);
    const { UV_THREADPOOL_SIZE: _, ...part } = settled({ A: 'b' }, PID);
    expect(restore(part, PID)).toBe(part);
  });
});

describe('a start', () => {
  test('looks for a program where execvp does', () => {
    expect(candidates('sh', { PATH: '/a:/b::/c' })).toEqual(['/a/sh', '/b/sh', './sh', '/c/sh']);
    expect(candidates('./sh', { PATH: '/a' })).toEqual(['./sh']);
    expect(candidates('sh', {})).toContain('/usr/bin/sh');
  });

  test('that fails at exec says why and has the code that a shell would give', () => {
    expect(describeExecFailure('vlm', 'ENOENT', '').code).toBe(127);
    expect(describeExecFailure('vlm', 'ENOENT', '').message).toContain('it is in no folder of PATH');
    expect(describeExecFailure('/x/vlm', 'ENOENT', '').message).toContain('no such file');
    expect(describeExecFailure('/etc/passwd', 'EACCES', '').code).toBe(126);
    expect(describeExecFailure('/x', 'E2BIG', 'argument list too long')).toMatchObject({ step: 'exec', code: 126 });
  });

  test('is plain only when nothing is asked for that the runtime cannot do', () => {
    const plain = {
      argv: ['x'],
      env: {},
      cwd: '/',
      user: null,
      umask: null,
      nice: null,
      oomScoreAdj: null,
      cpus: null,
      limits: {},
    };
    expect(isPlain(plain)).toBe(true);
    expect(isPlain({ ...plain, umask: 0 })).toBe(false);
    expect(isPlain({ ...plain, nice: 0 })).toBe(false);
    expect(isPlain({ ...plain, limits: { core: { soft: 0, hard: 0 } } })).toBe(false);
  });
});

test('signals have their names and numbers, real-time ones too', () => {
  expect([
    signalNumber('SIGTERM'),
    signalNumber('SIGKILL'),
    signalNumber('SIGRTMIN'),
    signalNumber('SIGRTMIN+3'),
  ]).toEqual([15, 9, 34, 37]);
  expect([signalName(15), signalName(9), signalName(6), signalName(34), signalName(40)]).toEqual([
    'SIGTERM',
    'SIGKILL',
    'SIGABRT',
    'SIGRTMIN+0',
    'SIGRTMIN+6',
  ]);
});

test('the table of signals is the system’s, and that of the configuration', () => {
  for (const [name, number] of Object.entries(constants.signals))
    expect([name, signalNumber(name)]).toEqual([name, number]);
  const { SIGIOT: _, SIGPOLL: __, ...named } = constants.signals as Record<string, number>;
  for (const [name, number] of Object.entries(named)) expect([number, signalName(number)]).toEqual([number, name]);
  expect(SIGNALS.size).toBe(31);
  expect([...SIGNALS.values()]).toEqual(SIGNAL_NAMES.map((name) => `SIG${name}`));
});
