// The supervisor's reports of a round, run by run: which process it started for which service and its reported exit. Pure;
// contradictions are returned as texts.
import { constants } from 'node:os';
import type { Told } from './observation.ts';

/** The reported exit of a run. */
export type ToldEnd =
  | { readonly how: 'code'; readonly code: number }
  | { readonly how: 'signal'; readonly signal: number }
  | { readonly how: 'not-started' | 'start-timeout' | 'not-alive' | 'stopped' };

export interface Run {
  readonly service: string;
  /** Null: its start was not reported, because it was stopped meanwhile. */
  readonly pid: number | null;
  /** Indexes in the list of events. */
  readonly from: number;
  readonly to: number | null;
  readonly end: ToldEnd | null;
  /** The event that reported the exit. */
  readonly event: string;
}

/** Index of the event that begins the shutdown; -1: none. */
export function stoppingIn(reported: readonly Told[]): number {
  return reported.findIndex(({ event, service }) => service === null && event === 'stopping');
}

const ENDS: ReadonlySet<string> = new Set(['restarting', 'failed', 'completed', 'stopped']);

/** Exits before the program was executed: on a busy machine a start may be over before that. */
const UNSTARTED: ReadonlySet<ToldEnd['how']> = new Set(['not-started', 'start-timeout']);

/** All runs in the order of their exits, those without one last; and contradictions. */
export function readRuns(reported: readonly Told[]): { readonly runs: Run[]; readonly odd: string[] } {
  const open = new Map<string, { readonly pid: number; readonly from: number }>();
  const runs: Run[] = [];
  const odd: string[] = [];
  for (const [at, { service, event, text }] of reported.entries()) {
    if (service === null) continue;
    const before = open.get(service);
    if (event === 'started') {
      const pid = Number(/\(pid (\d+)\)/.exec(text)?.[1]);
      if (before !== undefined) {
        odd.push(`${service} is started (pid ${pid}) before the end of pid ${before.pid} is reported`);
        runs.push({ service, pid: before.pid, from: before.from, to: null, end: null, event: '' });
      }
      open.set(service, { pid, from: at });
    } else if (ENDS.has(event)) {
      const end = readEnd(text);
      if (end === null) {
        odd.push(`${service}: unknown report \`${text}\``);
        continue;
      }
      runs.push({ service, pid: before?.pid ?? null, from: before?.from ?? at, to: at, end, event });
      if (before === undefined && !UNSTARTED.has(end.how) && event !== 'stopped') {
        odd.push(`${service}: an end of a run that was never started: ${text}`);
      }
      open.delete(service);
    }
  }
  for (const [service, { pid, from }] of open) runs.push({ service, pid, from, to: null, end: null, event: '' });
  return { runs, odd };
}

function readEnd(text: string): ToldEnd | null {
  const code = /^(?:exited with code |stopped \(code )(\d+)/.exec(text)?.[1];
  if (code !== undefined) return { how: 'code', code: Number(code) };
  const signal = /^(?:was killed by |stopped \()(SIG[A-Z0-9+]+)/.exec(text)?.[1];
  if (signal !== undefined) return { how: 'signal', signal: signalNumber(signal) };
  if (text.startsWith('could not be started')) return { how: 'not-started' };
  if (/^(was not ready within|made no progress)/.test(text)) return { how: 'start-timeout' };
  if (text.startsWith('failed its liveness')) return { how: 'not-alive' };
  if (text.startsWith('stopped')) return { how: 'stopped' };
  return null;
}

const SIGRTMIN = 34;

function signalNumber(name: string): number {
  const realTime = /^SIGRTMIN(?:\+(\d+))?$/.exec(name);
  if (realTime !== null) return SIGRTMIN + Number(realTime[1] ?? 0);
  return (constants.signals as Readonly<Record<string, number>>)[name] ?? 0;
}
