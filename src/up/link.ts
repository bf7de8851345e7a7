// The connection of a supervising process to PID 1, and what depends on it: the processes of the services, and the signals
// that PID 1 receives. Decides nothing about services. Part of the root.
import { absolute } from '../linux/files.ts';
import { signalName, signalNumber } from '../linux/signals.ts';
import { Children } from '../pid1/children.ts';
import { Pid1 } from '../pid1/client.ts';
import type { Plan } from '../plan/plan.ts';
import { FD, type Handover } from '../platform/handover.ts';
import { endBlockedProcess } from '../platform/runtime.ts';
import { openConnection } from '../platform/socket.ts';
import type { Clock } from '../ports.ts';

/** Exit code when PID 1 has died, by a bug or by SIGKILL. No process waits for it. */
const PID1_LOST = 70;

export interface LinkParts {
  readonly clock: Clock;
  readonly handover: Handover;
  readonly seed: number;
  /** Whether this process may be silent for as long as it likes. */
  readonly debug: boolean;
  /** Ends this process. */
  exit(code: number): void;
}

export class Link {
  readonly pid1: Pid1;
  readonly children: Children;
  readonly signals = new SignalRelay();
  /** Whether the container ends with this process, and no successor goes on. */
  isEnding = false;
  /** How many orphans PID 1 has reaped. */
  reaped = 0;
  /** Must call `take`, which delivers the events of one turn of the event loop. The engine's, once there is an engine. */
  turn: (take: () => void) => void = (take) => take();
  readonly #parts: LinkParts;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    const { clock, handover, seed } = parts;
    this.pid1 = new Pid1(handover.pid1, (fn) => clock.soon(fn), {
      turn: (take) => this.turn(take),
      received: (signal, isFromKernel) => this.signals.take(signalName(signal), isFromKernel),
      reaped: (total, pids) => {
        this.reaped = total;
        this.children.lookAgain(pids);
      },
      lost: () => this.#endWithoutPid1(),
    });
    this.children = new Children({
      clock,
      pid1: this.pid1,
      seed,
      hasMarks: handover.hasMarks,
      files: handover.files.hard,
      // Of several supervisors on a machine, the commands in a service mean its own.
      env: handover.socket === null ? {} : { SVC_SUPER_SOCKET: absolute(handover.socket) },
    });
  }

  async connect(): Promise<void> {
    await this.pid1.connect((listener) => openConnection(FD.pid1, listener));
  }

  /** From now on, PID 1 replaces this process when it ends. */
  takeOver(plan: Plan): void {
    this.sendStopRules(plan);
  }

  /** PID 1 needs the signals that ask to stop, and the longest time of a stop, for when there is no supervisor. */
  sendStopRules({ stopTimeout, stopSignals, succession }: Plan): void {
    const rules = this.#parts.debug ? { ...succession, hungAfter: 0 } : succession;
    this.pid1.hello(stopTimeout, stopSignals.map(signalNumber), rules);
  }

  /** PID 1 was killed, where it is not PID 1 of its namespace: no process that it has started may outlive it. */
  #endWithoutPid1(): void {
    const { clock, exit } = this.#parts;
    this.isEnding = true;
    if (this.children.killEverything()) {
      clock.after(1, () => this.#endWithoutPid1());
      return;
    }
    endBlockedProcess();
    exit(PID1_LOST);
  }
}

type SignalListener = (signal: string, isFromKernel: boolean) => void;

/** Passes signals that PID 1 has received to one listener. Keeps those that arrive before there is a listener. */
class SignalRelay {
  #listener: SignalListener | null = null;
  #early: Parameters<SignalListener>[] = [];

  take(signal: string, isFromKernel: boolean): void {
    if (this.#listener === null) this.#early.push([signal, isFromKernel]);
    else this.#listener(signal, isFromKernel);
  }

  /** Replaces the listener. */
  listen(listener: SignalListener): void {
    this.#listener = listener;
    for (const early of this.#early.splice(0)) listener(...early);
  }
}
