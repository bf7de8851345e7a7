// The environment's way through the re-execution, and the words for a start that fails.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { fromStage, toStage } from '../../src/sys/boot.ts';
import { candidates, describeExecFailure, isPlain } from '../../src/sys/launch.ts';
import { signalName, signalNumber } from '../../src/sys/signals.ts';

describe("the container's environment", () => {
  const name = fc.oneof(
    fc.constantFrom('PATH', 'BUN_OPTIONS', 'BUN_JSC_useJIT', 'NODE_OPTIONS', 'LD_PRELOAD', 'MIMALLOC_PURGE_DELAY'),
    fc.constantFrom(
      'SVC_SUPER_STAGE',
      'SVC_SUPER_KEEP_X',
      'SVC_SUPER_KEEP_BUN_OPTIONS',
      'UV_THREADPOOL_SIZE',
      '__proto__',
    ),
    fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,12}$/),
  );

  test('comes out of the second stage as it went into the first, whatever it holds', () => {
    fc.assert(
      fc.property(fc.dictionary(name, fc.string()), fc.nat(), fc.option(fc.nat()), (environment, pid, handed) => {
        expect(fromStage(toStage(environment, pid, handed))).toEqual(environment);
      }),
      { numRuns: 2_000 },
    );
  });

  test('holds nothing in the second stage that the runtime would obey but our own settings', () => {
    const stage = toStage(
      { BUN_OPTIONS: '--preload=x', BUN_JSC_useJIT: '0', NODE_OPTIONS: '-r x', LD_PRELOAD: 'y', PATH: '/bin' },
      1,
    );
    const obeyed = Object.keys(stage).filter((key) => /^(BUN_|NODE_|LD_PRELOAD)/.test(key));
    expect(obeyed.filter((key) => !key.startsWith('BUN_JSC_') && key !== 'BUN_GC_TIMER_DISABLE')).toEqual([]);
    expect(stage.BUN_JSC_useJIT).toBeUndefined();
    expect(stage.PATH).toBe('/bin');
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
