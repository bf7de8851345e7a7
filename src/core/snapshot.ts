// A picture of the world for those who look from outside: `status`, `health`, the API. Stable, documented, JSON.
import type { Millis, ServicePlan } from '../plan/plan.ts';
import { type Exit, renderDuration } from './policy.ts';
import { Reasons } from './reasons.ts';
import { hasMain, type State, type Stopping } from './state.ts';
import { renderEnd } from './words.ts';
import type { World } from './world.ts';

export interface ServiceSnapshot {
  readonly name: string;
  /** Which copy of which service it is; null: there is but one. */
  readonly replica: ServicePlan['replica'];
  readonly type: 'service' | 'task';
  readonly group: string | null;
  readonly essential: boolean;
  readonly state: State['id'];
  /** Whether what it is there for is so: a service is ready, a task has completed. */
  readonly ready: boolean;
  /** `down`: the operator holds it down; `again`: it is to stop and start again; else `up`. */
  readonly wanted: 'up' | 'down' | 'again';
  /** It waits for what cannot come any more. */
  readonly blocked: boolean;
  /** Whether processes of it remain that the supervisor may not send SIGKILL to. */
  readonly unkillable: boolean;
  /** Why it is not ready, or how it ended; null when there is nothing to say. */
  readonly reason: string | null;
  /** Its main process; null once that has ended, though others of the run may live. */
  readonly pid: number | null;
  readonly run: number;
  readonly restarts: number;
  /** Seconds since the latest run was spawned; null when none runs. */
  readonly uptime_seconds: number | null;
  /** Seconds from spawn to ready of the latest start that got there. */
  readonly ready_after_seconds: number | null;
  /** Its GPUs as the program is told of them; null: nothing was said of any. */
  readonly gpus: readonly string[] | null;
  /** How the latest run that is over ended. */
  readonly exit: { readonly code: number | null; readonly signal: string | null } | null;
}

export interface Snapshot {
  readonly name: string;
  readonly phase: 'running' | 'stopping' | 'ended';
  /** Every essential service is ready and every essential task has completed. */
  readonly healthy: boolean;
  /** Stages in their order. */
  readonly groups: readonly string[];
  readonly services: readonly ServiceSnapshot[];
}

export function takeSnapshot(world: World, now: Millis): Snapshot {
  const reasons = new Reasons(world);
  const services = world.plan.services.flatMap((plan): ServiceSnapshot[] => {
    const service = world.services.get(plan.name);
    if (service === undefined) return [];
    const { state, run, restarts, readyAfter } = service;
    const active = 'since' in state;
    return [
      {
        name: plan.name,
        replica: plan.replica,
        type: plan.type,
        group: plan.group,
        essential: plan.essential,
        state: state.id,
        ready: plan.type === 'task' ? state.id === 'completed' : state.id === 'ready',
        wanted: service.wanted,
        blocked: reasons.neverStarts(plan.name) !== null,
        unkillable: state.id === 'stopping' && state.refused !== undefined,
        reason: reasonOf(reasons, plan.name, state, now),
        pid: 'pid' in state && hasMain(state) ? state.pid : null,
        run,
        restarts,
        uptime_seconds: active ? seconds(now - state.since) : null,
        ready_after_seconds: readyAfter === null ? null : seconds(readyAfter),
        gpus: plan.gpus === null ? null : plan.gpus.devices.map(({ id }) => id),
        exit: exitOf(state),
      },
    ];
  });
  const healthy = services.every(({ essential, state, ready }) => !essential || state === 'skipped' || ready);
  const named = services.flatMap(({ group }) => (group === null ? [] : [group]));
  return {
    name: world.plan.name,
    phase: world.phase.id,
    healthy: healthy && world.phase.id === 'running',
    groups: [...new Set([...(world.plan.groups ?? []), ...named])],
    services,
  };
}

/** Whole milliseconds, as seconds. */
function seconds(ms: Millis): number {
  return Math.round(ms) / 1_000;
}

function exitOf(state: State): ServiceSnapshot['exit'] {
  const exit: Exit | null | undefined = 'ended' in state ? state.ended?.exit : 'exit' in state ? state.exit : null;
  if (exit === null || exit === undefined) return null;
  return exit.kind === 'code' ? { code: exit.code, signal: null } : { code: null, signal: exit.signal };
}

function reasonOf(reasons: Reasons, name: string, state: State, now: Millis): string | null {
  switch (state.id) {
    case 'skipped':
      return 'not enabled';
    case 'pending':
      return reasons.describeWait(name);
    case 'starting':
    case 'ready':
    case 'unready':
      return state.probing.detail;
    case 'stopping':
      return state.refused ?? STOPPING[state.rung === 'killed' && state.exit === null ? 'asked' : state.rung];
    case 'backoff':
      return `${renderEnd(state.ended)}; starts again in ${renderDuration(Math.max(0, state.until - now))}`;
    case 'stopped':
    case 'completed':
    case 'failed':
      return state.ended === null ? null : renderEnd(state.ended);
    default:
      return state satisfies never;
  }
}

const STOPPING: Readonly<Record<Stopping['rung'], string>> = {
  draining: 'asked to stop: before_stop is under way',
  asked: 'asked to stop',
  leftovers: 'waiting for its last processes',
  held: 'waiting for a request to stop that may explain its end',
  killed: 'waiting for its last processes',
  hooks: 'after_exit is under way',
  'hooks-killed': 'waiting for its last processes',
};
