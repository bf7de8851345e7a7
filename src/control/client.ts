// Asks the supervisor: the first time over the connection that the native program has made and checked, then over
// connections to the same path. PID 1 keeps the socket open while it replaces a supervisor: a connection that breaks is made
// again, and the question is asked again.
import { type After, type Exchange, exchange, type Open, type Outcome, type Question } from './exchange.ts';

export { connectTo, type LineListener, type Question } from './exchange.ts';

/** A way to connect to the supervisor, or why there is none. */
export type Dial = { readonly ok: true; readonly path: string; readonly open: Open } | NoSupervisor;

/** No supervisor has answered. `found`: supervisors that answer, where it is not clear which one is meant. */
export type NoSupervisor = {
  readonly ok: false;
  readonly looked: readonly string[];
  readonly found?: readonly { readonly path: string; readonly pid: number }[];
  /** A process listens, PID 1: a supervisor may answer later. */
  readonly isAway?: true;
};
export type Asked = { readonly ok: true; readonly status: number; readonly body: unknown } | NoSupervisor;
/** `whole`: the answer came to its end. Else the connection broke, and the stream could not go on. */
export type Streamed =
  | { readonly ok: true; readonly status: number; readonly body: unknown; readonly whole: boolean }
  | NoSupervisor;

/** Milliseconds in which a supervisor must begin to answer, and in which a successor must, from the first break on. */
const PATIENCE = 5_000;
const SUCCESSION = 2_000;
/** Pause before a connection is made again, milliseconds. */
const PAUSE = 20;

/** One question, one JSON answer. Asked again when the connection breaks: a POST needs a key, or must be harmless twice. */
export async function ask(dial: Dial, question: Question, after: After): Promise<Asked> {
  if (!dial.ok) return dial;
  const limit = new Limit(after);
  for (;;) {
    let text = '';
    const decoder = new TextDecoder();
    const take = (bytes: Uint8Array) => {
      text += decoder.decode(bytes, { stream: true });
    };
    const outcome = await limit.watch(exchange(dial.open, question, { begin: () => undefined, take }));
    if (outcome.kind === 'broken' && (await limit.broken())) continue;
    limit.lift();
    if (outcome.kind !== 'answered') return explain(dial.path, outcome, question, limit);
    try {
      return { ok: true, status: outcome.status, body: JSON.parse(text) };
    } catch {
      return explain(dial.path, { kind: 'foreign' }, question, limit);
    }
  }
}

/** What is done with a stream. */
export interface Streaming {
  take(line: unknown): void;
  /** The question that goes on where a stream broke; absent: the stream ends there. */
  readonly resume?: () => Question;
  /**
   * `follow` (default): waits for a successor as long as PID 1 listens. `finite`: as long as ask() does. `once`: the question
   * is never repeated.
   */
  readonly kind?: 'follow' | 'finite' | 'once';
  /** A successor answers. */
  resumed?(): void;
  /** No successor has answered yet; called once for each break. */
  delayed?(): void;
  /** Ends the stream. */
  readonly abort?: AbortSignal;
}

/** One question, and lines of JSON as they come. An answer that is no stream is returned as `body`. */
export async function askLines(dial: Dial, first: Question, after: After, streaming: Streaming): Promise<Streamed> {
  if (!dial.ok) return dial;
  const { resume, kind = 'follow', abort } = streaming;
  const limit = new Limit(after);
  let question = first;
  let hasBegun = false;
  for (;;) {
    const lines = new LineReader((line) => streaming.take(line));
    const begin = (type: string) => {
      if (!lines.begin(type)) return;
      limit.lift();
      if (hasBegun) streaming.resumed?.();
      hasBegun = true;
    };
    const one = exchange(dial.open, question, { begin, take: (bytes) => lines.push(bytes) });
    const end = () => one.end();
    abort?.addEventListener('abort', end);
    if (abort?.aborted === true) end();
    const outcome = await limit.watch(one);
    abort?.removeEventListener('abort', end);
    if (outcome.kind === 'answered') {
      limit.lift();
      return { ok: true, status: outcome.status, body: lines.body, whole: true };
    }
    if (outcome.kind === 'broken' && kind !== 'once') {
      if (hasBegun && resume !== undefined) question = resume();
      if (!hasBegun || resume !== undefined) {
        const waits = hasBegun && kind === 'follow' ? limit.endure(() => streaming.delayed?.()) : limit.broken();
        if (await waits) continue;
      }
    }
    limit.lift();
    if (!hasBegun) return explain(dial.path, outcome, question, limit);
    return { ok: true, status: 200, body: null, whole: false };
  }
}

/** Splits what comes into lines of JSON. */
class LineReader {
  readonly #take: (line: unknown) => void;
  readonly #decoder = new TextDecoder();
  #rest = '';
  #isStream = false;

  constructor(take: (line: unknown) => void) {
    this.#take = take;
  }

  /** Returns whether the answer is a stream. */
  begin(type: string): boolean {
    this.#isStream = type.startsWith('application/x-ndjson');
    return this.#isStream;
  }

  push(bytes: Uint8Array): void {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    if (!this.#isStream) return;
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') this.#take(JSON.parse(line));
  }

  /** The answer, if it was no stream. */
  get body(): unknown {
    return this.#isStream || this.#rest === '' ? null : JSON.parse(this.#rest);
  }
}

/** How long a client waits: PATIENCE for an answer and, from the first break on, SUCCESSION in all. */
class Limit {
  readonly #after: After;
  #cancel: () => void;
  #current: Exchange | null = null;
  #isOver = false;
  /** What it waits for: the first answer; a successor, at most for SUCCESSION; a successor; nothing. */
  #waiting: 'answer' | 'successor' | 'any-time' | 'nothing' = 'answer';
  /** A connection has broken. */
  hasBroken = false;

  constructor(after: After) {
    this.#after = after;
    this.#cancel = after(PATIENCE, () => this.#expire());
  }

  #expire(): void {
    this.#isOver = true;
    this.#current?.end();
  }

  /** Ends the exchange when the time is over. */
  async watch(one: Exchange): Promise<Outcome> {
    this.#current = one;
    const outcome = await one.outcome;
    this.#current = null;
    return outcome;
  }

  /** A connection broke: resolves to whether there is time to ask again, after a pause. */
  broken(): Promise<boolean> {
    this.#waitFor('successor', () => this.#expire());
    return this.#pause();
  }

  /** The same without a limit; calls `delayed` when a successor takes long. */
  endure(delayed: () => void): Promise<boolean> {
    this.#waitFor('any-time', delayed);
    return this.#pause();
  }

  /** A connection that was made again and breaks is part of the same wait. */
  #waitFor(what: 'successor' | 'any-time', late: () => void): void {
    this.hasBroken = true;
    if (this.#waiting === what) return;
    this.#waiting = what;
    this.#cancel();
    this.#cancel = this.#after(SUCCESSION, late);
  }

  async #pause(): Promise<boolean> {
    await new Promise<void>((resolve) => void this.#after(PAUSE, resolve));
    return !this.#isOver;
  }

  /** There is an answer. */
  lift(): void {
    this.#cancel();
    this.#waiting = 'nothing';
  }
}

/** Why there was no answer. */
function explain(path: string, outcome: Outcome, { method }: Question, { hasBroken }: Limit): NoSupervisor {
  const ended = 'the supervisor ended before it answered';
  const late = hasBroken
    ? `${ended}, and no other one answered within ${SUCCESSION / 1_000} s`
    : outcome.kind === 'broken'
      ? ended
      : `it has not answered within ${PATIENCE / 1_000} s`;
  const doubt = method === 'POST' ? '; the request may still take effect' : '';
  switch (outcome.kind) {
    case 'unreachable':
      return { ok: false, looked: [`${path}: ${outcome.why}`] };
    case 'ended':
    case 'broken':
      return { ok: false, looked: [`${path}: ${late}${doubt}`], isAway: true };
    default:
      return { ok: false, looked: [`${path}: what answers there is no supervisor`] };
  }
}
