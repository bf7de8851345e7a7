// Limits a listener's connections, so that the supervisor keeps enough descriptors. Above a number of connections, or when
// descriptors run short, the connection that has been idle longest is closed; if none is idle, the one that has been served
// longest. A new client is therefore always accepted. Opens nothing and answers no request.
import type { EventEmitter } from 'node:events';

/** The part of a connection or a response that is needed here. */
type Closing = Pick<EventEmitter, 'once'>;
type LimitedConnection = Closing & { destroy(): unknown };

/** This many are accepted even if descriptors are short: services may use up the rest for a long time. */
const ALWAYS = 4;

export class ConnectionLimiter<G extends LimitedConnection> {
  readonly #most: number;
  readonly #isShort: () => boolean;
  #size = 0;
  /** Connections without a request, in the order in which they became idle. */
  readonly #silent = new Set<G>();
  /** Connections with a request in progress, in the order of the requests. */
  readonly #served = new Set<G>();

  /** `isShort`: whether hardly any descriptors are left. */
  constructor(most: number, isShort: () => boolean) {
    this.#most = most;
    this.#isShort = isShort;
  }

  /** Adds a new connection, which has sent no request yet. */
  admit(connection: G): void {
    this.#size += 1;
    this.#silent.add(connection);
    connection.once('close', () => {
      this.#size -= 1;
      this.#silent.delete(connection);
      this.#served.delete(connection);
    });
    if (this.#size <= this.#most && (this.#size <= ALWAYS || !this.#isShort())) return;
    const [silent = connection] = this.#silent;
    const [served = connection] = this.#served;
    const oldest = silent === connection ? served : silent;
    // Its `close` event comes later; until then it must not be chosen again.
    this.#silent.delete(oldest);
    this.#served.delete(oldest);
    oldest.destroy();
  }

  /** A request has arrived, and is in progress until `response` is closed. */
  serve(connection: G, response: Closing): void {
    if (!this.#silent.delete(connection)) return;
    this.#served.add(connection);
    response.once('close', () => {
      if (this.#served.delete(connection)) this.#silent.add(connection);
    });
  }
}
