// The connection of a supervising process to PID 1, the processes of the services, and the signals that PID 1 receives.
// Decides nothing about services.
import { EXIT_CODE } from '../linux/exit-codes.ts';
import { absolute } from '../linux/files.ts';
import { signalName, signalNumber } from '../linux/signals.ts';
import { Children } from '../pid1/children.ts';
import { Pid1 } from '../pid1/client.ts';
import type { Plan } from '../plan/plan.ts';
import { FD, type Handover } from '../platform/handover.ts';
import { endOwnProcessOnNode } from '../platform/runtime.ts';
import { openConnection } from '../platform/socket.ts';
import type { Clock } from '../ports.ts';
import { SignalRelay } from './signals.ts';

interface LinkParts {
  readonly clock: Clock;
  readonly handover: Handover;
  readonly seed: number;
  /** Whether `--debug` was given: then PID 1 does not replace this process if it hangs, as in a debugger. */
  readonly debug: boolean;
  /** Ends this process. */
  exit(code: number): void;
}

export class Link {
  readonly pid1: Pid1;
  readonly children: Children;
  readonly signals = new SignalRelay();
  /** Whether the container ends with this process, so that there is no successor. */
  isEnding = false;
  /** The number of orphans that PID 1 has reaped. */
  reaped = 0;
  /**
   * Must call `take`, which delivers the events of one turn of the event loop. Set to the turn() of the engine when the engine
   * exists.
   */
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
        this.children.rescan(pids);
      },
      lost: () => this.#endWithoutPid1(),
    });
    this.children = new Children({
      clock,
      pid1: this.pid1,
      seed,
      hasMarks: handover.hasMarks,
      files: handover.files.hard,
      // Commands in a service connect to their own supervisor, even if there are several on the machine.
      env: handover.socket === null ? {} : { SVC_SUPER_SOCKET: absolute(handover.socket) },
    });
  }

  async connect(): Promise<void> {
    await this.pid1.connect((listener) => openConnection(FD.pid1, listener));
  }

  /**
   * Sends the rules by which PID 1 stops the services if there is no supervisor: the stop signals and `stop_timeout`. After
   * the first call PID 1 replaces this process when it ends.
   */
  sendStopRules({ stopTimeout, stopSignals, succession }: Plan): void {
    const rules = this.#parts.debug ? { ...succession, hungAfter: 0 } : succession;
    this.pid1.hello(stopTimeout, stopSignals.map(signalNumber), rules);
  }

  /** Kills all processes and ends: PID 1 has died, which is possible if it was not PID 1 of its namespace. */
  #endWithoutPid1(): void {
    const { clock, exit } = this.#parts;
    this.isEnding = true;
    if (this.children.killEverything()) {
      clock.after(1, () => this.#endWithoutPid1());
      return;
    }
    // On Node the process ends here, by SIGKILL; on Bun by `exit`.
    endOwnProcessOnNode();
    exit(EXIT_CODE.software);
  }
}
