// Prepares Node to run the supervisor: Node resets the signal dispositions that its parent has set, opens a debugger on
// SIGUSR1, and prints warnings to standard error. Does nothing on Bun.
import { SIGNALS } from '../linux/signals.ts';

/** `process.getBuiltinModule` came with 22.3, `Promise.withResolvers` with 22.0. */
const NODE = { major: 22, minor: 3 } as const;

/** Why this runtime cannot run the supervisor; null if it can. */
export function whyUnsupported(): string | null {
  if (typeof Bun !== 'undefined') return null;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > NODE.major || (major === NODE.major && minor >= NODE.minor)) return null;
  return (
    `svc-super-supervisor needs Node ${NODE.major}.${NODE.minor} or later: the \`node\` found on PATH (${process.execPath}) ` +
    `is ${process.versions.node}. Install a newer Node, or the svc-super that brings its own runtime`
  );
}

export function describeRuntime(): { readonly name: 'bun' | 'node'; readonly version: string } {
  return typeof Bun === 'undefined'
    ? { name: 'node', version: process.versions.node }
    : { name: 'bun', version: Bun.version };
}

/** Suppresses Node's own warnings, which are meant for developers: users get the supervisor's messages only. */
export function silenceWarnings(): void {
  if (typeof Bun === 'undefined') process.removeAllListeners('warning');
}

/**
 * Signals that keep their default: those that cannot be caught, those of faults in the process itself, and those that are
 * ignored anyway. Real-time signals need nothing: Node leaves them as PID 1 has set them.
 */
const DEFAULT: ReadonlySet<string> = new Set(
  ['KILL', 'STOP', 'CONT', 'CHLD', 'ILL', 'TRAP', 'ABRT', 'BUS', 'FPE', 'SEGV', 'SYS', 'PIPE', 'URG', 'WINCH'].map(
    (name) => `SIG${name}`,
  ),
);

/**
 * Lets the supervisor ignore signals that are sent to it directly: PID 1 receives signals and reports them. PID 1
 * starts the supervisor with signals ignored, and Node undoes that (node.cc, `PlatformInit`).
 */
export function ignoreSignals(): void {
  if (typeof Bun !== 'undefined') return;
  for (const signal of SIGNALS.values()) if (!DEFAULT.has(signal)) process.on(signal, () => undefined);
}

/**
 * Kills this process on Node. Its exit code is lost, which no process reads. `process.exit` would join the threads of
 * the pool, and one of them may be blocked: in a write to a terminal that is stopped, or in the read of threads.ts.
 * Does nothing on Bun.
 */
export function endOwnProcessOnNode(): void {
  if (typeof Bun === 'undefined') process.kill(process.pid, 'SIGKILL');
}
