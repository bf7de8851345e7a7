// The supervisor's side of the protocol with PID 1: sends requests, and passes each event to the listener of its run. Handles
// runs by number, and never services. The requests of one turn and the records of the checkpoint that change with them are
// one batch: PID 1 executes and stores either the whole batch or, if this process dies before it is written, nothing.
import type { Succession } from '../plan/plan.ts';
import type { Connection, ConnectionListener } from '../platform/socket.ts';
import {
  EventReader,
  encodeAcknowledge,
  encodeBatch,
  encodeEnd,
  encodeHello,
  encodeKeep,
  encodeRelease,
  encodeSignal,
  encodeSpawn,
  encodeWatch,
  type Pid1Event,
  type Records,
  type RunEntry,
  type SignalFailure,
  type SignalTarget,
  type SpawnFrame,
} from './protocol.ts';

/** The events of one run. */
export interface SpawnListener {
  /** The program itself is executing. `pipes` are descriptors of PID 1, in the order of the streams. */
  spawned(pid: number, start: number, pipes: readonly number[]): void;
  /** The program was never executed; no process is left. */
  failed(failure: { readonly step: string; readonly errno: number; readonly index: number }): void;
  /**
   * The main process has ended, with a status of wait4(2). Called after `spawned`. Of an adopted run PID 1 may report the end twice:
   * ignore the second call.
   */
  exited(status: number): void;
  /** A datagram on its notify socket. */
  notified(text: string, uid: number): void;
}

/** The events that do not belong to a run. */
interface Pid1Listener {
  /**
   * PID 1 has received a signal, by number. `isFromKernel`: the kernel sent it, as when a terminal changes its size.
   */
  received(signal: number, isFromKernel: boolean): void;
  /**
   * Must call `take`, which delivers the events that arrived in the same turn of the event loop: PID 1 detected them at the
   * same time.
   */
  turn(take: () => void): void;
  /** Orphans were reaped. `pids` is null if there were too many for the list, or if watch() is off. */
  reaped(total: number, pids: readonly number[] | null): void;
  /** PID 1 has died. It was not PID 1 of its namespace: otherwise the kernel would have ended this process too. */
  lost(): void;
}

/** The state of the previous supervisor: its checkpoint, and PID 1's table of runs. */
interface Inheritance {
  readonly records: Records;
  readonly runs: ReadonlyMap<number, RunEntry>;
}

/** `si_code` of a signal that the kernel itself sent, such as a terminal's resize: sigaction(2). */
const SI_KERNEL = 0x80;

export class Pid1 {
  readonly pid: number;
  #connection: Connection | null = null;
  /** Requests that have not been sent. */
  #requests: Uint8Array[] = [];
  /**
   * The number of events that have been handled, which PID 1 need not keep any more; null: there is nothing to acknowledge. 0
   * is the response to a ping.
   */
  #acknowledged: number | null = null;
  #isFlushing = false;
  #changed: () => Records = () => NONE;
  /** The state of the previous supervisor while it arrives; null: this is the first supervisor, or all has arrived. */
  #arriving: Arriving | null = null;
  /** Whether events wait for resume(). */
  #isHeld = false;
  /** Events of adopted runs that the previous supervisor did not receive. */
  #missed: { readonly order: number; readonly events: readonly Pid1Event[] }[] = [];
  readonly #reader = new EventReader();
  readonly #listener: Pid1Listener;
  readonly #runs = new Map<number, SpawnListener>();
  /** Callers of signal() that wait for its result, by sequence number. */
  readonly #signalling = new Map<number, (failures: readonly SignalFailure[]) => void>();
  readonly #events: Pid1Event[] = [];
  readonly #soon: (fn: () => void) => void;
  #lastRun = 0;
  #sequence = 0;

  /** `pid` is the PID of PID 1 in this namespace; `soon` calls a function in the next turn of the event loop. */
  constructor(pid: number, soon: (fn: () => void) => void, listener: Pid1Listener) {
    this.pid = pid;
    this.#soon = soon;
    this.#listener = listener;
  }

  async connect(open: (listener: ConnectionListener) => Promise<Connection>): Promise<void> {
    const connection = await open({
      data: (bytes) => this.#queue(this.#reader.push(bytes)),
      closed: () => this.#listener.lost(),
    });
    this.#connection = connection;
    this.flush();
  }

  /** Receives the state of the previous supervisor. Call it before connect(). Events are held until resume(). */
  inherit(): Promise<Inheritance> {
    this.#isHeld = true;
    return new Promise((resolve) => {
      this.#arriving = { records: new Map(), runs: new Map(), resolve };
    });
  }

  /** Delivers the events that were held, and from now on every event when it arrives. */
  resume(): void {
    this.#isHeld = false;
    // Delivers the events that occurred without a supervisor, in order. PID 1 may report the same exits again (SpawnListener).
    const missed = this.#missed.sort((a, b) => a.order - b.order).flatMap(({ events }) => events);
    this.#missed = [];
    this.#events.unshift(...missed);
    this.#deliverSoon();
  }

  /** Sets the source of the checkpoint: `changed` returns the records that have changed since its last call. */
  keep(changed: () => Records): void {
    this.#changed = changed;
  }

  /** Call it when a record of the checkpoint may have changed: it is sent to PID 1 with the requests of this turn. */
  touch(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    // A microtask runs after the current code, which may make more requests.
    queueMicrotask(() => this.flush());
  }

  /** Sends all requests and changed records as one batch. */
  flush(): void {
    this.#isFlushing = false;
    if (this.#connection === null) return;
    const records = this.#changed();
    const frames = this.#requests;
    this.#requests = [];
    if (this.#acknowledged !== null) frames.unshift(encodeAcknowledge(this.#acknowledged));
    if (records.size > 0) frames.unshift(encodeKeep(records));
    this.#acknowledged = null;
    const [first] = frames;
    if (first !== undefined) this.#connection.write(frames.length === 1 ? first : encodeBatch(frames));
  }

  /**
   * Delivers events in a later turn of the event loop, so that pending reads of pipes are handled before them (readNow
   * of platform/input.ts).
   */
  #queue(events: readonly Pid1Event[]): void {
    const isFirst = this.#events.length === 0;
    for (const event of events) if (!this.#takeKept(event)) this.#events.push(event);
    if (isFirst && this.#events.length > 0) this.#deliverSoon();
  }

  #deliverSoon(): void {
    this.#soon(() => {
      if (this.#isHeld) return;
      const found = this.#events.splice(0);
      this.#listener.turn(() => {
        for (const event of found) this.#take(event);
      });
    });
  }

  /** Handles an event of the state that PID 1 has kept from the previous supervisor; returns false for any other event. */
  #takeKept(event: Pid1Event): boolean {
    const arriving = this.#arriving;
    if (arriving === null) return false;
    if (event.type === 'run') arriving.runs.set(event.run, event);
    else if (event.type === 'kept') {
      const parts = arriving.records.get(event.key) ?? [];
      arriving.records.set(event.key, parts);
      parts.push(Uint8Array.from(event.part));
    } else if (event.type === 'restored') {
      this.#arriving = null;
      this.#lastRun = event.lastRun;
      const records = new Map([...arriving.records].map(([key, parts]) => [key, Buffer.concat(parts)] as const));
      arriving.resolve({ records, runs: arriving.runs });
    } else return false;
    return true;
  }

  /** Call it before this process ends because of a bug: drops the requests of this turn, and stores only these records. */
  abandon(records: Records): void {
    this.#requests = [];
    this.#connection?.write(encodeKeep(records));
    this.#connection = null;
  }

  #send(bytes: Uint8Array): void {
    this.#requests.push(bytes);
    this.touch();
  }

  /**
   * Takes over: from now on, PID 1 treats the end of this process as a failure and not as a result. `stopTimeout` in
   * milliseconds.
   */
  hello(stopTimeout: number, stopSignals: readonly number[], succession?: Succession): void {
    this.#send(encodeHello(stopTimeout, stopSignals, succession));
  }

  /** Returns a unique number for a run. */
  nextRun(): number {
    this.#lastRun += 1;
    return this.#lastRun;
  }

  /** Starts a program. */
  spawn(spawn: SpawnFrame, listener: SpawnListener): void {
    this.#runs.set(spawn.run, listener);
    this.#send(encodeSpawn(spawn));
  }

  /**
   * Takes over a run of the previous supervisor. `since` is the last state of the run that the previous supervisor had
   * received. Later changes are delivered as events when resume() is called.
   */
  adopt(entry: RunEntry, since: 'requested' | 'spawned' | 'exited', listener: SpawnListener): void {
    const { run, state, pid, start, pipes } = entry;
    this.#runs.set(run, listener);
    const isExecuting = state === 'executing' || state === 'exited';
    const missed: Pid1Event[] = [];
    if (since === 'requested' && isExecuting) missed.push({ type: 'spawned', run, pid, start, pipes });
    if (since !== 'exited' && state === 'exited') missed.push({ type: 'exited', run, status: entry.status });
    if (state === 'failed') missed.push({ type: 'failed', run, ...entry.failure });
    if (missed.length > 0) this.#missed.push({ order: entry.order, events: missed });
  }

  /** Ends the use of a run: PID 1 closes its pipes and removes its entry. */
  release(run: number): void {
    this.#runs.delete(run);
    this.#send(encodeRelease(run));
  }

  /** Resolves to the targets that could not be signalled, with the errno of kill(2). */
  signal(signal: number, targets: readonly SignalTarget[]): Promise<readonly SignalFailure[]> {
    this.#sequence += 1;
    const sequence = this.#sequence;
    return new Promise((resolve) => {
      this.#signalling.set(sequence, resolve);
      this.#send(encodeSignal(sequence, signal, targets));
    });
  }

  /** Sets whether orphans are reported as they are reaped, by number. */
  watch(on: boolean): void {
    this.#send(encodeWatch(on));
  }

  /** Makes PID 1 exit with that code, which ends this process too. Never resolves. */
  end(code: number): Promise<never> {
    this.#send(encodeEnd(code));
    this.flush();
    return new Promise(() => undefined);
  }

  #take(event: Pid1Event): void {
    switch (event.type) {
      case 'spawned':
        this.#runs.get(event.run)?.spawned(event.pid, event.start, event.pipes);
        return;
      case 'failed':
        this.#fail(event);
        return;
      case 'exited':
        this.#runs.get(event.run)?.exited(event.status);
        return;
      case 'notified':
        this.#runs.get(event.run)?.notified(event.text, event.uid);
        this.#acknowledge(1);
        return;
      case 'signalled':
        this.#signalling.get(event.sequence)?.(event.failures);
        this.#signalling.delete(event.sequence);
        return;
      case 'received':
        this.#listener.received(event.signal, event.code === SI_KERNEL);
        this.#acknowledge(1);
        return;
      case 'reaped':
        this.#listener.reaped(event.total, event.isComplete && event.pids.length > 0 ? event.pids : null);
        return;
      case 'ping':
        this.#acknowledge(0);
        return;
      case 'kept':
      case 'run':
      case 'restored':
        throw new Error(`PID 1 sent ${event.type} after the end of the checkpoint`);
      default:
        event satisfies never;
    }
  }

  /** Sends a sign of life to PID 1: a supervisor that is silent for too long is hung. */
  signOfLife(): void {
    this.#acknowledge(0);
  }

  /** Acknowledges `count` events with the next batch, which contains their effects. PID 1 need not keep them any more. */
  #acknowledge(count: number): void {
    this.#acknowledged = (this.#acknowledged ?? 0) + count;
    this.touch();
  }

  #fail(event: Pid1Event & { readonly type: 'failed' }): void {
    const listener = this.#runs.get(event.run);
    if (listener === undefined) return;
    this.release(event.run);
    listener.failed(event);
  }
}

interface Arriving {
  readonly records: Map<number, Uint8Array[]>;
  readonly runs: Map<number, RunEntry>;
  readonly resolve: (inheritance: Inheritance) => void;
}

const NONE: Records = new Map();
