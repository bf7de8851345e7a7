// What all commands share that ask a supervisor: the question, and the reports that no supervisor answers or that it
// refused. Opens no sockets: control/client.ts does.
import {
  type Asked,
  ask,
  askLines,
  type NoSupervisor,
  type Question,
  type Streamed,
  type Streaming,
} from '../control/client.ts';
import { printable } from '../text.ts';
import { type CommandContext, EXIT } from './command.ts';

export function question(context: CommandContext, asked: Question): Promise<Asked> {
  const keyed = asked.method === 'POST' ? { ...asked, key: context.randomName() } : asked;
  return ask(context.dial(), keyed, context.after);
}

/** Reports breaks. `what`: the end of the sentence that is printed when a successor answers; null: none. */
export function questionLines(
  context: CommandContext,
  asked: Question,
  streaming: Streaming,
  what: string | null,
): Promise<Streamed> {
  const resumed = () => {
    streaming.resumed?.();
    if (what !== null) reportRestart(context, what);
  };
  const delayed = () => {
    streaming.delayed?.();
    reportDelay(context);
  };
  return askLines(context.dial(), asked, context.after, { ...streaming, resumed, delayed });
}

export function reportRestart(context: CommandContext, what: string): void {
  context.err(`svc-super: the supervisor was restarted: ${what}\n`);
}

/** Reports that there is no supervisor, and that one is waited for. */
export function reportDelay(context: CommandContext): void {
  context.err('svc-super: no supervisor answers at present: waiting for one\n');
}

/** Reports why no supervisor was asked; returns the exit code. */
export function reportNoSupervisor(context: CommandContext, { looked, found = [] }: NoSupervisor): number {
  if (found.length > 0) {
    const what =
      found.length > 1
        ? `${found.length} supervisors answer, and none was asked`
        : 'no supervisor of this Slurm job answers, and another one was not asked';
    const list = found.map(({ path, pid }) => `  ${printable(path)} (pid ${pid})\n`).join('');
    context.err(`svc-super: ${what}: name one with --socket PATH, or set SVC_SUPER_SOCKET=PATH\n${list}`);
    return found.length > 1 ? EXIT.usage : EXIT.noSupervisor;
  }
  context.err(
    `svc-super: no supervisor answers; looked at\n${looked.map((line) => `  ${printable(line)}\n`).join('')}`,
  );
  return EXIT.noSupervisor;
}

/** Reports why the supervisor refused; returns the exit code. */
export function reportRefusal(context: CommandContext, body: unknown): number {
  const error = body !== null && typeof body === 'object' && 'error' in body ? String(body.error) : 'it was refused';
  context.err(`svc-super: ${printable(error)}\n`);
  return EXIT.failed;
}

/** Reports a mistake in the command line; returns the exit code. */
export function reportUsage(context: CommandContext, text: string, usage: string): number {
  context.err(`svc-super: ${printable(text)}\nusage: ${usage}\n`);
  return EXIT.usage;
}

export function query(
  parts: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>,
): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parts)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one));
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}
