// The supervisor's side of the protocol with PID 1: sends requests, and passes each event to the listener of its run.
// Knows runs by number, and never services.
import type { Connection, ConnectionListener } from '../platform/socket.ts';
import {
  EventReader,
  encodeEnd,
  encodeHello,
  encodeRelease,
  encodeSignal,
  encodeSpawn,
  encodeWatch,
  type Pid1Event,
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
  /** The main process has ended, with a status of wait4(2). Called after `spawned`. */
  exited(status: number): void;
  /** A datagram on its notify socket. */
  notified(text: string, uid: number): void;
}

/** The events that belong to no run. */
export interface Pid1Listener {
  /**
   * PID 1 has received a signal, by number. `isFromKernel`: the kernel sent it, as when a terminal changes its size.
   */
  received(signal: number, isFromKernel: boolean): void;
  /**
   * Must call `take`, which delivers the events that arrived in the same turn of the event loop: PID 1 found them at
   * once.
   */
  turn(take: () => void): void;
  /** Orphans were reaped. `pids` is null if there were too many for the list, or if watch() is off. */
  reaped(total: number, pids: readonly number[] | null): void;
  /** PID 1 has died. It was not PID 1 of its namespace: otherwise the kernel would have ended this process too. */
  lost(): void;
}

/** `si_code` of a signal that the kernel itself sent, such as a terminal's resize: sigaction(2). */
const SI_KERNEL = 0x80;

export class Pid1 {
  readonly pid: number;
  #connection: Connection | null = null;
  /** Requests that were made before there was a connection. */
  #early: Uint8Array[] = [];
  readonly #reader = new EventReader();
  readonly #listener: Pid1Listener;
  readonly #runs = new Map<number, SpawnListener>();
  readonly #answers = new Map<number, (failures: readonly SignalFailure[]) => void>();
  readonly #events: Pid1Event[] = [];
  readonly #soon: (fn: () => void) => void;
  #lastRun = 0;
  #sequence = 0;

  /** `pid` is PID 1's number in this namespace; `soon` calls on the next turn of the event loop. */
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
    for (const bytes of this.#early) connection.write(bytes);
    this.#early = [];
  }

  /**
   * Delivers events in a later turn of the event loop, so that pending reads of pipes are handled before them (readNow
   * of platform/input.ts).
   */
  #queue(events: readonly Pid1Event[]): void {
    this.#events.push(...events);
    if (this.#events.length > events.length) return;
    this.#soon(() => {
      const found = this.#events.splice(0);
      this.#listener.turn(() => {
        for (const event of found) this.#take(event);
      });
    });
  }

  #send(bytes: Uint8Array): void {
    if (this.#connection === null) this.#early.push(bytes);
    else this.#connection.write(bytes);
  }

  /**
   * Takes over: from now on, PID 1 treats the end of this process as a failure and not as a result. `stopTimeout` in
   * milliseconds.
   */
  hello(stopTimeout: number, stopSignals: readonly number[]): void {
    this.#send(encodeHello(stopTimeout, stopSignals));
  }

  /** Starts a program; returns the run's number. */
  spawn(spawn: Omit<SpawnFrame, 'run'>, listener: SpawnListener): number {
    this.#lastRun += 1;
    this.#runs.set(this.#lastRun, listener);
    this.#send(encodeSpawn({ ...spawn, run: this.#lastRun }));
    return this.#lastRun;
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
      this.#answers.set(sequence, resolve);
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
        return;
      case 'signalled':
        this.#answers.get(event.sequence)?.(event.failures);
        this.#answers.delete(event.sequence);
        return;
      case 'received':
        this.#listener.received(event.signal, event.code === SI_KERNEL);
        return;
      case 'reaped':
        this.#listener.reaped(event.total, event.isComplete && event.pids.length > 0 ? event.pids : null);
        return;
      default:
        event satisfies never;
    }
  }

  #fail(event: Pid1Event & { readonly type: 'failed' }): void {
    const listener = this.#runs.get(event.run);
    this.#runs.delete(event.run);
    listener?.failed(event);
  }
}
