// All services together, as data: routes events to machines, then lets consequences spread to a fixpoint. step() decides
// everything and does nothing: (world, event, now) -> {world, effects}. Wanted and actual state are separate: a service starts
// when its own edges hold; one that is no longer wanted, by the operator or in a shutdown, stops when no unwanted dependent
// is left. A step examines only the services that it has touched (services-draft.ts); stages are barriers (barriers.ts).
import { difference } from '../plan/difference.ts';
import type { Millis, Plan, ServicePlan, SignalName } from '../plan/plan.ts';
import { shiftDeadlines } from './absence.ts';
import { levelsOf } from './barriers.ts';
import { overOf, weigh } from './ending.ts';
import type { Effect, Ended, Event } from './event.ts';
import { passDeadline, stepService } from './machine.ts';
import { needed, type Operation, operate, replan, unplan } from './operator.ts';
import { endsAll, renderDuration, reserved, SAME_REQUEST } from './policy.ts';
import type { Services } from './services.ts';
import { ServicesDraft } from './services-draft.ts';
import { startRun } from './starting.ts';
import {
  type Context,
  hasMain,
  isActive,
  isHookKilled,
  isLeaving,
  newService,
  noteFirsts,
  type Service,
  type Turn,
} from './state.ts';
import { killRun, stopRun } from './stopping.ts';
import { succeed } from './succession.ts';
import { renderDifference, renderReason } from './words.ts';
import {
  allEnded,
  baselinesOf,
  countIfAllAreThere,
  type EndCause,
  endOf,
  heirOf,
  instantOf,
  lastingFailures,
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
      for (const number of world.deadlines.due(now)) {
        const name = world.plan.services[number]?.name ?? '';
        if (!draft.services.has(name)) continue;
        const plan = draft.services.planOf(name);
        const service = draft.services.get(name);
        if (instantOf(plan, service) <= now) draft.take(name, passDeadline(plan, service, draft.context(name)));
      }
      if (draft.phase.id === 'stopping' && now >= endOf(draft.phase.deadline)) draft.giveUp();
      break;
    case 'was-absent':
      return { world: shiftDeadlines(world, event.by), effects: [] };
    case 'succeeded':
      return succeed(world, event.by);
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
  readonly services: ServicesDraft;
  readonly #effects: Effect[] = [];
  readonly #now: Millis;
  phase: Phase;
  #failures: readonly Ended[];
  #spreading = false;
  #moved = false;
  #beginning = false;

  constructor(world: World, now: Millis) {
    this.services = new ServicesDraft(world);
    this.#now = now;
    this.phase = world.phase;
    this.#failures = world.failures;
  }

  get #whole(): Plan {
    return this.services.world.plan;
  }

  context(name: string): Context {
    const seed = this.services.index.seeds.get(name) ?? 0;
    return { now: this.#now, seed, stopTimeout: this.#whole.stopTimeout, ending: this.phase.id !== 'running' };
  }

  say(level: 'info' | 'warn' | 'error', service: string | null, event: string, text: string): void {
    this.#effects.push({ type: 'announce', level, service, event, text });
  }

  begin(): void {
    this.#beginning = true;
    for (const name of this.services.names()) {
      if (this.services.get(name).state.id === 'skipped') this.say('info', name, 'skipped', 'is not enabled');
    }
    this.services.touchAll();
    this.services.forgetBlocked();
    this.spread();
  }

  /** Takes over one machine's turn; consequences spread when its state became another. */
  take(name: string, { service, effects, notices }: Turn): void {
    const before = this.services.get(name);
    this.services.put(name, service);
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
      if (this.services.isTouched) this.spread();
      return;
    }
    this.#moved = true;
    this.services.put(name, noteFirsts(service, this.#now));
    const { state } = service;
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
    const { ended, decision, text } = weigh(this.services.planOf(name), service, over, this.context(name));
    if (decision.restart) {
      this.services.noteRestart(name);
      return;
    }
    if (endsAll(this.#whole.exit, this.services.planOf(name), ended.verdict)) {
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
    const { next } = this.services.get(name);
    if (next === 'none') {
      this.say('info', name, 'removed', 'is not in the configuration any more');
      this.services.remove(name);
    } else if (next !== null) this.services.adopt(name, next);
  }

  operate(operation: Operation, names: readonly string[]): void {
    if (this.phase.id !== 'running') return;
    const known = names.filter((name) => this.services.has(name) && this.services.get(name).next !== 'none');
    const others = operation === 'stop' ? [] : needed(known, this.services.index.plans, this.services.view());
    for (const name of known) {
      this.say('info', name, `${operation}-asked`, `was asked to ${operation}`);
      this.#want(name, operate(this.services.get(name), operation, this.#now));
    }
    for (const name of others) {
      this.say('info', name, 'start-asked', 'is needed, and was asked to start');
      this.#want(name, operate(this.services.get(name), 'start', this.#now));
    }
    this.spread();
  }

  /** Takes over what is wanted of a service; what follows comes when all of it is known. */
  #want(name: string, service: Service): void {
    if (service.state.id !== this.services.get(name).state.id) this.#moved = true;
    this.services.put(name, service);
  }

  signal(signal: SignalName, names: readonly string[]): void {
    for (const name of names) {
      const service = this.services.has(name) ? this.services.get(name) : null;
      if (service === null || !hasMain(service.state)) continue;
      this.say('info', name, 'signal-asked', `was sent ${signal}`);
      this.#signal(name, service.run, signal);
    }
  }

  #signal(name: string, run: number, signal: SignalName): void {
    this.#effects.push({
      type: 'service',
      service: name,
      run,
      effect: { type: 'signal', signal, to: 'main', continues: false },
    });
  }

  /** A reload: what is new starts, what is gone stops, what differs starts again; everything else is not touched. */
  changePlan(target: Plan): void {
    if (this.phase.id !== 'running') return;
    const changes = difference(this.services.world.target, target);
    this.say('info', null, 'reloaded', `configuration read again: ${renderDifference(changes)}`);
    const unchanged = new Set(changes.unchanged);
    const plans: ServicePlan[] = [];
    const services = new Map(this.services.view());
    const baselines = baselinesOf(this.services.index.plans, services);
    for (const after of target.services) {
      const known = services.get(after.name);
      const before = this.services.index.plans.get(after.name);
      const service = heirOf(known ?? newService(after), after, baselines);
      if (known === undefined || before === undefined) {
        services.set(after.name, service);
        plans.push(after);
        continue;
      }
      const isSame = unchanged.has(after.name);
      const edges = { edges: after.edges, stageEdges: after.stageEdges };
      const next = isSame ? { plan: { ...before, ...edges }, service } : replan(before, service, after);
      services.set(after.name, next.service);
      plans.push(next.plan);
    }
    const kept = new Set(target.services.map(({ name }) => name));
    const gone = this.#whole.services.filter(({ name }) => !kept.has(name));
    for (const { name } of gone) {
      const service = unplan(this.services.get(name));
      if (isActive(service.state)) services.set(name, service);
      else this.say('info', name, 'removed', 'is not in the configuration any more');
    }
    this.#moved = true;
    this.services.replan(
      [...plans, ...gone.filter(({ name }) => isActive(this.services.get(name).state))],
      services,
      target,
    );
    this.spread();
  }

  /** A service has ended for good: does that end the container? Told twice of one end, at its exit and when it is over. */
  #judge(name: string, ended: Ended): void {
    if (this.phase.id !== 'running') return;
    const known = this.#failures.some(({ service, run }) => service === name && run === ended.run);
    if (!ended.verdict.success && !known) this.#failures = [...this.#failures, ended];
    if (ended.cause.kind !== 'gpu-lost' && !endsAll(this.#whole.exit, this.services.planOf(name), ended.verdict))
      return;
    this.#beginEnd({ kind: 'service', ended });
    this.say('info', null, 'stopping', `stopping everything: ${name} ${renderReason(ended)}`);
  }

  #beginEnd(cause: EndCause): void {
    const deadline = this.#now + this.#whole.stopTimeout;
    const levels = levelsOf(this.services.index.graph, (number) => isActive(this.services.at(number).state));
    const askedAt = cause.kind === 'asked' ? this.#now : null;
    this.phase = { id: 'stopping', cause, deadline, killed: false, askedAt, levels };
    this.services.waits.beginEnding();
    this.services.touchAll();
  }

  askToStop(signal: SignalName): void {
    if (this.phase.id === 'running') {
      this.#beginEnd({ kind: 'asked', signal });
      const within = renderDuration(this.#whole.stopTimeout);
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
    this.services.touchAll();
    this.#killAll();
  }

  #killAll(): void {
    this.#spreading = true;
    for (const name of this.services.names()) {
      this.take(name, killRun(this.services.planOf(name), this.services.get(name), this.context(name)));
    }
    this.#spreading = false;
    this.spread();
  }

  forward(signal: SignalName): void {
    let named = false;
    for (const { name, forward } of this.#whole.services) {
      const sent = forward[signal];
      if (sent === undefined) continue;
      named = true;
      const service = this.services.get(name);
      if (hasMain(service.state)) this.#signal(name, service.run, sent);
    }
    if (!named && signal === 'SIGHUP' && this.phase.id === 'running') this.#effects.push({ type: 'reload' });
  }

  /** The deadline and the wait after it are over: end, whatever is left. The kernel ends a PID namespace's rest. */
  giveUp(): void {
    const left = this.services.names().filter((name) => isActive(this.services.get(name).state));
    if (left.length > 0) this.say('error', null, 'unfinished', `ending while processes are left: ${left.join(', ')}`);
    this.#killAll();
    if (this.phase.id === 'stopping') this.phase = { ...this.phase, killed: true };
    this.#end();
  }

  /** Lets consequences spread until nothing changes: starts what may start, stops what may stop, sees the end. */
  spread(): void {
    if (this.#spreading) return;
    this.#spreading = true;
    while (this.services.isTouched) {
      this.#restartDependents();
      this.#announceNeverStarting();
      const { graph } = this.services.index;
      for (const number of this.services.takeTouched()) {
        // The numbers belong to other services now, and all services are touched.
        if (this.services.index.graph !== graph) break;
        if (this.phase.id === 'running') this.#startOrStop(number);
        else if (this.phase.id === 'stopping') this.#stopInTime(number, this.phase);
      }
    }
    this.#spreading = false;
    this.#seeTheEnd();
  }

  #startOrStop(number: number): void {
    const service = this.services.at(number);
    const { state, wanted } = service;
    const { index } = this.services;
    const name = this.services.nameOf(number);
    const plan = this.services.planOf(name);
    if (state.id === 'pending') {
      const isClaimed = (index.rivals[number] ?? []).some((rival) => isLeaving(this.services.at(rival)));
      if (this.services.waits.isOpen(number) && !isClaimed)
        this.take(name, startRun(plan, service, this.context(name)));
      return;
    }
    // Of several that are to stop, dependents stop first; one that stays does not hold up what it depends on.
    if (wanted === 'up' || !isActive(state) || state.id === 'stopping') return;
    if (this.services.waits.isHeld(number, 'unwanted')) return;
    const limit = this.#now + (plan.stop.timeout ?? this.#whole.stopTimeout);
    this.take(name, stopRun(plan, service, { kind: 'asked' }, limit, this.context(name)));
  }

  #stopInTime(number: number, { deadline, levels }: Phase & { readonly id: 'stopping' }): void {
    const service = this.services.at(number);
    const { state } = service;
    const waiting = state.id === 'backoff';
    const stoppable = isActive(state) && (state.id !== 'stopping' || state.limit > deadline);
    if (!waiting && !stoppable) return;
    // The deadline applies at once to a run that is already ending; the others wait for their dependents.
    if (state.id !== 'stopping' && !waiting && this.services.waits.isHeld(number, 'any')) return;
    const name = this.services.nameOf(number);
    const plan = this.services.planOf(name);
    const { stopTimeout } = this.#whole;
    const own = this.#now + (plan.stop.timeout ?? stopTimeout);
    const limit = Math.max(this.#now, Math.min(own, deadline - reserved(stopTimeout, levels[number] ?? 0)));
    this.take(name, stopRun(plan, service, { kind: 'asked' }, limit, this.context(name)));
  }

  #seeTheEnd(): void {
    if (this.services.tally.going > 0) return;
    if (this.phase.id === 'stopping') {
      this.#end();
      return;
    }
    if (this.phase.id !== 'running') return;
    // The operator may start again what the operator has stopped: the supervisor keeps running.
    if (this.services.tally.down > 0) return;
    const { blocked, code, ended } = allEnded(this.services.index.plans, this.services.view(), this.#failures);
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
    const { world } = this.services;
    const known = this.services.finish();
    const isNews = world.allReadyAt === null && this.phase.id === 'running' && this.#moved;
    const next: World = {
      ...world,
      ...known,
      phase: this.phase,
      failures: this.services.hasRevived ? lastingFailures(this.#failures, known.services) : this.#failures,
      beganAt: this.#beginning ? this.#now : world.beganAt,
      allReadyAt: isNews ? this.#whenAllIsReady(known.services) : world.allReadyAt,
    };
    return { world: next, effects: this.#effects };
  }

  /** Says once that everything is there: the moment that people wait for. */
  #whenAllIsReady(all: Services): Millis | null {
    if (this.services.tally.unsettled > 0) return null;
    const services = countIfAllAreThere(this.services.index.plans, all);
    if (services === null) return null;
    const took = renderDuration(this.#beginning ? 0 : this.#now - this.services.world.beganAt);
    if (services > 1) this.say('info', null, 'all-ready', `everything is ready after ${took}`);
    return this.#now;
  }

  /**
   * Announces once, for each service, that it never starts and why, in the step in which that becomes certain. The first
   * essential one ends the container.
   */
  #announceNeverStarting(): void {
    if (this.phase.id !== 'running') return;
    const blocked = this.services.takeNewlyBlocked();
    for (const { name, reason } of blocked) this.say('error', name, 'blocked', `never starts: ${reason}`);
    if (this.#whole.exit === 'all') return;
    const first = blocked.find(({ name }) => this.services.planOf(name).essential);
    if (first === undefined) return;
    const causes = new Set(first.causes().map(({ service }) => service));
    const ended = this.#failures.find(({ service }) => causes.has(service)) ?? null;
    this.#beginEnd({ kind: 'never-starts', code: ended?.verdict.code ?? 1, ended });
    this.say('info', null, 'stopping', `stopping everything: ${first.name} can never start, and it is essential`);
  }

  /** Restarts the services that are to be restarted together with what they depend on, as if the operator had asked. */
  #restartDependents(): void {
    // All of them are marked before any is stopped, so that dependents stop first.
    for (const { name, on } of this.services.takeDependentsToRestart()) {
      const service = this.services.get(name);
      const { state, wanted, run } = service;
      if (this.phase.id !== 'running' || run === 0 || wanted !== 'up') continue;
      if (state.id === 'pending' || state.id === 'skipped') continue;
      this.say('info', name, 'restart-asked', `starts again after ${on}, which restarts`);
      this.#want(name, operate(service, 'restart', this.#now));
    }
  }
}
