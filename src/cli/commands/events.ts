// `events`: prints the latest events of the supervisor, and with -f the next ones.
import type { JournalEntry } from '../../control/journal.ts';
import { printable } from '../../text.ts';
import type { Command, CommandContext, GivenFlags } from '../command.ts';
import { EventCursor } from '../following.ts';
import { renderJson } from '../json.ts';
import { query, streamFromSupervisor } from '../request.ts';
import { FOLLOW_FLAG, finishStream, LINES_FLAG, LINES_MISTAKE, readLines } from '../stream.ts';
import { reportUsage } from '../usage.ts';

const USAGE = 'svc-super events [-f] [-n N] [--json]';

export default {
  summary: 'show the latest events, at most 1,000, and follow them',
  usage: USAGE,
  example: 'svc-super events -f',
  connects: true,
  flags: {
    follow: FOLLOW_FLAG,
    lines: LINES_FLAG,
    json: { type: 'boolean', summary: 'print one JSON object per line: seq, time, level, service, event, text' },
  },
  run: showEvents,
} satisfies Command;

async function showEvents(context: CommandContext, { values }: GivenFlags): Promise<number> {
  const lines = readLines(values);
  if (lines === null) return reportUsage(context, LINES_MISTAKE, USAGE);
  const isFollowing = values.follow === true;
  const follow = isFollowing ? 1 : undefined;
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
  const kind = isFollowing ? 'follow' : 'finite';
  const streamed = await streamFromSupervisor(context, resume(), { take, resume, kind }, 'the events continue');
  return finishStream(context, streamed, isFollowing);
}

/** The SGR codes of levels that are coloured. */
const LEVELS: Readonly<Record<string, number>> = { warn: 33, error: 31 };

function renderEvent({ time, level, service, event, text }: JournalEntry, colour: boolean): string {
  // The text of `cleaned-up` begins with the name of its service.
  const about = service === null || event === 'cleaned-up' ? '' : `${service} `;
  const shown = printable(`${about}${text}`);
  const code = colour ? LEVELS[level] : undefined;
  const marked = code === undefined ? shown : `\x1b[${code}m${shown}\x1b[0m`;
  return `${time}  ${level.padEnd(5)}  ${marked}\n`;
}
