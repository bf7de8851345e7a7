// All services together, as data: routes events to machines, then lets consequences spread to a fixpoint (who may start,
// who must stop, whether all is over). step() decides everything and does nothing: (world, event, now) -> {world, effects}.
//
// What is wanted and what is are apart: each service starts when its own edges hold, and in a shutdown stops when nobody
// who depends on it is left. There are no levels; stages are edges of the plan.
import type { Edge, Millis, Plan, ServicePlan, SignalName } from '../plan/plan.ts';
import type { Effect, Ended, Event } from './event.ts';
import { killRun, overOf, passDeadline, startRun, stepService, stopRun, weigh } from './machine.ts';
import { KILL_WAIT, renderDuration, reserved, SAME_REQUEST } from './policy.ts';
import {
  type Context,
  deadlineOf,
  hasMain,
  isActive,
  newService,
  type Service,
  type State,
  type Turn,
} from './state.ts';
import { renderEnd } from './words.ts';

/** Why the container ends. Only the first cause counts; what dies afterwards changes nothing. */
export type EndCause =
  | { readonly kind: 'asked'; readonly signal: SignalName }
  | { readonly kind: 'service'; readonly ended: Ended }
  /** Nothing is left that runs or can still come. */
  | { readonly kind: 'all-ended'; readonly code: number; readonly ended: Ended | null };

export type Phase =
  | { readonly id: 'running' }
  | {
      readonly id: 'stopping';
      readonly cause: EndCause;
      readonly since: Millis;
      /** The one deadline: SIGKILL to all that is left. */
      readonly deadline: Millis;
      /** Whether something had to be killed. */
      readonly killed: boolean;
      /** When a signal first asked for it; null while a failure alone is the reason. */
      readonly askedAt: Millis | null;
    }
  | { readonly id: 'ended'; readonly code: number };

export interface World {
  readonly plan: Plan;
  readonly services: ReadonlyMap<string, Service>;
  readonly phase: Phase;
  readonly seed: number;
  /** The first essential service that failed for good. */
  readonly firstFailure: Ended | null;
  readonly beganAt: Millis;
  /** When everything was ready for the first time; null until then. */
  readonly allReadyAt: Millis | null;
  readonly index: PlanIndex;
}

/** What is looked up about a plan again and again, computed once. */
interface PlanIndex {
  readonly plans: ReadonlyMap<string, ServicePlan>;
  readonly seeds: ReadonlyMap<string, number>;
  readonly dependents: ReadonlyMap<string, readonly string[]>;
}

export interface Step {
  readonly world: World;
  readonly effects: readonly Effect[];
}

export function newWorld(plan: Plan, seed: number): World {
  const plans = new Map(plan.services.map((service) => [service.name, service]));
  const dependents = new Map<string, string[]>(plan.services.map(({ name }) => [name, []]));
  for (const { name, edges } of plan.services) for (const { on } of edges) dependents.get(on)?.push(name);
  const seeds = new Map(
    plan.services.map(({ name }, position) => [name, (seed + Math.imul(position, 0x9e3779b1)) | 0]),
  );
  const services = new Map(plan.services.map((service) => [service.name, newService(service)]));
  return {
    plan,
    services,
    phase: { id: 'running' },
    seed,
    firstFailure: null,
    beganAt: 0,
    allReadyAt: null,
    index: { plans, seeds, dependents },
  };
}

/** The instant of the earliest deadline of all; null when nothing but news can change anything. */
export function nextDeadline(world: World): Millis | null {
  if (world.phase.id === 'ended') return null;
  let least = world.phase.id === 'stopping' ? endOf(world.phase.deadline) : Infinity;
  for (const [name, service] of world.services) {
    const plan = world.index.plans.get(name);
    const deadline = plan === undefined ? null : deadlineOf(plan, service);
    if (deadline !== null && deadline < least) least = deadline;
  }
  return least === Infinity ? null : least;
}

const endOf = (deadline: Millis): Millis => deadline + KILL_WAIT;

export function step(world: World, event: Event, now: Millis): Step {
  if (world.phase.id === 'ended') return { world, effects: [] };
  const draft = new Draft(world, now);
  switch (event.type) {
    case 'began':
      draft.begin();
      break;
    case 'service': {
      const service = world.services.get(event.service);
      const plan = world.index.plans.get(event.service);
      // News of an earlier run: the one line that makes stale news harmless.
      if (service === undefined || plan === undefined || service.run !== event.run) return { world, effects: [] };
      draft.take(event.service, stepService(plan, service, event.news, draft.context(event.service)));
      break;
    }
    case 'deadline-passed':
      for (const name of world.services.keys()) {
        const plan = draft.plan(name);
        const service = draft.get(name);
        const deadline = deadlineOf(plan, service);
        if (deadline !== null && deadline <= now) draft.take(name, passDeadline(plan, service, draft.context(name)));
      }
      if (draft.phase.id === 'stopping' && now >= endOf(draft.phase.deadline)) draft.giveUp();
      break;
    case 'stop-asked':
      draft.askToStop(event.signal);
      break;
    case 'signalled':
      draft.forward(event.signal);
      break;
    default:
      event satisfies never;
  }
  return draft.finish();
}

/** A step in the making: the only place where a world changes, gone when step() returns. */
class Draft {
  readonly #services: Map<string, Service>;
  readonly #effects: Effect[] = [];
  readonly #world: World;
  readonly #now: Millis;
  phase: Phase;
  #firstFailure: Ended | null;
  #spreading = false;
  #moved = false;
  #beginning = false;

  constructor(world: World, now: Millis) {
    this.#world = world;
    this.#now = now;
    this.#services = new Map(world.services);
    this.phase = world.phase;
    this.#firstFailure = world.firstFailure;
  }

  get(name: string): Service {
    const service = this.#services.get(name);
    if (service === undefined) throw new Error(`bug: no service ${name}`);
    return service;
  }

  plan(name: string): ServicePlan {
    const plan = this.#world.index.plans.get(name);
    if (plan === undefined) throw new Error(`bug: no plan of ${name}`);
    return plan;
  }

  context(name: string): Context {
    const seed = this.#world.index.seeds.get(name) ?? 0;
    return { now: this.#now, seed, stopTimeout: this.#world.plan.stopTimeout, ending: this.phase.id !== 'running' };
  }

  say(level: 'info' | 'warn' | 'error', service: string | null, event: string, text: string): void {
    this.#effects.push({ type: 'announce', level, service, event, text });
  }

  begin(): void {
    this.#beginning = true;
    for (const [name, { state }] of this.#services) {
      if (state.id === 'skipped') this.say('info', name, 'skipped', 'is not enabled');
    }
    this.spread();
  }

  /** Takes over one machine's turn; consequences spread when its state became another. */
  take(name: string, { service, effects, notices }: Turn): void {
    const before = this.get(name);
    this.#services.set(name, service);
    for (const { level, event, text } of notices) {
      if (event !== 'stopped' || !this.#hasTold(name, service.run)) this.say(level, name, event, text);
    }
    for (const effect of effects) this.#effects.push({ type: 'service', service: name, run: service.run, effect });
    const { phase } = this;
    if (overOf(before) === null) this.#weighExit(name, service);
    const killed = effects.some(({ type }) => type === 'kill');
    if (killed && this.phase.id === 'stopping') this.phase = { ...this.phase, killed: true };
    if (
      before.state.id === service.state.id &&
      before.startedOnce === service.startedOnce &&
      !killed &&
      phase === this.phase
    ) {
      return;
    }
    this.#moved = true;
    const { state } = service;
    if ((state.id === 'failed' || state.id === 'completed') && state.ended !== null) this.#judge(name, state.ended);
    this.spread();
  }

  /**
   * The first cause is the first to end and not the first to be cleared up after: whoever ends because of it must not
   * come before it. So an end that is for good counts from the moment at which the main process is gone.
   */
  #weighExit(name: string, service: Service): void {
    const over = overOf(service);
    if (over === null || this.phase.id !== 'running') return;
    const { ended, decision, text } = weigh(this.plan(name), service, over, this.context(name));
    if (decision.restart) return;
    if (this.#endsAll(name, ended)) {
      this.say(ended.verdict.success ? 'info' : 'error', name, ended.verdict.success ? 'completed' : 'failed', text);
    }
    this.#judge(name, ended);
  }

  /** Whether a run's end was told when it became the first cause. */
  #hasTold(name: string, run: number): boolean {
    if (this.phase.id !== 'stopping' || this.phase.cause.kind !== 'service') return false;
    const { ended } = this.phase.cause;
    return ended.service === name && ended.run === run;
  }

  #endsAll(name: string, { verdict }: Ended): boolean {
    const { essential, type } = this.plan(name);
    if (!essential) return false;
    const { exit } = this.#world.plan;
    return exit === 'first' ? !verdict.success || type === 'service' : exit === 'failure' && !verdict.success;
  }

  /** A service has ended for good: does that end the container? */
  #judge(name: string, ended: Ended): void {
    if (!this.plan(name).essential || this.phase.id !== 'running') return;
    if (!ended.verdict.success) this.#firstFailure ??= ended;
    if (!this.#endsAll(name, ended)) return;
    this.#beginEnd({ kind: 'service', ended });
    const how = ended.verdict.success ? 'ended' : 'failed';
    this.say('info', null, 'stopping', `stopping everything: ${name} ${how}, and it is essential`);
  }

  #beginEnd(cause: EndCause): void {
    const deadline = this.#now + this.#world.plan.stopTimeout;
    const askedAt = cause.kind === 'asked' ? this.#now : null;
    this.phase = { id: 'stopping', cause, since: this.#now, deadline, killed: false, askedAt };
  }

  askToStop(signal: SignalName): void {
    if (this.phase.id === 'running') {
      this.#beginEnd({ kind: 'asked', signal });
      this.say(
        'info',
        null,
        'stopping',
        `${signal} received: stopping everything within ${renderDuration(this.#world.plan.stopTimeout)}`,
      );
      this.spread();
      return;
    }
    if (this.phase.id !== 'stopping') return;
    if (this.phase.askedAt === null) {
      // What is stopping because of a failure does as the first request wants.
      this.phase = { ...this.phase, askedAt: this.#now };
      this.say('info', null, 'stopping', `${signal} received: everything is being stopped already`);
      return;
    }
    if (signal === 'SIGQUIT' || this.#now - this.phase.askedAt < SAME_REQUEST || this.phase.deadline <= this.#now)
      return;
    this.say('warn', null, 'killing', `${signal} received again: killing what is left`);
    this.phase = { ...this.phase, deadline: this.#now };
    this.#killAll();
  }

  #killAll(): void {
    this.#spreading = true;
    for (const name of this.#services.keys()) {
      this.take(name, killRun(this.plan(name), this.get(name), this.context(name)));
    }
    this.#spreading = false;
    this.spread();
  }

  forward(signal: SignalName): void {
    let named = false;
    for (const [name, service] of this.#services) {
      const sent = this.plan(name).forward[signal];
      if (sent === undefined) continue;
      named = true;
      if (!hasMain(service.state)) continue;
      const effect = { type: 'signal', signal: sent, to: 'main' } as const;
      this.#effects.push({ type: 'service', service: name, run: service.run, effect });
    }
    if (!named && signal === 'SIGHUP') {
      this.say('warn', null, 'signal', 'SIGHUP received: a reload of the configuration is not in this version yet');
    }
  }

  /** The deadline and the wait after it are over: end, whatever is left. The kernel ends a PID namespace's rest. */
  giveUp(): void {
    const left = [...this.#services].filter(([, { state }]) => isActive(state)).map(([name]) => name);
    if (left.length > 0) this.say('error', null, 'unfinished', `ending while processes are left: ${left.join(', ')}`);
    this.#killAll();
    if (this.phase.id === 'stopping') this.phase = { ...this.phase, killed: true };
    this.#end();
  }

  /** Lets consequences spread until nothing changes: starts what may start, stops what may stop, sees the end. */
  spread(): void {
    if (this.#spreading) return;
    this.#spreading = true;
    for (let changed = true; changed; ) {
      const before = [...this.#services.values()];
      if (this.phase.id === 'running') this.#startWhatMay();
      if (this.phase.id === 'stopping') this.#stopWhatMay();
      changed = [...this.#services.values()].some((service, position) => service !== before[position]);
    }
    this.#spreading = false;
    this.#seeTheEnd();
  }

  #startWhatMay(): void {
    for (const [name, service] of this.#services) {
      if (service.state.id !== 'pending' || this.phase.id !== 'running') continue;
      if (this.plan(name).edges.every((edge) => holds(edge, this.get(edge.on)))) {
        this.take(name, startRun(service, this.context(name)));
      }
    }
  }

  #stopWhatMay(): void {
    if (this.phase.id !== 'stopping') return;
    const { deadline } = this.phase;
    const { stopTimeout } = this.#world.plan;
    const depth = this.#levelsBelow();
    for (const [name, service] of this.#services) {
      const { state } = service;
      const waiting = state.id === 'backoff';
      const stoppable = isActive(state) && (state.id !== 'stopping' || state.limit > deadline);
      if (!waiting && !stoppable) continue;
      const held = this.#world.index.dependents.get(name)?.some((other) => holdsUp(this.get(other).state)) ?? false;
      // A run that is already ending by itself hears of the deadline at once; the others wait for their dependents.
      if (held && state.id !== 'stopping' && !waiting) continue;
      const plan = this.plan(name);
      const own = this.#now + (plan.stop.timeout ?? stopTimeout);
      const limit = Math.max(this.#now, Math.min(own, deadline - reserved(stopTimeout, depth(name))));
      this.take(name, stopRun(plan, service, { kind: 'asked' }, limit, this.context(name)));
    }
  }

  /** How many levels of active services stop after a service: the longest chain of what it depends on. */
  #levelsBelow(): (name: string) => number {
    const known = new Map<string, number>();
    const below = (name: string): number => {
      const found = known.get(name);
      if (found !== undefined) return found;
      let most = 0;
      for (const { on } of this.plan(name).edges) {
        most = Math.max(most, below(on) + (isActive(this.get(on).state) ? 1 : 0));
      }
      known.set(name, most);
      return most;
    };
    return below;
  }

  #seeTheEnd(): void {
    const states = [...this.#services.values()].map(({ state }) => state);
    if (states.some((state) => isActive(state) || state.id === 'backoff')) return;
    if (this.phase.id === 'stopping') {
      this.#end();
      return;
    }
    if (this.phase.id !== 'running') return;
    // Nothing runs, so whatever is still pending waits for what cannot come: had its edges held, it would have started.
    const blocked = [...this.#services].filter(([, { state }]) => state.id === 'pending').map(([name]) => name);
    const missed = blocked.some((name) => this.plan(name).essential);
    const ended = this.#firstFailure ?? (missed ? this.#earliestFailure() : null);
    const code = ended?.verdict.code ?? (missed ? 1 : 0);
    this.#sayWhoNeverStarts();
    const what = blocked.length === 0 ? 'every service has ended' : 'nothing runs any more, and nothing can start';
    this.say('info', null, 'all-ended', `${what}: ending with code ${code}`);
    this.#beginEnd({ kind: 'all-ended', code, ended });
    this.#end();
  }

  /** What may have kept an essential service from starting: the first failure of all, whoever's it was. */
  #earliestFailure(): Ended | null {
    const failed = [...this.#services.values()].flatMap(({ state }) => (state.id === 'failed' ? [state] : []));
    failed.sort((a, b) => a.at - b.at);
    return failed[0]?.ended ?? null;
  }

  #end(): void {
    if (this.phase.id !== 'stopping') return;
    const { cause, killed } = this.phase;
    const code =
      cause.kind === 'asked' ? (killed ? 137 : 0) : cause.kind === 'service' ? cause.ended.verdict.code : cause.code;
    const ended = cause.kind === 'asked' ? null : cause.ended;
    this.phase = { id: 'ended', code };
    this.#effects.push({ type: 'end', code, culprit: ended !== null && !ended.verdict.success ? ended : null });
  }

  finish(): Step {
    if (this.phase.id === 'running' && (this.#moved || this.#beginning)) this.#sayWhoNeverStarts();
    const world: World = {
      ...this.#world,
      services: this.#services,
      phase: this.phase,
      firstFailure: this.#firstFailure,
      beganAt: this.#beginning ? this.#now : this.#world.beganAt,
      allReadyAt:
        this.#world.allReadyAt ?? (this.phase.id === 'running' && this.#moved ? this.#whenAllIsReady() : null),
    };
    return { world, effects: this.#effects };
  }

  /** Says once that everything is there: the moment that people wait for. */
  #whenAllIsReady(): Millis | null {
    let services = 0;
    for (const [name, { state }] of this.#services) {
      if (state.id === 'skipped') continue;
      const isThere = this.plan(name).type === 'task' ? state.id === 'completed' : state.id === 'ready';
      if (!isThere) return null;
      services += 1;
    }
    const began = this.#beginning ? this.#now : this.#world.beganAt;
    if (services > 1)
      this.say('info', null, 'all-ready', `everything is ready after ${renderDuration(this.#now - began)}`);
    return this.#now;
  }

  /** Says once, for each service, that it never starts and why: in the step in which that becomes certain. */
  #sayWhoNeverStarts(): void {
    const world = { ...this.#world, services: this.#services };
    for (const [name, { state }] of this.#services) {
      const reason = state.id === 'pending' ? neverStarts(world, name) : null;
      if (reason === null || (!this.#beginning && neverStarts(this.#world, name) !== null)) continue;
      this.say('error', name, 'blocked', `never starts: ${reason}`);
    }
  }
}

/** Whether a dependent keeps what it depends on from being stopped. One that SIGKILL was sent to needs nothing more. */
function holdsUp(state: State): boolean {
  return isActive(state) && !(state.id === 'stopping' && state.rung === 'killed');
}

/** Whether what an edge waits for is so. */
export function holds({ condition }: Edge, { state, startedOnce, readyAfter }: Service): boolean {
  switch (condition) {
    case 'started':
      return startedOnce;
    case 'ready':
      return state.id === 'ready' || (state.id === 'completed' && readyAfter !== null);
    case 'completed':
      return state.id === 'completed';
    case 'exited':
      return state.id === 'completed' || state.id === 'failed';
    default:
      return condition satisfies never;
  }
}

/** Why a pending service can never start: what it waits for cannot come any more. Null while it still can. */
export function neverStarts(world: World, name: string): string | null {
  const known = new Map<string, string | null>();
  const reasonOf = (current: string): string | null => {
    const found = known.get(current);
    if (found !== undefined) return found;
    known.set(current, null);
    let reason: string | null = null;
    for (const edge of world.index.plans.get(current)?.edges ?? []) {
      const target = world.services.get(edge.on);
      if (target === undefined || holds(edge, target)) continue;
      const { state } = target;
      if (state.id === 'skipped') reason = `${edge.on} is not enabled`;
      else if (state.id === 'failed') reason = `${edge.on} ${state.ended === null ? 'failed' : renderEnd(state.ended)}`;
      else if (state.id === 'completed') reason = `${edge.on} ended before it was ready`;
      else if (state.id === 'pending' && reasonOf(edge.on) !== null) reason = `${edge.on} never starts`;
      if (reason !== null) break;
    }
    known.set(current, reason);
    return reason;
  };
  return reasonOf(name);
}
