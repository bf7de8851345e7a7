// Measures a running round several times a second: the fair clock, zombies, memory, descriptors, and whether `status`
// responds. Checks nothing.
import { type Answer, ask } from './api.ts';
import { FairClock } from './fair.ts';
import type { Injector } from './inject.ts';
import type { Asked, Stood, Zombie } from './observation.ts';
import { holdingsOf, type Processes, waitedOf } from './proc.ts';
import type { Room } from './room.ts';

const LOOK_EVERY = 100;
const ASK_EVERY = 250;
/** Real time until a request is abandoned, milliseconds; the fair clock decides whether it was too slow. */
const PATIENCE = 20_000;
/** Pause before a request is repeated, milliseconds. */
const AGAIN = 50;
/** Zombies that exist for less than this are ignored, milliseconds. */
const WORTH_TELLING = 250;

export class Watch {
  readonly clock = new FairClock();
  readonly asked: Asked[] = [];
  readonly zombies: Zombie[] = [];
  /** The longest time of the control program. */
  control = 0;
  /** The states in the last response before everything was stopped. */
  stood: readonly Stood[] = [];
  /** Whether the supervisor has responded at least once. */
  isUp = false;
  readonly most = { memory: 0, files: 0 };
  readonly #room: Room;
  readonly #injector: Injector;
  readonly #processes: Processes;
  readonly #since = new Map<string, { readonly pid: number; readonly name: string; readonly at: number }>();
  readonly #began = performance.now();
  #supervisor = { pid: 0, before: 0, waited: 0 };
  #late = 0;
  #due = performance.now() + LOOK_EVERY;
  #timer: Timer | undefined;
  #over = false;
  #asking: Promise<void> = Promise.resolve();

  constructor(room: Room, injector: Injector, processes: Processes) {
    this.#room = room;
    this.#injector = injector;
    this.#processes = processes;
  }

  begin(): void {
    this.read();
    this.#schedule();
    this.#asking = this.#ask();
    void this.#measure();
  }

  #schedule(): void {
    this.#due = performance.now() + LOOK_EVERY;
    this.#timer = setTimeout(() => {
      this.#look();
      if (!this.#over) this.#schedule();
    }, LOOK_EVERY);
  }

  /** The current fair time. */
  read(): number {
    const wall = performance.now();
    // A delay is counted once per check; the current delay has not been counted yet.
    const late = this.#late + Math.max(0, wall - this.#due);
    const waited = waitedOf(this.#room.pid1) + this.#waitedOfSupervisors();
    return this.clock.read({ wall, waited, stopped: this.#injector.stopped, late });
  }

  /** Of the current supervisor and all previous ones. */
  #waitedOfSupervisors(): number {
    const { supervisor } = this.#room;
    if (supervisor !== this.#supervisor.pid) {
      this.#supervisor = { pid: supervisor, before: this.#supervisor.before + this.#supervisor.waited, waited: 0 };
    }
    this.#supervisor.waited = Math.max(this.#supervisor.waited, waitedOf(supervisor));
    return this.#supervisor.before + this.#supervisor.waited;
  }

  /** Real time that the supervisor did not have, milliseconds. */
  get excused(): number {
    return performance.now() - this.#began - this.clock.now;
  }

  #look(): void {
    const now = this.read();
    this.#late += Math.max(0, performance.now() - this.#due);
    if (this.#room.isOver) return;
    const { pid1, supervisor, ns } = this.#room;
    const zombies = new Set<string>();
    for (const { outerParent, state, outer, start, pid, name } of this.#processes.of(ns)) {
      if (state !== 'Z' || (outerParent !== pid1 && outerParent !== supervisor)) continue;
      const key = `${outer}:${start}`;
      zombies.add(key);
      if (!this.#since.has(key)) this.#since.set(key, { pid, name, at: now });
    }
    for (const [key, { pid, name, at }] of this.#since) {
      if (zombies.has(key)) {
        // Its age is updated as long as it exists.
        this.#report(key, { pid, name, age: now - at });
      } else this.#since.delete(key);
    }
    const [first, second] = [holdingsOf(pid1), holdingsOf(supervisor)];
    if (first === null || second === null) return;
    this.most.memory = Math.max(this.most.memory, first.memory + second.memory);
    this.most.files = Math.max(this.most.files, first.files + second.files);
  }

  readonly #reported = new Map<string, number>();

  #report(key: string, zombie: Zombie): void {
    if (zombie.age < WORTH_TELLING) return;
    const at = this.#reported.get(key);
    if (at === undefined) this.#reported.set(key, this.zombies.push(zombie) - 1);
    else this.zombies[at] = zombie;
  }

  /** The current duration of a spawn and an exec on this machine. */
  async #measure(): Promise<void> {
    while (!this.#over) {
      const from = performance.now();
      const { exited } = Bun.spawn(['/bin/true'], { stdio: ['ignore', 'ignore', 'ignore'] });
      await exited;
      this.control = Math.max(this.control, performance.now() - from);
      await Bun.sleep(ASK_EVERY);
    }
  }

  async #ask(): Promise<void> {
    // There is no socket for a moment.
    while (!this.#over && (await ask(this.#room.socket, 'GET', '/v1/status', null, 1_000)) === null)
      await Bun.sleep(50);
    this.isUp = true;
    while (!this.#over) {
      const from = this.read();
      const answer = await this.#insist();
      if (this.#over || (answer === null && this.#room.isOver)) return;
      this.asked.push({ at: Date.now(), took: this.read() - from, answered: answer?.status === 200 });
      if (answer?.status === 200) this.#take(answer.body);
      await Bun.sleep(ASK_EVERY);
    }
  }

  /**
   * Repeats the request until there is a response: among hundreds of new connections the supervisor may close one that has not
   * been served. Null if the supervisor has ended, or after the time limit.
   */
  async #insist(): Promise<Answer | null> {
    const until = performance.now() + PATIENCE;
    while (!this.#over && !this.#room.isOver && performance.now() < until) {
      const answer = await ask(this.#room.socket, 'GET', '/v1/status', null, until - performance.now());
      if (answer !== null) return answer;
      await Bun.sleep(AGAIN);
    }
    return null;
  }

  /** In a shutdown, services end that would have restarted otherwise. */
  #take(text: string): void {
    const { phase, services } = JSON.parse(text) as { readonly phase: string; readonly services: readonly Stood[] };
    if (phase === 'running') this.stood = services;
  }

  async end(): Promise<void> {
    this.#over = true;
    clearTimeout(this.#timer);
    await Promise.race([this.#asking, Bun.sleep(2_000)]);
  }
}
