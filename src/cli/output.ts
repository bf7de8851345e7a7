// The commands that hand on what comes: logs, events, exec.
import type { GapJson, LogLineJson } from '../control/follow.ts';
import type { Entry } from '../control/journal.ts';
import { printable } from '../text.ts';
import { query, questionLines, reportNoSupervisor, reportRefusal, reportUsage } from './asking.ts';
import { type Context, EXIT, type Given } from './command.ts';
import { renderJson } from './json.ts';
import { readDuration } from './operations.ts';

export async function showLogs(context: Context, { values, positionals }: Given, usage: string): Promise<number> {
  const count = values.lines;
  if (typeof count === 'string' && !/^\d+$/.test(count)) return reportUsage(context, '-n takes a whole number', usage);
  const since = readDuration(values.since);
  if (typeof since === 'string') return reportUsage(context, `--since: ${since}`, usage);
  const path = `/v1/logs${query({
    service: positionals,
    lines: typeof count === 'string' ? count : undefined,
    since: since === null ? undefined : Math.max(0, Math.round(context.wall() - since)),
    follow: values.follow === true ? 1 : undefined,
  })}`;
  // What stands for several, a glob or the name of a service with copies, is no line's own name.
  const alone = positionals.length === 1 ? positionals[0] : undefined;
  const names = new Names(context.colour);
  const streamed = await questionLines(context, { path }, (value) => {
    if (values.json === true) {
      context.out(`${JSON.stringify(value)}\n`);
      return;
    }
    const line = value as LogLineJson | GapJson;
    if ('skipped' in line) context.out(`${line.text}\n`);
    else {
      const time = values.time === true ? `${line.time} ` : '';
      context.out(`${time}${line.service === alone ? '' : names.prefix(line.service)}${line.text}\n`);
    }
  });
  if (!streamed.ok) return reportNoSupervisor(context, streamed);
  return streamed.status === 200 ? EXIT.ok : reportRefusal(context, streamed.body);
}

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

export async function showEvents(context: Context, { values }: Given, usage: string): Promise<number> {
  const count = values.lines;
  if (typeof count === 'string' && !/^\d+$/.test(count)) return reportUsage(context, '-n takes a whole number', usage);
  const path = `/v1/events${query({
    lines: typeof count === 'string' ? count : undefined,
    follow: values.follow === true ? 1 : undefined,
  })}`;
  let last: number | null = null;
  const streamed = await questionLines(context, { path }, (value) => {
    const entry = value as Entry;
    const missed = last === null ? 0 : entry.seq - last - 1;
    last = entry.seq;
    if (values.json === true) context.out(renderJson(value));
    else context.out(`${missed > 0 ? `[${missed} events missed]\n` : ''}${renderEvent(entry, context.colour)}`);
  });
  if (!streamed.ok) return reportNoSupervisor(context, streamed);
  return streamed.status === 200 ? EXIT.ok : reportRefusal(context, streamed.body);
}

const LEVELS: Readonly<Record<string, number>> = { warn: 33, error: 31 };

function renderEvent({ time, level, service, event, text }: Entry, colour: boolean): string {
  const about = service === null || event === 'swept' ? '' : `${service} `;
  const shown = printable(`${about}${text}`);
  const code = colour ? LEVELS[level] : undefined;
  const marked = code === undefined ? shown : `\x1b[${code}m${shown}\x1b[0m`;
  return `${time}  ${level.padEnd(5)}  ${marked}\n`;
}

export async function exec(context: Context, { positionals }: Given, usage: string): Promise<number> {
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
  const streamed = await questionLines(context, { method: 'POST', path, body: { argv, ...streams } }, (value) => {
    const line = value as { stream: 'stdout' | 'stderr'; data: string } | { exit: number; error?: string };
    if ('exit' in line) {
      code = line.exit;
      if (line.error !== undefined) context.err(`svc-super: ${printable(line.error)}\n`);
    } else (line.stream === 'stdout' ? context.out : context.err)(Buffer.from(line.data, 'base64'));
  });
  if (!streamed.ok) return reportNoSupervisor(context, streamed);
  if (streamed.status !== 200) return reportRefusal(context, streamed.body);
  if (code !== null) return code;
  context.err('svc-super: the supervisor has ended meanwhile\n');
  return EXIT.failed;
}
