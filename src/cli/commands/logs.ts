// `logs`: prints the latest output of services, and with -f the next lines.
import type { GapJson, LogLineJson } from '../../control/follow.ts';
import type { Command, CommandContext, GivenFlags } from '../command.ts';
import { readTime } from '../flags.ts';
import { LogCursor } from '../following.ts';
import { renderJson } from '../json.ts';
import { query, streamFromSupervisor } from '../request.ts';
import { FOLLOW_FLAG, finishStream, LINES_FLAG, LINES_MISTAKE, readLines } from '../stream.ts';
import { reportUsage } from '../usage.ts';

const USAGE = 'svc-super logs [NAME...] [-f] [-n N] [--since T] [--until T] [--grep PATTERN] [--time] [--json]';

export default {
  summary: 'show the latest output of services in the order of time, and follow it',
  usage: USAGE,
  example: 'svc-super logs -f -n 20 vllm',
  connects: true,
  completes: 'services',
  flags: {
    follow: FOLLOW_FLAG,
    lines: LINES_FLAG,
    since: {
      type: 'string',
      value: 'T',
      summary: 'only lines of the last 30s, 5m, 1h30m, or since a time: 2026-01-02T03:04:05Z',
    },
    until: { type: 'string', value: 'T', summary: 'only lines until that long ago, or until a time; not with -f' },
    grep: {
      type: 'string',
      value: 'PATTERN',
      summary: 'only lines that this pattern (RE2) matches; (?i) ignores case. With -n, the last N of these',
    },
    time: { type: 'boolean', short: 't', summary: 'print the time before each line' },
    json: { type: 'boolean', summary: 'print one JSON object per line: time, service, stream, text' },
  },
  run: showLogs,
} satisfies Command;

async function showLogs(context: CommandContext, { values, positionals }: GivenFlags): Promise<number> {
  const count = readLines(values);
  if (count === null) return reportUsage(context, LINES_MISTAKE, USAGE);
  const [since, until] = [readTime(values.since, context.wall()), readTime(values.until, context.wall())];
  if (typeof since === 'string') return reportUsage(context, `--since: ${since}`, USAGE);
  if (typeof until === 'string') return reportUsage(context, `--until: ${until}`, USAGE);
  const follow = values.follow === true;
  if (follow && until !== undefined) return reportUsage(context, '--until has an end, and -f has none', USAGE);
  const grep = typeof values.grep === 'string' ? values.grep : undefined;
  const problem = grep === undefined ? null : (await import('../../config/pattern.ts')).whyNotPattern(grep);
  if (problem !== null) return reportUsage(context, `--grep is not a pattern: ${problem.why}`, USAGE);
  const pathOf = (lines: string | undefined, from: number | undefined) =>
    `/v1/logs${query({ service: positionals, lines, since: from, until, grep, follow: follow ? 1 : undefined })}`;
  const path = pathOf(count, since);
  const cursor = new LogCursor(follow ? context.wall() : (since ?? 0));
  // The only name, unless it is a glob or the name of a service with replicas; its lines need no prefix.
  const alone = positionals.length === 1 ? positionals[0] : undefined;
  const names = new NamePrefixes(context.colour);
  const take = (value: unknown) => {
    const line = value as LogLineJson | GapJson;
    if (!cursor.take(line)) return;
    if (values.json === true) context.out(renderJson(value));
    else if ('skipped' in line) context.out(`${line.text}\n`);
    else {
      const time = values.time === true ? `${line.time} ` : '';
      context.out(`${time}${line.service === alone ? '' : names.prefix(line.service)}${line.text}\n`);
    }
  };
  let cancel: (() => void) | null = null;
  const resume = () => {
    cancel?.();
    const from = cursor.resume();
    // Without -f the whole request is repeated: of a service without a line so far, `-n` limits the lines.
    return { path: follow ? pathOf(undefined, from) : path };
  };
  const resumed = () => {
    if (follow) cancel = context.after(REPLAY_TIME, () => cursor.endReplay());
  };
  const kind = follow ? 'follow' : 'finite';
  const streamed = await streamFromSupervisor(context, { path }, { take, resume, resumed, kind }, LOGS_CONTINUE);
  return finishStream(context, streamed, follow);
}

/** After a reconnection, lines that arrive within this time may be stored ones, which are known already. Milliseconds. */
const REPLAY_TIME = 1_000;
/** The end of the message after a reconnection. */
const LOGS_CONTINUE = 'the log continues, and lines of the last second before may be missing';

/** The same colours as in the supervisor's output. */
const COLOURS = [36, 33, 35, 32, 34, 96, 93, 95, 92, 94];

/** The prefixes of lines: the name of the service, in a colour of its own. As wide as the longest name so far. */
class NamePrefixes {
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
