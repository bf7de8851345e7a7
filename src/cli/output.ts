// The commands that hand on what comes: logs, events, exec.
import type { Streamed } from '../control/client.ts';
import type { GapJson, LogLineJson } from '../control/follow.ts';
import type { JournalEntry } from '../control/journal.ts';
import { printable } from '../text.ts';
import { query, questionLines, reportNoSupervisor, reportRefusal, reportUsage } from './asking.ts';
import { type CommandContext, EXIT, type GivenFlags } from './command.ts';
import { EventCursor, LogCursor } from './following.ts';
import { renderJson } from './json.ts';
import { readDuration } from './operations.ts';

export async function showLogs(
  context: CommandContext,
  { values, positionals }: GivenFlags,
  usage: string,
): Promise<number> {
  const count = values.lines;
  if (typeof count === 'string' && !/^\d+$/.test(count)) return reportUsage(context, '-n takes a whole number', usage);
  const since = readDuration(values.since);
  if (typeof since === 'string') return reportUsage(context, `--since: ${since}`, usage);
  const follow = values.follow === true;
  const pathOf = (lines: string | undefined, from: number | undefined) =>
    `/v1/logs${query({ service: positionals, lines, since: from, follow: follow ? 1 : undefined })}`;
  const from = since === null ? undefined : Math.max(0, Math.round(context.wall() - since));
  const path = pathOf(typeof count === 'string' ? count : undefined, from);
  const cursor = new LogCursor(follow ? context.wall() : (from ?? 0));
  // What stands for several, a glob or the name of a service with copies, is no line's own name.
  const alone = positionals.length === 1 ? positionals[0] : undefined;
  const names = new Names(context.colour);
  const take = (value: unknown) => {
    const line = value as LogLineJson | GapJson;
    if (!cursor.take(line)) return;
    if (values.json === true) context.out(`${JSON.stringify(value)}\n`);
    else if ('skipped' in line) context.out(`${line.text}\n`);
    else {
      const time = values.time === true ? `${line.time} ` : '';
      context.out(`${time}${line.service === alone ? '' : names.prefix(line.service)}${line.text}\n`);
    }
  };
  let cancel: (() => void) | null = null;
  const resume = () => {
    cancel?.();
    return { path: pathOf(undefined, cursor.resume()) };
  };
  const resumed = () => {
    cancel = context.after(PAST, () => cursor.pastIsOver());
  };
  const kind = follow ? 'follow' : 'finite';
  const streamed = await questionLines(context, { path }, { take, resume, resumed, kind }, LOGS_GO_ON);
  return finish(context, streamed, follow);
}

/** Returns the exit code of a command that has shown a stream. One that follows ends when the container does. */
function finish(context: CommandContext, streamed: Streamed, isFollowing: boolean): number {
  if (!streamed.ok) return reportNoSupervisor(context, streamed);
  if (streamed.status !== 200) return reportRefusal(context, streamed.body);
  if (streamed.whole || isFollowing) return EXIT.ok;
  context.err('svc-super: the supervisor ended, and no other one answers: the output is incomplete\n');
  return EXIT.noSupervisor;
}

/** A successor sends what it remembers within this time, milliseconds. */
const PAST = 1_000;
const LOGS_GO_ON = 'the log goes on, and lines of the last second before may be missing';

/** The same colours as on the supervisor's own terminal. */
const COLOURS = [36, 33, 35, 32, 34, 96, 93, 95, 92, 94];

class Names {
  readonly #seen: string[] = [];
  readonly #colour: boolean;
  #width = 0;

  constructor(colour: boolean) {
    this.#colour = colour;
  }

  prefix(name: string): string {
    if (!this.#seen.includes(name)) this.#seen.push(name);
    this.#width = Math.min(24, Math.max(this.#width, name.length));
    const text = `${name.padEnd(this.#width)} | `;
    return this.#colour ? `\x1b[${COLOURS[this.#seen.indexOf(name) % COLOURS.length]}m${text}\x1b[0m` : text;
  }
}

export async function showEvents(context: CommandContext, { values }: GivenFlags, usage: string): Promise<number> {
  const count = values.lines;
  if (typeof count === 'string' && !/^\d+$/.test(count)) return reportUsage(context, '-n takes a whole number', usage);
  const follow = values.follow === true ? 1 : undefined;
  const lines = typeof count === 'string' ? count : undefined;
  const cursor = new EventCursor();
  const take = (value: unknown) => {
    const entry = value as JournalEntry;
    const missed = cursor.take(entry);
    if (missed === null) return;
    if (values.json === true) context.out(renderJson(value));
    else context.out(`${missed > 0 ? `[${missed} events missed]\n` : ''}${renderEvent(entry, context.colour)}`);
  };
  const resume = () => ({
    path: `/v1/events${query(cursor.last === null ? { lines, follow } : { after: cursor.last, follow })}`,
  });
  const kind = values.follow === true ? 'follow' : 'finite';
  const streamed = await questionLines(context, resume(), { take, resume, kind }, 'the events go on');
  return finish(context, streamed, follow === 1);
}

const LEVELS: Readonly<Record<string, number>> = { warn: 33, error: 31 };

function renderEvent({ time, level, service, event, text }: JournalEntry, colour: boolean): string {
  const about = service === null || event === 'cleaned-up' ? '' : `${service} `;
  const shown = printable(`${about}${text}`);
  const code = colour ? LEVELS[level] : undefined;
  const marked = code === undefined ? shown : `\x1b[${code}m${shown}\x1b[0m`;
  return `${time}  ${level.padEnd(5)}  ${marked}\n`;
}

export async function exec(context: CommandContext, { positionals }: GivenFlags, usage: string): Promise<number> {
  const [service, ...argv] = positionals;
  if (service === undefined || argv.length === 0) return reportUsage(context, 'exec needs a name and a command', usage);
  const path = `/v1/services/${encodeURIComponent(service)}/exec`;
  const { execTerminal: terminal, execStdin: stdin, pidNamespace: namespace, environment } = context;
  const streams =
    terminal !== null
      ? { terminal, namespace, term: environment.TERM ?? 'dumb' }
      : stdin !== null
        ? { stdin, namespace }
        : {};
  let code: number | null = null;
  const take = (value: unknown) => {
    const line = value as { stream: 'stdout' | 'stderr'; data: string } | { exit: number; error?: string };
    if ('exit' in line) {
      code = line.exit;
      if (line.error !== undefined) context.err(`svc-super: ${printable(line.error)}\n`);
    } else (line.stream === 'stdout' ? context.out : context.err)(Buffer.from(line.data, 'base64'));
  };
  const asked = { method: 'POST', path, body: { argv, ...streams } } as const;
  const streamed = await questionLines(context, asked, { take, kind: 'once' }, null);
  if (!streamed.ok) return reportNoSupervisor(context, streamed);
  if (streamed.status !== 200) return reportRefusal(context, streamed.body);
  if (code !== null) return code;
  context.err(
    'svc-super: the supervisor ended, and the command with it: its output may be incomplete. Run it again if that does no harm\n',
  );
  return EXIT.noSupervisor;
}
