// Looks at a round while it runs, several times a second: the fair clock, zombies, memory, descriptors, and whether

// `status` answers. Judges nothing.
import { ask } from './api.ts';
import { FairClock } from './fair.ts';
import type { Injector } from './inject.ts';
import type { Asked, Stood, Zombie } from './observation.ts';
import { holdingsOf, type Processes, waitedOf } from './proc.ts';
import type { Room } from './room.ts';

const LOOK_EVERY = 100;
const ASK_EVERY = 250;
/** Real time until a question is given up, milliseconds: whether that was too long is judged by the fair clock. */
const PATIENCE = 20_000;
/** From a supervisor's end to that of its room: an init above it looks for what is left, milliseconds. */
const END_KNOWN = 3_000;
/** Zombies that were seen for less are nobody's business, milliseconds. */
const WORTH_TELLING = 250;

export class Watch {
  readonly clock = new FairClock();
  readonly asked: Asked[] = [];
  readonly zombies: Zombie[] = [];
  /** Whether the supervisor has answered a first time. */
  isUp = false;
  readonly most = { memory: 0, files: 0 };
  readonly #room: Room;
  readonly #injector: Injector;
  readonly #processes: Processes;
  readonly #since = new Map<string, { readonly pid: number; readonly name: string; readonly at: number }>();
  readonly #began = performance.now();
  #late = 0;
  #due = performance.now() + LOOK_EVERY;
  #timer: Timer | undefined;
  #over = false;
  #last = '';
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
  }

  #schedule(): void {
    this.#due = performance.now() + LOOK_EVERY;
    this.#timer = setTimeout(() => {
      this.#look();
      if (!this.#over) this.#schedule();
    }, LOOK_EVERY);
  }

  /** The fair clock, now. */
  read(): number {
    const wall = performance.now();
    // Being late is counted once for each look; what is late now has not been counted yet.
    const late = this.#late + Math.max(0, wall - this.#due);
    return this.clock.read({ wall, waited: waitedOf(this.#room.supervisor), stopped: this.#injector.stopped, late });
  }

  /** Real time that was not the supervisor's, milliseconds. */
  get excused(): number {
    return performance.now() - this.#began - this.clock.now;
  }

  #look(): void {
    const now = this.read();
    this.#late += Math.max(0, performance.now() - this.#due);
    if (this.#room.isOver) return;
    const { supervisor, ns } = this.#room;
    const zombies = new Set<string>();
    for (const { outerParent, state, outer, start, pid, name } of this.#processes.of(ns)) {
      if (state !== 'Z' || outerParent !== supervisor) continue;
      const key = `${outer}:${start}`;
      zombies.add(key);
      if (!this.#since.has(key)) this.#since.set(key, { pid, name, at: now });
    }
    for (const [key, { pid, name, at }] of this.#since) {
      if (zombies.has(key)) {
        // As long as it is there its age is kept up to date.
        this.#tell(key, { pid, name, age: now - at });
      } else this.#since.delete(key);
    }
    const holdings = holdingsOf(supervisor);
    if (holdings === null) return;
    this.most.memory = Math.max(this.most.memory, holdings.memory);
    this.most.files = Math.max(this.most.files, holdings.files);
  }

  readonly #told = new Map<string, number>();

  #tell(key: string, zombie: Zombie): void {
    if (zombie.age < WORTH_TELLING) return;
    const at = this.#told.get(key);
    if (at === undefined) this.#told.set(key, this.zombies.push(zombie) - 1);
    else this.zombies[at] = zombie;
  }

  async #ask(): Promise<void> {
    // There is no socket yet, for a moment.
    while (!this.#over && (await ask(this.#room.socket, 'GET', '/v1/status', null, 1_000)) === null)
      await Bun.sleep(50);
    this.isUp = true;
    while (!this.#over) {
      const from = this.read();
      const answer = await ask(this.#room.socket, 'GET', '/v1/status', null, PATIENCE);
      // The socket goes with the supervisor, and before it: that it is over is known a little later.
      if (answer === null && !(await this.#goesOn())) return;
      const took = this.read() - from;
      if (answer?.status === 200) this.#last = answer.body;
      this.asked.push({ at: Date.now(), took, answered: answer?.status === 200 });
      await Bun.sleep(ASK_EVERY);
    }
  }

  /** Whether the supervisor is there still when its end would be known. */
  async #goesOn(): Promise<boolean> {
    for (let look = 0; look < END_KNOWN && !this.#over && !this.#room.isOver; look += LOOK_EVERY) {
      await Bun.sleep(LOOK_EVERY);
    }
    return !this.#over && !this.#room.isOver;
  }

  /** How all stood in the last answer. */
  get stood(): readonly Stood[] {
    return this.#last === '' ? [] : (JSON.parse(this.#last) as { readonly services: readonly Stood[] }).services;
  }

  async end(): Promise<void> {
    this.#over = true;
    clearTimeout(this.#timer);
    await Promise.race([this.#asking, Bun.sleep(2_000)]);
  }
}
