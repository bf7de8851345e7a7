// Sees every step of a Simulator and fails at the first that breaks what must always hold (SPEC sections 2 to 4). Keeps
// books of its own from events and effects alone: what the core believes is compared with them, never taken from it.
import type { Effect, Event, ServiceEffect, ServiceEvent } from '../../src/core/event.ts';
import type { Operation } from '../../src/core/operator.ts';
import { type Exit, HELD, isLikeAStop, KILL_WAIT, LEFTOVER_GRACE } from '../../src/core/policy.ts';
import { Deadlines } from '../../src/core/rows.ts';
import { step } from '../../src/core/supervisor.ts';
import { tallyOf } from '../../src/core/tally.ts';
import { countWaits } from '../../src/core/waits.ts';
import { instantOf, nextDeadline, type World } from '../../src/core/world.ts';
import { difference, restartFields } from '../../src/plan/difference.ts';
import type { Edge, Millis, Plan, Probe, ServicePlan } from '../../src/plan/plan.ts';

export interface Seen {
  readonly before: World;
  readonly event: Event;
  readonly after: World;
  readonly effects: readonly Effect[];
  readonly now: Millis;
}

interface Flight {
  readonly kind: 'ready' | 'live';
  readonly index: number;
  readonly attempt: number;
  readonly expires: Millis;
}

/** One run, as the referee has seen it. */
interface Run {
  readonly number: number;
  readonly since: Millis;
  born: boolean;
  readyAt: Millis | null;
  unready: boolean;
  exit: Exit | null;
  exitAt: Millis | null;
  /** Until then a request to stop may explain its end, which is like one that was asked for. */
  heldUntil: Millis | null;
  /** A request to stop did. */
  isExplained: boolean;
  /** No process of it is left. */
  emptied: boolean;
  /** Why the core told it to stop; null: it has not. */
  stop: { readonly why: 'shutdown' | 'late' | 'stalled' | 'dead'; readonly at: Millis } | null;
  fellBack: boolean;
  swept: boolean;
  killedAt: Millis | null;
  flight: Flight | null;
  progressAt: Millis;
  /** What that was before the effects of the step: an attempt given up together with its run is no progress. */
  progressWas: Millis;
  /** Latest answers, and how many like it in a row: above zero successes, below failures. */
  readonly answers: Map<string, { readonly detail: string; readonly row: number }>;
  readonly latched: Set<number>;
}

interface Verdict {
  readonly success: boolean;
  readonly code: number;
}

interface Book {
  plan: ServicePlan;
  /** What a reload has made of it for when its run is over; `none`: it vanishes. */
  next: ServicePlan | 'none' | null;
  runs: number;
  run: Run | null;
  everBorn: boolean;
  /** While it waits for its next run: from when to when that may begin. */
  again: { readonly from: Millis; readonly to: Millis } | null;
  final: (Verdict & { readonly wasReady: boolean }) | null;
  everReady: boolean;
  streak: number;
  restarts: Millis[];
  blocked: number;
  wanted: 'up' | 'down' | 'again';
  /** What the operator has made of a service without processes: to start again, or held down. */
  rest: 'idle' | 'held' | null;
  /** As of the step before: whether another run was to follow, and whether it could never start. */
  wasToRunAgain: boolean;
  wasHopeless: boolean;
}

interface Shutdown {
  readonly since: Millis;
  /** What the container's code must be; null: asked, so 0 or 137. */
  readonly code: number | null;
  /** All that is left is killed by then, and over by `limit`. */
  readonly killBy: Millis;
  limit: Millis;
  killed: boolean;
  /** When a signal first asked for it. */
  askedAt: Millis | null;
}

/** Clock arithmetic is in floating point. */
const SLACK: Millis = 1e-3;

export class Referee {
  plan: Plan;
  /** How late timers fire here. */
  readonly lag: Millis;
  /** The truth about a service's processes. */
  readonly hasProcesses: (service: string) => boolean;
  readonly #books: Map<string, Book>;
  #shutdown: Shutdown | null = null;
  /** Who has failed for good, in that order. */
  #failures: Book[] = [];
  /** Whose next run will follow, though its latest has yet to be cleared up after. */
  readonly #restarting = new Set<Book>();
  #ended = false;
  #deadlinesAt: Millis = -1;
  #deadlinesInARow = 0;

  constructor(plan: Plan, lag: Millis, hasProcesses: (service: string) => boolean) {
    this.plan = plan;
    this.lag = lag;
    this.hasProcesses = hasProcesses;
    this.#books = new Map(plan.services.map((service) => [service.name, newBook(service)]));
  }

  see(seen: Seen): void {
    if (this.#ended) throw new Error('a step after the end');
    this.#isPure(seen);
    const { event, effects, now } = seen;
    if (event.type === 'service') {
      const book = this.#books.get(event.service);
      if (book?.run?.number === event.run) this.#hear(book, book.run, event.news, now);
    }
    if (event.type === 'deadline-passed') this.#release(now);
    if (event.type === 'stop-asked') this.#askToStop(event.signal, now);
    if (event.type === 'operated' && this.#shutdown === null) this.#operate(event.operation, event.services);
    if (event.type === 'plan-changed' && this.#shutdown === null) this.#changePlan(event.plan);
    this.#spread(now);
    this.#noteReadiness(seen);
    for (const { run } of this.#books.values()) if (run !== null) run.progressWas = run.progressAt;
    for (const [position, effect] of effects.entries()) {
      if (effect.type === 'service') this.#allow(this.#book(effect.service), effect.run, effect.effect, seen);
      if (effect.type === 'announce' && effect.event === 'blocked') this.#book(effect.service ?? '').blocked += 1;
      if (effect.type === 'end') {
        this.#holds(position === effects.length - 1, 'something after the end');
        this.#ended = true;
        this.#judgeEnd(effect.code, now);
      }
    }
    this.#holds(this.#ended === (seen.after.phase.id === 'ended'), 'an end without its effect, or the other way round');
    if (this.#ended) return;
    this.#compare(seen);
    this.#goesOn(seen);
    for (const book of this.#books.values()) {
      book.wasToRunAgain = isToRunAgain(book);
      book.wasHopeless = this.#neverStarts(book);
    }
  }

  /** What follows from the event for others: dependents that restart too, and essential services that never start. */
  #spread(now: Millis): void {
    while (this.#shutdown === null) {
      const restarting = [...this.#books.values()].filter(
        (book) => (isToRunAgain(book) && !book.wasToRunAgain) || this.#restarting.has(book),
      );
      this.#restarting.clear();
      if (restarting.length === 0) break;
      for (const book of restarting) book.wasToRunAgain = isToRunAgain(book);
      for (const book of restarting) this.#restartDependents(book.plan.name);
    }
    if (this.#shutdown !== null || this.plan.exit === 'all') return;
    const lost = [...this.#books.values()].find(
      (book) => book.plan.essential && !book.wasHopeless && this.#neverStarts(book),
    );
    if (lost === undefined) return;
    const causes = this.#causesOf(lost.plan);
    this.#shutDown(this.#failures.find((book) => causes.has(book))?.final?.code ?? 1, now);
  }

  #restartDependents(name: string): void {
    for (const book of this.#books.values()) {
      if (!book.plan.edges.some(({ on, restarts }) => on === name && restarts === true)) continue;
      if (!book.plan.enabled || book.runs === 0 || book.wanted !== 'up' || book.rest !== null) continue;
      if (isUp(book)) book.wanted = 'again';
      else this.#revive(book);
    }
  }

  #neverStarts(book: Book): boolean {
    const { plan, run, rest } = book;
    return plan.enabled && rest !== 'held' && (run === null || rest === 'idle') && this.#isHopeless(plan);
  }

  /** Those whose failures keep it from starting, directly or through others that never start. */
  #causesOf(plan: ServicePlan): ReadonlySet<Book> {
    const hopeless = choices(edgesOf(plan)).filter((choice) => this.#isShut(choice));
    const lost = hopeless.flatMap(({ members }) => members.filter((edge) => this.#isLost(edge)));
    const found = lost.map(({ on }) => this.#book(on)).filter(({ plan: { enabled } }) => enabled);
    return new Set(
      found.flatMap((book) =>
        book.final === null ? [...this.#causesOf(book.plan)] : book.final.success ? [] : [book],
      ),
    );
  }

  #book(name: string): Book {
    const book = this.#books.get(name);
    if (book === undefined) throw new Error(`no service ${name}`);
    return book;
  }

  #holds(condition: boolean, otherwise: string): asserts condition {
    if (!condition) throw new Error(`referee: ${otherwise}`);
  }

  /** The same step from the same, frozen world must come to the same. */
  #isPure({ before, event, after, effects, now }: Seen): void {
    freeze(before);
    const again = step(before, event, now);
    this.#holds(Bun.deepEquals(again, { world: after, effects }, true), `${event.type} twice came to two results`);
    freeze(after);
    this.#holds(Bun.deepEquals(after.tally, tallyOf(after.services.values()), true), `${event.type} miscounted`);
    this.#isCounted(event, after);
  }

  /** What a world has counted from step to step is what counting from scratch comes to. */
  #isCounted(event: Event, { index, plan, services, waits, deadlines }: World): void {
    const all = [...services.values()];
    const counted = countWaits(index.graph, all, waits.isEnding);
    this.#holds(Bun.deepEquals(waits, counted, true), `${event.type} miscounted who waits`);
    const due = Deadlines.of(all.map((service, number) => instantOf(plan.services[number], service)));
    this.#holds(Bun.deepEquals(deadlines, due, true), `${event.type} mistook what is due`);
  }

  #hear(book: Book, run: Run, news: ServiceEvent, now: Millis): void {
    if (book.final !== null || book.again !== null) return;
    switch (news.type) {
      case 'spawned':
        run.born = true;
        book.everBorn = true;
        break;
      case 'spawn-failed':
        this.#finish(book, run, { success: false, code: news.code }, now);
        break;
      case 'exited':
        if (run.exit !== null) break;
        run.exit = news.exit;
        run.exitAt = now;
        if (this.#shutdown === null && run.stop === null && isHeld(book.plan, run, news.exit))
          run.heldUntil = now + HELD;
        else this.#foresee(book, run, verdictOf(book.plan, run, news.exit), now);
        break;
      case 'emptied':
        run.emptied = true;
        if (run.exit !== null && (run.heldUntil === null || run.killedAt !== null))
          this.#finish(book, run, verdictOf(book.plan, run, run.exit), now);
        break;
      case 'answered':
        if (run.flight?.attempt === news.attempt) this.#note(book, run, news.ok, news.detail, now);
        break;
      case 'latched': {
        const probe = book.plan.ready[news.index];
        if (probe === undefined || !isLatch(probe) || !run.born || run.latched.has(news.index)) break;
        run.latched.add(news.index);
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
        news satisfies never;
    }
  }

  /** Ends that no request to stop has explained count as they are. */
  #release(now: Millis): void {
    for (const book of this.#books.values()) {
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

  /** Takes down the answer to the attempt that is under way. */
  #note({ plan }: Book, run: Run, ok: boolean, detail: string, now: Millis): void {
    if (run.flight === null) return;
    const { kind, index } = run.flight;
    const key = `${kind} ${index}`;
    const last = run.answers.get(key);
    const row = last?.row ?? 0;
    if (last?.detail !== detail || row > 0 !== ok) run.progressAt = now;
    run.answers.set(key, { detail, row: ok ? Math.max(0, row) + 1 : Math.min(0, row) - 1 });
    run.flight = null;
    if (run.readyAt === null || kind === 'live') return;
    const proven = (probe: Probe, at: number) =>
      !probe.continuous || isLatch(probe) || (run.answers.get(`ready ${at}`)?.row ?? 0) >= probe.successes;
    run.unready = ok ? run.unready && !plan.ready.every(proven) : true;
  }

  #operate(operation: Operation, names: readonly string[]): void {
    const missing = (edge: Edge) => {
      const target = this.#book(edge.on);
      if (target.rest === 'held') return true;
      return target.final === null ? target.wanted === 'down' : !this.#met(edge);
    };
    // One that a reload has taken away goes, whoever asks; and what it needed may be gone already.
    const known = names.filter((name) => this.#book(name).next !== 'none');
    const also = new Set(operation === 'stop' ? [] : known);
    for (const name of also) {
      const edges = this.#book(name).plan.edges.filter(({ origin }) => origin === 'declared');
      for (const { least, members } of choices(edges)) {
        const gone = members.filter(missing);
        if (members.length - gone.length < least) for (const { on } of gone) also.add(on);
      }
    }
    for (const name of known) this.#want(this.#book(name), operation);
    for (const name of also) if (!known.includes(name)) this.#want(this.#book(name), 'start');
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
      Object.assign(book, { rest: 'held', again: null, wanted: 'down' });
    }
  }

  #changePlan(target: Plan): void {
    const { unchanged } = difference(this.plan, target);
    this.plan = target;
    for (const after of target.services) {
      const book = this.#books.get(after.name);
      if (book === undefined) this.#books.set(after.name, newBook(after));
      else if (!unchanged.includes(after.name)) this.#replan(book, after);
    }
    const kept = new Set(target.services.map(({ name }) => name));
    for (const [name, book] of this.#books) {
      if (kept.has(name)) continue;
      if (isUp(book)) Object.assign(book, { next: 'none', wanted: 'down' });
      else this.#books.delete(name);
    }
  }

  #replan(book: Book, after: ServicePlan): void {
    if (book.next === null && restartFields(book.plan, after).length === 0) {
      book.plan = after;
    } else if (isUp(book)) {
      book.plan = { ...book.plan, edges: after.edges, stageEdges: after.stageEdges };
      book.wanted = book.wanted === 'down' && book.next !== 'none' ? 'down' : 'again';
      book.next = after;
    } else this.#take(book, after);
  }

  #take(book: Book, after: ServicePlan): void {
    Object.assign(book, { plan: after, next: null });
    if (!after.enabled || book.rest !== 'held') this.#revive(book);
  }

  #revive(book: Book): void {
    this.#failures = this.#failures.filter((other) => other !== book);
    Object.assign(book, { rest: 'idle', again: null, final: null, wanted: 'up', streak: 0, restarts: [] });
  }

  /** A run is over with no process left. Whether it is for good, and whether that ends everything, is worked out here. */
  #finish(book: Book, run: Run, verdict: Verdict, now: Millis): void {
    const { plan } = book;
    if (this.#shutdown !== null) {
      book.final = { ...verdict, wasReady: book.everReady };
      return;
    }
    if (book.wanted !== 'up') {
      this.#failures = this.#failures.filter((other) => other !== book);
      if (book.wanted === 'again') this.#revive(book);
      else book.rest = 'held';
      if (book.next === 'none') this.#books.delete(plan.name);
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

  /** An end for good counts from the moment at which the main process is gone, not from when all is cleared up. */
  #foresee(book: Book, run: Run, verdict: Verdict, now: Millis): void {
    if (this.#shutdown !== null || book.wanted !== 'up') return;
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
    if (!verdict.success && !this.#failures.includes(book)) this.#failures.push(book);
    if (!essential) return;
    const { exit } = this.plan;
    const fatal = !verdict.success ? exit !== 'all' : exit === 'first' && type === 'service';
    if (fatal) this.#shutDown(verdict.code, now);
  }

  #shutDown(code: number | null, now: Millis): void {
    const killBy = now + this.plan.stopTimeout;
    const askedAt = code === null ? now : null;
    this.#shutdown = { since: now, code, killBy, limit: killBy + KILL_WAIT, killed: false, askedAt };
    for (const book of this.#books.values()) {
      const { run } = book;
      if (run === null || run.heldUntil === null || run.exit === null) continue;
      run.heldUntil = null;
      run.isExplained = true;
      if (run.emptied) this.#finish(book, run, verdictOf(book.plan, run, run.exit), now);
    }
  }

  #askToStop(signal: string, now: Millis): void {
    if (this.#shutdown === null) this.#shutDown(null, now);
    else if (this.#shutdown.askedAt === null) this.#shutdown.askedAt = now;
    else if (signal !== 'SIGQUIT' && now - this.#shutdown.askedAt >= 500) {
      this.#shutdown.limit = Math.min(this.#shutdown.limit, now + KILL_WAIT);
    }
  }

  /** Whether the core may do this to a service now. */
  #allow(book: Book, number: number, effect: ServiceEffect, { event, after, now }: Seen): void {
    const { name } = book.plan;
    if (effect.type === 'spawn') {
      this.#holds(!this.hasProcesses(name), `a second run of ${name} beside the first`);
      this.#holds(this.#shutdown === null, `${name} started in a shutdown`);
      this.#holds(number === book.runs + 1, `run ${number} of ${name} after ${book.runs}`);
      if (book.again === null) {
        const may = (number === 1 || book.rest === 'idle') && book.rest !== 'held' && book.plan.enabled;
        this.#holds(may, `${name} started again against its policy`);
        this.#holds(this.#allMet(book.plan), `${name} started before what it waits for let it`);
        this.#holds(!this.#isClaimed(book.plan), `${name} started while another one that leaves had its port`);
      } else {
        this.#holds(now >= book.again.from - SLACK, `${name} started again before its pause was over`);
        this.#holds(now <= book.again.to + this.lag + SLACK, `${name} started again too late`);
      }
      book.again = null;
      book.rest = null;
      book.runs = number;
      book.run = {
        number,
        since: now,
        born: false,
        readyAt: null,
        unready: false,
        exit: null,
        exitAt: null,
        heldUntil: null,
        isExplained: false,
        emptied: false,
        stop: null,
        fellBack: false,
        swept: false,
        killedAt: null,
        flight: null,
        progressAt: now,
        progressWas: now,
        answers: new Map(),
        latched: new Set(),
      };
      return;
    }
    const { run } = book;
    this.#holds(run !== null && run.number === number, `${effect.type} for another run of ${name} than its latest`);
    switch (effect.type) {
      case 'signal':
        this.#holds(run.exit === null, `a signal to the main process of ${name}, which is gone`);
        if (event.type === 'signal-asked') this.#holds(event.services.includes(name), 'a signal that nobody asked for');
        else if (event.type === 'signalled') {
          this.#holds(run.born && book.plan.forward[event.signal] === effect.signal, 'not to be forwarded');
        } else if (event.type === 'service' && event.news.type === 'stop-command-failed') this.#fallBack(book, run);
        else this.#stop(book, run, now);
        break;
      case 'run-stop-command':
        this.#stop(book, run, now);
        break;
      case 'sweep':
        this.#holds(run.exit !== null && !run.swept, `a sweep of ${name} that is not due`);
        run.swept = true;
        break;
      case 'kill':
        this.#holds(run.killedAt === null, `${name} killed twice`);
        run.killedAt = now;
        if (this.#shutdown !== null) this.#shutdown.killed = true;
        break;
      case 'probe': {
        const { kind } = effect;
        this.#holds(kind !== 'drain', 'plans with hooks are for hook-referee.ts to judge');
        const probe = book.plan[kind][effect.index];
        this.#holds(probe !== undefined && run.born, `a probe of ${name} that is not due`);
        this.#holds(run.flight === null && run.exit === null, `two probes of ${name} at once, or one of the dead`);
        run.flight = { ...effect, kind, expires: now + probe.timeout };
        break;
      }
      case 'abandon-probe':
        if (run.flight !== null && now >= run.flight.expires - SLACK) {
          this.#note(book, run, false, 'no answer in time', now);
        } else if (run.flight !== null) {
          const ends = after.services.get(name)?.state.id === 'stopping';
          this.#holds(ends, `an attempt of ${name} was given up before its time`);
        }
        run.flight = null;
        break;
      case 'read-gpus':
      case 'run-hook':
      case 'kill-hook':
        throw new Error('plans with hooks or GPUs are for hook-referee.ts to judge');
      default:
        effect satisfies never;
    }
  }

  /** The stop signal, or what stands for it: once for each run, in a shutdown after all dependents, else with a reason. */
  #stop(book: Book, run: Run, now: Millis): void {
    const { name, ready, live, startTimeout, startStall } = book.plan;
    this.#holds(run.stop === null, `${name} was told twice to stop`);
    const failures = (index: number) => -(run.answers.get(`live ${index}`)?.row ?? 0);
    const starting = run.readyAt === null;
    if (starting && ready.length > 0 && now - run.since >= startTimeout - SLACK) {
      run.stop = { why: 'late', at: now };
    } else if (starting && startStall !== null && now - run.progressWas >= startStall - SLACK) {
      run.stop = { why: 'stalled', at: now };
    } else if (!starting && live.some((probe, index) => failures(index) >= probe.failures)) {
      run.stop = { why: 'dead', at: now };
    } else {
      run.stop = { why: 'shutdown', at: now };
      this.#holds(this.#shutdown !== null || book.wanted !== 'up', `${name} stopped for no reason`);
      for (const other of this.#dependents(name)) {
        const stopsToo = this.#shutdown !== null || other.wanted !== 'up';
        const held = stopsToo && isUp(other) && other.run?.killedAt === null;
        this.#holds(!held, `${name} stopped before ${other.plan.name}, which depends on it`);
      }
    }
  }

  /** Those that depend on it, directly or through others whose runs are over. */
  #dependents(name: string): readonly Book[] {
    const direct = [...this.#books.values()].filter(({ plan }) => edgesOf(plan).some(({ on }) => on === name));
    const isDone = (book: Book) => book.runs > 0 && !isUp(book);
    return direct.flatMap((book) => (isDone(book) ? [book, ...this.#dependents(book.plan.name)] : [book]));
  }

  /** The signal in place of a stop.command that failed: once too, and only where the command was run. */
  #fallBack({ plan }: Book, run: Run): void {
    this.#holds(run.stop !== null && plan.stop.argv !== null, `${plan.name} has no stop.command that could fail`);
    this.#holds(!run.fellBack, `${plan.name} was told twice to stop`);
    run.fellBack = true;
  }

  #met({ on, condition, origin, restarts }: Edge): boolean {
    const book = this.#book(on);
    const { everBorn, run, final, again, rest } = book;
    if (origin === 'stage' && rest === 'held') return true;
    const isComing = isUp(book) && (run?.born !== true || run.exit !== null || run.stop !== null);
    if (condition === 'started') return everBorn && !(restarts === true && (isComing || isToRunAgain(book)));
    if (condition === 'exited') return final !== null;
    if (condition === 'completed') return final?.success === true;
    if (final !== null) return final.success && final.wasReady;
    return (
      again === null && run !== null && run.readyAt !== null && !run.unready && run.exit === null && run.stop === null
    );
  }

  #allMet(plan: ServicePlan): boolean {
    return choices(edgesOf(plan)).every(
      ({ least, members }) => members.filter((edge) => this.#met(edge)).length >= least,
    );
  }

  /** Whether another one that is on its way out still has one of its ports. */
  #isClaimed({ name, ports }: ServicePlan): boolean {
    return [...this.#books.values()].some((book) => {
      const { plan, wanted, run } = book;
      if (plan.name === name || run === null || !isUp(book)) return false;
      const leaves = wanted !== 'up' || run.stop !== null || run.exit !== null || run.killedAt !== null;
      return leaves && plan.ports.some((port) => ports.includes(port));
    });
  }

  #isHopeless(plan: ServicePlan): boolean {
    return choices(edgesOf(plan)).some((choice) => this.#isShut(choice));
  }

  #isShut({ least, members }: Choice): boolean {
    return members.length - members.filter((edge) => this.#isLost(edge)).length < least;
  }

  /** The core says who is ready; the books must have seen every probe of it hold. */
  #noteReadiness({ before, after, now }: Seen): void {
    for (const [name, book] of this.#books) {
      const { run, plan } = book;
      const became = after.services.get(name)?.state.id === 'ready' && before.services.get(name)?.state.id !== 'ready';
      if (run === null || !became) continue;
      for (const [index, probe] of plan.ready.entries()) {
        const row = run.answers.get(`ready ${index}`)?.row ?? 0;
        const proven = isLatch(probe) ? run.latched.has(index) : row >= probe.successes;
        this.#holds(run.born && proven, `${name} is ready though probe ${index} does not hold`);
      }
      run.readyAt ??= now;
      book.everReady = true;
    }
  }

  /** Whether what an edge waits for can never be so any more. */
  #isLost(edge: Edge): boolean {
    const book = this.#book(edge.on);
    if (this.#met(edge)) return false;
    return !book.plan.enabled || book.final !== null || this.#neverStarts(book);
  }

  /** What the core believes beside what the books say. */
  #compare({ after, effects, now }: Seen): void {
    for (const [name, book] of this.#books) {
      const { run, plan } = book;
      const state = after.services.get(name)?.state.id;
      const { blocked } = book;
      this.#holds(blocked <= 1, `${name} said ${blocked} times that it never starts`);
      this.#holds(!(state === 'unready') || run?.unready === true, `${name} is unready for no reason`);
      if (run === null || !isUp(book)) {
        this.#holds(state !== 'ready' && state !== 'starting' && state !== 'stopping', `${name} is not ${state}`);
      } else if (run.stop === null && run.exit === null && run.killedAt === null) {
        this.#holds(state === 'starting' || state === 'ready' || state === 'unready', `${name} is ${state}, not up`);
        const past = (limit: Millis) => run.readyAt === null && now > limit + this.lag + SLACK;
        const late = plan.ready.length > 0 && past(run.since + plan.startTimeout);
        this.#holds(!late, `${name} outlived its start_timeout`);
        const stalled = plan.startStall !== null && past(run.progressAt + plan.startStall);
        this.#holds(!stalled, `${name} outlived its start_stall`);
      } else {
        this.#holds(state === 'stopping', `${name} is ${state}, not stopping`);
      }
      if (run !== null && isUp(book)) this.#isKilledInTime(plan, run, now);
      if (this.#shutdown === null && state === 'pending' && plan.enabled) {
        this.#holds(!this.#allMet(plan) || this.#isClaimed(plan), `${name} could start and does not`);
        const never = this.#isHopeless(plan);
        const said = effects.some(
          (effect) => effect.type === 'announce' && effect.event === 'blocked' && effect.service === name,
        );
        this.#holds(never ? blocked === 1 : !said, `${name} never starts: ${never}; said so: ${blocked}`);
        if (!never) book.blocked = 0;
      } else if (this.#shutdown === null) {
        book.blocked = 0;
      }
      if (this.#shutdown === null) this.#isAsWanted(book, state ?? '');
    }
    const begun = effects.some((effect) => effect.type === 'announce' && effect.event === 'stopping');
    if (begun) this.#holds(this.#shutdown !== null, 'a shutdown for no reason');
    this.#holds((after.phase.id === 'stopping') === (this.#shutdown !== null), 'a cause that did not begin a shutdown');
  }

  /** The operator's word is carried out as soon as no dependent that stops too stands in the way. */
  #isAsWanted({ plan: { name }, wanted, rest, run }: Book, state: string): void {
    this.#holds((rest === 'held') === (state === 'stopped'), `${name} is ${state}, held down: ${rest === 'held'}`);
    if (wanted === 'up' || run === null || state === 'stopping' || state === 'stopped') return;
    const waits = this.#dependents(name).some((other) => isUp(other) && other.wanted !== 'up');
    this.#holds(waits, `${name} is ${state}, though it is wanted ${wanted}`);
  }

  /** Whatever asked a run to stop, SIGKILL comes by its deadlines; and nobody probes what is being stopped. */
  #isKilledInTime({ name, stop }: ServicePlan, run: Run, now: Millis): void {
    this.#holds(run.flight === null || (run.stop === null && run.exit === null), `${name} is probed while it stops`);
    if (run.killedAt !== null || run.emptied) return;
    const own = (run.stop?.at ?? Infinity) + (stop.timeout ?? this.plan.stopTimeout);
    // What a run leaves that was told to stop has the time of the stop.
    const leftovers =
      run.stop === null && !run.isExplained
        ? (run.exitAt ?? Infinity) + (stop.leftoverTimeout ?? LEFTOVER_GRACE)
        : Infinity;
    // One after the other, a chain of dependents may be late by one late timer each.
    const late = this.lag * (this.#books.size + 1) + SLACK;
    const by = Math.min(own, leftovers, this.#shutdown?.killBy ?? Infinity);
    this.#holds(now <= by + late, `what was left of ${name} was not killed by ${by}`);
  }

  /** It is never stuck, never busy for nothing, and a shutdown is over in time. */
  #goesOn({ event, after, now }: Seen): void {
    const next = nextDeadline(after);
    const waits = [...this.#books.keys()].some((name) => this.hasProcesses(name));
    const held = [...this.#books.values()].some(({ rest }) => rest === 'held');
    this.#holds(next !== null || waits || held, 'nothing can ever happen again');
    const again = event.type === 'deadline-passed' && this.#deadlinesAt === now;
    this.#deadlinesInARow = again ? this.#deadlinesInARow + 1 : 0;
    this.#deadlinesAt = event.type === 'deadline-passed' ? now : -1;
    this.#holds(this.#deadlinesInARow <= 2 * this.#books.size + 2, 'deadlines that pass for ever at one instant');
    if (this.#shutdown === null) return;
    this.#holds(now <= this.#shutdown.limit + this.lag + SLACK, 'the shutdown outlived its deadline');
  }

  #judgeEnd(code: number, now: Millis): void {
    const left = [...this.#books].filter(([name]) => this.hasProcesses(name));
    for (const [name, { run }] of left) this.#holds(run?.killedAt !== null, `the end, and ${name} was never killed`);
    if (this.#shutdown !== null) {
      const { code: must, killed, limit } = this.#shutdown;
      const asked = killed || left.length > 0 ? 137 : 0;
      this.#holds(code === (must ?? asked), `ended with ${code} where ${must ?? asked} is due`);
      this.#holds(now <= limit + this.lag + SLACK, 'the shutdown ended too late');
      return;
    }
    const books = [...this.#books.values()];
    this.#holds(left.length === 0 && books.every(({ again }) => again === null), 'the end, though something goes on');
    this.#holds(!books.some(({ rest }) => rest === 'held'), 'the end, though the operator may start something again');
    const stuck = books.filter((book) => book.plan.enabled && (book.run === null || book.rest === 'idle'));
    for (const { plan, blocked } of stuck) {
      this.#holds(!this.#allMet(plan), `the end, though ${plan.name} could start`);
      this.#holds(blocked === 1, `the end, and nobody said why ${plan.name} never started`);
    }
    const missed = stuck.some(({ plan }) => plan.essential);
    // A service of the same name that a reload has brought is another one.
    this.#failures = this.#failures.filter((book) => this.#books.get(book.plan.name) === book);
    const first = this.#failures.find(({ plan }) => plan.essential)?.final?.code;
    const due = first ?? (missed ? (this.#failures[0]?.final?.code ?? 1) : 0);
    this.#holds(code === due, `ended with ${code} where ${due} is due`);
  }
}

interface Choice {
  readonly least: number;
  readonly members: readonly Edge[];
}

/** Every edge is in one: alone, or with the others that lead to copies of the same service. */
function choices(edges: readonly Edge[]): readonly Choice[] {
  const alone = edges.filter(({ choice }) => choice === undefined).map((edge) => ({ least: 1, members: [edge] }));
  const named = new Set(edges.flatMap(({ choice }) => choice?.of ?? []));
  const several = [...named].map((of) => {
    const members = edges.filter(({ choice }) => choice?.of === of);
    return { least: members[0]?.choice?.least ?? 0, members };
  });
  return [...alone, ...several];
}

/** All that a service waits for, by itself and as a member of its stage. */
function edgesOf({ edges, stageEdges }: ServicePlan): readonly Edge[] {
  return [...edges, ...stageEdges];
}

const isLatch = ({ kind }: Probe): boolean => kind === 'log' || kind === 'notify';

/** Whether another run is to follow the one that is there or was there. */
function isToRunAgain({ wanted, again, rest, runs }: Book): boolean {
  return wanted === 'again' || again !== null || (rest === 'idle' && runs > 0);
}

/** Whether a run has begun and is not over. */
function isUp({ run, final, again, rest }: Book): boolean {
  return run !== null && final === null && again === null && rest === null;
}

/** Whether its end may follow from a request to stop: by the signal, or by a code of success that is none here. */
function isHeld(plan: ServicePlan, run: Run, exit: Exit): boolean {
  const isClean = exit.kind === 'code' && (exit.code === 0 || plan.successCodes.includes(exit.code));
  return isLikeAStop(exit) || (isClean && !verdictOf(plan, run, exit).success);
}

function verdictOf(plan: ServicePlan, run: Run, exit: Exit): Verdict {
  const code = exit.kind === 'code' ? exit.code : 128 + exit.number;
  if (run.stop?.why === 'late' || run.stop?.why === 'stalled') return { success: false, code: 124 };
  if (run.stop?.why === 'dead') return { success: false, code: code === 0 ? 1 : code };
  const isEarly = plan.ready.length > 0 && plan.type === 'service' && run.readyAt === null;
  if (!isEarly && plan.successCodes.includes(code)) return { success: true, code: 0 };
  return { success: false, code: code === 0 ? 1 : code };
}

/** Freezes what is not frozen yet; a Map's entries need more than Object.freeze. */
function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  if (value instanceof Map) {
    const refuse = () => {
      throw new Error('a world was changed');
    };
    for (const part of value.values()) freeze(part);
    Object.assign(value, { set: refuse, delete: refuse, clear: refuse });
  }
  Object.freeze(value);
  for (const part of Object.values(value)) freeze(part);
}

function newBook(service: ServicePlan): Book {
  return {
    plan: service,
    next: null,
    runs: 0,
    run: null,
    everBorn: false,
    again: null,
    final: null,
    everReady: false,
    streak: 0,
    restarts: [],
    blocked: 0,
    wanted: 'up',
    rest: null,
    wasToRunAgain: false,
    wasHopeless: false,
  };
}
