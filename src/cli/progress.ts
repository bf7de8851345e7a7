// The display of a wait: one line that is redrawn on a terminal, else one line for each change.
import type { Awaited, FailedStart, Progress } from '../control/waiting.ts';
import { printable, printableLine, renderDuration } from '../text.ts';
import type { CommandContext } from './command.ts';

type Context = Pick<CommandContext, 'terminal' | 'err'>;

export class ProgressLine {
  readonly #context: Context;
  readonly #failures = new FailureLines();
  /** What ends the wait. */
  readonly #end: string;
  #last = '';
  #drawn = false;

  /** `hasTimeout`: the wait has a time limit. */
  constructor(context: Context, { hasTimeout }: { readonly hasTimeout: boolean }) {
    this.#context = context;
    this.#end = hasTimeout ? 'the time limit or Ctrl-C ends the wait' : 'Ctrl-C ends the wait, and --timeout limits it';
  }

  show(progress: Progress): void {
    const { terminal, err } = this.#context;
    const isFirst = this.#failures.isEmpty;
    // A supervisor of an earlier version reports none.
    const failures = this.#failures.take(progress.failed_starts ?? []);
    if (failures.length > 0) this.clear();
    for (const failure of failures) err(`svc-super: ${failure}\n`);
    if (isFirst && failures.length > 0 && progress.result === 'waiting')
      err(`svc-super: still waiting: ${this.#end}; \`max\` of \`restart\` limits the number of starts\n`);
    if (progress.result !== 'waiting') {
      this.clear();
      return;
    }
    if (terminal.err === null) {
      const text = renderWaiting(progress.waiting);
      if (text !== this.#last) err(`waiting for ${text}\n`);
      this.#last = text;
      return;
    }
    err(`\r\x1b[K${cut(renderProgress(progress.waiting), terminal.err - 1)}`);
    this.#drawn = true;
  }

  clear(): void {
    if (this.#drawn) this.#context.err('\r\x1b[K');
    this.#drawn = false;
  }
}

/** A duration, as `renderDuration` writes it. */
const DURATION = /\b(?:\d+ ms|\d+\.\d s|\d+m\d\ds|\d+h\d\dm|\d+d\d\dh)\b/g;

/** Failed starts as lines: each reason of a service once. Reasons that differ in durations only are the same. */
export class FailureLines {
  readonly #shown = new Set<string>();

  get isEmpty(): boolean {
    return this.#shown.size === 0;
  }

  /** The lines that were not returned before. */
  take(failures: readonly FailedStart[]): readonly string[] {
    return failures.flatMap(({ name, reason }) => {
      const key = `${name} ${reason.replace(DURATION, '')}`;
      if (this.#shown.has(key)) return [];
      this.#shown.add(key);
      return [printable(`${name} ${reason}`)];
    });
  }
}

/** Services that one line names. */
const SHOWN = 8;

/** `a (starting), b (pending), and 3 more`. Only a ready service has its reason too: why it does not stop yet. */
export function renderWaiting(waiting: readonly Awaited[]): string {
  const shown = waiting
    .slice(0, SHOWN)
    .map(({ name, state, reason }) => `${name} (${state}${state === 'ready' && reason !== null ? `: ${reason}` : ''})`);
  const left = waiting.length - shown.length;
  return [...shown, ...(left > 0 ? [`and ${left} more`] : [])].join(', ');
}

/** `vllm starting 2m10s · HTTP 503 · last line: Loading safetensors 3/8 · and 2 more`. */
export function renderProgress(waiting: readonly Awaited[]): string {
  const [first, ...others] = [...waiting].sort((a, b) => rank(a) - rank(b));
  if (first === undefined) return '';
  const { name, state, reason, uptime_seconds, last_line } = first;
  const since = uptime_seconds === null ? '' : ` ${renderDuration(uptime_seconds * 1_000)}`;
  const parts = [`${name} ${state}${since}`];
  if (reason !== null) parts.push(printable(reason));
  if (last_line !== null && last_line.trim() !== '') parts.push(`last line: ${printableLine(last_line).trim()}`);
  if (others.length > 0) parts.push(`and ${others.length} more`);
  return parts.join(' · ');
}

/** A starting service is shown first; a pending one waits for others. */
function rank({ state }: Awaited): number {
  return state === 'pending' ? 1 : 0;
}

/** Cuts a text to a number of columns: a line that wraps could not be erased. Loads its tables at the first use. */
function cut(text: string, width: number): string {
  const { slice, widthOf } = require('./top/text.ts') as typeof import('./top/text.ts');
  return widthOf(text) <= width ? text : `${slice(text, 0, Math.max(0, width - 1))}…`;
}
