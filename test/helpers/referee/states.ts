// What the core believes, compared with the books after each step: the state of every service, that it is never stuck, and the
// code of the end. Writes into the books only that a service is ready, which the core decides.

import { LEFTOVER_GRACE } from '../../../src/core/policy.ts';
import { nextDeadline } from '../../../src/core/world.ts';
import type { Millis, ServicePlan } from '../../../src/plan/plan.ts';
import { type Book, isLatch, isUp, type Run } from './book.ts';
import type { Ledger } from './ledger.ts';
import { holds, type PlanContext, type Seen, SLACK } from './step.ts';

export class States {
  readonly #ledger: Ledger;
  readonly #around: PlanContext;
  #deadlinesAt: Millis = -1;
  #deadlinesInARow = 0;

  constructor(ledger: Ledger, around: PlanContext) {
    this.#ledger = ledger;
    this.#around = around;
  }

  /** The core decides that a service is ready; its book must have recorded that every probe holds. */
  noteReadiness({ before, after, now }: Seen): void {
    for (const [name, book] of this.#ledger.books) {
      const { run, plan } = book;
      const became = after.services.get(name)?.state.id === 'ready' && before.services.get(name)?.state.id !== 'ready';
      if (run === null || !became) continue;
      for (const [index, probe] of plan.ready.entries()) {
        const row = run.results.get(`ready ${index}`)?.row ?? 0;
        const proven = isLatch(probe) ? run.latched.has(index) : row >= probe.successes;
        holds(run.born && proven, `${name} is ready though probe ${index} does not hold`);
      }
      run.readyAt ??= now;
      book.everReady = true;
    }
  }

  /** Compares the states in the core with the books. */
  compare({ after, effects, now }: Seen): void {
    const { books, gates, shutdown } = this.#ledger;
    for (const [name, book] of books) {
      const { run, plan } = book;
      const state = after.services.get(name)?.state.id;
      const { blocked } = book;
      holds(blocked <= 1, `${name} said ${blocked} times that it never starts`);
      holds(!(state === 'unready') || run?.unready === true, `${name} is unready for no reason`);
      if (run === null || !isUp(book)) {
        holds(state !== 'ready' && state !== 'starting' && state !== 'stopping', `${name} is not ${state}`);
      } else if (run.stop === null && run.exit === null && run.killedAt === null) {
        holds(state === 'starting' || state === 'ready' || state === 'unready', `${name} is ${state}, not up`);
        const past = (limit: Millis) => run.readyAt === null && now > limit + this.#around.lag + SLACK;
        const late = plan.ready.length > 0 && past(run.since + plan.startTimeout);
        holds(!late, `${name} outlived its start_timeout`);
        const stalled = plan.startStall !== null && past(run.progressAt + plan.startStall);
        holds(!stalled, `${name} outlived its start_stall`);
      } else {
        holds(state === 'stopping', `${name} is ${state}, not stopping`);
      }
      if (run !== null && isUp(book)) this.#isKilledInTime(plan, run, now);
      if (shutdown === null && state === 'pending' && plan.enabled) {
        holds(!gates.allMet(plan) || gates.isClaimed(plan), `${name} could start and does not`);
        const never = gates.isHopeless(plan);
        const said = effects.some(
          (effect) => effect.type === 'announce' && effect.notice.event === 'blocked' && effect.service === name,
        );
        holds(never ? blocked === 1 : !said, `${name} never starts: ${never}; said so: ${blocked}`);
        if (!never) book.blocked = 0;
      } else if (shutdown === null) {
        book.blocked = 0;
      }
      if (shutdown === null) this.#isAsWanted(book, state ?? '');
    }
    const begun = effects.some((effect) => effect.type === 'announce' && effect.notice.event === 'stopping');
    if (begun) holds(shutdown !== null, 'a shutdown for no reason');
    holds((after.phase.id === 'stopping') === (shutdown !== null), 'a cause that did not begin a shutdown');
  }

  /** An operation takes effect as soon as no dependent that stops too has to stop first. */
  #isAsWanted({ plan: { name }, wanted, rest, run }: Book, state: string): void {
    holds((rest === 'held') === (state === 'stopped'), `${name} is ${state}, held down: ${rest === 'held'}`);
    holds((rest === 'by-hand') === (state === 'idle'), `${name} is ${state}, started by hand: ${rest === 'by-hand'}`);
    if (wanted === 'up' || run === null || state === 'stopping' || state === 'stopped') return;
    const waits = this.#ledger.gates.dependents(name).some((other) => isUp(other) && other.wanted !== 'up');
    holds(waits, `${name} is ${state}, though it is wanted ${wanted}`);
  }

  /** SIGKILL comes by the deadlines of a stop, whatever its cause; and a service that stops is not probed. */
  #isKilledInTime({ name, stop }: ServicePlan, run: Run, now: Millis): void {
    holds(run.flight === null || (run.stop === null && run.exit === null), `${name} is probed while it stops`);
    if (run.killedAt !== null || run.emptied) return;
    const own = (run.stop?.at ?? Infinity) + (stop.timeout ?? this.#ledger.plan.stopTimeout);
    // What is left of a run that was stopped has the time of the stop.
    const leftovers =
      run.stop === null && !run.isExplained
        ? (run.exitAt ?? Infinity) + (stop.leftoverTimeout ?? LEFTOVER_GRACE)
        : Infinity;
    // One after the other, a chain of dependents may be late by one late timer each.
    const late = this.#around.lag * (this.#ledger.books.size + 1) + SLACK;
    const by = Math.min(own, leftovers, this.#ledger.shutdown?.killBy ?? Infinity);
    holds(now <= by + late, `what was left of ${name} was not killed by ${by}`);
  }

  /** The core is never stuck, never busy without effect, and a shutdown is over in time. */
  goesOn({ event, after, now }: Seen): void {
    const { books, shutdown } = this.#ledger;
    const next = nextDeadline(after);
    const waits = [...books.keys()].some((name) => this.#around.hasProcesses(name));
    const held = [...books.values()].some(({ rest }) => rest === 'held' || rest === 'by-hand');
    holds(next !== null || waits || held, 'nothing can ever happen again');
    const again = event.type === 'deadline-passed' && this.#deadlinesAt === now;
    this.#deadlinesInARow = again ? this.#deadlinesInARow + 1 : 0;
    this.#deadlinesAt = event.type === 'deadline-passed' ? now : -1;
    holds(this.#deadlinesInARow <= 2 * books.size + 2, 'deadlines that pass for ever at one instant');
    if (shutdown === null) return;
    holds(now <= shutdown.limit + this.#around.lag + SLACK, 'the shutdown outlived its deadline');
  }

  /** Checks that the end is due, and its code. */
  judgeEnd(code: number, now: Millis): void {
    const left = [...this.#ledger.books].filter(([name]) => this.#around.hasProcesses(name));
    for (const [name, { run }] of left) holds(run?.killedAt !== null, `the end, and ${name} was never killed`);
    if (this.#ledger.shutdown !== null) {
      const { code: must, killed, limit } = this.#ledger.shutdown;
      const asked = killed || left.length > 0 ? 137 : 0;
      holds(code === (must ?? asked), `ended with ${code} where ${must ?? asked} is due`);
      holds(now <= limit + this.#around.lag + SLACK, 'the shutdown ended too late');
      return;
    }
    const books = [...this.#ledger.books.values()];
    holds(left.length === 0 && books.every(({ again }) => again === null), 'the end, though something goes on');
    holds(!books.some(({ rest }) => rest === 'held'), 'the end, though the operator may start something again');
    const stuck = books.filter(
      (book) => book.plan.enabled && ((book.run === null && book.rest === null) || book.rest === 'idle'),
    );
    for (const { plan, blocked } of stuck) {
      holds(!this.#ledger.gates.allMet(plan), `the end, though ${plan.name} could start`);
      holds(blocked === 1, `the end, and why ${plan.name} never started was not announced`);
    }
    const missed = stuck.some(({ plan }) => plan.essential);
    // A service of the same name that a reload has added is another one.
    const failures = this.#ledger.failures.filter((book) => this.#ledger.books.get(book.plan.name) === book);
    const first = failures.find(({ plan }) => plan.essential)?.final?.code;
    const due = first ?? (missed ? (failures[0]?.final?.code ?? 1) : 0);
    holds(code === due, `ended with ${code} where ${due} is due`);
  }
}
