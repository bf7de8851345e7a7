// Hooks with processes that end when the test says so.
import { expect, test } from 'bun:test';
import { type HookResult, HookRunner } from '../../src/runtime/hooks.ts';
import type { Pipe, RunHandle } from '../../src/runtime/parts.ts';
import { service } from '../helpers/plans.ts';

function pipe(): Pipe {
  return {
    open: () => undefined,
    read: () => Promise.resolve(null),
    readNow: () => null,
    close: () => Promise.resolve(),
  };
}

test('the end of a hook that is killed once more while what it left behind is dying is told all the same', async () => {
  let exited: () => void = () => undefined;
  let emptied: () => void = () => undefined;
  const hooks = new HookRunner<RunHandle>({
    makePipe: pipe,
    explainExit: () => null,
    changed: () => undefined,
    logs: { beginRun: () => undefined, attach: () => ({ drain: () => undefined, release: () => undefined }) },
    processes: {
      spawn: (_, listener) => {
        exited = () => listener.exited({ kind: 'code', code: 0 });
        return { pid: 7 };
      },
      recordOf: () => null,
      adopt: () => null,
      signal: () => undefined,
      sweep: () => undefined,
      // As children.ts has it: who waits goes on waiting, unless another comes in its place.
      kill: (_, done) => {
        if (done !== undefined) emptied = () => done([]);
      },
    },
  });
  const plan = service('web', {
    hooks: { beforeStart: null, afterReady: null, beforeStop: { argv: ['leave'], timeout: 1_000 }, afterExit: null },
  });
  const results: HookResult[] = [];
  hooks.run(plan, 1, 'before_stop', { pid: 5, exit: null }, (result) => results.push(result));
  const over = hooks.over('web');
  exited();
  hooks.kill('web');
  emptied();
  await over;
  expect(results).toEqual([{ ok: true, code: 0, detail: 'exit code 0' }]);
  expect(hooks.over('web')).toBeNull();
});
