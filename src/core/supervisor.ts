// All services together, as data: routes events to machines, then lets consequences spread to a fixpoint (who may start,
// who must stop, whether all is over). step() decides everything and does nothing: (world, event, now) -> {world, effects}.
//
// What is wanted and what is are apart: each service starts when its own edges hold, and one that is not wanted any more, by
// the operator or in a shutdown, stops when nobody unwanted who depends on it is left. There are no levels; stages are
// edges of the plan.
import { difference } from '../plan/difference.ts';
import type { Millis, Plan, ServicePlan, SignalName } from '../plan/plan.ts';
import { overOf, weigh } from './ending.ts';
import type { Effect, Ended, Event } from './event.ts';
import { passDeadline, stepService } from './machine.ts';
import { needed, type Operation, operate, replan, taken, unplan } from './operator.ts';
import { endsAll, renderDuration, reserved, SAME_REQUEST } from './policy.ts';
import { startRun } from './starting.ts';
import {
  type Context,
  deadlineOf,
  hasMain,
  holdsUp,
  isActive,
  isHookKilled,
  newService,
  noteFirsts,
  type Service,
  type Turn,
} from './state.ts';
import { killRun, stopRun } from './stopping.ts';
import { recount, type Situation } from './tally.ts';
import { renderDifference, renderReason } from './words.ts';
import {
  allEnded,
  baselinesOf,
  claimOn,
  countIfAllAreThere,
  type EndCause,
  edgesHold,
  endOf,
  heirOf,
  indexPlans,
  isHeld,
  lastingFailures,
  leavingOf,
  levelsBelow,
  neverStarts,
  type Phase,
  type World,
} from './world.ts';

export interface Step {
  readonly world: World;
  readonly effects: readonly Effect[];
}

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
        if (!draft.has(name)) continue;
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
    case 'operated':
      draft.operate(event.operation, event.services);
      break;
    case 'signal-asked':
      draft.signal(event.signal, event.services);
      break;
    case 'plan-changed':
      draft.changePlan(event.plan);
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
  /** As it was before the step, but for what is planned. */
  #world: World;
  readonly #now: Millis;
  phase: Phase;
  #failures: readonly Ended[];
  readonly #tally: Record<Situation, number>;
  /** How many times a service has become another value. */
  #changes = 0;
  #spreading = false;
  #moved = false;
  /** The end has come nearer, or somebody has not heard of it. */
  #hurry = false;
  #beginning = false;

  constructor(world: World, now: Millis) {
    this.#world = world;
    this.#now = now;
    this.#services = new Map(world.services);
    this.#tally = { ...world.tally };
    this.phase = world.phase;
    this.#failures = world.failures;
  }

  has(name: string): boolean {
    return this.#services.has(name);
  }

  get(name: string): Service {
    const service = this.#services.get(name);
    if (service === undefined) throw new Error(`bug: no service ${name}`);
    return service;
  }

  /** It is that from here on; null: it is none any more. */
  #put(name: string, service: Service | null): void {
    const before = this.#services.get(name) ?? null;
    if (before === service) return;
    recount(this.#tally, before, service);
    if (service === null) this.#services.delete(name);
    else this.#services.set(name, service);
    this.#changes += 1;
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
    this.#put(name, service);
    for (const { level, event, text } of notices) {
      if (event !== 'stopped' || !this.#hasTold(name, service.run)) this.say(level, name, event, text);
    }
    for (const effect of effects) this.#effects.push({ type: 'service', service: name, run: service.run, effect });
    const { phase } = this;
    if (overOf(before) === null) this.#weighExit(name, service);
    const killed = effects.some(({ type }) => type === 'kill') || isHookKilled(before.state, service.state, this.#now);
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
    this.#put(name, noteFirsts(service, this.#now));
    const { state } = service;
    if (this.phase.id === 'stopping' && state.id === 'stopping' && state.limit > this.phase.deadline)
      this.#hurry = true;
    if (service.next !== null && !isActive(state) && this.phase.id === 'running') this.#takeNext(name);
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
    if (endsAll(this.#world.plan.exit, this.plan(name), ended.verdict)) {
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

  /** Its run is over: the plan that a reload has made for it comes into force. */
  #takeNext(name: string): void {
    const service = this.get(name);
    if (service.next === 'none') {
      this.#put(name, null);
      this.say('info', name, 'removed', 'is not in the configuration any more');
    } else if (service.next !== null) {
      const { next } = service;
      this.#put(name, taken(service, next));
      this.#plan(this.#world.plan.services.map((plan) => (plan.name === name ? next : plan)));
      return;
    }
    this.#plan(this.#world.plan.services.filter((plan) => plan.name !== name));
  }

  /** These are the services from here on. */
  #plan(services: readonly ServicePlan[], target: Plan = this.#world.target): void {
    const plan = { ...target, services };
    this.#world = { ...this.#world, plan, target, index: indexPlans(plan, this.#world.seed) };
  }

  operate(operation: Operation, names: readonly string[]): void {
    if (this.phase.id !== 'running') return;
    const known = names.filter((name) => this.#services.has(name) && this.get(name).next !== 'none');
    const others = operation === 'stop' ? [] : needed(known, this.#world.index.plans, this.#services);
    for (const name of known) {
      this.say('info', name, `${operation}-asked`, `was asked to ${operation}`);
      this.#want(name, operate(this.get(name), operation, this.#now));
    }
    for (const name of others) {
      this.say('info', name, 'start-asked', 'is needed, and was asked to start');
      this.#want(name, operate(this.get(name), 'start', this.#now));
    }
    this.spread();
  }

  /** Takes over what is wanted of a service; what follows comes when all of it is known. */
  #want(name: string, service: Service): void {
    if (service.state.id !== this.get(name).state.id) this.#moved = true;
    this.#put(name, service);
  }

  signal(signal: SignalName, names: readonly string[]): void {
    for (const name of names) {
      const service = this.#services.get(name);
      if (service === undefined || !hasMain(service.state)) continue;
      this.say('info', name, 'signal-asked', `was sent ${signal}`);
      this.#signal(name, service.run, signal);
    }
  }

  #signal(name: string, run: number, signal: SignalName): void {
    this.#effects.push({ type: 'service', service: name, run, effect: { type: 'signal', signal, to: 'main' } });
  }

  /** A reload: what is new starts, what is gone stops, what differs starts again; everything else is not touched. */
  changePlan(target: Plan): void {
    if (this.phase.id !== 'running') return;
    const changes = difference(this.#world.target, target);
    this.say('info', null, 'reloaded', `configuration read again: ${renderDifference(changes)}`);
    const plans: ServicePlan[] = [];
    const baselines = baselinesOf(this.#world.index.plans, this.#services);
    for (const after of target.services) {
      const known = this.#services.get(after.name);
      const before = this.#world.index.plans.get(after.name);
      const service = heirOf(known ?? newService(after), after, baselines);
      if (known === undefined || before === undefined) {
        this.#put(after.name, service);
        plans.push(after);
        continue;
      }
      const isSame = changes.unchanged.includes(after.name);
      const next = isSame ? { plan: { ...before, edges: after.edges }, service } : replan(before, service, after);
      this.#want(after.name, next.service);
      plans.push(isSame && service.next === null ? before : next.plan);
    }
    const kept = new Set(target.services.map(({ name }) => name));
    const gone = this.#world.plan.services.filter(({ name }) => !kept.has(name));
    this.#moved = true;
    this.#plan([...plans, ...gone], target);
    for (const { name } of gone) {
      this.#put(name, unplan(this.get(name)));
      if (!isActive(this.get(name).state)) this.#takeNext(name);
    }
    this.spread();
  }

  /** A service has ended for good: does that end the container? Told twice of one end, at its exit and when it is over. */
  #judge(name: string, ended: Ended): void {
    if (this.phase.id !== 'running') return;
    const known = this.#failures.some(({ service, run }) => service === name && run === ended.run);
    if (!ended.verdict.success && !known) this.#failures = [...this.#failures, ended];
    if (ended.cause.kind !== 'gpu-lost' && !endsAll(this.#world.plan.exit, this.plan(name), ended.verdict)) return;
    this.#beginEnd({ kind: 'service', ended });
    this.say('info', null, 'stopping', `stopping everything: ${name} ${renderReason(ended)}`);
  }

  #beginEnd(cause: EndCause): void {
    const deadline = this.#now + this.#world.plan.stopTimeout;
    this.#hurry = true;
    this.phase = { id: 'stopping', cause, deadline, killed: false, askedAt: cause.kind === 'asked' ? this.#now : null };
  }

  askToStop(signal: SignalName): void {
    if (this.phase.id === 'running') {
      this.#beginEnd({ kind: 'asked', signal });
      const within = renderDuration(this.#world.plan.stopTimeout);
      this.say('info', null, 'stopping', `${signal} received: stopping everything within ${within}`);
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
    this.#hurry = true;
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
      if (hasMain(service.state)) this.#signal(name, service.run, sent);
    }
    if (!named && signal === 'SIGHUP' && this.phase.id === 'running') this.#effects.push({ type: 'reload' });
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
    for (let before = -1; before !== this.#changes; ) {
      before = this.#changes;
      if (this.phase.id === 'running' && this.#tally.unwanted > 0) this.#stopUnwanted();
      if (this.phase.id === 'running' && this.#tally.pending > 0) this.#startWhatMay();
      if (this.phase.id === 'stopping' && (this.#hurry || this.#tally.unstopped > 0)) this.#stopWhatMay();
    }
    this.#spreading = false;
    this.#seeTheEnd();
  }

  #startWhatMay(): void {
    const leaving = (this.#tally.leaving === 0 ? [] : leavingOf(this.#services)).map((name) => this.plan(name));
    for (const [name, service] of this.#services) {
      if (service.state.id !== 'pending' || this.phase.id !== 'running') continue;
      const plan = this.plan(name);
      if (!edgesHold(plan.edges, this.#services) || leaving.some((other) => claimOn(plan, other) !== null)) continue;
      this.take(name, startRun(plan, service, this.context(name)));
    }
  }

  /** Of several that are to stop, dependents stop first; one that stays does not hold up what it depends on. */
  #stopUnwanted(): void {
    for (const [name, service] of this.#services) {
      const { state, wanted } = service;
      if (wanted === 'up' || !isActive(state) || state.id === 'stopping') continue;
      if (this.#isHeld(name, (other) => other.wanted !== 'up' && holdsUp(other.state))) continue;
      const plan = this.plan(name);
      const limit = this.#now + (plan.stop.timeout ?? this.#world.plan.stopTimeout);
      this.take(name, stopRun(plan, service, { kind: 'asked' }, limit, this.context(name)));
    }
  }

  #stopWhatMay(): void {
    if (this.phase.id !== 'stopping') return;
    const { deadline } = this.phase;
    const { stopTimeout } = this.#world.plan;
    const depth = levelsBelow(this.#world.index.plans, this.#services);
    for (const [name, service] of this.#services) {
      const { state } = service;
      const waiting = state.id === 'backoff';
      const stoppable = isActive(state) && (state.id !== 'stopping' || state.limit > deadline);
      if (!waiting && !stoppable) continue;
      const held = this.#isHeld(name, (other) => holdsUp(other.state));
      // A run that is already ending by itself hears of the deadline at once; the others wait for their dependents.
      if (held && state.id !== 'stopping' && !waiting) continue;
      const plan = this.plan(name);
      const own = this.#now + (plan.stop.timeout ?? stopTimeout);
      const limit = Math.max(this.#now, Math.min(own, deadline - reserved(stopTimeout, depth(name))));
      this.take(name, stopRun(plan, service, { kind: 'asked' }, limit, this.context(name)));
    }
  }

  #isHeld(name: string, isWaitedFor: (dependent: Service) => boolean): boolean {
    return isHeld(name, this.#world.index.dependents, this.#services, isWaitedFor);
  }

  #seeTheEnd(): void {
    if (this.#tally.going > 0) return;
    if (this.phase.id === 'stopping') {
      this.#end();
      return;
    }
    if (this.phase.id !== 'running') return;
    // What the operator has stopped may be started again: there must be somebody to do so.
    if ([...this.#services.values()].some(({ wanted }) => wanted === 'down')) return;
    const { blocked, code, ended } = allEnded(this.#world.index.plans, this.#services, this.#failures);
    this.#sayWhoNeverStarts();
    const what = blocked === 0 ? 'every service has ended' : 'nothing runs any more, and nothing can start';
    this.say('info', null, 'all-ended', `${what}: ending with code ${code}`);
    this.#beginEnd({ kind: 'all-ended', code, ended });
    this.#end();
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
      tally: this.#tally,
      phase: this.phase,
      failures: lastingFailures(this.#failures, this.#services),
      beganAt: this.#beginning ? this.#now : this.#world.beganAt,
      allReadyAt:
        this.#world.allReadyAt ?? (this.phase.id === 'running' && this.#moved ? this.#whenAllIsReady() : null),
    };
    return { world, effects: this.#effects };
  }

  /** Says once that everything is there: the moment that people wait for. */
  #whenAllIsReady(): Millis | null {
    if (this.#tally.unsettled > 0) return null;
    const services = countIfAllAreThere(this.#world.index.plans, this.#services);
    if (services === null) return null;
    const took = renderDuration(this.#beginning ? 0 : this.#now - this.#world.beganAt);
    if (services > 1) this.say('info', null, 'all-ready', `everything is ready after ${took}`);
    return this.#now;
  }

  /** Says once, for each service, that it never starts and why: in the step in which that becomes certain. */
  #sayWhoNeverStarts(): void {
    if (this.#tally.pending === 0) return;
    const world = { ...this.#world, services: this.#services };
    for (const [name, { state }] of this.#services) {
      const reason = state.id === 'pending' ? neverStarts(world, name) : null;
      const was = this.#world.services.get(name)?.state.id === 'pending';
      if (reason === null || (!this.#beginning && was && neverStarts(this.#world, name) !== null)) continue;
      this.say('error', name, 'blocked', `never starts: ${reason}`);
    }
  }
}
