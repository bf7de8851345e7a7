// The observation of a finished round: what programs wrote into the journal, what the supervisor reported, which faults were
// injected, what the watch measured. Plain data, and the parsers of the two texts. Pure.
import type { Fault, Scenario } from './scenario.ts';

/** A line of the journal. Times are milliseconds since 1970. */
export interface Noted {
  readonly at: number;
  readonly service: string;
  readonly run: number;
  readonly pid: number;
  readonly what: 'born' | 'code' | 'signal' | 'heard' | 'refused' | 'unbound' | 'hook' | 'after';
  readonly value: string;
  /** Of a hook: whether it found a process of another run. */
  readonly beside: boolean;
}

/** An event that the supervisor reported: on its standard error, or over the API. */
export interface Told {
  readonly at: number;
  readonly service: string | null;
  readonly event: string;
  readonly text: string;
}

export interface ServedEvent extends Told {
  readonly seq: number;
}

/** A signal that the harness sent. `pid` is the number in the namespace. */
export interface Sent {
  readonly at: number;
  readonly pid: number;
  readonly signal: number;
}

/** A zombie child of svc-super or its supervisor, and its minimum age by the fair clock. */
export interface Zombie {
  readonly pid: number;
  readonly name: string;
  readonly age: number;
}

/** One request to the API, by the fair clock. */
export interface Asked {
  readonly at: number;
  readonly took: number;
  readonly answered: boolean;
}

/** A service in the last response to `status`. */
export interface Stood {
  readonly name: string;
  readonly state: string;
  readonly wanted: string;
  readonly blocked: boolean;
}

export interface Done {
  readonly at: number;
  readonly fault: Fault;
  /** Its effect if it is known: the affected process, the response. */
  readonly note: string;
}

/** An interval, milliseconds since 1970. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Ended {
  readonly at: number;
  readonly code: number | null;
  readonly signal: string | null;
  /** When the harness requested the stop, by a signal to PID 1 or to every process; null: it ended without a request. */
  readonly askedAt: number | null;
  /** The time from the request on, by the fair clock. */
  readonly took: number | null;
}

export interface Observation {
  readonly scenario: Scenario;
  readonly journal: readonly Noted[];
  readonly reported: readonly Told[];
  readonly served: readonly ServedEvent[];
  readonly sent: readonly Sent[];
  readonly done: readonly Done[];
  readonly zombies: readonly Zombie[];
  readonly asked: readonly Asked[];
  /** The longest time of the control program meanwhile, from its spawn to its exit, milliseconds. */
  readonly control: number;
  /** The last state of each service. */
  readonly stood: readonly Stood[];
  /** Maxima of svc-super and its supervisor together. Memory is anonymous memory, bytes. */
  readonly most: { readonly memory: number; readonly files: number };
  /** Null: the harness had to kill it. */
  readonly end: Ended | null;
  /** Processes that were alive a second after the supervisor's end, if it was not PID 1. */
  readonly left: readonly string[];
  /** Files that it left in the folder. */
  readonly files: readonly string[];
  /** Real time that the supervisor did not have, milliseconds; see fair.ts. */
  readonly excused: number;
  /** When SIGTERM was sent to every process: to the first of them, and to PID 1. Null: it was not. */
  readonly treeSignalled: Span | null;
  /** When a fault stopped the supervisor. */
  readonly away: readonly Span[];
  /** Changes in a folder of root that links of services point to. */
  readonly outside: readonly string[];
  /** Lines of its output that are not JSON and look like messages of the runtime. */
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

/** Messages of a dying runtime. */
export const WORDS_OF_THE_RUNTIME = /panic\(|Segmentation fault|oh no: Bun/;
/** The same, and what the supervisor reports as a bug. */
export const WORDS_OF_A_BUG = new RegExp(`${WORDS_OF_THE_RUNTIME.source}|a bug in svc-super`);

/** The supervisor's own lines among those of its standard error. */
export function parseTold(lines: readonly string[]): { readonly reported: Told[]; readonly strange: string[] } {
  const reported: Told[] = [];
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
    reported.push({
      at: Date.parse(line.time ?? ''),
      service: line.about ?? null,
      event: line.event,
      text: line.msg ?? '',
    });
  }
  return { reported, strange };
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
