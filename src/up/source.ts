// What the control API may see and ask, made from the rooms of a supervising process. Wires and nothing else; part of the
// root, like up.ts.
import { parseSignal } from '../config/signal.ts';
import type { Journal } from '../control/journal.ts';
import type { ApiSource, History, Reloaded, Usage } from '../control/source.ts';
import { toWireSnapshot, toWireTimeline } from '../control/wire.ts';
import { takeSnapshot } from '../core/snapshot.ts';
import { isActive } from '../core/state.ts';
import { takeTimeline } from '../core/timeline.ts';
import { pidNamespace } from '../linux/processes.ts';
import type { Pipeline } from '../logs/pipeline.ts';
import type { Children } from '../pid1/children.ts';
import type { Run } from '../pid1/run.ts';
import { usageOf } from '../pid1/usage.ts';
import type { Clock } from '../ports.ts';
import type { Engine } from '../runtime/engine.ts';
import { type Executor, programOf } from '../runtime/executor.ts';
import type { Checkpoint } from './checkpoint.ts';

export interface SourceParts {
  readonly version: string;
  /** Of PID 1, or of the native program in its place. */
  readonly pid: number;
  /** Bytes of a memory page. */
  readonly page: number;
  readonly engine: Engine;
  readonly children: Children;
  readonly executor: Executor<Run>;
  readonly clock: Clock;
  readonly logs: Pipeline;
  readonly journal: Journal;
  /** Of the supervisors before this one. */
  readonly history: History;
  readonly checkpoint: Pick<Checkpoint, 'isDone' | 'noteDone'>;
  reload(how: 'apply' | 'dry-run'): Promise<Reloaded>;
}

export function makeApiSource(parts: SourceParts): ApiSource {
  const { version, engine, children, clock, logs, journal, checkpoint, history, reload } = parts;
  // After the event: if the core throws on it, the key is not in the checkpoint.
  const send = (event: Parameters<Engine['send']>[0], key: string | null) => {
    engine.send(event);
    if (key !== null) checkpoint.noteDone(key);
  };
  return {
    version,
    pid: parts.pid,
    pidNamespace: pidNamespace(),
    snapshot: () => toWireSnapshot(takeSnapshot(engine.world, clock.now())),
    timeline: () => toWireTimeline(takeTimeline(engine.world, clock.now())),
    plan: () => engine.world.plan,
    usage: remembered(parts),
    history,
    isDone: checkpoint.isDone,
    operate: (operation, services, key) => send({ type: 'operated', operation, services }, key),
    signal: (signal, services, key) => send({ type: 'signal-asked', signal, services }, key),
    parseSignal,
    reload,
    logs: {
      tail: (service, count) => logs.tail(service, count),
      follow: (service, listener) => logs.follow(service, listener),
    },
    events: {
      latest: (count) => journal.latest(count),
      // After the batch of this turn: a client has seen no event that a successor does not know.
      follow: (follower) => journal.follow((entry) => queueMicrotask(() => follower(entry))),
    },
    exec: async (service, { argv, input, env, take, abort }) => {
      const plan = engine.world.index.plans.get(service);
      if (plan === undefined) return { code: 1, failure: `there is no service ${service}` };
      const run = engine.world.services.get(service)?.run ?? 0;
      const { runStreamed } = await import('../pid1/tools.ts');
      return runStreamed(children, programOf(plan, argv, run, env, 'exec'), take, abort, input);
    },
    watch: (watcher) => engine.watch(watcher),
    wall: () => clock.wall(),
    after: (ms, fn) => clock.after(ms, fn),
  };
}

/**
 * A reading of /proc is used again for FRESH milliseconds, or for TIMES as long as it took: with thousands of processes it
 * costs more than all else in a status.
 */
const FRESH = 100;
const TIMES = 10;

/** What each service uses, read at most so often; of a run that is younger than the reading, read at once. */
function remembered({ engine, children, executor, clock, page }: SourceParts): () => ReadonlyMap<string, Usage> {
  let until = -Infinity;
  let found = new Map<string, { readonly handle: Run; readonly usage: Usage | null }>();
  return () => {
    const now = clock.now();
    if (now >= until) found = new Map();
    const handleOf = (name: string) => executor.handleOf(name);
    const result = new Map<string, Usage>();
    const stale: string[] = [];
    for (const [name, { state }] of engine.world.services) {
      const known = found.get(name);
      const handle = isActive(state) ? handleOf(name) : null;
      if (handle === null) continue;
      if (known?.handle !== handle) stale.push(name);
      else if (known.usage !== null) result.set(name, known.usage);
    }
    const read = usageOf(stale, children, handleOf, page);
    for (const name of stale) {
      const handle = handleOf(name);
      const usage = read.get(name) ?? null;
      // A run without processes may be about to get one: it is looked at again.
      if (handle !== null && usage !== null) found.set(name, { handle, usage });
      if (usage !== null) result.set(name, usage);
    }
    if (now >= until) until = now + Math.max(FRESH, TIMES * (clock.now() - now));
    return result;
  };
}
