// The state of all services for readers outside the core: `status`, `health`, the API, the metrics. Durations are in
// milliseconds; control/wire.ts makes JSON of it.
import type { MemoryWatchPlan, Millis, SchedulePlan, ServicePlan } from '../plan/plan.ts';
import type { Exit } from '../plan/process.ts';
import { isOff } from './off.ts';
import type { Reason } from './reason.ts';
import { Reasons } from './reasons.ts';
import type { Ended } from './run.ts';
import { dueTime, type RunCounts, type Wall } from './schedule.ts';
import { hasMain, type Service, type State } from './state.ts';
import { type StateName, stateName } from './state-name.ts';
import type { World } from './world.ts';

export interface ServiceSnapshot {
  readonly name: string;
  /** Which copy of which service it is; null: the service has no copies. */
  readonly replica: ServicePlan['replica'];
  readonly type: 'service' | 'task';
  readonly group: string | null;
  readonly essential: boolean;
  readonly state: StateName;
  /** A service is ready, or a task has completed. */
  readonly ready: boolean;
  /** Whether it has a readiness probe. Without one it is ready as soon as its program has been started. */
  readonly probed: boolean;
  /**
   * `down`: it is not meant to run, because it is not enabled, is idle, or the operator has stopped it; `again`: it is to stop and
   * start again; else `up`, also if its run is over.
   */
  readonly wanted: 'up' | 'down' | 'again';
  /** It waits for something that can never happen. */
  readonly blocked: boolean;
  /** Whether processes of it remain that the supervisor may not send SIGKILL to. */
  readonly unkillable: boolean;
  /** Why it is not ready, or how its latest run ended; null: there is no reason to show. */
  readonly reason: Reason | null;
  /** Its main process; null once that has ended, even if other processes of the run are left. */
  readonly pid: number | null;
  readonly run: number;
  readonly restarts: number;
  /** Since the current run was spawned; null: none runs. */
  readonly uptime: Millis | null;
  /** From spawn to ready, of the latest start that became ready; null: none did. */
  readonly readyAfter: Millis | null;
  /** The identifiers of its GPUs; null: its configuration names none. */
  readonly gpus: readonly string[] | null;
  /** How the main process of the latest run ended; null: it runs, or there was none. */
  readonly exit: Exit | null;
  /** Whether the latest run was a success: its exit code, and no probe or limit ended it; null: it runs, or there was none. */
  readonly success: boolean | null;
  /** null: its memory is not watched. */
  readonly memory: MemorySnapshot | null;
  /** null: it does not run by a schedule. */
  readonly schedule: ScheduleSnapshot | null;
}

/** How its memory is watched, and how often it has used too much. */
export interface MemorySnapshot extends MemoryWatchPlan {
  readonly exceeded: number;
}

export interface ScheduleSnapshot {
  readonly when: SchedulePlan['when'];
  /** Its next time by the wall clock, and how long that is from now; null: not known, or it is paused. */
  readonly next: { readonly at: Wall | null; readonly in: Millis } | null;
  /** Its latest run that has ended, and how long ago that was. */
  readonly last: { readonly ended: Ended; readonly ago: Millis } | null;
  readonly counts: RunCounts;
}

export interface Snapshot {
  readonly name: string;
  readonly phase: 'running' | 'stopping' | 'ended';
  /**
   * Every essential service is ready and every essential task has completed. Those that are off do not count (isOff); one that an
   * operator has stopped is not ready. A task with a schedule counts as completed unless its latest run has failed.
   */
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
    const isActive = 'since' in state;
    const schedule = scheduleOf(plan, service, world.index.seeds.get(plan.name) ?? 0, now);
    return [
      {
        name: plan.name,
        replica: plan.replica,
        type: plan.type,
        group: plan.group,
        essential: plan.essential,
        state: stateName(plan, state),
        ready: isReady(plan, service),
        probed: plan.ready.length > 0,
        wanted: isOff(state.id) ? 'down' : service.wanted,
        blocked: reasons.findBlockage(plan.name) !== null,
        unkillable: state.id === 'stopping' && state.refused !== undefined,
        reason: isToStop(service, world) ? { kind: 'stops-later' } : reasonOf(reasons, plan, state, schedule, now),
        pid: 'pid' in state && hasMain(state) ? state.pid : null,
        run,
        restarts,
        uptime: isActive ? now - state.since : null,
        readyAfter,
        gpus: plan.gpus === null ? null : plan.gpus.devices.map(({ id }) => id),
        exit: exitOf(state),
        success: 'ended' in state ? (state.ended?.verdict.success ?? null) : null,
        memory: plan.memoryWatch === null ? null : { ...plan.memoryWatch, exceeded: service.exceededCount },
        schedule,
      },
    ];
  });
  const healthy = services.every(
    ({ essential, state, ready, schedule }) => !essential || isOff(state) || ready || isSound(schedule),
  );
  const named = services.flatMap(({ group }) => (group === null ? [] : [group]));
  return {
    name: world.plan.name,
    phase: world.phase.id,
    healthy: healthy && world.phase.id === 'running',
    groups: [...new Set([...(world.plan.groups ?? []), ...named])],
    services,
  };
}

/** Whether a run that has not been asked to stop is to stop: only its dependents can delay that. */
function isToStop({ state, wanted }: Service, { phase }: World): boolean {
  return 'probing' in state && (wanted !== 'up' || phase.id !== 'running');
}

/** A service is ready, or a task has completed; one with a schedule: it waits for its time, and its latest run has not failed. */
function isReady({ type }: ServicePlan, { state, schedule }: Service): boolean {
  if (schedule === null) return state.id === (type === 'task' ? 'completed' : 'ready');
  return state.id === 'scheduled' && state.ended?.verdict.success !== false;
}

/** Whether the latest run of a scheduled task has not failed: while it runs again, it is no less healthy. */
function isSound(schedule: ScheduleSnapshot | null): boolean {
  return schedule !== null && schedule.last?.ended.verdict.success !== false;
}

function scheduleOf(plan: ServicePlan, service: Service, seed: number, now: Millis): ScheduleSnapshot | null {
  const { schedule, state, wanted } = service;
  if (plan.schedule === null || schedule === null) return null;
  const { last, seen, counts, checkAt } = schedule;
  const { when } = plan.schedule;
  const isPaused = isOff(state.id) || state.id === 'stopped' || wanted === 'down';
  const at = dueTime(plan.schedule, schedule, seed);
  const ahead = at === null || seen === null ? null : at - seen.wall - (now - seen.at);
  const wait = when.kind === 'every' ? (checkAt === null ? null : checkAt - now) : ahead;
  return {
    when,
    next: isPaused || wait === null ? null : { at, in: Math.max(0, wait) },
    last: last === null ? null : { ended: last.ended, ago: now - last.at },
    counts,
  };
}

function exitOf(state: State): Exit | null {
  if ('exit' in state) return state.exit;
  return 'ended' in state ? (state.ended?.exit ?? null) : null;
}

function reasonOf(
  reasons: Reasons,
  plan: ServicePlan,
  state: State,
  schedule: ScheduleSnapshot | null,
  now: Millis,
): Reason | null {
  switch (state.id) {
    case 'skipped':
      return { kind: 'not-enabled' };
    case 'idle':
      return { kind: 'idle', start: plan.start };
    case 'pending':
      return reasons.explainWait(plan.name);
    case 'starting':
    case 'ready':
    case 'unready':
      if (state.probing.lapse !== null) return { kind: 'liveness', lapse: state.probing.lapse };
      return state.probing.detail === null ? null : { kind: 'probe', detail: state.probing.detail };
    case 'stopping':
      if (state.refused !== undefined) return { kind: 'unkillable', refused: state.refused };
      return { kind: 'stopping', stage: state.stage, hasExited: state.exit !== null };
    case 'scheduled':
      return { kind: 'scheduled', nextIn: schedule?.next?.in ?? null, ended: state.ended };
    case 'backoff':
      return { kind: 'ended', ended: state.ended, restartsAfter: Math.max(0, state.until - now) };
    case 'stopped':
    case 'completed':
    case 'failed':
      return state.ended === null ? null : { kind: 'ended', ended: state.ended, restartsAfter: null };
    default:
      return state satisfies never;
  }
}
