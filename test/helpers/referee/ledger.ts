// Keeps the books: what each event of a step does to the services, to those that depend on them, and to the whole, which may
// begin to shut down. Works from events alone and judges nothing; effects.ts and states.ts compare with it.
import type { Event, Operation, ServiceEvent } from '../../../src/core/event.ts';
import { HELD, KILL_WAIT } from '../../../src/core/policy.ts';
import { difference, restartFields } from '../../../src/plan/difference.ts';
import type { Edge, Millis, Plan, Probe, ServicePlan } from '../../../src/plan/plan.ts';
import { type Book, isHeld, isLatch, isToRunAgain, isUp, newBook, type Run, type Verdict, verdictOf } from './book.ts';
import { choices, Gates } from './gates.ts';

export interface Shutdown {
  /** What the container's code must be; null: the stop was requested, so 0 or 137. */
  readonly code: number | null;
  /** All that is left is killed by then, and gone by `limit`. */
  readonly killBy: Millis;
  limit: Millis;
  killed: boolean;
  /** When a signal first requested it. */
  askedAt: Millis | null;
}

export class Ledger {
  plan: Plan;
  readonly books: Map<string, Book>;
  readonly gates: Gates;
  shutdown: Shutdown | null = null;
  /** Services that have failed without another run to follow, in that order. */
  failures: Book[] = [];
  /** Services whose next run will follow, while processes of the latest one are left. */
  readonly #restarting = new Set<Book>();

  constructor(plan: Plan) {
    this.plan = plan;
    this.books = new Map(plan.services.map((service) => [service.name, newBook(service)]));
    this.gates = new Gates(this.books);
  }

  /** Takes in the event of a step. */
  apply(event: Event, now: Millis): void {
    if (event.type === 'service') {
      const book = this.books.get(event.service);
      if (book?.run?.number === event.run) this.#applyToRun(book, book.run, event.event, now);
    }
    if (event.type === 'deadline-passed') this.#release(now);
    if (event.type === 'stop-asked') this.#requestStop(event.signal, now);
    if (event.type === 'operated' && this.shutdown === null) this.#operate(event.operation, event.services);
    if (event.type === 'plan-changed' && this.shutdown === null) this.#changePlan(event.plan);
    if (event.type === 'began' || (event.type === 'plan-changed' && this.shutdown === null)) this.#startNeeded();
    this.#spread(now);
  }

  /** Keeps what the next step is compared with. */
  endStep(): void {
    for (const book of this.books.values()) {
      book.wasToRunAgain = isToRunAgain(book);
      book.wasHopeless = this.gates.neverStarts(book);
    }
  }

  /** Applies what follows for others: dependents that restart too, and essential services that never start. */
  #spread(now: Millis): void {
    while (this.shutdown === null) {
      const restarting = [...this.books.values()].filter(
        (book) => (isToRunAgain(book) && !book.wasToRunAgain) || this.#restarting.has(book),
      );
      this.#restarting.clear();
      if (restarting.length === 0) break;
      for (const book of restarting) book.wasToRunAgain = isToRunAgain(book);
      for (const book of restarting) this.#restartDependents(book.plan.name);
    }
    if (this.shutdown !== null || this.plan.exit === 'all') return;
    const lost = [...this.books.values()].find(
      (book) => book.plan.essential && !book.wasHopeless && this.gates.neverStarts(book),
    );
    if (lost === undefined) return;
    const causes = this.gates.causesOf(lost.plan);
    this.#shutDown(this.failures.find((book) => causes.has(book))?.final?.code ?? 1, now);
  }

  #restartDependents(name: string): void {
    for (const book of this.books.values()) {
      if (!book.plan.edges.some(({ on, restarts }) => on === name && restarts === true)) continue;
      if (!book.plan.enabled || book.runs === 0 || book.wanted !== 'up' || book.rest !== null) continue;
      if (isUp(book)) book.wanted = 'again';
      else this.#revive(book);
    }
  }

  #applyToRun(book: Book, run: Run, event: ServiceEvent, now: Millis): void {
    if (book.final !== null || book.again !== null) return;
    switch (event.type) {
      case 'spawned':
        run.born = true;
        book.everBorn = true;
        break;
      case 'spawn-failed':
        this.#finish(book, run, { success: false, code: event.code }, now);
        break;
      case 'exited':
        if (run.exit !== null) break;
        run.exit = event.exit;
        run.exitAt = now;
        if (this.shutdown === null && run.stop === null && isHeld(book.plan, run, event.exit))
          run.heldUntil = now + HELD;
        else this.#foresee(book, run, verdictOf(book.plan, run, event.exit), now);
        break;
      case 'emptied':
        run.emptied = true;
        if (run.exit !== null && (run.heldUntil === null || run.killedAt !== null))
          this.#finish(book, run, verdictOf(book.plan, run, run.exit), now);
        break;
      case 'probe-ended':
        if (run.flight?.attempt === event.attempt) this.noteResult(book, run, event.ok, event.detail, now);
        break;
      case 'latched': {
        const probe = book.plan.ready[event.index];
        if (probe === undefined || !isLatch(probe) || !run.born || run.latched.has(event.index)) break;
        run.latched.add(event.index);
        run.progressAt = now;
        break;
      }
      case 'progressed':
        run.progressAt = now;
        break;
      case 'stop-command-failed':
      case 'kill-refused':
        break;
      case 'hook-ended':
      case 'gpus-read':
        throw new Error('plans with hooks or GPUs are for hook-referee.ts to judge');
      default:
        event satisfies never;
    }
  }

  /** Judges the ends that no request to stop has explained in time. */
  #release(now: Millis): void {
    for (const book of this.books.values()) {
      const { run } = book;
      if (run?.heldUntil === undefined || run.heldUntil === null || now < run.heldUntil) continue;
      run.heldUntil = null;
      if (run.exit === null || !isUp(book)) continue;
      const verdict = verdictOf(book.plan, run, run.exit);
      this.#foresee(book, run, verdict, now);
      if (run.emptied) this.#finish(book, run, verdict, now);
      this.#spread(now);
    }
  }

  /** Records the result of the attempt that is under way. */
  noteResult({ plan }: Book, run: Run, ok: boolean, detail: string, now: Millis): void {
    if (run.flight === null) return;
    const { kind, index } = run.flight;
    const key = `${kind} ${index}`;
    const last = run.results.get(key);
    const row = last?.row ?? 0;
    if (last?.detail !== detail || row > 0 !== ok) run.progressAt = now;
    run.results.set(key, { detail, row: ok ? Math.max(0, row) + 1 : Math.min(0, row) - 1 });
    run.flight = null;
    if (run.readyAt === null || kind === 'live') return;
    const proven = (probe: Probe, at: number) =>
      !probe.continuous || isLatch(probe) || (run.results.get(`ready ${at}`)?.row ?? 0) >= probe.successes;
    run.unready = ok ? run.unready && !plan.ready.every(proven) : true;
  }

  #operate(operation: Operation, names: readonly string[]): void {
    // A service that a reload has removed stops whatever is requested, and what it needed may be gone already.
    const known = names.filter((name) => this.gates.book(name).next !== 'none');
    const also = new Set(operation === 'stop' ? [] : known);
    for (const name of also) {
      for (const on of this.#missing(name)) also.add(on);
    }
    for (const name of known) this.#want(this.gates.book(name), operation);
    for (const name of also) if (!known.includes(name)) this.#want(this.gates.book(name), 'start');
  }

  /** What a service depends on and that will not come unless it is started. */
  #missing(name: string): readonly string[] {
    const isMissing = (edge: Edge) => {
      const target = this.gates.book(edge.on);
      if (target.rest === 'held') return true;
      if (target.rest === 'by-hand') return edge.condition === 'started' || !this.gates.met(edge);
      return target.final === null ? target.wanted === 'down' : !this.gates.met(edge);
    };
    const edges = this.gates.book(name).plan.edges.filter(({ origin }) => origin === 'declared');
    return choices(edges).flatMap(({ least, members }) => {
      const gone = members.filter(isMissing);
      return members.length - gone.length < least ? gone.map(({ on }) => on) : [];
    });
  }

  /** Services that are started by hand, and that pending ones depend on. */
  #startNeeded(): void {
    const pending = [...this.books.values()].filter(
      ({ plan, run, rest }) => plan.enabled && (rest === 'idle' || (run === null && rest === null)),
    );
    const names = new Set(pending.map(({ plan }) => plan.name));
    const needed = new Set<Book>();
    for (const name of names) {
      const books = this.#missing(name).map((on) => this.gates.book(on));
      for (const book of books.filter(({ rest }) => rest === 'by-hand')) {
        names.add(book.plan.name);
        needed.add(book);
      }
    }
    for (const book of needed) this.#revive(book);
  }

  #want(book: Book, operation: Operation): void {
    if (!book.plan.enabled) return;
    const { run, final } = book;
    if (run !== null && isUp(book)) {
      const stopping = run.stop !== null || run.exit !== null;
      const goesOn = operation === 'start' && !stopping && book.next === null;
      book.wanted = operation === 'stop' ? 'down' : goesOn ? 'up' : 'again';
    } else if (operation !== 'stop') {
      this.#revive(book);
    } else if (final === null) {
      this.#hold(book);
    }
  }

  /** Without processes, and not to start. */
  #hold(book: Book): void {
    const isByHand = book.plan.start !== 'auto';
    Object.assign(book, { rest: isByHand ? 'by-hand' : 'held', again: null, wanted: isByHand ? 'up' : 'down' });
  }

  #changePlan(target: Plan): void {
    const { unchanged } = difference(this.plan, target);
    this.plan = target;
    for (const after of target.services) {
      const book = this.books.get(after.name);
      if (book === undefined) this.books.set(after.name, newBook(after));
      else if (!unchanged.includes(after.name)) this.#replan(book, after);
    }
    const kept = new Set(target.services.map(({ name }) => name));
    for (const [name, book] of this.books) {
      if (kept.has(name)) continue;
      if (isUp(book)) Object.assign(book, { next: 'none', wanted: 'down' });
      else this.books.delete(name);
    }
  }

  #replan(book: Book, after: ServicePlan): void {
    if (book.next === null && restartFields(book.plan, after).length === 0) {
      book.plan = after;
      if (after.start === 'auto' && book.rest === 'by-hand') this.#revive(book);
      if (after.start !== 'auto' && book.rest === 'held') this.#hold(book);
    } else if (isUp(book)) {
      book.plan = { ...book.plan, edges: after.edges, stageEdges: after.stageEdges };
      book.wanted = book.wanted === 'down' && book.next !== 'none' ? 'down' : 'again';
      book.next = after;
    } else this.#take(book, after);
  }

  #take(book: Book, after: ServicePlan): void {
    const { plan: before, run, rest, again, final } = book;
    const isPending =
      before.enabled && final === null && (again !== null || rest === 'idle' || (run === null && rest === null));
    Object.assign(book, { plan: after, next: null });
    if (after.enabled && after.start !== 'auto' && !isPending) {
      this.#revive(book);
      this.#hold(book);
    } else if (!after.enabled || book.rest !== 'held') this.#revive(book);
  }

  #revive(book: Book): void {
    this.failures = this.failures.filter((other) => other !== book);
    Object.assign(book, { rest: 'idle', again: null, final: null, wanted: 'up', streak: 0, restarts: [] });
  }

  /** A run is over with no process left: decides whether another run follows, and whether everything ends. */
  #finish(book: Book, run: Run, verdict: Verdict, now: Millis): void {
    const { plan } = book;
    if (this.shutdown !== null) {
      book.final = { ...verdict, wasReady: book.everReady };
      return;
    }
    if (book.wanted !== 'up') {
      this.failures = this.failures.filter((other) => other !== book);
      if (book.wanted === 'again') this.#revive(book);
      else this.#hold(book);
      if (book.next === 'none') this.books.delete(plan.name);
      else if (book.next !== null) this.#take(book, book.next);
      return;
    }
    const { backoff } = plan.restart;
    if (this.#provedItself(run, now)) book.streak = 0;
    if (this.#startsAgain(book, run, verdict, now)) {
      const pause = Math.min(backoff.max, backoff.initial * backoff.factor ** book.streak);
      book.again = { from: now + pause * 0.9, to: now + pause * 1.1 };
      book.streak += 1;
      book.restarts.push(now);
      return;
    }
    book.final = { ...verdict, wasReady: book.everReady };
    this.#count(book, verdict, now);
  }

  /** An end without another run counts from the end of the main process, not from the clean-up of the rest. */
  #foresee(book: Book, run: Run, verdict: Verdict, now: Millis): void {
    if (this.shutdown !== null || book.wanted !== 'up') return;
    if (this.#startsAgain(book, run, verdict, now)) this.#restarting.add(book);
    else this.#count(book, verdict, now);
  }

  #provedItself(run: Run, now: Millis): boolean {
    return run.readyAt !== null && (run.exitAt ?? now) - run.readyAt >= 60_000;
  }

  #startsAgain({ plan, streak, restarts }: Book, run: Run, verdict: Verdict, now: Millis): boolean {
    const { policy, max, within } = plan.restart;
    const inARow = this.#provedItself(run, now) ? 0 : streak;
    const used = within === null ? inARow : restarts.filter((at) => now - at < within).length;
    const wanted = policy === 'always' || (policy === 'on-failure' && !verdict.success);
    return wanted && (max === null || used < max);
  }

  #count(book: Book, verdict: Verdict, now: Millis): void {
    const { essential, type } = book.plan;
    if (!verdict.success && !this.failures.includes(book)) this.failures.push(book);
    if (!essential) return;
    const { exit } = this.plan;
    const fatal = !verdict.success ? exit !== 'all' : exit === 'first' && type === 'service';
    if (fatal) this.#shutDown(verdict.code, now);
  }

  #shutDown(code: number | null, now: Millis): void {
    const killBy = now + this.plan.stopTimeout;
    const askedAt = code === null ? now : null;
    this.shutdown = { code, killBy, limit: killBy + KILL_WAIT, killed: false, askedAt };
    for (const book of this.books.values()) {
      const { run } = book;
      if (run === null || run.heldUntil === null || run.exit === null) continue;
      run.heldUntil = null;
      run.isExplained = true;
      if (run.emptied) this.#finish(book, run, verdictOf(book.plan, run, run.exit), now);
    }
  }

  #requestStop(signal: string, now: Millis): void {
    if (this.shutdown === null) this.#shutDown(null, now);
    else if (this.shutdown.askedAt === null) this.shutdown.askedAt = now;
    else if (signal !== 'SIGQUIT' && now - this.shutdown.askedAt >= 500) {
      this.shutdown.limit = Math.min(this.shutdown.limit, now + KILL_WAIT);
    }
  }
}
