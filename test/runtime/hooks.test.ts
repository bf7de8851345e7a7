// Hooks with fake processes, which end when the test ends them.
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

test('the end of a hook is reported even if it is killed again while its leftover processes end', async () => {
  let exited: () => void = () => undefined;
  let emptied: () => void = () => undefined;
  const hooks = new HookRunner<RunHandle>({
    makePipe: pipe,
    explainExit: () => null,
    changed: () => undefined,
    logs: { beginRun: () => undefined, attach: () => ({ drain: () => undefined, release: () => undefined }) },
    processes: {
      spawn: (_request, _connections, listener) => {
        exited = () => listener.exited({ kind: 'code', code: 0 });
        return { pid: 7 };
      },
      recordOf: () => null,
      adopt: () => null,
      signal: () => undefined,
      cleanUp: () => undefined,
      // As in children.ts: an earlier `done` stays in force, unless this call has one.
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
  const over = hooks.ended('web');
  exited();
  hooks.kill('web');
  emptied();
  await over;
  expect(results).toEqual([{ ok: true, code: 0, detail: 'exit code 0' }]);
  expect(hooks.ended('web')).toBeNull();
});
