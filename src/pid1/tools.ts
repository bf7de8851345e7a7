// Commands that serve a service for a moment: exec probes, stop commands, `svc-super exec`. Run by PID 1 as the service would
// be, each with a mark of its own, and cleaned up whole when they end.
import { explainShellExit, type LaunchFailure, visitorOf } from '../linux/launch.ts';
import { lastLineOf } from '../linux/lines.ts';
import type { ChildExit, Children, Input, Run, RunListener, SpawnRequest } from './children.ts';
import { OutputPipe } from './pipe.ts';

/** What a command came to: its exit, or why there was none; and its last line of output. */
export interface ToolResult {
  readonly code: number | null;
  readonly words: string;
  readonly lastLine: string;
}

export type ToolRequest = Omit<SpawnRequest, 'input' | 'output' | 'notify' | 'stopSignal'>;

/** As much of the output as is looked at, bytes. */
const OUTPUT_KEPT = 4_096;

/**
 * Runs a command to its end; never rejects. Aborting kills it and all it started. What it leaves behind is killed too.
 */
export async function runTool(children: Children, request: ToolRequest, abort: AbortSignal): Promise<ToolResult> {
  if (abort.aborted) return { code: null, words: 'aborted', lastLine: '' };
  const pipe = new OutputPipe();
  const output = collect(pipe);
  const ended = await runToEnd(children, request, [pipe, pipe], abort);
  await pipe.close();
  return { ...wordsOf(ended, request), lastLine: lastLineOf(await output) };
}

function wordsOf(
  ended: ChildExit | LaunchFailure,
  { argv, env, cwd, user }: ToolRequest,
): { readonly code: number; readonly words: string } {
  if ('step' in ended) return { code: ended.code, words: ended.message };
  const words = ended.kind === 'code' ? `exit code ${ended.code}` : `killed by ${ended.signal}`;
  const code = codeOf(ended);
  return { code, words: explainShellExit(argv, code, { env, cwd, visitor: visitorOf(user) }) ?? words };
}

/** As a shell would give it. */
function codeOf(exit: ChildExit): number {
  return exit.kind === 'code' ? exit.code : 128 + exit.number;
}

/** From the spawn until nothing of the command is left; never rejects. Aborting kills it and all it started. */
function runToEnd(
  children: Children,
  request: ToolRequest,
  output: readonly OutputPipe[],
  abort: AbortSignal,
  input: Input | null = null,
): Promise<ChildExit | LaunchFailure> {
  return new Promise((resolve) => {
    const listener: RunListener = {
      spawned: () => undefined,
      failed: resolve,
      exited: (exit) => children.kill(run, () => resolve(exit)),
    };
    const run: Run = children.spawn({ ...request, input, output, notify: null, stopSignal: 'SIGKILL' }, listener);
    const kill = () => children.kill(run);
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
  input: Input | null = null,
): Promise<{ readonly code: number; readonly failure: string | null }> {
  const stdout = new OutputPipe();
  const stderr = new OutputPipe();
  const pump = async (pipe: OutputPipe, stream: 'stdout' | 'stderr') => {
    for (let chunk = await pipe.read(); chunk !== null; chunk = await pipe.read()) await take(stream, chunk);
  };
  // On a terminal its output does not pass through here.
  const pipes = input?.kind === 'terminal' ? [] : [stdout, stderr];
  const output = Promise.all(pipes.map((pipe) => pump(pipe, pipe === stdout ? 'stdout' : 'stderr')));
  const ended = await runToEnd(children, request, pipes, abort, input);
  await output;
  for (const pipe of [stdout, stderr]) await pipe.close();
  return 'step' in ended ? { code: ended.code, failure: ended.message } : { code: codeOf(ended), failure: null };
}
