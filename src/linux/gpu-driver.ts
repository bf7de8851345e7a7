// Queries a GPU's driver through a child process with a time limit: a driver that no longer responds can block the process that
// queries it. Equal queries share one child. Never interprets a result. Loaded only if a service has `gpus`.
import type { Clock } from '../ports.ts';
import type { Captured } from './capture.ts';

export interface DriverParts {
  readonly clock: Clock;
  /** The environment of the container; the child gets a few variables of it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Runs a command to its end. An abort kills it. The promise may stay pending while the kernel blocks the child. */
  run(argv: readonly string[], env: Readonly<Record<string, string>>, abort: AbortSignal): Promise<Captured>;
}

/** A query whose child has not ended. */
interface Query {
  readonly result: Promise<Captured>;
  /** The time limit has passed; the child may never end. */
  isLate: boolean;
  /** Callers that have not aborted. Not lowered by the result or the limit, after which the query is not used any more. */
  callers: number;
  /** All callers have aborted: the child is being killed, and its result is not used. */
  isDropped: boolean;
  drop(): void;
}

export class GpuDriver {
  readonly #parts: DriverParts;
  /** Time limit of one query, milliseconds. */
  readonly limit: number;
  /** By command line. */
  readonly #inFlight = new Map<string, Query>();

  constructor(parts: DriverParts, limit: number) {
    this.#parts = parts;
    this.limit = limit;
  }

  /**
   * Runs a command, or joins the same command if it is running, even if it hangs: there are never two at once. Resolves
   * to null if there is no result within the limit, or after an abort.
   */
  async query(argv: readonly string[], abort: AbortSignal): Promise<Captured | null> {
    const key = argv.join(' ');
    const query = this.#inFlight.get(key) ?? this.#start(key, argv);
    if (query.isLate) return null;
    // If the query was dropped before this call, its child is being killed: the next query starts after the child has ended.
    const { isDropped } = query;
    const result = await this.#waitFor(query, abort);
    return isDropped && result !== null ? this.query(argv, abort) : result;
  }

  /** Resolves to the result, or to null after the limit or an abort. */
  #waitFor(query: Query, abort: AbortSignal): Promise<Captured | null> {
    query.callers += 1;
    return new Promise((resolve) => {
      const leave = (found: Captured | null) => {
        cancel();
        abort.removeEventListener('abort', giveUp);
        resolve(query.isLate ? null : found);
      };
      const giveUp = () => {
        query.callers -= 1;
        if (query.callers === 0) query.drop();
        leave(null);
      };
      const cancel = this.#parts.clock.after(this.limit, () => leave(null));
      abort.addEventListener('abort', giveUp, { once: true });
      if (abort.aborted) giveUp();
      void query.result.then(leave);
    });
  }

  #start(key: string, argv: readonly string[]): Query {
    const { clock, environment, run } = this.#parts;
    const end = new AbortController();
    const drop = () => {
      query.isDropped = true;
      end.abort();
    };
    const result = run(argv, environmentOf(environment), end.signal);
    const query: Query = { isLate: false, callers: 0, isDropped: false, result, drop };
    const cancel = clock.after(this.limit, () => {
      query.isLate = true;
      end.abort();
    });
    void result.then(() => {
      cancel();
      if (this.#inFlight.get(key) === query) this.#inFlight.delete(key);
    });
    this.#inFlight.set(key, query);
    return query;
  }
}

/** Passes only what the program needs to be found and to run. LC_ALL prevents that its output, which is parsed, is translated. */
function environmentOf(from: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const passed = ['PATH', 'LD_LIBRARY_PATH', 'HOME'].flatMap((name) =>
    from[name] === undefined ? [] : [[name, from[name]]],
  );
  return { PATH: '/usr/bin:/bin', ...Object.fromEntries(passed), LC_ALL: 'C' };
}
