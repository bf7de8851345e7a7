// Waiting for services: which of them still do not satisfy a condition, and whether they can, as a function of a snapshot;
// and the stream of progress lines.
import type { Plan } from '../plan/plan.ts';
import type { ApiSource } from './source.ts';
import type { Lines } from './streams.ts';
import type { WireService, WireSnapshot } from './wire.ts';

type Goal = 'ready' | 'stopped';

/** A service that is still waited for, or that cannot satisfy the condition. */
export interface Awaited {
  readonly name: string;
  readonly state: string;
  readonly reason: string | null;
  /** Seconds since its run was started. */
  readonly uptime_seconds: number | null;
  readonly last_line: string | null;
}

/** A run that failed during a wait, and that its restart policy repeats. */
export interface FailedStart {
  readonly name: string;
  readonly reason: string;
}

/** A line of the stream. The last one has a `result`. */
export interface Progress {
  readonly result: 'waiting' | 'reached' | 'failed' | 'timeout';
  readonly waiting: readonly Awaited[];
  readonly failed: readonly Awaited[];
  /** The latest failed start of each service that is waited for, and of those that they depend on. */
  readonly failed_starts: readonly FailedStart[];
}

/** What is waited for. `scope`: of all services, those count that do not wait to be started by hand. */
interface Awaiting {
  readonly names: readonly string[];
  readonly goal: Goal;
  readonly scope: 'named' | 'all';
}

type Counted = Pick<WireService, 'schedule' | 'restarts'>;

/** The services at the begin of the wait. */
type Begin = ReadonlyMap<string, Counted>;

/**
 * How a run of a scheduled task has ended since the begin of the wait; null: none has, or it is no scheduled task. With `overlap:
 * queue` a run may follow another one for ever, and the task is then never seen at rest.
 */
function endedSince({ schedule, restarts }: Counted, before: Counted | undefined): 'there' | 'lost' | null {
  if (!schedule || !before?.schedule) return null;
  if (schedule.completed > before.schedule.completed) return 'there';
  return schedule.failed - before.schedule.failed > restarts - before.restarts ? 'lost' : null;
}

/** The status of one service with respect to the goal. */
function judgeWait(
  service: WireService,
  { goal, scope }: Awaiting,
  phase: WireSnapshot['phase'],
  begin: Begin,
): 'there' | 'waits' | 'lost' {
  const { state, wanted, ready, type, blocked } = service;
  if (state === 'skipped') return 'there';
  if (state === 'idle') return goal === 'stopped' || scope === 'all' ? 'there' : 'lost';
  if (goal === 'stopped') {
    const isOver = state === 'stopped' || state === 'completed' || state === 'failed';
    if (service.unkillable) return 'lost';
    return isOver && wanted !== 'again' ? 'there' : 'waits';
  }
  if (ready && wanted === 'up') return 'there';
  if (phase !== 'running' || blocked || state === 'failed' || wanted === 'down') return 'lost';
  // A task that waits for its time after a failure: the next run may be a day away.
  if (state === 'stopped' || state === 'scheduled') return 'lost';
  if (state === 'completed' && type === 'service') return 'lost';
  return endedSince(service, begin.get(service.name)) ?? 'waits';
}

function evaluateProgress(
  snapshot: WireSnapshot,
  awaiting: Awaiting,
  begin: Begin,
  lastLine: (name: string) => string | null,
): Omit<Progress, 'failed_starts'> {
  const asked = snapshot.services.filter(({ name }) => awaiting.names.includes(name));
  const of = (verdict: string) =>
    asked
      .filter((service) => judgeWait(service, awaiting, snapshot.phase, begin) === verdict)
      .map(({ name, state, reason, uptime_seconds }) => ({
        name,
        state,
        reason,
        uptime_seconds,
        last_line: lastLine(name),
      }));
  const [waiting, failed] = [of('waits'), of('lost')];
  return { result: failed.length > 0 ? 'failed' : waiting.length === 0 ? 'reached' : 'waiting', waiting, failed };
}

/** The services, and all that they depend on. */
function withDependencies(names: readonly string[], { services }: Pick<Plan, 'services'>): ReadonlySet<string> {
  const plans = new Map(services.map((service) => [service.name, service]));
  const found = new Set(names);
  // The iteration of a Set includes elements that are added meanwhile.
  for (const name of found) {
    const { edges = [], stageEdges = [] } = plans.get(name) ?? {};
    for (const { on } of [...edges, ...stageEdges]) found.add(on);
  }
  return found;
}

/** Collects failed starts. Between two progress lines a service may fail and start again. */
class FailedStarts {
  readonly #concerned: ReadonlySet<string>;
  readonly #latest = new Map<string, string>();

  constructor({ names, goal }: Awaiting, plan: Plan) {
    this.#concerned = goal === 'ready' ? withDependencies(names, plan) : new Set();
  }

  take({ services }: WireSnapshot): void {
    for (const { name, state, reason } of services)
      if (state === 'backoff' && reason !== null && this.#concerned.has(name)) this.#latest.set(name, reason);
  }

  all(): readonly FailedStart[] {
    return [...this.#latest].map(([name, reason]) => ({ name, reason }));
  }
}

/** Interval of progress lines, milliseconds. */
const REPORT_EVERY = 500;

/** Streams progress until the result is known. `timeout` in milliseconds; null: no limit. */
export function waitFor(source: ApiSource, awaiting: Awaiting, timeout: number | null): Lines {
  return (outlet) => {
    let isOver = false;
    const cancels: (() => void)[] = [];
    const stop = () => {
      isOver = true;
      for (const cancel of cancels.splice(0)) cancel();
    };
    const lastLine = (name: string) => source.logs.tail(name, 1)[0]?.text.slice(0, 200) ?? null;
    const failures = new FailedStarts(awaiting, source.plan());
    const begin: Begin = new Map(source.snapshot().services.map((service) => [service.name, service]));
    const evaluate = (): Progress => {
      const snapshot = source.snapshot();
      failures.take(snapshot);
      return { ...evaluateProgress(snapshot, awaiting, begin, lastLine), failed_starts: failures.all() };
    };
    const send = (progress: Progress) => {
      // Progress lines are dropped while the reader is slow; the result is always sent.
      if (progress.result !== 'waiting' || outlet.queued === 0) outlet.write(`${JSON.stringify(progress)}\n`);
      if (progress.result === 'waiting') return;
      stop();
      outlet.end();
    };
    const check = () => {
      if (isOver) return;
      const snapshot = source.snapshot();
      failures.take(snapshot);
      const decided = snapshot.services
        .filter(({ name }) => awaiting.names.includes(name))
        .map((service) => judgeWait(service, awaiting, snapshot.phase, begin));
      if (decided.includes('lost') || !decided.includes('waits')) send(evaluate());
    };
    const report = () => {
      if (isOver) return;
      send(evaluate());
      if (!isOver) cancels[1] = source.after(REPORT_EVERY, report);
    };
    cancels.push(source.watch(check), () => undefined);
    if (timeout !== null) {
      const late = () => {
        if (!isOver) send({ ...evaluate(), result: 'timeout' });
      };
      cancels.push(source.after(timeout, late));
    }
    report();
    return stop;
  };
}
