// The supervisor's side of its conversation with PID 1: sends requests, hands events to whoever asked. Knows which run each
// event is about and nothing of services.
import type { Connection, ConnectionListener } from '../platform/socket.ts';
import {
  EventReader,
  encodeEnd,
  encodeHello,
  encodeOpen,
  encodeRelease,
  encodeRoom,
  encodeSignal,
  encodeSpawn,
  encodeWatch,
  type OpenFrame,
  type Pid1Event,
  type SignalFailure,
  type SignalTarget,
  type SpawnFrame,
} from './protocol.ts';

/** What becomes of one run. */
export interface SpawnListener {
  /** The program itself is executing. `pipes` are descriptors of PID 1, in the order of the streams. */
  spawned(pid: number, start: number, pipes: readonly number[]): void;
  /** It never executed; nothing of it is left. */
  failed(failure: { readonly step: string; readonly errno: number; readonly index: number }): void;
  /** The main process ended, with a status as of wait4(2). Comes after `spawned`. */
  exited(status: number): void;
  /** A datagram on its notify socket. */
  notified(text: string, uid: number): void;
}

/** What comes unasked. */
export interface Pid1Listener {
  /** PID 1 has received a signal, by number. */
  received(signal: number): void;
  /** Orphans were reaped; `pids` are null where there were too many to tell, or nobody watches. */
  reaped(total: number, pids: readonly number[] | null): void;
  /** PID 1 has gone: it was not PID 1 of its namespace, or we would be gone too. */
  lost(): void;
}

/** A file that PID 1 holds open; released when it has been opened by its path, or is not wanted any more. */
export interface HeldFile {
  /** Opens as the file itself: /proc/<pid>/fd/<n>. */
  readonly path: string;
  release(): void;
}

export class Pid1 {
  readonly pid: number;
  #connection: Connection | null = null;
  /** What was sent before there was a connection. */
  #early: Uint8Array[] = [];
  readonly #reader = new EventReader();
  readonly #listener: Pid1Listener;
  readonly #runs = new Map<number, SpawnListener>();
  readonly #opens = new Map<number, (held: HeldFile | { readonly errno: number }) => void>();
  readonly #answers = new Map<number, (event: Pid1Event) => void>();
  #lastRun = 0;
  #sequence = 0;

  /** `pid` is PID 1's number in this namespace. */
  constructor(pid: number, listener: Pid1Listener) {
    this.pid = pid;
    this.#listener = listener;
  }

  async connect(open: (listener: ConnectionListener) => Promise<Connection>): Promise<void> {
    const connection = await open({
      data: (bytes) => {
        for (const event of this.#reader.push(bytes)) this.#take(event);
      },
      closed: () => this.#listener.lost(),
    });
    this.#connection = connection;
    for (const bytes of this.#early) connection.write(bytes);
    this.#early = [];
  }

  #send(bytes: Uint8Array): void {
    if (this.#connection === null) this.#early.push(bytes);
    else this.#connection.write(bytes);
  }

  /** Takes over: from here on the end of this process is no answer, but a failure. `stopTimeout` in milliseconds. */
  hello(stopTimeout: number): void {
    this.#send(encodeHello(stopTimeout));
  }

  /** Starts a program; returns the run's number. */
  spawn(spawn: Omit<SpawnFrame, 'run'>, listener: SpawnListener): number {
    this.#lastRun += 1;
    this.#runs.set(this.#lastRun, listener);
    this.#send(encodeSpawn({ ...spawn, run: this.#lastRun }));
    return this.#lastRun;
  }

  /** Nothing is wanted of a run any more: PID 1 closes its pipes and forgets it. */
  release(run: number): void {
    this.#runs.delete(run);
    this.#send(encodeRelease(run));
  }

  /** Resolves to those that could not be signalled, with the errno of kill(2). */
  signal(signal: number, targets: readonly SignalTarget[]): Promise<readonly SignalFailure[]> {
    return this.#ask(
      (sequence) => encodeSignal(sequence, signal, targets),
      (event) => (event.type === 'signalled' ? event.failures : []),
    );
  }

  /** Whether one more process, or thread, can be made at this moment. */
  hasRoom(): Promise<boolean> {
    return this.#ask(encodeRoom, (event) => event.type === 'answer' && event.errno === 0);
  }

  /** Whether orphans are reported as they are reaped, by number. */
  watch(on: boolean): void {
    this.#send(encodeWatch(on));
  }

  /** Opens a file without following any symbolic link, as that user where one is given: openat2(2). */
  open(request: Omit<OpenFrame, 'run'>): Promise<HeldFile | { readonly errno: number }> {
    this.#lastRun += 1;
    const run = this.#lastRun;
    return new Promise((resolve) => {
      this.#opens.set(run, resolve);
      this.#send(encodeOpen({ ...request, run }));
    });
  }

  /** Everything is over: PID 1 ends with that code, and this process with it. */
  end(code: number): Promise<never> {
    this.#send(encodeEnd(code));
    return new Promise(() => undefined);
  }

  #ask<T>(encode: (sequence: number) => Uint8Array, read: (event: Pid1Event) => T): Promise<T> {
    this.#sequence += 1;
    const sequence = this.#sequence;
    return new Promise((resolve) => {
      this.#answers.set(sequence, (event) => resolve(read(event)));
      this.#send(encode(sequence));
    });
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
      case 'opened': {
        const path = `/proc/${event.pid}/fd/${event.fd}`;
        this.#settle(event.run, { path, release: () => this.#send(encodeRelease(event.run)) });
        return;
      }
      case 'signalled':
      case 'answer':
        this.#answers.get(event.sequence)?.(event);
        this.#answers.delete(event.sequence);
        return;
      case 'received':
        this.#listener.received(event.signal);
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
    this.#settle(event.run, { errno: event.errno });
    listener?.failed(event);
  }

  #settle(run: number, outcome: HeldFile | { readonly errno: number }): void {
    this.#opens.get(run)?.(outcome);
    this.#opens.delete(run);
  }
}
