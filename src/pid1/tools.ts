// Runs short commands on behalf of a service: exec probes, stop commands, `svc-super exec`. PID 1 starts them with the
// service's settings and with their own mark. When a command ends, all its leftover processes are killed. Never interprets a
// result.
import { exitCodeOfSignal } from '../linux/exit-codes.ts';
import { explainShellExit, type LaunchFailure } from '../linux/launch.ts';
import { lastLineOf } from '../linux/lines.ts';
import type { Exit, ProcessSpec } from '../plan/process.ts';
import type { Children } from './children.ts';
import { OutputPipe } from './pipe.ts';
import type { Run, RunListener, RunRequest } from './run.ts';
import type { Input, PipeEnd } from './streams.ts';

/** The result of a command: its exit code (null: it was not run, because of an abort), a description of its end, and the last line of its output. */
interface ToolResult {
  readonly code: number | null;
  readonly summary: string;
  readonly lastLine: string;
}

/** The end of the output that is kept, characters. */
const OUTPUT_KEPT = 4_096;
/** The most that is read when a command has ended, bytes: the largest capacity that a pipe may have (pipe(7)). */
const MOST_DRAINED = 1024 * 1024;

/**
 * Runs a command to its end; never rejects. An abort kills it and all its processes. Processes that outlive it are
 * killed too. `output`: pipes that the caller reads; null: only the last line is kept.
 */
export async function runTool(
  children: Children,
  request: RunRequest,
  abort: AbortSignal,
  output: readonly PipeEnd[] | null = null,
): Promise<ToolResult> {
  if (abort.aborted) return { code: null, summary: 'aborted', lastLine: '' };
  if (output !== null) {
    const ended = await runToEnd(children, request, output, abort);
    return { ...describeEnd(ended, request.spec), lastLine: '' };
  }
  const pipe = new OutputPipe();
  const last = new OutputEnd();
  const reading = last.collect(pipe);
  const ended = await runToEnd(children, request, [pipe, pipe], abort, null, () => last.drain(pipe));
  // A process that is not of this command may hold the pipe open, so the end of the output is not awaited.
  await pipe.close();
  await reading;
  return { ...describeEnd(ended, request.spec), lastLine: lastLineOf(last.text) };
}

function describeEnd(
  ended: Exit | LaunchFailure,
  spec: ProcessSpec,
): { readonly code: number; readonly summary: string } {
  if ('step' in ended) return { code: ended.code, summary: ended.message };
  const summary = ended.kind === 'code' ? `exit code ${ended.code}` : `killed by ${ended.signal}`;
  const code = codeOf(ended);
  return { code, summary: explainShellExit(spec, code) ?? summary };
}

/** The exit code that a shell would report. */
function codeOf(exit: Exit): number {
  return exit.kind === 'code' ? exit.code : exitCodeOfSignal(exit.number);
}

/**
 * Resolves when no process of the command is left; never rejects. An abort kills all of them. `atEnd` is called just before,
 * from a timer or an event (readNow of platform/input.ts).
 */
function runToEnd(
  children: Children,
  request: RunRequest,
  output: readonly PipeEnd[],
  abort: AbortSignal,
  input: Input | null = null,
  atEnd: () => void = () => undefined,
): Promise<Exit | LaunchFailure> {
  return new Promise((resolve) => {
    const end = (result: Exit | LaunchFailure) => {
      abort.removeEventListener('abort', kill);
      atEnd();
      resolve(result);
    };
    const listener: RunListener = {
      spawned: () => undefined,
      failed: end,
      exited: (exit) => children.kill(run, () => end(exit)),
    };
    const run: Run = children.spawn({ ...request, stopSignal: 'SIGKILL' }, { input, output, notify: null }, listener);
    const kill = () => children.kill(run);
    if (abort.aborted) kill();
    abort.addEventListener('abort', kill, { once: true });
  });
}

/** The last characters of what a command prints. */
class OutputEnd {
  /** A character may be split between two chunks. */
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  text = '';

  /** Reads to the end of the pipe. */
  async collect(pipe: OutputPipe): Promise<void> {
    for (let chunk = await pipe.read(); chunk !== null; chunk = await pipe.read()) this.#take(chunk);
  }

  /** Reads the bytes that the pipe holds now. Another process may write faster than this reads. */
  drain(pipe: OutputPipe): void {
    for (let taken = 0; taken < MOST_DRAINED; ) {
      const chunk = pipe.readNow();
      if (chunk === null) return;
      taken += chunk.length;
      this.#take(chunk);
    }
  }

  #take(chunk: Uint8Array): void {
    this.text = (this.text + this.#decoder.decode(chunk, { stream: true })).slice(-OUTPUT_KEPT);
  }
}

/** Receives the output of a command, chunk by chunk; the next chunk is read when the promise resolves. Must not reject. */
type TakeOutput = (stream: 'stdout' | 'stderr', bytes: Uint8Array) => Promise<void>;

/**
 * Runs a command and passes its whole output to `take`; never rejects. Resolves to its exit code when it has ended and
 * all output was passed. An abort kills it and all its processes; processes that outlive it are killed too.
 */
export async function runStreamed(
  children: Children,
  request: RunRequest,
  take: TakeOutput,
  abort: AbortSignal,
  input: Input | null = null,
): Promise<{ readonly code: number; readonly failure: string | null }> {
  const stdout = new OutputPipe();
  const stderr = new OutputPipe();
  const pump = async (pipe: OutputPipe, stream: 'stdout' | 'stderr') => {
    for (let chunk = await pipe.read(); chunk !== null; chunk = await pipe.read()) await take(stream, chunk);
  };
  // A command on a terminal writes its output there directly.
  const pipes = input?.kind === 'terminal' ? [] : [stdout, stderr];
  const output = Promise.all(pipes.map((pipe) => pump(pipe, pipe === stdout ? 'stdout' : 'stderr')));
  const ended = await runToEnd(children, request, pipes, abort, input);
  // The whole output: a pipe ends with its last writer, and no process of the command is left.
  await output;
  for (const pipe of [stdout, stderr]) await pipe.close();
  return 'step' in ended ? { code: ended.code, failure: ended.message } : { code: codeOf(ended), failure: null };
}
