// Where start-up time went: when each service first started, became ready and ended, and the chain of services that took
// longest, as `systemd-analyze critical-chain` shows it. Pure. Instants are milliseconds since the supervisor began.
import type { Edge, Millis } from '../plan/plan.ts';
import { isOff } from './off.ts';
import type { Service } from './state.ts';
import { type StateName, stateName } from './state-name.ts';
import type { World } from './world.ts';

export interface ServiceSpan {
  readonly name: string;
  readonly type: 'service' | 'task';
  readonly state: StateName;
  /** When it was first started; null: it has not been. */
  readonly startedAt: Millis | null;
  /** When it was first ready or, for a task, completed: from then on it delayed no other service. */
  readonly readyAt: Millis | null;
  /** Of one that was not ready so far: when its latest run ended; null: none has ended, or one is under way. */
  readonly endedAt: Millis | null;
  /** The last service that it waited for before it started. */
  readonly after: string | null;
  /** Whether it is on the chain of services that took longest. */
  readonly critical: boolean;
}

export interface StartTimeline {
  readonly name: string;
  /** The instant of the reading. */
  readonly elapsed: Millis;
  /** When every service was ready for the first time; null: that has not happened. */
  readonly readyAt: Millis | null;
  /** Those of the start: a service that was first started after everything was ready is left out. */
  readonly services: readonly ServiceSpan[];
}

export function takeTimeline(world: World, now: Millis): StartTimeline {
  const since = (instant: Millis | null): Millis | null => (instant === null ? null : instant - world.beganAt);
  const afters = new Map<string, string | null>();
  const { barriers, waitsFor } = world.index.graph;
  const lasts = barriers.map(({ edges, least }) => lastOf(world, edges, least));
  world.plan.services.forEach(({ name }, number) => {
    const own = (waitsFor[number] ?? []).flatMap((barrier) => lasts[barrier] ?? []);
    afters.set(name, latestOf(own)?.on ?? null);
  });
  const critical = chainOf(world, afters);
  const services = world.plan.services.flatMap(({ name, type }): ServiceSpan[] => {
    const service = world.services.get(name);
    if (service === undefined || isLate(world, service)) return [];
    return [
      {
        name,
        type,
        state: stateName({ type }, service.state),
        startedAt: since(service.instants.startedAt),
        readyAt: since(thereAt(service, type)),
        endedAt: thereAt(service, type) === null ? since(service.instants.overAt) : null,
        after: afters.get(name) ?? null,
        critical: critical.has(name),
      },
    ];
  });
  return { name: world.plan.name, elapsed: now - world.beganAt, readyAt: since(world.allReadyAt), services };
}

/** Started by hand, by its schedule or by a reload: the start was over. */
function isLate({ allReadyAt }: World, { instants }: Service): boolean {
  return allReadyAt !== null && instants.startedAt !== null && instants.startedAt > allReadyAt;
}

function thereAt({ instants }: Service, type: 'service' | 'task'): Millis | null {
  return type === 'task' ? instants.completedAt : instants.readyAt;
}

/** When what an edge waits for was so for the first time. */
function metAt(world: World, { on, condition }: Edge): Millis | null {
  const instants = world.services.get(on)?.instants;
  if (instants === undefined) return null;
  switch (condition) {
    case 'started':
      return instants.startedAt;
    case 'ready':
      return instants.readyAt;
    case 'completed':
      return instants.completedAt;
    case 'exited':
      return instants.endedAt;
    default:
      return condition satisfies never;
  }
}

interface Held {
  readonly on: string;
  readonly at: Millis;
}

/**
 * The target of a barrier that held it up last. Of a choice, it is the last one that was needed: if two of three copies must
 * be ready, the second.
 */
function lastOf(world: World, edges: readonly Edge[], least: number): Held | null {
  // What has not come yet holds it up still.
  const when = (edge: Edge): Held => ({ on: edge.on, at: metAt(world, edge) ?? Infinity });
  if (edges[0]?.choice === undefined) return latestOf(edges.map(when));
  const byTime = edges.map(when).sort((a, b) => (a.at === b.at ? 0 : a.at - b.at));
  return byTime[least - 1] ?? null;
}

function latestOf(all: readonly Held[]): Held | null {
  return all.reduce<Held | null>((last, one) => (last === null || one.at > last.at ? one : last), null);
}

/**
 * How long a service that is not ready has held up the start: until now, which is Infinity, or until it failed. null: it was not started,
 * or was stopped.
 */
function heldUntil({ state, instants }: Service): Millis | null {
  if (instants.startedAt === null || state.id === 'stopped') return null;
  return state.id === 'failed' || state.id === 'completed' ? instants.overAt : Infinity;
}

/** From the service that was ready last back to one that waited for no other. */
function chainOf(world: World, afters: ReadonlyMap<string, string | null>): ReadonlySet<string> {
  let latest: { readonly name: string; readonly at: Millis } | null = null;
  for (const { name, type } of world.plan.services) {
    const service = world.services.get(name);
    // A scheduled task is no part of the start.
    if (service === undefined || isOff(service.state.id) || service.schedule !== null || isLate(world, service))
      continue;
    const at = thereAt(service, type) ?? heldUntil(service);
    if (at === null) continue;
    // If several were ready at the same instant, the last one in the file counts: it is the most likely to have waited for the others.
    if (latest === null || at >= latest.at) latest = { name, at };
  }
  const chain = new Set<string>();
  let name: string | null = latest?.name ?? null;
  while (name !== null && !chain.has(name)) {
    chain.add(name);
    name = afters.get(name) ?? null;
  }
  return chain;
}
