// Implements the source of the control API with the parts of a supervising process. Decides nothing.

import { parseSignal } from '../config/signal.ts';
import type { Journal } from '../control/journal.ts';
import type { RunLog } from '../control/run-log.ts';
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
import type { ScaledService } from '../plan/plan.ts';
import type { Clock } from '../ports.ts';
import type { Engine } from '../runtime/engine.ts';
import type { Executor } from '../runtime/executor.ts';
import { requestOf } from '../runtime/program.ts';
import type { Checkpoint } from './checkpoint.ts';

interface SourceParts {
  readonly version: string;
  /** The PID of the native program in this PID namespace: 1, unless `up` runs below another init. */
  readonly pid: number;
  /** Bytes of a memory page. */
  readonly page: number;
  readonly engine: Engine;
  readonly children: Children;
  readonly executor: Executor<Run>;
  readonly clock: Clock;
  readonly logs: Pipeline;
  readonly journal: Journal;
  readonly runs: RunLog;
  readonly gpus: { use(): ReturnType<ApiSource['gpus']> };
  /** The history of earlier supervisors. */
  readonly history: History;
  readonly checkpoint: Pick<Checkpoint, 'isDone' | 'noteDone'>;
  reload(how: 'apply' | 'dry-run'): Promise<Reloaded>;
  scale(how: 'apply' | 'dry-run', scale: ScaledService): Promise<Reloaded>;
}

export function makeApiSource(parts: SourceParts): ApiSource {
  const { version, engine, children, clock, logs, journal, checkpoint, history, reload, scale } = parts;
  // The key is recorded after the event: if the core throws on the event, the key is not in the checkpoint.
  const send = (event: Parameters<Engine['send']>[0], key: string | null) => {
    engine.send(event);
    if (key !== null) checkpoint.noteDone(key);
  };
  return {
    version,
    pid: parts.pid,
    pidNamespace: pidNamespace(),
    snapshot: () => toWireSnapshot(takeSnapshot(engine.world, clock.now()), clock.wall()),
    timeline: () => toWireTimeline(takeTimeline(engine.world, clock.now())),
    plan: () => engine.world.plan,
    usage: cacheUsage(parts),
    gpus: () => parts.gpus.use(),
    environmentOf: (service) => {
      const plan = engine.world.index.plans.get(service);
      return plan === undefined ? null : parts.executor.ofRun(plan).env;
    },
    attempts: (service) => parts.executor.counts.lastOf(service),
    runs: (service) => parts.runs.of(service),
    history,
    isDone: checkpoint.isDone,
    operate: (operation, services, key) => send({ type: 'operated', operation, services }, key),
    signal: (signal, services, key) => send({ type: 'signal-asked', signal, services }, key),
    parseSignal,
    reload,
    scale: (service, replicas, how) => scale(how, { service, replicas }),
    logs: {
      tail: (service, count) => logs.tail(service, count),
      follow: (service, listener) => logs.follow(service, listener),
    },
    events: {
      latest: (count) => journal.latest(count),
      // A microtask runs after the checkpoint with the entry was sent, so that a client gets only events that a successor has too.
      follow: (follower) => journal.follow((entry) => queueMicrotask(() => follower(entry))),
    },
    exec: async (service, { argv, input, env, take, abort }) => {
      const plan = engine.world.index.plans.get(service);
      if (plan === undefined) return { code: 1, failure: `there is no service ${service}` };
      const run = engine.world.services.get(service)?.run ?? 0;
      const { runStreamed } = await import('../pid1/tools.ts');
      return runStreamed(children, requestOf(parts.executor.ofRun(plan), argv, run, env, 'exec'), take, abort, input);
    },
    watch: (watcher) => engine.watch(watcher),
    wall: () => clock.wall(),
    after: (ms, fn) => clock.after(ms, fn),
  };
}

/**
 * The usage of processes is cached for FRESH milliseconds, or for TIMES the duration of its scan of /proc, whichever is longer:
 * with thousands of processes the scan is the most expensive part of a status.
 */
const FRESH = 100;
const TIMES = 10;

/** Returns a function that reads the usage of each service, with a cache. A run that is newer than the cache is read at once. */
function cacheUsage({ engine, children, executor, clock, page }: SourceParts): () => ReadonlyMap<string, Usage> {
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
      // A run without processes is not cached, because it may get one soon.
      if (handle !== null && usage !== null) found.set(name, { handle, usage });
      if (usage !== null) result.set(name, usage);
    }
    if (now >= until) until = now + Math.max(FRESH, TIMES * (clock.now() - now));
    return result;
  };
}
