// Reports signals that the supervisor receives and ignores, each once, with the settings that change that. The STOPSIGNAL of a
// base image (WINCH in httpd images) and lxc-stop send such signals, and the container is killed if they have no effect. Part
// of the root.
import { whyNotForwarded } from '../config/signal.ts';
import type { Plan } from '../plan/plan.ts';
import type { Announcement } from '../runtime/engine.ts';

/** SIGHUP reloads the configuration; the others require no action. */
const EXPECTED: ReadonlySet<string> = new Set(['SIGHUP', 'SIGCONT', 'SIGPIPE', 'SIGURG', 'SIGALRM']);

export class UnclaimedSignals {
  readonly #announce: (announcement: Announcement) => void;
  readonly #reported = new Set<string>();

  constructor(announce: (announcement: Announcement) => void) {
    this.#announce = announce;
  }

  /** Called with each signal that a process has sent, by its canonical name. */
  note(signal: string, { stopSignals, services }: Plan): void {
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
