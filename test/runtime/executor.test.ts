// The executor with fake processes.
import { expect, test } from 'bun:test';
import type { Event } from '../../src/core/event.ts';
import type { RunListener } from '../../src/pid1/run.ts';
import { Executor } from '../../src/runtime/executor.ts';
import type { ExecutorParts, Pipe } from '../../src/runtime/parts.ts';
import { logLine, service } from '../helpers/plans.ts';

const pipe = (): Pipe => ({
  open: () => undefined,
  read: () => Promise.resolve(null),
  readNow: () => null,
  close: () => Promise.resolve(),
});

test('a service that was removed and added again begins anew, although its runs have the same numbers', () => {
  const listeners: RunListener[] = [];
  const matched: ((index: number) => void)[] = [];
  const begun: string[] = [];
  const sent: Event[] = [];
  const attached = { drain: () => undefined, release: () => undefined };
  const parts: Partial<ExecutorParts> = {
    clock: { now: () => 0, wall: () => 0, soon: () => undefined, after: () => () => undefined },
    makePipe: pipe,
    changed: () => undefined,
    explainExit: () => null,
    logs: {
      beginRun: (name) => begun.push(name),
      attach: (_service, _style, _stdout, _stderr, watcher) => {
        matched.push((index) => watcher.matched(index));
        return attached;
      },
    },
    processes: {
      spawn: (_request, _connections, listener) => {
        listeners.push(listener);
        return { pid: 7 };
      },
      recordOf: () => null,
      adopt: () => null,
      signal: () => undefined,
      cleanUp: (_run, done) => done([]),
      kill: () => undefined,
    },
  };
  const executor = new Executor(parts as ExecutorParts, (event) => sent.push(event));
  const plan = service('web', { ready: [logLine('UP')] });
  const typesOf = () => sent.splice(0).map((event) => (event.type === 'service' ? event.event.type : event.type));
  executor.perform(plan, 1, { type: 'spawn' });
  listeners[0]?.spawned(7);
  matched[0]?.(0);
  listeners[0]?.exited({ kind: 'code', code: 0 });
  executor.perform(plan, 1, { type: 'clean-up' });
  expect(typesOf()).toEqual(['spawned', 'latched', 'exited', 'emptied']);

  executor.forget('web');
  expect(executor.recordOf('web')).toBeNull();
  executor.perform(plan, 1, { type: 'spawn' });
  // The program prints before PID 1 reports its exec.
  matched[1]?.(0);
  listeners[1]?.spawned(8);
  expect(typesOf()).toEqual(['spawned', 'latched']);
  expect(begun).toEqual(['web', 'web']);
});
