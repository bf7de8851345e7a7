// Where start-up time went: when each service first started, was ready and ended, and the chain that everything waited for,
// as `systemd-analyze critical-chain` has it. Pure; instants are milliseconds since the supervisor began.
import type { Edge, Millis } from '../plan/plan.ts';
import type { Service, State } from './state.ts';
import type { World } from './world.ts';

export interface Span {
  readonly name: string;
  readonly type: 'service' | 'task';
  readonly state: State['id'];
  /** When it was first started; null: it has not been. */
  readonly started_ms: Millis | null;
  /** When it was first ready or, for a task, completed: from then on it kept nobody waiting. */
  readonly ready_ms: Millis | null;
  /** What held it up last before it started. */
  readonly after: string | null;
  /** Whether everything had to wait for it. */
  readonly critical: boolean;
}

export interface Timeline {
  readonly name: string;
  /** Now. */
  readonly elapsed_ms: Millis;
  /** When everything was ready for the first time; null: it has not been. */
  readonly ready_ms: Millis | null;
  readonly services: readonly Span[];
}

export function takeTimeline(world: World, now: Millis): Timeline {
  const since = (instant: Millis | null): Millis | null =>
    instant === null ? null : Math.round((instant - world.beganAt) * 1_000) / 1_000;
  const afters = new Map<string, string | null>();
  const { barriers, waitsFor } = world.index.graph;
  const lasts = barriers.map(({ edges, least }) => lastOf(world, edges, least));
  world.plan.services.forEach(({ name }, number) => {
    const own = (waitsFor[number] ?? []).flatMap((barrier) => lasts[barrier] ?? []);
    afters.set(name, latestOf(own)?.on ?? null);
  });
  const critical = chainOf(world, afters);
  const services = world.plan.services.flatMap(({ name, type }): Span[] => {
    const service = world.services.get(name);
    if (service === undefined) return [];
    return [
      {
        name,
        type,
        state: service.state.id,
        started_ms: since(service.firsts.startedAt),
        ready_ms: since(thereAt(service, type)),
        after: afters.get(name) ?? null,
        critical: critical.has(name),
      },
    ];
  });
  return { name: world.plan.name, elapsed_ms: since(now) ?? 0, ready_ms: since(world.allReadyAt), services };
}

function thereAt({ firsts }: Service, type: 'service' | 'task'): Millis | null {
  return type === 'task' ? firsts.endedAt : firsts.readyAt;
}

/** When what an edge waits for was so for the first time. */
function metAt(world: World, { on, condition }: Edge): Millis | null {
  const firsts = world.services.get(on)?.firsts;
  if (firsts === undefined) return null;
  if (condition === 'started') return firsts.startedAt;
  return condition === 'ready' ? firsts.readyAt : firsts.endedAt;
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
  const inOrder = edges.map(when).sort((a, b) => (a.at === b.at ? 0 : a.at - b.at));
  return inOrder[least - 1] ?? null;
}

function latestOf(all: readonly Held[]): Held | null {
  return all.reduce<Held | null>((last, one) => (last === null || one.at > last.at ? one : last), null);
}

/** From the service that was there last back to one that waited for nobody. */
function chainOf(world: World, afters: ReadonlyMap<string, string | null>): ReadonlySet<string> {
  let latest: { readonly name: string; readonly at: Millis } | null = null;
  for (const { name, type } of world.plan.services) {
    const service = world.services.get(name);
    if (service === undefined || service.state.id === 'skipped') continue;
    const at = thereAt(service, type) ?? (service.firsts.startedAt === null ? -1 : Infinity);
    // Of several at one instant the later one in the file: it is more likely to have waited for the others.
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
