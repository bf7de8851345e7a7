// What all commands share that talk to a supervisor: asking it, saying that nobody is there or why it refused. The sockets
// are the client's.
import { type Asked, ask, askLines, type Nobody, type Question, type Streamed } from '../control/client.ts';
import { printable } from '../text.ts';
import { type Context, EXIT } from './command.ts';

export function question(context: Context, asked: Question): Promise<Asked> {
  return ask(context.dial(), asked, context.after);
}

export function questionLines(context: Context, asked: Question, take: (line: unknown) => void): Promise<Streamed> {
  return askLines(context.dial(), asked, context.after, take);
}

/** Says why nothing was asked; returns the exit code. */
export function sayNobody(context: Context, { looked, found = [] }: Nobody): number {
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

/** What a refusal says, and the exit code for it. */
export function sayRefusal(context: Context, body: unknown): number {
  const error = body !== null && typeof body === 'object' && 'error' in body ? String(body.error) : 'it was refused';
  context.err(`svc-super: ${printable(error)}\n`);
  return EXIT.failed;
}

/** A mistake in the command line itself. */
export function sayUsage(context: Context, text: string, usage: string): number {
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
