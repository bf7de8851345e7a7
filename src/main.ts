// The entry point of the supervisor and the commands: reads the handover of the native program, runs the command line or the
// supervision, and is the only file that ends the process. Imports only what every command needs; the rest is loaded by the
// commands that need it.
import { writeSync } from 'node:fs';
import type { CommandContext } from './cli/command.ts';
import { makeContext } from './context.ts';
import { EXIT_CODE, exitCodeOfSignal } from './linux/exit-codes.ts';
import { realFiles } from './linux/files.ts';
import { type Handover, readHandover } from './platform/handover.ts';
import { ignoreSignals, silenceWarnings, whyUnsupported } from './platform/runtime.ts';
import { makeClock } from './ports.ts';
import { printable } from './text.ts';
import type { Prepared } from './up/configuration.ts';
import type { UpRequest } from './up/parts.ts';

declare const SVC_SUPER_VERSION: string;
declare const SVC_SUPER_COMMIT: string | null;
const version = typeof SVC_SUPER_VERSION === 'string' ? SVC_SUPER_VERSION : 'development';
const commit = typeof SVC_SUPER_COMMIT === 'string' ? SVC_SUPER_COMMIT : null;

const SIGPIPE = 13;
/** The pause before a write is tried again, milliseconds. */
const WRITE_PAUSE = 10;

/** Writes the whole text synchronously, even to a non-blocking descriptor, because a short command ends right after it. */
function print(fd: 1 | 2, text: string | Uint8Array): void {
  for (let rest = Buffer.from(text); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      if (code === 'EAGAIN') {
        pause();
        continue;
      }
      // The reader has closed the pipe: exits like a program that is killed by SIGPIPE.
      if (code === 'EPIPE' && fd === 1) process.exit(exitCodeOfSignal(SIGPIPE));
      return;
    }
  }
}

/** Blocks for some milliseconds, while the reader of a non-blocking descriptor does not read. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), 0, 0, WRITE_PAUSE);
}

const out = (text: string | Uint8Array) => print(1, text);
const err = (text: string | Uint8Array) => print(2, text);
const exit = (code: number): void => process.exit(code);

/** The arguments of up(), or of continueAsSuccessor() if `prepared` is null: this process is then the successor of a supervisor. */
interface Supervision {
  readonly request: UpRequest;
  readonly prepared: Prepared | null;
}

/** Loaded at the first use, because most configurations have no `gpus`. */
const gpus = () => (require('./linux/gpus.ts') as typeof import('./linux/gpus.ts')).readInventory();

/** Likewise: most have no `memory_limit`. */
const limitMemory = () =>
  (require('./linux/memory-cgroup.ts') as typeof import('./linux/memory-cgroup.ts')).prepareCgroups();

/** Runs the command line. Returns its exit code, or the supervision to begin. */
async function run(handover: Handover): Promise<number | Supervision> {
  const { argv, environment, role } = handover;
  // The clock starts with PID 1's time at the handover, so that a successor continues the clock of the previous supervisor.
  const clock = makeClock(handover.now);
  const request = { handover, files: realFiles, gpus, limitMemory, version, clock, err, exit };
  // 0 also for a supervisor that replaces one which died before it had started a service: it begins like the first one.
  if (role === 'supervise' && handover.restarts > 0) {
    const debug = argv.includes('--debug');
    return { request: { ...request, names: [], debug, level: null, pidFile: null }, prepared: null };
  }
  const found: Supervision[] = [];
  const up: CommandContext['up'] = async (files, { profiles, ...options }) => {
    if (role !== 'supervise') throw new Error('only PID 1 starts a supervisor');
    const { prepare } = await import('./up/configuration.ts');
    const prepared = prepare({
      ...files,
      names: options.names,
      profiles,
      environment,
      files: realFiles,
      gpus,
      limitMemory,
    });
    if (prepared.ok) found.push({ request: { ...request, ...options }, prepared });
    else err(prepared.text);
    return prepared.ok ? 0 : EXIT_CODE.config;
  };
  const { runCommand } = await import('./cli/run.ts');
  const code = await runCommand(argv.slice(1), makeContext({ handover, clock, version, commit, gpus, up, out, err }));
  return found[0] ?? code;
}

/** Prints why a program could not be executed, for `svc-super init`; returns the exit code of a shell. */
async function explain({ program, errno, environment }: Handover): Promise<number> {
  const { describeExecFailure } = await import('./linux/launch.ts');
  const failure = describeExecFailure([program], errno, { env: environment, cwd: null, attributes: { user: null } });
  err(`svc-super: ${printable(failure.message)}\n`);
  return failure.code;
}

async function main(): Promise<number> {
  const unsupported = whyUnsupported();
  if (unsupported !== null) {
    err(`svc-super: ${unsupported}\n`);
    return EXIT_CODE.config;
  }
  silenceWarnings();
  const handover = readHandover();
  if (handover === null) {
    err('svc-super-supervisor is started by svc-super of the same release: run `svc-super` instead\n');
    return EXIT_CODE.usage;
  }
  if (handover.role === 'supervise') ignoreSignals();
  if (handover.role === 'explain') return explain(handover);
  const outcome = await run(handover);
  if (typeof outcome === 'number') return outcome;
  const { continueAsSuccessor, up } = await import('./up/supervise.ts');
  return outcome.prepared === null ? continueAsSuccessor(outcome.request) : up(outcome.request, outcome.prepared);
}

try {
  process.exit(await main());
} catch (error) {
  err(`svc-super: a bug, please report it: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(EXIT_CODE.software);
}
