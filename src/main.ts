// The entry point of the supervisor and the commands: reads the handover of the native program, runs the command line with the
// real clock, files and terminal, and is the only file that ends the process. Imports only what every command needs; the rest
// is loaded by the commands that need it.
import { readlinkSync, writeSync } from 'node:fs';
import type { CommandContext } from './cli/command.ts';
import type { Dial, SupervisorListener } from './control/client.ts';
import { currentFolder, listFolderMarked, realFiles } from './linux/files.ts';
import { pidNamespace } from './linux/processes.ts';
import { dirname } from './paths.ts';
import { FD, type Handover, readHandover } from './platform/handover.ts';
import { describeRuntime, ignoreSignals, silenceWarnings, whyUnsupported } from './platform/runtime.ts';
import { makeClock, type RealClock, realRandom } from './ports.ts';
import { printable } from './text.ts';
import type { Prepared } from './up/configuration.ts';
import type { UpRequest } from './up.ts';

declare const SVC_SUPER_VERSION: string;
declare const SVC_SUPER_COMMIT: string | null;
const version = typeof SVC_SUPER_VERSION === 'string' ? SVC_SUPER_VERSION : 'development';
const commit = typeof SVC_SUPER_COMMIT === 'string' ? SVC_SUPER_COMMIT : null;

const USAGE = 64;
const BUG = 70;
const CONFIG_WRONG = 78;
/** The width of a terminal if it is not known. */
const DEFAULT_COLUMNS = 80;
const SIGPIPE_CODE = 141;

/** Writes the whole text synchronously, even to a non-blocking descriptor, because a short command ends right after it. */
function print(fd: 1 | 2, text: string | Uint8Array): void {
  for (let rest = Buffer.from(text); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      if (code === 'EAGAIN') continue;
      // The reader has closed the pipe: exits like a program that is killed by SIGPIPE.
      if (code === 'EPIPE' && fd === 1) process.exit(SIGPIPE_CODE);
      return;
    }
  }
}

const err = (text: string | Uint8Array) => print(2, text);
const exit = (code: number): void => process.exit(code);

/** Whether standard input can have data. */
function hasInput(): boolean {
  try {
    return readlinkSync('/proc/self/fd/0') !== '/dev/null';
  } catch {
    return false;
  }
}

/** The arguments of up(), or of continueAsSuccessor() if `prepared` is null: this process is then the successor of a supervisor. */
interface Supervision {
  readonly request: UpRequest;
  readonly prepared: Prepared | null;
}

/** The first request uses the connection of the native program; later requests connect to the same path. */
function dialer({ isConnected, socket, looked, found }: Handover): () => Dial {
  let isUsed = false;
  return () => {
    const { describeSocketPath } = require('./linux/socket-paths.ts') as typeof import('./linux/socket-paths.ts');
    if (!isConnected || socket === null) return { ok: false, looked: looked.map(describeSocketPath), found };
    const open = async (listener: SupervisorListener) => {
      const { connectTo } = await import('./control/client.ts');
      if (isUsed) return connectTo(socket, listener);
      isUsed = true;
      const { openConnection } = await import('./platform/socket.ts');
      return openConnection(FD.control, listener);
    };
    return { ok: true, path: socket, open };
  };
}

/** Returns the function that checks the machine for `check --runtime`. */
function inspector(environment: Handover['environment'], clock: RealClock): CommandContext['inspect'] {
  return async (plan, running) => {
    const [{ inspect, ownerOf }, { makeGpuReader }, { findHolder }] = await Promise.all([
      import('./up/preflight.ts'),
      import('./up/gpus.ts'),
      import('./linux/listeners.ts'),
    ]);
    const portOwner = (port: number) => {
      const holder = findHolder(port);
      if (holder === null) return null;
      return { text: holder.text, service: holder.pid === null ? null : ownerOf(holder.pid, running) };
    };
    return inspect(plan, () => makeGpuReader({ clock, environment }), portOwner);
  };
}

/** Runs the command line. Returns its exit code, or the supervision to begin. */
async function run(handover: Handover): Promise<number | Supervision> {
  const { argv, environment, terminals } = handover;
  // The clock starts with PID 1's time at the handover, so that a successor continues the clock of the previous supervisor.
  const clock = makeClock(handover.now);
  // Loaded at the first use, because most configurations have no `gpus`.
  const gpus = () => (require('./linux/gpus.ts') as typeof import('./linux/gpus.ts')).readInventory();
  const request = { handover, files: realFiles, gpus, version, clock, err, exit };
  if (handover.role === 'supervise' && handover.restarts > 0) {
    const debug = argv.includes('--debug');
    return { request: { ...request, file: '', names: [], debug }, prepared: null };
  }
  const columns = Number(environment.COLUMNS) || DEFAULT_COLUMNS;
  const { runCommand } = await import('./commands.ts');
  const found: Supervision[] = [];
  const code = await runCommand(argv.slice(1), {
    environment,
    files: realFiles,
    dial: dialer(handover),
    execTerminal: handover.terminal,
    get execStdin() {
      return hasInput() ? `/proc/${process.pid}/fd/0` : null;
    },
    get pidNamespace() {
      return pidNamespace();
    },
    cwd: currentFolder(),
    list: listFolderMarked,
    version,
    describeBuild: () => {
      const { readLibc } = require('./linux/libc.ts') as typeof import('./linux/libc.ts');
      return { version, commit, runtime: describeRuntime(), libc: readLibc(), architecture: process.arch };
    },
    colour: terminals[1] && (environment.NO_COLOR ?? '') === '',
    terminal: { out: terminals[1] ? columns : null, err: terminals[2] ? columns : null },
    out: (text) => print(1, text),
    // The terminal of `exec` is in raw mode: it adds no carriage return to a line end.
    err: handover.terminal === null ? err : (text) => err(String(text).replaceAll('\n', '\r\n')),
    save: (path, text) => {
      const { mkdirSync, writeFileSync } = process.getBuiltinModule('node:fs');
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    },
    wall: () => clock.wall(),
    after: (ms, fn) => clock.after(ms, fn),
    randomName: () => realRandom.name(),
    up: async (file, names, debug) => {
      if (handover.role !== 'supervise') throw new Error('only PID 1 starts a supervisor');
      const { prepare } = await import('./up/configuration.ts');
      const prepared = prepare({ names, environment, files: realFiles, gpus, path: file });
      if (prepared.ok) found.push({ request: { ...request, file, names, debug }, prepared });
      else err(prepared.text);
      return prepared.ok ? 0 : CONFIG_WRONG;
    },
    gpus,
    inspect: inspector(environment, clock),
    inspectBuild: async (plan) => (await import('./up/preflight.ts')).inspectBuild(plan),
  });
  return found[0] ?? code;
}

/** Prints why a program could not be executed, for `svc-super init`; returns the exit code of a shell. */
async function explain({ program, errno, environment }: Handover): Promise<number> {
  const { describeExecFailure } = await import('./linux/launch.ts');
  const failure = describeExecFailure([program], errno, { env: environment, cwd: null, credentials: null });
  err(`svc-super: ${printable(failure.message)}\n`);
  return failure.code;
}

async function main(): Promise<number> {
  const unsupported = whyUnsupported();
  if (unsupported !== null) {
    err(`svc-super: ${unsupported}\n`);
    return CONFIG_WRONG;
  }
  silenceWarnings();
  const handover = readHandover();
  if (handover === null) {
    err('svc-super-supervisor is started by svc-super of the same release: run `svc-super` instead\n');
    return USAGE;
  }
  if (handover.role === 'supervise') ignoreSignals();
  if (handover.role === 'explain') return explain(handover);
  const outcome = await run(handover);
  if (typeof outcome === 'number') return outcome;
  const { continueAsSuccessor, up } = await import('./up.ts');
  return outcome.prepared === null ? continueAsSuccessor(outcome.request) : up(outcome.request, outcome.prepared);
}

try {
  process.exit(await main());
} catch (error) {
  err(`svc-super: a bug, please report it: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(BUG);
}
