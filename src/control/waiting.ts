// Waiting for services: which of them still do not satisfy a condition, and whether they can, as a function of a snapshot;
// and the stream of progress lines.
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

/** A line of the stream. The last one has a `result`. */
export interface Progress {
  readonly result: 'waiting' | 'reached' | 'failed' | 'timeout';
  readonly waiting: readonly Awaited[];
  readonly failed: readonly Awaited[];
}

/** What is waited for. `scope`: of all services, those count that do not wait to be started by hand. */
interface Awaiting {
  readonly names: readonly string[];
  readonly goal: Goal;
  readonly scope: 'named' | 'all';
}

/** The status of one service with respect to the goal. */
function judgeWait(
  service: WireService,
  { goal, scope }: Awaiting,
  phase: WireSnapshot['phase'],
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
  return state === 'completed' && type === 'service' ? 'lost' : 'waits';
}

function evaluateProgress(
  snapshot: WireSnapshot,
  awaiting: Awaiting,
  lastLine: (name: string) => string | null,
): Progress {
  const asked = snapshot.services.filter(({ name }) => awaiting.names.includes(name));
  const of = (verdict: string) =>
    asked
      .filter((service) => judgeWait(service, awaiting, snapshot.phase) === verdict)
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
      const decided = snapshot.services
        .filter(({ name }) => awaiting.names.includes(name))
        .map((service) => judgeWait(service, awaiting, snapshot.phase));
      if (decided.includes('lost') || !decided.includes('waits')) send(evaluateProgress(snapshot, awaiting, lastLine));
    };
    const report = () => {
      if (isOver) return;
      send(evaluateProgress(source.snapshot(), awaiting, lastLine));
      if (!isOver) cancels[1] = source.after(REPORT_EVERY, report);
    };
    cancels.push(source.watch(check), () => undefined);
    if (timeout !== null) {
      const late = () => {
        if (!isOver) send({ ...evaluateProgress(source.snapshot(), awaiting, lastLine), result: 'timeout' });
      };
      cancels.push(source.after(timeout, late));
    }
    report();
    return stop;
  };
}
