// Requests to the supervisor: the first one over the connection that the native program has made and checked, later ones over
// connections to the same path. PID 1 keeps the socket open while it replaces a supervisor, so a request whose connection
// breaks is repeated over a new one.
import {
  type After,
  type ClientRequest,
  type Exchange,
  exchange,
  type Open,
  type Outcome,
  type Remote,
} from './exchange.ts';

export { type ClientRequest, connectTo, type SupervisorListener } from './exchange.ts';

/** A way to connect to the supervisor, or why there is none. */
export type Dial = Connected | NoSupervisor;

interface Connected {
  readonly ok: true;
  /** The path of the socket, or the URL. */
  readonly path: string;
  readonly open: Open;
  /** null: the unix socket. */
  readonly remote: Remote | null;
}

/** No supervisor has responded. `found`: supervisors that respond, if it is ambiguous which one is meant. */
export type NoSupervisor = {
  readonly ok: false;
  readonly looked: readonly string[];
  readonly found?: readonly { readonly path: string; readonly pid: number }[];
  /** PID 1 listens on the unix socket: a supervisor may respond later. Never set over TCP, where nothing listens meanwhile. */
  readonly isAway?: true;
  /** A supervisor responds, and refuses this client: why, and what to do. */
  readonly refused?: string;
};
export type RequestResult = { readonly ok: true; readonly status: number; readonly body: unknown } | NoSupervisor;
/** `whole`: the response is complete. Otherwise the connection broke, and the stream could not be resumed. */
export type StreamResult =
  | { readonly ok: true; readonly status: number; readonly body: unknown; readonly whole: boolean }
  | NoSupervisor;

/** Milliseconds in which a supervisor must begin to respond, and in which a successor must, from the first break on. */
const RESPONSE_TIMEOUT = 5_000;
const SUCCESSOR_TIMEOUT = 2_000;
/** Pause before a new connection, milliseconds. */
const RETRY_PAUSE = 20;

/** One request, one JSON response. Repeated when the connection breaks, so a POST needs a key or must be idempotent. */
export async function sendRequest(dial: Dial, request: ClientRequest, after: After): Promise<RequestResult> {
  if (!dial.ok) return dial;
  const limit = new Limit(after);
  for (;;) {
    let text = '';
    const decoder = new TextDecoder();
    const take = (bytes: Uint8Array) => {
      text += decoder.decode(bytes, { stream: true });
    };
    const receiver = { begin: () => undefined, take };
    const outcome = await limit.watch(exchange(dial.open, request, receiver, dial.remote));
    if (isBroken(outcome, dial, limit) && (await limit.waitToRetry())) continue;
    limit.clear();
    if (outcome.kind !== 'answered') return explain(dial, outcome, request, limit);
    const { status } = outcome;
    try {
      const body: unknown = JSON.parse(text);
      return findRefusal(dial, request, status, body) ?? { ok: true, status, body };
    } catch {
      return explain(dial, { kind: 'foreign', status }, request, limit);
    }
  }
}

/** How a stream is handled. */
export interface Streaming {
  take(line: unknown): void;
  /** The request that continues a stream after a break; absent: the stream ends there. */
  readonly resume?: () => ClientRequest;
  /**
   * `follow` (default): waits for a successor as long as PID 1 listens. `finite`: waits as long as `sendRequest`. `once`: the
   * request is never repeated.
   */
  readonly kind?: 'follow' | 'finite' | 'once';
  /**
   * Whether a stream that has ended in good form is complete; absent: unless it follows. A proxy that speaks HTTP/1.0 with the
   * supervisor takes the end of a supervisor for the end of the response.
   */
  readonly isComplete?: () => boolean;
  /** Called when a successor responds. */
  resumed?(): void;
  /** Called once for each break when no successor has responded in time. */
  delayed?(): void;
  /** Ends the stream. */
  readonly abort?: AbortSignal;
}

/** One request, and its response as a stream of JSON lines. A response that is not a stream is returned as `body`. */
export async function streamRequest(
  dial: Dial,
  first: ClientRequest,
  after: After,
  streaming: Streaming,
): Promise<StreamResult> {
  if (!dial.ok) return dial;
  const { resume, kind = 'follow', abort, isComplete = () => kind !== 'follow' } = streaming;
  const limit = new Limit(after);
  let request = first;
  let hasBegun = false;
  for (;;) {
    const lines = new LineReader((line) => streaming.take(line));
    const begin = (type: string) => {
      if (!lines.begin(type)) return;
      limit.clear();
      if (hasBegun) streaming.resumed?.();
      hasBegun = true;
    };
    const one = exchange(dial.open, request, { begin, take: (bytes) => lines.push(bytes) }, dial.remote);
    const end = () => one.end();
    abort?.addEventListener('abort', end);
    if (abort?.aborted === true) end();
    const outcome = await limit.watch(one);
    abort?.removeEventListener('abort', end);
    const isCut = outcome.kind === 'answered' && dial.remote !== null && lines.isStream && !isComplete();
    if (outcome.kind === 'answered' && !isCut) {
      limit.clear();
      const { status } = outcome;
      const { body } = lines;
      if (body === undefined) return explain(dial, { kind: 'foreign', status }, request, limit);
      return findRefusal(dial, request, status, body) ?? { ok: true, status, body, whole: true };
    }
    if ((isCut || isBroken(outcome, dial, limit)) && kind !== 'once') {
      if (hasBegun && resume !== undefined) request = resume();
      if (!hasBegun || resume !== undefined) {
        // Over TCP nothing listens between two supervisors, nor after the end of the container.
        const isPatient = hasBegun && kind === 'follow' && dial.remote === null;
        const waits = isPatient ? limit.waitForSuccessor(() => streaming.delayed?.()) : limit.waitToRetry();
        if (await waits) continue;
      }
    }
    limit.clear();
    if (!hasBegun) return explain(dial, outcome, request, limit);
    return { ok: true, status: 200, body: null, whole: false };
  }
}

/** Splits incoming bytes into lines of JSON. */
class LineReader {
  readonly #take: (line: unknown) => void;
  readonly #decoder = new TextDecoder();
  #rest = '';
  isStream = false;

  constructor(take: (line: unknown) => void) {
    this.#take = take;
  }

  /** Prepares for a response of this content type. Returns whether it is a stream. */
  begin(type: string): boolean {
    this.isStream = type.startsWith('application/x-ndjson');
    return this.isStream;
  }

  /** Throws for a line that is not JSON: the exchange then ends as foreign. */
  push(bytes: Uint8Array): void {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    if (!this.isStream) return;
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') this.#take(JSON.parse(line));
  }

  /** The response, if it is not a stream; undefined: it is not JSON. */
  get body(): unknown {
    if (this.isStream || this.#rest === '') return null;
    try {
      return JSON.parse(this.#rest);
    } catch {
      return undefined;
    }
  }
}

/** The time limits of a request: RESPONSE_TIMEOUT for a response and, from the first break on, SUCCESSOR_TIMEOUT in all. */
class Limit {
  readonly #after: After;
  #cancel: () => void;
  #current: Exchange | null = null;
  #isOver = false;
  /** The current wait: for the first response; for a successor, with and without a limit; none. */
  #waiting: 'answer' | 'successor' | 'any-time' | 'nothing' = 'answer';
  /** A connection has broken. */
  hasBroken = false;

  constructor(after: After) {
    this.#after = after;
    this.#cancel = after(RESPONSE_TIMEOUT, () => this.#expire());
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

  /** After a break: resolves, after a pause, to whether there is time to repeat the request. */
  waitToRetry(): Promise<boolean> {
    this.#waitFor('successor', () => this.#expire());
    return this.#pause();
  }

  /** The same without a time limit; calls `delayed` if no successor has responded after SUCCESSOR_TIMEOUT. */
  waitForSuccessor(delayed: () => void): Promise<boolean> {
    this.#waitFor('any-time', delayed);
    return this.#pause();
  }

  /** A repeated break belongs to the same wait. */
  #waitFor(what: 'successor' | 'any-time', late: () => void): void {
    this.hasBroken = true;
    if (this.#waiting === what) return;
    this.#waiting = what;
    this.#cancel();
    this.#cancel = this.#after(SUCCESSOR_TIMEOUT, late);
  }

  async #pause(): Promise<boolean> {
    await new Promise<void>((resolve) => void this.#after(RETRY_PAUSE, resolve));
    return !this.#isOver;
  }

  /** A response has arrived. */
  clear(): void {
    this.#cancel();
    this.#waiting = 'nothing';
  }
}

/**
 * Whether the request may be repeated. The TCP listener belongs to a supervisor: until the next one listens, it refuses, and a
 * proxy in front of it reports that.
 */
function isBroken({ kind }: Outcome, { remote }: Connected, { hasBroken }: Limit): boolean {
  if (remote === null) return kind === 'broken';
  return kind === 'broken' || kind === 'gateway' || (kind === 'unreachable' && hasBroken);
}

/**
 * Why the guard of the TCP listener (guard.ts) has refused the client; null: it has not. A listener without a token refuses each POST
 * with 403: this client may read, and its command reports the error of the response.
 */
function findRefusal(
  { path, remote }: Connected,
  { method = 'GET' }: ClientRequest,
  status: number,
  body: unknown,
): NoSupervisor | null {
  if (remote === null || (status !== 401 && (status !== 403 || method !== 'GET'))) return null;
  const error = body !== null && typeof body === 'object' && 'error' in body ? String(body.error) : 'access is denied';
  const wanted = 'that of `control.http.token` in its configuration, with --token or $SVC_SUPER_TOKEN';
  const why =
    status === 403
      ? error
      : remote.token === null
        ? `it requires a token: give ${wanted}`
        : `it refuses the token: give ${wanted}`;
  return { ok: false, looked: [], refused: `${path}: ${why}` };
}

/** Why there was no response. */
function explain(
  { path, remote }: Connected,
  outcome: Outcome,
  { method }: ClientRequest,
  { hasBroken }: Limit,
): NoSupervisor {
  const [ended, next] =
    remote === null
      ? ['the supervisor ended before it responded', 'no other one responded']
      : ['the connection was closed before a response', 'no supervisor responded over a new one'];
  const late = hasBroken
    ? `${ended}, and ${next} within ${SUCCESSOR_TIMEOUT / 1_000} s`
    : outcome.kind === 'broken'
      ? ended
      : `it has not responded within ${RESPONSE_TIMEOUT / 1_000} s`;
  const doubt = method === 'POST' ? '; the request may still take effect' : '';
  switch (outcome.kind) {
    case 'unreachable':
      return {
        ok: false,
        looked: [`${path}: ${outcome.why}${remote !== null && outcome.isSilent === true ? REACHING : ''}`],
      };
    case 'ended':
    case 'broken':
      return { ok: false, looked: [`${path}: ${late}${doubt}`], ...(remote === null && { isAway: true }) };
    case 'gateway': {
      const why = `a proxy responds there, and no supervisor behind it (HTTP ${outcome.status})`;
      return { ok: false, looked: [`${path}: ${why}${doubt}: ${FORWARDING}`] };
    }
    default: {
      const what = 'the process that responds there is not a supervisor';
      if (remote === null) return { ok: false, looked: [`${path}: ${what}`] };
      const how = outcome.kind === 'foreign' && outcome.status !== null ? ` (HTTP ${outcome.status})` : '';
      return { ok: false, looked: [`${path}: ${what}${how}: check scheme, host, port and path of the URL`] };
    }
  }
}

/** What to check if nothing listens at a URL. */
const REACHING = ': check the URL, `control.http.listen` of that supervisor, and whether the port is published';
/** What to check if a proxy reaches no supervisor. */
const FORWARDING = 'check where the proxy forwards requests to, and `control.http.listen` of that supervisor';
