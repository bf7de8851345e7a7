// The signals that PID 1 receives: keeps them while there is no listener, passes them to the engine, and reports each signal
// that has no effect once, with the settings that give it one. Receives no signal from the kernel itself.
import { whyNotForwarded } from '../config/signal.ts';
import type { Plan } from '../plan/plan.ts';
import type { Clock } from '../ports.ts';
import type { Engine } from '../runtime/engine.ts';
import type { Announce } from './announcer.ts';
import type { Checkpoint } from './checkpoint.ts';

type SignalListener = (signal: string, isFromKernel: boolean) => void;

/** Passes signals that PID 1 has received to one listener. Keeps those that arrive while there is no listener. */
export class SignalRelay {
  #listener: SignalListener | null = null;
  readonly #kept: Parameters<SignalListener>[] = [];

  take(signal: string, isFromKernel: boolean): void {
    if (this.#listener === null) this.#kept.push([signal, isFromKernel]);
    else this.#listener(signal, isFromKernel);
  }

  /** Replaces the listener, and passes it the signals that were kept, in order. */
  listen(listener: SignalListener): void {
    this.#listener = listener;
    for (const kept of this.#kept.splice(0)) listener(...kept);
  }

  /** Removes the listener: signals are kept for the next one. */
  pause(): void {
    this.#listener = null;
  }
}

interface SignalParts {
  readonly clock: Clock;
  readonly engine: Pick<Engine, 'world' | 'send'>;
  readonly checkpoint: Pick<Checkpoint, 'own' | 'note'>;
  readonly announce: Announce;
}

/** Passes all signals to the engine, those that were kept first. */
export function passSignals(signals: SignalRelay, { clock, engine, checkpoint, announce }: SignalParts): void {
  const unclaimed = new UnclaimedSignals(announce);
  signals.listen((signal, isFromKernel) => {
    const { plan } = engine.world;
    if (!isFromKernel) unclaimed.note(signal, plan);
    const isStop = plan.stopSignals.includes(signal);
    if (isStop && checkpoint.own.stopAskedAt === null) checkpoint.note({ stopAskedAt: clock.now() });
    engine.send({ type: isStop ? 'stop-asked' : 'signalled', signal });
  });
}

/** SIGHUP reloads the configuration; the others require no action. */
const EXPECTED: ReadonlySet<string> = new Set(['SIGHUP', 'SIGCONT', 'SIGPIPE', 'SIGURG', 'SIGALRM']);

/**
 * Signals that have no effect. The STOPSIGNAL of a base image (WINCH in httpd images) and lxc-stop send such signals, and the
 * container is killed if they have none.
 */
class UnclaimedSignals {
  readonly #announce: Announce;
  readonly #reported = new Set<string>();

  constructor(announce: Announce) {
    this.#announce = announce;
  }

  /** Called with each signal that a process has sent, by its canonical name. */
  note(signal: string, { stopSignals, services }: Pick<Plan, 'stopSignals' | 'services'>): void {
    if (EXPECTED.has(signal) || stopSignals.includes(signal) || this.#reported.has(signal)) return;
    if (services.some(({ enabled, forward }) => enabled && forward[signal] !== undefined)) return;
    this.#reported.add(signal);
    const short = signal.replace(/^SIG/, '');
    const passing =
      whyNotForwarded(signal) === null
        ? `; to pass it on to a service, add \`forward: [${short}]\` to the service`
        : '';
    const text = `${signal} received and ignored: no service takes it. If it must stop the container (the STOPSIGNAL of an image), add ${short} to \`stop_signals\` at the top level${passing}`;
    this.#announce({ level: 'warn', service: null, event: 'unclaimed-signal', text });
  }
}
