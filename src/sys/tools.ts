// Commands that serve a service for a moment: exec probes and stop commands. Started through execa, loaded at the first
// use; like every child they are known to children.ts, carry a mark of their own and are swept whole when they end.
import { stripVTControlCharacters } from 'node:util';
import {
  type ChildExit,
  type Children,
  type Launch,
  type Run,
  type RunListener,
  type SpawnRequest,
  type Starter,
  startService,
} from './children.ts';
import type { LaunchFailure } from './launch.ts';
import { OutputPipe } from './pipes.ts';

/** What a command came to: its exit, or why there was none; and its last line of output. */
export interface ToolResult {
  readonly code: number | null;
  readonly words: string;
  readonly lastLine: string;
}

export type ToolRequest = Omit<SpawnRequest, 'output'>;

/** As much of the output as is looked at, bytes. */
const OUTPUT_KEPT = 4_096;
/** As much of a line fits into a message, characters. */
const MESSAGE = 200;

/**
 * Runs a command to its end; never rejects. Aborting kills it and all it started. What it leaves behind is killed too.
 */
export async function runTool(children: Children, request: ToolRequest, abort: AbortSignal): Promise<ToolResult> {
  const starter = await loadStarter();
  if (abort.aborted) return { code: null, words: 'aborted', lastLine: '' };
  let pipe: OutputPipe;
  try {
    pipe = new OutputPipe(request.user);
  } catch (error) {
    return { code: null, words: error instanceof Error ? error.message : String(error), lastLine: '' };
  }
  const output = collect(pipe);
  const ended = await runToEnd(children, { ...request, output: [pipe.write, pipe.write] }, [pipe], abort, starter);
  await pipe.close();
  return { ...wordsOf(ended), lastLine: lastLineOf(await output) };
}

function wordsOf(ended: ChildExit | LaunchFailure): { readonly code: number; readonly words: string } {
  if ('step' in ended) return { code: ended.code, words: ended.message };
  const words = ended.kind === 'code' ? `exit code ${ended.code}` : `killed by ${ended.signal}`;
  return { code: codeOf(ended), words };
}

/** As a shell would give it. */
function codeOf(exit: ChildExit): number {
  return exit.kind === 'code' ? exit.code : 128 + exit.number;
}

/**
 * From the spawn until nothing of the command is left; never rejects. `pipes` are those whose writing ends go to it. Aborting
 * kills it and all it started.
 */
function runToEnd(
  children: Children,
  request: SpawnRequest,
  pipes: readonly OutputPipe[],
  abort: AbortSignal,
  starter?: Starter,
): Promise<ChildExit | LaunchFailure> {
  return new Promise((resolve) => {
    let run: Run | null = null;
    const listener: RunListener = {
      spawned: () => undefined,
      failed: resolve,
      exited: (exit) => {
        if (run === null) resolve(exit);
        else children.kill(run, () => resolve(exit));
      },
    };
    run = children.spawn(request, listener, starter);
    for (const pipe of pipes) pipe.closeWrite();
    const kill = () => {
      if (run !== null) children.kill(run);
    };
    if (abort.aborted) kill();
    abort.addEventListener('abort', kill, { once: true });
  });
}

async function collect(pipe: OutputPipe): Promise<string> {
  let text = '';
  for (let chunk = await pipe.read(); chunk !== null; chunk = await pipe.read()) {
    text = (text + Buffer.from(chunk).toString('utf8')).slice(-OUTPUT_KEPT);
  }
  return text;
}

/** The last line that says something, as much of it as fits into a message. */
export function lastLineOf(text: string): string {
  return linesOf(text).at(-1) ?? '';
}

/** The lines that say something, of each as much as fits into a message, without colours and whatever else is no text. */
export function linesOf(text: string): readonly string[] {
  return stripVTControlCharacters(text)
    .split(/[\r\n]+/)
    .map((line) =>
      line
        .replace(/\p{Cc}/gu, ' ')
        .trimEnd()
        .slice(0, MESSAGE),
    )
    .filter((line) => line.trim() !== '');
}

/** Where the output of a command goes, piece by piece; the next one is read when the promise resolves. */
export type TakeOutput = (stream: 'stdout' | 'stderr', bytes: Uint8Array) => Promise<void>;

/**
 * Runs a command whose whole output somebody wants; never rejects. Resolves to its code when it has ended and its output
 * has been handed on. Aborting kills it and all it started; what it leaves behind is killed too.
 */
export async function runStreamed(
  children: Children,
  request: ToolRequest,
  take: TakeOutput,
  abort: AbortSignal,
): Promise<{ readonly code: number; readonly failure: string | null }> {
  const pipes: OutputPipe[] = [];
  try {
    pipes.push(new OutputPipe(request.user));
    pipes.push(new OutputPipe(request.user));
  } catch (error) {
    for (const pipe of pipes) void pipe.close();
    return { code: 1, failure: error instanceof Error ? error.message : String(error) };
  }
  const [stdout, stderr] = pipes as [OutputPipe, OutputPipe];
  const pump = async (pipe: OutputPipe, stream: 'stdout' | 'stderr') => {
    for (let chunk = await pipe.read(); chunk !== null; chunk = await pipe.read()) await take(stream, chunk);
  };
  const output = Promise.all([pump(stdout, 'stdout'), pump(stderr, 'stderr')]);
  const ended = await runToEnd(children, { ...request, output: [stdout.write, stderr.write] }, pipes, abort);
  await output;
  for (const pipe of pipes) await pipe.close();
  return 'step' in ended ? { code: ended.code, failure: ended.message } : { code: codeOf(ended), failure: null };
}

/** Whatever a command prints beyond this is not looked at, characters. */
const CAPTURED = 65_536;

/** Runs a command as we are, and keeps what it prints; never rejects. Aborting kills it and all it started. */
export async function capture(
  children: Children,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  abort: AbortSignal,
): Promise<{
  readonly code: number;
  readonly failure: string | null;
  readonly stdout: string;
  readonly stderr: string;
}> {
  const printed = { stdout: '', stderr: '' };
  const inherited = { cwd: null, user: null, umask: null, nice: null, oomScoreAdj: null, cpus: null, limits: {} };
  const take: TakeOutput = async (stream, bytes) => {
    printed[stream] = (printed[stream] + Buffer.from(bytes).toString('utf8')).slice(-CAPTURED);
  };
  const request = { argv, env, ...inherited, runName: 'svc-super#asks' };
  return { ...(await runStreamed(children, request, take, abort)), ...printed };
}

let starter: Promise<Starter> | undefined;

/** execa with every decision of its own switched off. */
function loadStarter(): Promise<Starter> {
  starter ??= import('execa').then(({ execa }) => {
    return ({ command, env, cwd, stdio, onExit }: Launch) => {
      const [file = '', ...args] = command;
      const child = execa(file, args, {
        env: { ...env },
        extendEnv: false,
        ...(cwd !== null && { cwd }),
        stdio: [...stdio],
        detached: true,
        reject: false,
        buffer: false,
        cleanup: false,
        forceKillAfterDelay: false,
      } as never) as unknown as import('node:child_process').ChildProcess;
      // Why it could not, execa tells later; the bare spawn throws it here.
      if (child.pid === undefined) return startService({ command, env, cwd, stdio, onExit });
      child.once('exit', (code, signal) => onExit(code, signal));
      return { pid: child.pid };
    };
  });
  return starter;
}
