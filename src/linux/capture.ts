// Runs a tool that describes this machine, such as nvidia-smi, with the supervisor's own permissions. Never runs a
// command of a service. Uses execa, which is loaded by the first call.
import { EXIT_CODE, exitCodeOfSignal } from './exit-codes.ts';
import { signalNumber } from './signals.ts';

/** The most output of a tool, characters. A tool that prints more is killed, which counts as a failure: a part would mislead. */
const CAPTURED = 65_536;

export interface Captured {
  readonly code: number;
  /** Why the tool could not be started or printed too much; null: neither. */
  readonly failure: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end and returns its output; never rejects. An abort kills it. */
export async function capture(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  abort: AbortSignal,
): Promise<Captured> {
  const { execa } = await import('execa');
  const [file = '', ...args] = argv;
  const result = await execa(file, args, {
    env: { ...env },
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    cancelSignal: abort,
    forceKillAfterDelay: false,
    killSignal: 'SIGKILL',
    maxBuffer: CAPTURED,
    stripFinalNewline: false,
    cleanup: false,
  });
  const printed = { stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '') };
  if (result.isMaxBuffer)
    return { code: EXIT_CODE.notFound, failure: `it printed more than ${CAPTURED} characters`, ...printed };
  if (result.exitCode !== undefined) return { code: result.exitCode, failure: null, ...printed };
  if (result.signal !== undefined)
    return { code: exitCodeOfSignal(signalNumber(result.signal)), failure: null, ...printed };
  return {
    code: EXIT_CODE.notFound,
    failure: result.originalMessage ?? result.shortMessage ?? 'it could not be started',
    ...printed,
  };
}
