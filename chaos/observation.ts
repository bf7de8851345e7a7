// What is known of a round when it is over, from all sides: what programs wrote into the journal, what the supervisor told,
// what was done to it, what the watch saw. Plain data, and the parsers of the two texts. Pure.
import type { Fault, Scenario } from './scenario.ts';

/** A line of the journal. Times are milliseconds since 1970. */
export interface Noted {
  readonly at: number;
  readonly service: string;
  readonly run: number;
  readonly pid: number;
  readonly what: 'born' | 'code' | 'signal' | 'heard' | 'refused' | 'unbound' | 'hook' | 'after';
  readonly value: string;
  /** Of a hook: whether it found anybody whom it must not meet. */
  readonly beside: boolean;
}

/** An event that the supervisor told: on its standard error, or over the API. */
export interface Told {
  readonly at: number;
  readonly service: string | null;
  readonly event: string;
  readonly text: string;
}

export interface ServedEvent extends Told {
  readonly seq: number;
}

/** A signal that the harness sent. `pid` is that of the namespace. */
export interface Sent {
  readonly at: number;
  readonly pid: number;
  readonly signal: number;
}

/** A zombie child of svc-super or its supervisor, and for how long it was one, at least, by the fair clock. */
export interface Zombie {
  readonly pid: number;
  readonly name: string;
  readonly age: number;
}

/** One question to the API, by the fair clock. */
export interface Asked {
  readonly at: number;
  readonly took: number;
  readonly answered: boolean;
}

/** A service in the last answer to `status`. */
export interface Stood {
  readonly name: string;
  readonly state: string;
  readonly wanted: string;
  readonly blocked: boolean;
}

export interface Done {
  readonly at: number;
  readonly fault: Fault;
  /** What came of it, where that is known: whom it met, what was answered. */
  readonly note: string;
}

/** A stretch of time, milliseconds since 1970. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Ended {
  readonly at: number;
  readonly code: number | null;
  readonly signal: string | null;
  /** When the harness asked it to stop, by a signal to PID 1 or to every process; null when it ended by itself. */
  readonly askedAt: number | null;
  /** From then on, by the fair clock. */
  readonly took: number | null;
}

export interface Observation {
  readonly scenario: Scenario;
  readonly journal: readonly Noted[];
  readonly told: readonly Told[];
  readonly served: readonly ServedEvent[];
  readonly sent: readonly Sent[];
  readonly done: readonly Done[];
  readonly zombies: readonly Zombie[];
  readonly asked: readonly Asked[];
  /** The longest that a program took meanwhile that does nothing, from its spawn to its end, milliseconds. */
  readonly control: number;
  /** How all stood at last. */
  readonly stood: readonly Stood[];
  /** Largest readings of svc-super and its supervisor together. Memory is their own (anonymous), bytes. */
  readonly most: { readonly memory: number; readonly files: number };
  /** Null: it had to be killed by the harness. */
  readonly end: Ended | null;
  /** Processes that were alive a second after the supervisor's end, where it was not PID 1. */
  readonly left: readonly string[];
  /** Files that it left behind. */
  readonly files: readonly string[];
  /** Real time that was not the supervisor's, milliseconds; see fair.ts. */
  readonly excused: number;
  /** When SIGTERM went to every process: to the first of them, and to PID 1. Null: it did not. */
  readonly treeSignalled: Span | null;
  /** When the supervisor was stopped by a fault. */
  readonly away: readonly Span[];
  /** What has changed in a folder of root, to which links of services lead. */
  readonly outside: readonly string[];
  /** Lines of its output that are no JSON and look like words of the runtime's. */
  readonly strange: readonly string[];
}

export function parseJournal(text: string): Noted[] {
  return text.split('\n').flatMap((line): Noted[] => {
    const [time, service = '', run, pid, what, value = '', how = ''] = line.split('\t');
    if (what === undefined) return [];
    return [
      {
        at: Number(time) * 1_000,
        service,
        run: Number(run),
        pid: Number(pid),
        what: what as Noted['what'],
        value,
        beside: value === 'beside' || how === 'beside',
      },
    ];
  });
}

interface Line {
  readonly service?: unknown;
  readonly about?: string;
  readonly event?: string;
  readonly msg?: string;
  readonly time?: string;
}

/** What the runtime prints when it dies. */
export const WORDS_OF_THE_RUNTIME = /panic\(|Segmentation fault|oh no: Bun/;
/** The same, and what the supervisor calls a bug. */
export const WORDS_OF_A_BUG = new RegExp(`${WORDS_OF_THE_RUNTIME.source}|a bug in svc-super`);

/** The supervisor's own lines among those of its standard error. */
export function parseTold(lines: readonly string[]): { readonly told: Told[]; readonly strange: string[] } {
  const told: Told[] = [];
  const strange: string[] = [];
  for (const text of lines) {
    if (WORDS_OF_A_BUG.test(text)) strange.push(text.slice(0, 2_000));
    if (!text.includes('"service":"svc-super"')) continue;
    let line: Line;
    try {
      line = JSON.parse(text) as Line;
    } catch {
      strange.push(text.slice(0, 2_000));
      continue;
    }
    if (line.service !== 'svc-super' || line.event === undefined) continue;
    told.push({
      at: Date.parse(line.time ?? ''),
      service: line.about ?? null,
      event: line.event,
      text: line.msg ?? '',
    });
  }
  return { told, strange };
}

/**
 * The events as they were served, and those that were printed after the last of them. A supervisor that is killed may not
 * have printed an event that its successor knows.
 */
export function mergeTold(told: readonly Told[], served: readonly ServedEvent[]): readonly Told[] {
  const key = ({ service, event, text }: Told) => `${service} ${event} ${text}`;
  const last = served.at(-1);
  if (last === undefined) return told;
  const from = told.findLastIndex((one) => key(one) === key(last));
  const known = new Set(served.map(key));
  const later = from >= 0 ? told.slice(from + 1) : told.filter((one) => one.at >= last.at && !known.has(key(one)));
  return [...served, ...later];
}
