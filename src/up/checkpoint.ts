// The checkpoint of a supervising process, as records that PID 1 stores for the next supervisor: the world, the runtime's
// state of each service, the last events and lines, and the state of the process itself. Writes only records that have
// changed.
import { type Journal, type JournalEntry, MAX_ENTRIES } from '../control/journal.ts';
import type { History } from '../control/source.ts';
import { decodeWorld, KEYS, keyOf, PARTS, WorldEncoder } from '../core/checkpoint.ts';
import type { Effect } from '../core/event.ts';
import type { World } from '../core/world.ts';
import type { Pipeline } from '../logs/pipeline.ts';
import type { StreamCounts } from '../logs/pump.ts';
import type { LogLine } from '../logs/ring.ts';
import type { Records } from '../pid1/protocol.ts';
import type { Run } from '../pid1/run.ts';
import type { LogLevel } from '../plan/plan.ts';
import type { Clock } from '../ports.ts';
import type { ProbeCounts } from '../runtime/counts.ts';
import type { Engine, Postponed } from '../runtime/engine.ts';
import type { Executor, ServiceRecord } from '../runtime/executor.ts';

/** How everything ended: the exit code, and the service that caused it. */
export type End = Effect & { readonly type: 'end' };

/** The state of a supervising process that does not belong to a service. */
export interface Own {
  /** The services that were named on the command line. */
  readonly names: readonly string[];
  /** The level of `--quiet` or `--verbose`; null: the configuration sets it. */
  readonly level: LogLevel | null;
  /** The file that the first supervisor has created for the number of PID 1; null: none. */
  readonly pidFile: string | null;
  /** Whether a write to standard output or standard error may have ended within a line. */
  readonly isTorn: { readonly stdout: boolean; readonly stderr: boolean };
  /** What must be removed from /etc/hosts at the end. */
  readonly hosts: 'nothing' | 'lines' | 'file';
  /** The number of OOM kills in the cgroup at the start; null: it cannot be read. */
  readonly oomBefore: number | null;
  /** The time of the first stop signal; null: none has been received. */
  readonly stopAskedAt: number | null;
  /** Whether the configuration is being read again. */
  readonly isReloading: boolean;
  /** Not null: all services have ended, and the last output is being written. */
  readonly end: End | null;
  /** Whether the post-mortem has been printed. */
  readonly isPostmortemPrinted: boolean;
  readonly history: History;
  /** Keys of the latest operations that were carried out, oldest first. */
  readonly done: readonly string[];
  readonly fatal: Fatal | null;
}

/** The state of the first supervisor at its start. */
export const FIRST_OWN: Own = {
  names: [],
  level: null,
  pidFile: null,
  isTorn: { stdout: false, stderr: false },
  hosts: 'nothing',
  oomBefore: null,
  stopAskedAt: null,
  isReloading: false,
  end: null,
  isPostmortemPrinted: false,
  history: { restarts: 0, reasons: {}, last: null },
  done: [],
  fatal: null,
};

/** An event on which the core has thrown. */
interface Fatal {
  /** As JSON. */
  readonly event: string;
  readonly error: string;
  /** The number of supervisors that this event has ended. */
  readonly count: number;
}

const OWN = KEYS.own;
/** The number of keys of operations that are kept. */
const DONE_MOST = 64;

/** The most lines and characters of a service's recent output in the checkpoint. */
const LINES = 60;
const CHARACTERS = 4_096;
/** The shortest time between two records of counters and output, milliseconds. */
const OUTPUT_EVERY = 1_000;

/** The runtime's state of a service, besides its state in the core. */
interface RuntimeState {
  readonly postponed: readonly Postponed[];
  readonly record: ServiceRecord | null;
}

/** The counters of a service. */
interface Counted {
  readonly probes: readonly (readonly [string, ProbeCounts])[];
  readonly cleanedUp: number;
  readonly streams: Readonly<Record<'stdout' | 'stderr', StreamCounts>> | null;
}

interface CheckpointParts {
  readonly clock: Clock;
  readonly container: Readonly<Record<string, string>>;
  readonly engine: Engine;
  readonly executor: Executor<Run>;
  readonly logs: Pipeline;
  readonly journal: Journal;
  /** Called when a record has changed. */
  touch(): void;
}

export class Checkpoint {
  readonly #parts: CheckpointParts;
  readonly #encoder: WorldEncoder;
  readonly #names = new Set<string>();
  /** Services whose counters may have changed since they were last written. */
  #counted = new Set<string>();
  #own: Own;
  #isOwnChanged = true;
  #lastSeq = 0;
  #isTicking = false;
  /** Services whose counters and output the next batch writes. */
  readonly #due = new Set<string>();
  /** The numbers of the services in the last batch; null: there was none. */
  #numbers: ReadonlyMap<string, number> | null = null;
  /** Keys of the previous supervisor's records, until the first records of this one replace them. */
  #old: Iterable<number>;

  constructor(parts: CheckpointParts, own: Own, old: Iterable<number> = []) {
    this.#parts = parts;
    this.#encoder = new WorldEncoder(parts.container);
    this.#own = own;
    this.#old = old;
    parts.logs.printed = () => this.#tickSoon();
  }

  get own(): Own {
    return this.#own;
  }

  note(change: Partial<Own>): void {
    this.#own = { ...this.#own, ...change };
    this.#isOwnChanged = true;
    this.#parts.touch();
  }

  /** Whether an operation with that key was carried out. */
  readonly isDone = (key: string): boolean => this.#own.done.includes(key);

  /** Records an operation. Call it in the turn in which the operation is carried out, so that both are in one batch. */
  readonly noteDone = (key: string): void => this.note({ done: [...this.#own.done, key].slice(-DONE_MOST) });

  /** Call it when the runtime's state of a service has changed. */
  changed(service: string): void {
    this.#names.add(service);
    this.#parts.touch();
  }

  /** The records that have changed since the last call. */
  readonly take = (): Records => {
    const records = new Map<number, Uint8Array>();
    for (const key of this.#old) if (!isOutput(key)) records.set(key, EMPTY);
    this.#old = [];
    const put = (key: number, value: unknown) =>
      void records.set(key, value === null ? EMPTY : Buffer.from(JSON.stringify(value)));
    const { engine, executor } = this.#parts;
    const { world } = engine;
    const numbers = world.index.graph.numbers;
    const others = new Set([...this.#names].flatMap((name) => numbers.get(name) ?? []));
    for (const name of this.#names) this.#counted.add(name);
    if (this.#names.size > 0) this.#tickSoon();
    this.#names.clear();
    const stateOf = (name: string): RuntimeState => ({
      postponed: engine.postponedOf(name),
      record: executor.recordOf(name),
    });
    this.#encoder.write(world, others, stateOf, put);
    if (this.#isOwnChanged) put(OWN, this.#own);
    this.#isOwnChanged = false;
    this.#writeEvents(put);
    this.#writeOutput(numbers, put);
    return records;
  };

  /** The record of an event on which the core has thrown: the only record that is written in that turn. */
  fatal(event: string, error: string): Records {
    const count = this.#own.fatal?.event === event ? this.#own.fatal.count + 1 : 1;
    return new Map([[OWN, Buffer.from(JSON.stringify({ ...this.#own, fatal: { event, error, count } }))]]);
  }

  #writeEvents(put: (key: number, value: unknown) => void): void {
    for (const entry of this.#parts.journal.since(this.#lastSeq)) {
      put(KEYS.journal + (entry.seq % MAX_ENTRIES), entry);
      this.#lastSeq = entry.seq;
    }
  }

  #tickSoon(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    this.#parts.clock.after(OUTPUT_EVERY, () => {
      this.#isTicking = false;
      const { logs, touch } = this.#parts;
      for (const name of [...logs.takePrinted(), ...this.#counted]) this.#due.add(name);
      this.#counted = new Set();
      touch();
    });
  }

  /**
   * Writes the counters and the last lines of services that have printed or changed, and of those that a reload has given another
   * number: the records under that number are another service's.
   */
  #writeOutput(numbers: ReadonlyMap<string, number>, put: (key: number, value: unknown) => void): void {
    const { logs, executor } = this.#parts;
    const earlier = this.#numbers ?? numbers;
    this.#numbers = numbers;
    if (earlier !== numbers)
      for (const [name, number] of numbers) if (earlier.get(name) !== number) this.#due.add(name);
    for (const name of this.#due) {
      const number = numbers.get(name);
      if (number === undefined) continue;
      const counted: Counted = {
        probes: [...(executor.counts.probes.get(name) ?? [])],
        cleanedUp: executor.counts.cleanedUp.get(name) ?? 0,
        streams: logs.counts.get(name) ?? null,
      };
      put(keyOf(number, PARTS.counts), counted);
      put(keyOf(number, PARTS.output), logs.lastLines(name, LINES, CHARACTERS));
    }
    this.#due.clear();
  }
}

const EMPTY = new Uint8Array();

/** Whether a record contains counters or output: such a record is written again only when it changes. */
function isOutput(key: number): boolean {
  const part = (key - KEYS.services) % KEYS.perService;
  return key >= KEYS.services && (part === PARTS.counts || part === PARTS.output);
}

/** The decoded checkpoint of the previous supervisor. */
export interface Kept {
  readonly world: World;
  readonly own: Own;
  readonly entries: readonly JournalEntry[];
  /** By service. */
  readonly postponed: ReadonlyMap<string, readonly Postponed[]>;
  readonly records: ReadonlyMap<string, ServiceRecord>;
  readonly counted: ReadonlyMap<string, Counted>;
  readonly lines: ReadonlyMap<string, readonly LogLine[]>;
}

/** Throws if the records are of another release. */
export function readCheckpoint(records: Records, container: Readonly<Record<string, string>>): Kept {
  const read = (key: number): unknown => {
    const bytes = records.get(key);
    return bytes === undefined ? undefined : JSON.parse(Buffer.from(bytes).toString());
  };
  const { world, beside } = decodeWorld(read, container);
  const names = world.index.graph.names;
  const of = <T>(part: number) =>
    new Map(
      names.flatMap((name, number): [string, T][] => {
        const value = read(keyOf(number, part));
        return value === undefined ? [] : [[name, value as T]];
      }),
    );
  const entries = Array.from({ length: MAX_ENTRIES }, (_, at) => read(KEYS.journal + at) as JournalEntry | undefined);
  const states = [...beside] as [string, RuntimeState][];
  return {
    world,
    own: read(OWN) as Own,
    entries: entries.filter((entry) => entry !== undefined).sort((a, b) => a.seq - b.seq),
    postponed: new Map(states.map(([name, { postponed }]) => [name, postponed])),
    records: new Map(states.flatMap(([name, { record }]) => (record === null ? [] : [[name, record] as const]))),
    counted: of<Counted>(PARTS.counts),
    lines: of<readonly LogLine[]>(PARTS.output),
  };
}
