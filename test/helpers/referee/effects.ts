// Whether the core may do what it does to a service: starts, signals, stops, SIGKILL, probes. Compares each effect with the
// books, and writes into the book of the run what has been done to it.
import type { ServiceEffect } from '../../../src/core/event.ts';
import type { Millis } from '../../../src/plan/plan.ts';
import { type Book, isUp, newRun, type Run } from './book.ts';
import type { Ledger } from './ledger.ts';
import { holds, type PlanContext, type Seen, SLACK } from './step.ts';

type EffectOf<T extends ServiceEffect['type']> = ServiceEffect & { readonly type: T };

export class Effects {
  readonly #ledger: Ledger;
  readonly #around: PlanContext;

  constructor(ledger: Ledger, around: PlanContext) {
    this.#ledger = ledger;
    this.#around = around;
  }

  /** Fails where the core may not do this to a service now. */
  check(book: Book, number: number, effect: ServiceEffect, seen: Seen): void {
    const { now } = seen;
    const { name } = book.plan;
    if (effect.type === 'spawn') {
      this.#checkStart(book, number, now);
      book.again = null;
      book.rest = null;
      book.runs = number;
      book.run = newRun(number, now);
      return;
    }
    const { run } = book;
    holds(run !== null && run.number === number, `${effect.type} for another run of ${name} than its latest`);
    switch (effect.type) {
      case 'signal':
        this.#signal(book, run, effect, seen);
        break;
      case 'run-stop-command':
        this.#stop(book, run, now);
        break;
      case 'clean-up':
        holds(run.exit !== null && !run.cleanedUp, `a clean-up of ${name} that is not due`);
        run.cleanedUp = true;
        break;
      case 'kill':
        holds(run.killedAt === null, `${name} killed twice`);
        run.killedAt = now;
        if (this.#ledger.shutdown !== null) this.#ledger.shutdown.killed = true;
        break;
      case 'probe':
        this.#probe(book, run, effect, now);
        break;
      case 'abandon-probe':
        this.#abandonProbe(book, run, seen);
        break;
      case 'read-gpus':
      case 'run-hook':
      case 'kill-hook':
        throw new Error('plans with hooks or GPUs are for hook-referee.ts to judge');
      default:
        effect satisfies never;
    }
  }

  #checkStart(book: Book, number: number, now: Millis): void {
    const { name } = book.plan;
    holds(!this.#around.hasProcesses(name), `a second run of ${name} beside the first`);
    holds(this.#ledger.shutdown === null, `${name} started in a shutdown`);
    holds(number === book.runs + 1, `run ${number} of ${name} after ${book.runs}`);
    if (book.again === null) {
      const may =
        (number === 1 || book.rest === 'idle') && book.rest !== 'held' && book.rest !== 'by-hand' && book.plan.enabled;
      holds(may, `${name} started again against its policy`);
      holds(this.#ledger.gates.allMet(book.plan), `${name} started before what it waits for let it`);
      holds(!this.#ledger.gates.isClaimed(book.plan), `${name} started while another one that leaves had its port`);
    } else {
      holds(now >= book.again.from - SLACK, `${name} started again before its pause was over`);
      holds(now <= book.again.to + this.#around.lag + SLACK, `${name} started again too late`);
    }
  }

  #signal(book: Book, run: Run, { signal }: EffectOf<'signal'>, { event, now }: Seen): void {
    const { name, forward } = book.plan;
    holds(run.exit === null, `a signal to the main process of ${name}, which is gone`);
    if (event.type === 'signal-asked') holds(event.services.includes(name), 'a signal that was not requested');
    else if (event.type === 'signalled') {
      holds(run.born && forward[event.signal] === signal, 'not to be forwarded');
    } else if (event.type === 'service' && event.event.type === 'stop-command-failed') this.#fallBack(book, run);
    else this.#stop(book, run, now);
  }

  #probe({ plan }: Book, run: Run, effect: EffectOf<'probe'>, now: Millis): void {
    const { kind, index, attempt } = effect;
    holds(kind !== 'drain', 'plans with hooks are for hook-referee.ts to judge');
    const probe = plan[kind][index];
    holds(probe !== undefined && run.born, `a probe of ${plan.name} that is not due`);
    holds(run.flight === null && run.exit === null, `two probes of ${plan.name} at once, or one after its exit`);
    run.flight = { kind, index, attempt, expires: now + probe.timeout };
  }

  #abandonProbe(book: Book, run: Run, { after, now }: Seen): void {
    const { name } = book.plan;
    if (run.flight !== null && now >= run.flight.expires - SLACK) {
      this.#ledger.noteResult(book, run, false, 'no result in time', now);
    } else if (run.flight !== null) {
      const ends = after.services.get(name)?.state.id === 'stopping';
      holds(ends, `an attempt of ${name} was given up before its time`);
    }
    run.flight = null;
  }

  /** A stop signal or stop command: once for each run, in a shutdown after all dependents, else with a reason. */
  #stop(book: Book, run: Run, now: Millis): void {
    const { name, ready, live, startTimeout, startStall } = book.plan;
    holds(run.stop === null, `${name} was asked twice to stop`);
    const failures = (index: number) => -(run.results.get(`live ${index}`)?.row ?? 0);
    const starting = run.readyAt === null;
    if (starting && ready.length > 0 && now - run.since >= startTimeout - SLACK) {
      run.stop = { why: 'late', at: now };
    } else if (starting && startStall !== null && now - run.progressWas >= startStall - SLACK) {
      run.stop = { why: 'stalled', at: now };
    } else if (!starting && live.some((probe, index) => failures(index) >= probe.failures)) {
      run.stop = { why: 'dead', at: now };
    } else {
      run.stop = { why: 'shutdown', at: now };
      holds(this.#ledger.shutdown !== null || book.wanted !== 'up', `${name} stopped for no reason`);
      for (const other of this.#ledger.gates.dependents(name)) {
        const stopsToo = this.#ledger.shutdown !== null || other.wanted !== 'up';
        const held = stopsToo && isUp(other) && other.run?.killedAt === null;
        holds(!held, `${name} stopped before ${other.plan.name}, which depends on it`);
      }
    }
  }

  /** The signal in place of a stop command that failed: once for each run, and only where there is a command. */
  #fallBack({ plan }: Book, run: Run): void {
    holds(run.stop !== null && plan.stop.argv !== null, `${plan.name} has no stop.command that could fail`);
    holds(!run.fellBack, `${plan.name} was asked twice to stop`);
    run.fellBack = true;
  }
}
