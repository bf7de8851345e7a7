// `svc-super init -- CMD`: one command under PID 1. Standard streams are inherited untouched, every signal that the
// runtime can give is passed on, every orphan reaped, the command's code returned. Nothing of the supervisor is loaded.

import { realClock } from './ports.ts';
import { describeExecFailure } from './sys/launch.ts';
import { admitSignals, becomeSubreaper, unhandleFaults } from './sys/libc.ts';
import { Reaper } from './sys/reaper.ts';
import { SIGNALS, signalNumber } from './sys/signals.ts';

/** Not to be caught, the kernel's word about faults of our own, the runtime's, and SIGCHLD, which is for us. */
const NOT_PASSED = new Set([
  'SIGKILL',
  'SIGSTOP',
  'SIGCHLD',
  'SIGPWR',
  'SIGSTKFLT',
  'SIGSEGV',
  'SIGBUS',
  'SIGFPE',
  'SIGILL',
  'SIGPIPE',
]);

/** Runs the command to its end; resolves to its code, 128+n for signal n, 126 or 127 when it cannot be executed. */
export async function init(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
  err: (text: string) => void,
): Promise<number> {
  const [file = ''] = argv;
  if (process.pid !== 1) {
    try {
      becomeSubreaper();
    } catch {
      // Orphans then go to whoever is PID 1.
    }
  }
  const ended = Promise.withResolvers<number>();
  let child: { readonly pid: number; kill(signal: number): void } | undefined;
  unhandleFaults();
  for (const [number, signal] of SIGNALS) {
    if (NOT_PASSED.has(signal)) continue;
    try {
      process.on(signal as NodeJS.Signals, () => child?.kill(number));
    } catch {
      // Not one that the runtime can give.
    }
  }
  // Handlers run between turns of the event loop, and in this one the command is started.
  admitSignals();
  try {
    child = Bun.spawn({
      cmd: [...argv],
      env: { ...environment },
      stdio: ['inherit', 'inherit', 'inherit'],
      onExit: (_child, code, signal) => {
        const told = signal as string | number | null;
        if (told === null) ended.resolve(code ?? 0);
        else ended.resolve(128 + (typeof told === 'number' ? told : signalNumber(told)));
      },
    });
  } catch (error) {
    const code = error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : '';
    const failure = describeExecFailure(file, code, error instanceof Error ? error.message : String(error));
    err(`svc-super: ${failure.message}\n`);
    return failure.code;
  }
  const reaper = new Reaper(realClock, () => undefined);
  reaper.adopt(child.pid);
  reaper.begin();
  const code = await ended.promise;
  // What the command has left to us is not left to the init above.
  reaper.release(child.pid);
  return code;
}
