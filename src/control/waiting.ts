// Waiting for services: what is still missing, and whether it can come at all, as a function of a snapshot; and the stream
// that tells it line by line until it is decided.
import type { ApiSource } from './source.ts';
import type { Lines } from './streams.ts';
import type { WireService, WireSnapshot } from './wire.ts';

export type Goal = 'ready' | 'stopped';

/** One that is waited for, or that will not come. */
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

/** How a service stands to the goal. */
export function judgeWait(service: WireService, goal: Goal, phase: WireSnapshot['phase']): 'there' | 'waits' | 'lost' {
  const { state, wanted, ready, type, blocked } = service;
  if (state === 'skipped') return 'there';
  if (goal === 'stopped') {
    const over = state === 'stopped' || state === 'completed' || state === 'failed';
    if (service.unkillable) return 'lost';
    return over && wanted !== 'again' ? 'there' : 'waits';
  }
  if (ready && wanted === 'up') return 'there';
  if (phase !== 'running' || blocked || state === 'failed' || wanted === 'down') return 'lost';
  if (state === 'stopped') return 'lost';
  return state === 'completed' && type === 'service' ? 'lost' : 'waits';
}

export function lookAt(
  snapshot: WireSnapshot,
  names: readonly string[],
  goal: Goal,
  lastLine: (name: string) => string | null,
): Progress {
  const asked = snapshot.services.filter(({ name }) => names.includes(name));
  const of = (verdict: string) =>
    asked
      .filter((service) => judgeWait(service, goal, snapshot.phase) === verdict)
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

/** Who waits is told how it stands this often, milliseconds. */
const REPORT_EVERY = 500;

/** Tells how it stands until it is decided. `timeout` in milliseconds; null: for ever. */
export function waitFor(source: ApiSource, names: readonly string[], goal: Goal, timeout: number | null): Lines {
  return (outlet) => {
    let over = false;
    const cancels: (() => void)[] = [];
    const stop = () => {
      over = true;
      for (const cancel of cancels.splice(0)) cancel();
    };
    const lastLine = (name: string) => source.logs.tail(name, 1)[0]?.text.slice(0, 200) ?? null;
    const tell = (progress: Progress) => {
      // Progress that nobody reads is not piled up; the result always comes.
      if (progress.result !== 'waiting' || outlet.queued === 0) outlet.write(`${JSON.stringify(progress)}\n`);
      if (progress.result === 'waiting') return;
      stop();
      outlet.end();
    };
    const look = () => {
      if (over) return;
      const snapshot = source.snapshot();
      const decided = snapshot.services
        .filter(({ name }) => names.includes(name))
        .map((service) => judgeWait(service, goal, snapshot.phase));
      if (decided.includes('lost') || !decided.includes('waits')) tell(lookAt(snapshot, names, goal, lastLine));
    };
    const report = () => {
      if (over) return;
      tell(lookAt(source.snapshot(), names, goal, lastLine));
      if (!over) cancels[1] = source.after(REPORT_EVERY, report);
    };
    cancels.push(source.watch(look), () => undefined);
    if (timeout !== null) {
      const late = () => {
        if (!over) tell({ ...lookAt(source.snapshot(), names, goal, lastLine), result: 'timeout' });
      };
      cancels.push(source.after(timeout, late));
    }
    report();
    return stop;
  };
}
