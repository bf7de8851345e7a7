// The only spawner and the only kill. Every child of ours is told to the reaper the moment it exists, so that its exit
// status is never lost. Runs are watched as sets of processes (pid and start time) that outlive their main process.
// Probes' and stop commands come here too, through tools.ts. Decides nothing: when to signal, sweep or kill is told from above.

import type { Clock } from '../ports.ts';
import { Census } from './census.ts';
import {
  describeExecFailure,
  describeFolder,
  findExecutable,
  isPlain,
  type LaunchFailure,
  type LaunchSpec,
  readStatus,
} from './launch.ts';
import { closeFile, openPipe } from './libc.ts';
import { Marking } from './marking.ts';
import { type Process, processNames, readProcess, readTitle } from './processes.ts';
import { Reaper } from './reaper.ts';
import { signalName, signalNumber } from './signals.ts';

export type ChildExit =
  | { readonly kind: 'code'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string; readonly number: number };

export interface SpawnRequest extends LaunchSpec {
  /** `vllm#3`: the name that its environment gives, or one of its own that none does. */
  readonly runName: string;
  /** Descriptors of the child from 1 on; a null is /dev/null. They stay open here: the caller closes them. */
  readonly output: readonly (number | null)[];
}

export interface RunListener {
  /** The program itself is executing. Comes at once or, where __exec prepares it, a little later. */
  spawned(pid: number): void;
  /** It never executed; no process is left. */
  failed(failure: LaunchFailure): void;
  /** The main process ended; others of the run may live. */
  exited(exit: ChildExit): void;
}

/** One bare spawn: in its own session, descriptors as numbers, nothing decided. Throws what the runtime throws. */
export interface Launch {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | null;
  readonly stdio: readonly ('ignore' | number | Uint8Array)[];
  /** As the runtime tells it: a code, or a signal's name or (real-time) number. */
  readonly onExit: (code: number | null, signal: string | number | null) => void;
}
export type Starter = (launch: Launch) => { readonly pid: number };

/**
 * How services are started. `Bun.spawn` and not execa: execa, like node:child_process, tells a death by a real-time
 * signal as exit code 0, and costs twice the processor time.
 */
export const startService: Starter = ({ command, env, cwd, stdio, onExit }) =>
  Bun.spawn({
    cmd: [...command],
    env: { ...env },
    ...(cwd !== null && { cwd }),
    stdio: stdio as ['ignore', 'ignore', 'ignore'],
    detached: true,
    onExit: (_child, code, signal) => onExit(code, signal as string | number | null),
  });

/** What is executed now, also once its file has been replaced or removed: proc_pid_exe(5). */
const OURSELVES = '/proc/self/exe';

/** One run's processes, from the spawn until nothing of it is left. */
interface Run {
  readonly pid: number;
  readonly start: number;
  readonly mark: string;
  readonly runName: string;
  /** Takes the exit to who listens, at once or when the status of what prepared the program has been read. */
  readonly passOn: (run: Run, exit: ChildExit) => void;
  /** Processes seen as members that live, or have yet to be reaped: pid -> start. */
  known: ReadonlyMap<number, number>;
  exited: boolean;
  /** Its exit has been passed on: nobody hears that nothing is left of a run before that it has ended. */
  told: boolean;
  /** Set while the run is being ended; undefined before. */
  ending: Ending | undefined;
}

type Done = (swept: readonly { readonly pid: number; readonly name: string }[]) => void;

interface Ending {
  signal: 'SIGTERM' | 'SIGKILL';
  /** pid:start of those that got `signal`. */
  readonly signalled: Set<string>;
  readonly swept: Map<string, { readonly pid: number; readonly name: string }>;
  /** Who waits for the end; undefined: nobody. */
  done: Done | undefined;
  pause: number;
  cancel: () => void;
}

/**
 * So many looks in a row that find nobody are believed, even if somebody went during each: on a machine where many come and go
 * there may be no other.
 */
const EMPTY_LOOKS = 3;
/** So many processes are read in a millisecond. */
const FEW = 50;
const FIRST_LOOK = 2;
const LAST_LOOK = 100;

export class Children {
  readonly #clock: Clock;
  readonly #runs = new Map<number, Run>();
  readonly #reaper: Reaper;
  readonly #census: Census;
  readonly #marking: Marking;

  /** `seed` makes the marks of this supervisor's children its own: any 32-bit number. */
  constructor(clock: Clock, seed: number) {
    this.#clock = clock;
    this.#marking = new Marking(seed);
    this.#reaper = new Reaper(clock, (pids) => this.#lookAgain(pids));
    this.#census = new Census(clock, (pid) => this.#reaper.isOwn(pid));
  }

  beginReaping(): void {
    this.#reaper.begin();
  }

  /** Orphans reaped since the start. */
  get reaped(): number {
    return this.#reaper.reaped;
  }

  /** Starts a program in its own session. What it is told comes through the listener, at once or later. */
  spawn(request: SpawnRequest, listener: RunListener, starter: Starter = startService): Run | null {
    const fits = this.#marking.fits(Math.max(0, ...request.output.map(Number)));
    if (!fits || !isPlain(request)) return this.#spawnPrepared(request, listener, starter, fits);
    const failure = request.cwd === null ? null : describeFolder(request.cwd);
    if (failure === null) return this.#spawnPlain(request, listener, starter);
    listener.failed(failure);
    return null;
  }

  #spawnPlain(request: SpawnRequest, listener: RunListener, starter: Starter): Run | null {
    const [file = ''] = request.argv;
    const { env, cwd, output } = request;
    const stdio = ['ignore' as const, ...output.map((fd) => fd ?? ('ignore' as const))];
    const passOn: Run['passOn'] = (run, exit) => this.#tell(run, () => listener.exited(exit));
    const attempt = (command: readonly string[]) =>
      this.#start({ command, env, cwd, stdio }, request.runName, passOn, starter, true);
    try {
      const run = attempt(request.argv);
      listener.spawned(run.pid);
      return run;
    } catch (error) {
      const code = codeOf(error);
      if (code === 'ENOEXEC') {
        // A script without `#!` goes to the shell, as execvp(3) has it.
        try {
          const run = attempt(['/bin/sh', findExecutable(file, env, cwd) ?? file, ...request.argv.slice(1)]);
          listener.spawned(run.pid);
          return run;
        } catch {
          // Told below as what it was at first.
        }
      }
      listener.failed(describeSpawnFailure(file, code, error));
      return null;
    }
  }

  #spawnPrepared(request: SpawnRequest, listener: RunListener, starter: Starter, fits: boolean): Run | null {
    const { argv, env, cwd, user, umask, nice, oomScoreAdj, cpus } = request;
    const limits = fits ? request.limits : { nofile: this.#marking.files, ...request.limits };
    const spec: LaunchSpec = { argv, env, cwd, user, umask, nice, oomScoreAdj, cpus, limits };
    let status: { readonly read: number; readonly write: number } | undefined;
    try {
      status = openPipe();
      const [stdout = null, stderr = null, ...others] = request.output;
      const input = Buffer.from(JSON.stringify(spec));
      let told: string | null = null;
      let exit: ChildExit | null = null;
      // The status ends when the program executes; whether it did must be known before its exit is told.
      const settle = (): void => {
        if (told === null || exit === null) return;
        const found = readStatus(told);
        const how = exit;
        if (found === null) {
          this.#tell(run, () => listener.exited(how));
          return;
        }
        this.#runs.delete(run.pid);
        this.#tell(run, () => listener.failed(found === 'silent' ? describeHelperEnd(how) : found));
      };
      const passOn: Run['passOn'] = (_, how) => {
        exit = how;
        settle();
      };
      const passed = (fd: number | null) => fd ?? ('ignore' as const);
      const outputs = [passed(stdout), 'ignore' as const, ...others.map(passed)];
      const statusFd = outputs.length + 1;
      const command = [OURSELVES, '__exec', `${statusFd}`, ...(stderr === null ? [] : [`${statusFd + 1}`])];
      const stdio = [input, ...outputs, status.write, ...(stderr === null ? [] : [stderr])];
      const bare = { command, env: {}, cwd: null, stdio };
      const run = this.#start(bare, request.runName, passOn, starter, fits);
      closeFile(status.write);
      void readAll(status.read).then((text) => {
        told = text;
        if (readStatus(text) === null) listener.spawned(run.pid);
        settle();
      });
      return run;
    } catch (error) {
      if (status !== undefined) {
        closeFile(status.read);
        closeFile(status.write);
      }
      listener.failed(describeSpawnFailure(request.argv[0] ?? '', codeOf(error), error));
      return null;
    }
  }

  /** One spawn, known to the reaper before anything else can happen. `files`: it inherits the limit on open files. */
  #start(
    launch: Omit<Launch, 'onExit'>,
    runName: string,
    passOn: Run['passOn'],
    starter: Starter,
    files: boolean,
  ): Run {
    let run: Run | undefined;
    const onExit: Launch['onExit'] = (code, signal) => {
      if (run !== undefined) this.#onExit(run, code, signal);
    };
    // Many are started in one turn of the event loop, and each spawn sleeps until the child has executed (vfork(2)): on a
    // busy machine orphans that end meanwhile would stay zombies for a second and more.
    this.#reaper.reap(true);
    return this.#marking.around(files, (mark) => {
      const { pid } = starter({ ...launch, onExit });
      this.#reaper.adopt(pid);
      const start = readProcess(pid)?.start ?? 0;
      if (this.#marking.works) this.#census.introduce(pid, start, mark);
      const known = new Map([[pid, start]]);
      run = { pid, start, mark, runName, passOn, known, exited: false, told: false, ending: undefined };
      this.#runs.set(pid, run);
      return run;
    });
  }

  #onExit(run: Run, code: number | null, signal: number | string | null): void {
    this.#reaper.release(run.pid);
    this.#census.outdate(run.pid, run.start);
    run.exited = true;
    const exit: ChildExit =
      signal === null
        ? { kind: 'code', code: code ?? 0 }
        : typeof signal === 'number'
          ? { kind: 'signal', signal: signalName(signal), number: signal }
          : { kind: 'signal', signal, number: signalNumber(signal) };
    run.passOn(run, exit);
  }

  /** What became of the main process; then, whether the rest is gone too. */
  #tell(run: Run, tell: () => void): void {
    run.told = true;
    tell();
    this.#look(run);
  }

  /** Sends one signal to a run's main process or its group. The set is taken before, so that nobody gets away. */
  signal(run: Run, signal: string, to: 'main' | 'group'): void {
    this.#members(run);
    if (run.exited) return;
    this.#kill(to === 'group' ? -run.pid : run.pid, signal);
  }

  /** Main is gone: SIGTERM to the rest; `done` when no process is left, with the names of what was. */
  sweep(run: Run, done: Done): void {
    this.#end(run, 'SIGTERM', done);
  }

  /**
   * SIGKILL to all of the run, and to what it still brings forth. Who waits for the end of a run that is being ended already
   * goes on waiting, unless a `done` comes in its place.
   */
  kill(run: Run, done?: Done): void {
    this.#end(run, 'SIGKILL', done);
  }

  #end(run: Run, signal: Ending['signal'], done: Done | undefined): void {
    if (run.ending === undefined) {
      run.ending = { signal, signalled: new Set(), swept: new Map(), done, pause: FIRST_LOOK, cancel: () => undefined };
    } else {
      run.ending.done = done ?? run.ending.done;
      if (signal === 'SIGKILL' && run.ending.signal !== 'SIGKILL') {
        run.ending.signal = signal;
        run.ending.signalled.clear();
        run.ending.pause = FIRST_LOOK;
      }
    }
    this.#look(run);
  }

  /** Orphans have been reaped: a run that is being ended and knew one of them may be gone. */
  #lookAgain(reaped: readonly number[]): void {
    for (const run of this.#runs.values()) {
      if (run.ending === undefined || !run.exited || !reaped.some((pid) => run.known.has(pid))) continue;
      run.ending.cancel();
      run.ending.cancel = this.#clock.after(0, () => this.#look(run));
    }
  }

  /** One look at a run that is being ended: signals who has not been, and ends when nobody is left. */
  #look(run: Run): void {
    const { ending } = run;
    if (ending === undefined) return;
    ending.cancel();
    // Before /proc is read: what is dead already would only make it longer.
    this.#reaper.reap();
    let alive = this.#members(run);
    // SIGKILL again and again until a pass finds nobody new: a process may have forked meanwhile.
    for (let pass = 0; alive !== null && this.#signalNew(run, ending, alive) && pass < 8; pass += 1) {
      this.#census.forget();
      alive = this.#members(run);
    }
    for (let looks = 1; alive?.length === 0 && !this.#census.isWhole && looks < EMPTY_LOOKS; looks += 1) {
      this.#census.forget();
      alive = this.#members(run);
    }
    if (alive?.length === 0 && run.told) {
      run.ending = undefined;
      this.#runs.delete(run.pid);
      ending.done?.([...ending.swept.values()].sort((a, b) => a.pid - b.pid));
      return;
    }
    ending.cancel = this.#clock.after(ending.pause, () => this.#look(run));
    ending.pause = Math.min(LAST_LOOK, ending.pause * 2);
  }

  /** Signals the members that have not had this signal yet; true when SIGKILL was sent to somebody. */
  #signalNew(run: Run, ending: Ending, alive: readonly Process[]): boolean {
    let sent = false;
    for (const process of alive) {
      const key = `${process.pid}:${process.start}`;
      if (ending.signalled.has(key)) continue;
      ending.signalled.add(key);
      if (process.pid !== run.pid && !ending.swept.has(key))
        ending.swept.set(key, { pid: process.pid, name: readTitle(process) });
      this.#kill(process.pid, ending.signal);
      sent = ending.signal === 'SIGKILL';
    }
    return sent;
  }

  /** The run's processes now, null when nobody can tell; each is remembered, so that it is found again when its parents are gone. */
  #members(run: Run): Process[] | null {
    const { pid: main, start: mainStart, mark, runName, known } = run;
    const members = this.#census.membersOf({ main, mainStart, mark, runName, known }, this.#marking.works);
    if (members !== null) run.known = this.#census.remembered(known, members);
    return members;
  }

  /** Looks at a run for practice: code takes ten times as long when it runs for the first time. Not among many processes. */
  rehearse(): void {
    const [run] = this.#runs.values();
    try {
      if (run !== undefined && processNames().length <= FEW) this.#members(run);
    } catch {
      // /proc cannot be read now.
    }
  }

  /** The processes of a run for those who only look: live ones, main included. */
  processesOf(run: Run): readonly Process[] {
    return this.#members(run) ?? [];
  }

  #kill(pid: number, signal: string): void {
    try {
      process.kill(pid, signalNumber(signal));
    } catch {
      // Gone meanwhile (ESRCH), or not ours to signal any more (EPERM): the next look tells.
    }
  }

  /** Last resort when the supervisor itself dies: SIGKILL to everything that is known, without waiting. */
  killEverything(): void {
    this.#census.forget();
    for (const run of this.#runs.values())
      for (const { pid } of this.#members(run) ?? [run]) this.#kill(pid, 'SIGKILL');
  }
}

export type { Run };

function codeOf(error: unknown): string {
  return error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : '';
}

function describeSpawnFailure(file: string, code: string, error: unknown): LaunchFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'EAGAIN' || code === 'ENOMEM') {
    return {
      step: 'fork',
      message: `cannot fork: ${code === 'EAGAIN' ? 'the process limit is used up' : 'out of memory'}`,
      code: 1,
    };
  }
  if (code === 'EMFILE' || code === 'ENFILE')
    return { step: 'pipes', message: 'cannot start: file descriptors are used up', code: 1 };
  return describeExecFailure(file, code, message);
}

/** The helper died before it could say why. */
function describeHelperEnd(exit: ChildExit): LaunchFailure {
  const how = exit.kind === 'code' ? `ended with code ${exit.code}` : `was killed by ${exit.signal}`;
  const why = exit.kind === 'signal' && exit.signal === 'SIGABRT' ? ': the process limit is used up' : '';
  return { step: 'helper', message: `cannot start: what prepares it ${how}${why}`, code: 1 };
}

async function readAll(fd: number): Promise<string> {
  let text = '';
  try {
    for await (const chunk of Bun.file(fd).stream()) text += Buffer.from(chunk).toString();
  } finally {
    closeFile(fd);
  }
  return text;
}
