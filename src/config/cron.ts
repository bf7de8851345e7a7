// Expressions of cron: which are valid, and the next time of one. Reads no clock: the time to search from is an argument.
// The parser (croner) is loaded with the first expression, because most files have none.
import { didYouMean } from './nearest.ts';

/** Milliseconds since 1970. */
type Wall = number;

/** Why something cannot be used, and what to write instead. */
interface Fault {
  readonly why: string;
  readonly suggestion?: string | undefined;
}

interface CronField {
  readonly name: string;
  /** The field in a sentence about its values: `minutes`. */
  readonly plural: string;
  readonly least: number;
  readonly most: number;
  /** Words for the values from `least` on. */
  readonly words?: readonly string[];
}

const FIELDS: readonly CronField[] = [
  { name: 'a second', plural: 'seconds', least: 0, most: 59 },
  { name: 'a minute', plural: 'minutes', least: 0, most: 59 },
  { name: 'an hour', plural: 'hours', least: 0, most: 23 },
  { name: 'a day of the month', plural: 'days of the month', least: 1, most: 31 },
  {
    name: 'a month',
    plural: 'months',
    least: 1,
    most: 12,
    words: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
  },
  {
    name: 'a day of the week',
    plural: 'days of the week',
    least: 0,
    most: 7,
    words: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'],
  },
];

const NICKNAMES = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'] as const;

/** Five fields, or six with the seconds first. */
const FORM = 'five fields (`minute hour day month weekday`), or six with seconds first';
/** A leap year comes within eight years of any year, so the search from here finds 29 February. */
const ANY_TIME: Wall = Date.UTC(2024, 0, 1);

/** The first time of an expression after `after`; null: there is none. `timeZone` null: that of the machine. */
export function nextTime(expression: string, timeZone: string | null, after: Wall): Wall | null {
  const { Cron } = require('croner') as typeof import('croner');
  const found = new Cron(expression, { paused: true, ...(timeZone === null ? {} : { timezone: timeZone }) });
  return found.nextRun(new Date(after))?.getTime() ?? null;
}

/** Why a text is not an expression of cron; null: it is one. */
export function whyNotCron(text: string): Fault | null {
  const written = text.trim();
  if (written.startsWith('@')) return whyNotNickname(written);
  const parts = written.split(/\s+/);
  if (parts.length !== 5 && parts.length !== 6) {
    const count = parts.length === 1 ? 'one field' : `${parts.length} fields`;
    return { why: `it has ${count}, and a schedule has ${FORM}`, suggestion: 'for example `*/15 * * * *`' };
  }
  const fields = FIELDS.slice(-parts.length);
  for (const [position, field] of fields.entries()) {
    const fault = whyNotField(parts[position] ?? '', field);
    if (fault !== null) return fault;
  }
  try {
    if (nextTime(written, 'UTC', ANY_TIME) !== null) return null;
    return { why: 'no date matches it, so it would never run' };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/^CronPattern: /, '') : String(cause);
    return { why, suggestion: `write ${FORM}` };
  }
}

function whyNotNickname(written: string): Fault | null {
  if (NICKNAMES.some((one) => one === written)) return null;
  if (written === '@reboot')
    return { why: '`@reboot` is no time', suggestion: 'remove `schedule`: a task without one runs once at the start' };
  const every = /^@every\s+(\S+)$/.exec(written)?.[1];
  if (every !== undefined) return { why: '`@every` is a field here', suggestion: `write \`every: ${every}\`` };
  const known = `known: ${NICKNAMES.join(', ')}`;
  return { why: `\`${written}\` is not known`, suggestion: didYouMean(written, NICKNAMES) ?? known };
}

/** Why a field is wrong. Forms that only the parser knows (`L`, `15W`, `MON#2`) are left to it. */
function whyNotField(written: string, field: CronField): Fault | null {
  for (const part of written.split(',')) {
    const [range = '', step, ...more] = part.split('/');
    if (step !== undefined && (!/^[1-9]\d*$/.test(step) || more.length > 0))
      return {
        why: `\`${part}\` has no valid step: a step is a whole number from 1`,
        suggestion: 'for example `*/15`',
      };
    if (range === '*' || range === '?') continue;
    const ends = range.split('-');
    for (const end of ends) {
      const fault = whyNotValue(end, field);
      if (fault !== null) return fault;
    }
    const [first, last] = ends.map((end) => numberOf(end, field));
    if (typeof first === 'number' && typeof last === 'number' && first > last)
      return {
        why: `\`${range}\` begins after it ends`,
        suggestion: `write \`${ends[0]}-${field.most},${field.least}-${ends[1]}\``,
      };
    if (step !== undefined && ends.length === 1)
      return { why: `\`${part}\` has a step and no range`, suggestion: `write \`${range}-${field.most}/${step}\`` };
  }
  return null;
}

function whyNotValue(end: string, field: CronField): Fault | null {
  const value = numberOf(end, field);
  const isSpecial = /^\+?(?:\d{0,2}|[A-Za-z]{3})(?:L|W|LW|#[\dL])$/i.test(end);
  if (value === null && isSpecial && field.plural.startsWith('days')) return null;
  if (typeof value === 'number' && value >= field.least && value <= field.most) return null;
  const { words = [], plural, least, most } = field;
  const named = words.length === 0 ? '' : `, or ${words[0]} to ${words.at(-1)}`;
  const shown = end === '' ? 'an empty value' : `\`${end}\``;
  return { why: `${shown} is not ${field.name}: ${plural} are ${least}–${most}${named}` };
}

/** The number of a value or its word; null: it is neither. */
function numberOf(end: string, { words = [], least }: CronField): number | null {
  if (/^\d+$/.test(end)) return Number(end);
  const position = words.indexOf(end.toUpperCase());
  return position < 0 ? null : position + least;
}

/** Why a name is not a time zone; null: it is one. */
export function whyNotTimeZone(name: string): Fault | null {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return null;
  } catch {
    const near = didYouMean(name, Intl.supportedValuesOf('timeZone'));
    return {
      why: 'there is no time zone of that name',
      suggestion: near ?? 'write a name like `Europe/Berlin` or `UTC`',
    };
  }
}
