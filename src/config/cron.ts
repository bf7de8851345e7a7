// Cron expressions: whether one is valid, and its next time. Reads no clock: the time to search from is an argument. The parser
// (croner) is loaded with the first expression that needs it, because most files have none.
import { didYouMean } from './nearest.ts';

/** Milliseconds since 1970. */
type Wall = number;

/** Why a text is not valid, and what to write instead. */
export interface Fault {
  readonly why: string;
  readonly suggestion?: string | undefined;
}

/** A field of an expression, and its valid values. */
interface CronField {
  readonly name: string;
  /** The unit of an interval, as in a duration: `m`. */
  readonly unit?: string;
  /** The name in the plural: `minutes`. */
  readonly plural: string;
  readonly least: number;
  readonly most: number;
  /** Words for the values from `least` on. */
  readonly words?: readonly string[];
}

const FIELDS: readonly CronField[] = [
  { name: 'second', plural: 'seconds', unit: 's', least: 0, most: 59 },
  { name: 'minute', plural: 'minutes', unit: 'm', least: 0, most: 59 },
  { name: 'hour', plural: 'hours', unit: 'h', least: 0, most: 23 },
  { name: 'day of the month', plural: 'days of the month', least: 1, most: 31 },
  {
    name: 'month',
    plural: 'months',
    least: 1,
    most: 12,
    words: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
  },
  {
    name: 'day of the week',
    plural: 'days of the week',
    least: 0,
    most: 7,
    words: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'],
  },
];

const NICKNAMES = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'] as const;

/** The form of an expression, for messages. */
const FORM = 'five fields (`minute hour day month weekday`), or six with seconds first';
/** The search for a date begins here: 2024 is a leap year, so that 29 February is found. */
const ANY_TIME: Wall = Date.UTC(2024, 0, 1);

/** The first time of an expression after `after`; null: there is none. `timeZone` null: the time zone of the machine. */
export function nextTime(expression: string, timeZone: string | null, after: Wall): Wall | null {
  const { Cron } = require('croner') as typeof import('croner');
  const found = new Cron(expression, { paused: true, ...(timeZone === null ? {} : { timezone: timeZone }) });
  return found.nextRun(new Date(after))?.getTime() ?? null;
}

/** Why a text is not a cron expression; null: it is one. */
export function whyNotCron(text: string): Fault | null {
  const written = text.trim();
  // `every 10 minutes`
  const interval = /^every\s+(\d+)\s*([shd]|m(?!o))[a-z]*$/i.exec(written);
  if (interval !== null)
    return { why: 'it is an interval', suggestion: `write \`every: ${interval[1]}${interval[2]?.toLowerCase()}\`` };
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
  return needsParser(parts) ? whyNotParsed(written) : null;
}

/**
 * Whether only the parser can decide: the expression has special forms, or a day that its months may not have. Loading the parser takes
 * milliseconds, which would delay the first service.
 */
function needsParser(parts: readonly string[]): boolean {
  const [day = '', month = ''] = parts.slice(-3);
  return parts.some((part) => !/^(?:\d+|[A-Za-z]{3}|[*,/-])+$/.test(part)) || (day !== '*' && month !== '*');
}

/** Why the parser refuses an expression, or finds no date for it; null: it is valid. */
function whyNotParsed(written: string): Fault | null {
  try {
    if (nextTime(written, 'UTC', ANY_TIME) !== null) return null;
    return { why: 'no date matches it, so it would never run' };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/^CronPattern: |\.$/g, '') : String(cause);
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

/** Why a field is not valid; null: it may be. The parser decides whether a date matches forms such as `15W` and `MON#2`. */
function whyNotField(written: string, field: CronField): Fault | null {
  for (const part of written.split(',')) {
    const [range = '', ...steps] = part.split('/');
    const [step, ...more] = steps;
    const isStep = step === undefined || (/^[1-9]\d*$/.test(step) && Number(step) <= field.most && more.length === 0);
    if (!isStep)
      return { why: `the ${field.name} \`${part}\`: a step is 1–${field.most}`, suggestion: stepHelp(step, field) };
    if (range === '*' || range === '?') continue;
    const ends = range.split('-');
    for (const end of ends) {
      const fault = whyNotValue(end, part === '' ? written : part, field);
      if (fault !== null) return fault;
    }
    const fault = whyNotRange(part, range, ends, step, field);
    if (fault !== null) return fault;
  }
  return null;
}

function stepHelp(step: string, { name, unit, most }: CronField): string {
  const isInterval = unit !== undefined && /^\d+$/.test(step) && Number(step) > most;
  return isInterval ? `write \`every: ${step}${unit}\` instead` : `\`*/3\` is every third ${name}`;
}

function whyNotRange(
  part: string,
  range: string,
  ends: readonly string[],
  step: string | undefined,
  field: CronField,
): Fault | null {
  const { name, least, most } = field;
  if (ends.length > 2) return { why: `the ${name} \`${part}\`: a range has two ends` };
  const [first, last] = ends.map((end) => numberOf(end, field));
  if (ends.length === 2 && (first === null || last === null))
    return { why: `the ${name} \`${part}\`: the ends of a range are numbers${field.words ? ' or names' : ''}` };
  if (typeof first === 'number' && typeof last === 'number' && first > last)
    return {
      why: `the ${name} \`${part}\`: the range begins after it ends`,
      suggestion: `write \`${ends[0]}-${most},${least}-${ends[1]}\``,
    };
  if (step !== undefined && ends.length === 1)
    return { why: `the ${name} \`${part}\` has a step and no range`, suggestion: `write \`${range}-${most}/${step}\`` };
  return null;
}

function whyNotValue(end: string, part: string, field: CronField): Fault | null {
  const { name, plural, words, least, most } = field;
  const why = (what: string) => `the ${name} \`${part}\`: ${what}`;
  if (end === '') return { why: why('a value is missing') };
  const isDay = plural.startsWith('days');
  // `L`, `15W`, `MON#2`, `5L`: a day of the month or of the week.
  const special = isDay ? /^\+?(\d*|[A-Z]{3})(L|W|LW|#.*)$/i.exec(end) : null;
  const [value, form = ''] = special === null ? [end] : [special[1] ?? '', (special[2] ?? '').toUpperCase()];
  if (form.startsWith('#') && !/^#[1-5L]$/.test(form))
    return { why: why('the number after `#` is 1–5, or `L` for the last') };
  if (form !== '' && value === '') return null;
  const number = numberOf(value, field);
  if (number !== null && number >= least && number <= most) return null;
  const named = words === undefined ? '' : `, or ${words[0]} to ${words.at(-1)}`;
  return { why: why(`${plural} are ${least}–${most}${named}`), suggestion: nameHelp(value, field) };
}

/** The name that a misspelt one stands for: `MONDAY`, `Sept`, `TEU`. */
function nameHelp(value: string, { words = [] }: CronField): string | undefined {
  if (!/^[A-Z]+$/i.test(value)) return undefined;
  const given = value.toUpperCase();
  const whole = words.find((word) => given.startsWith(word));
  if (whole !== undefined) return `write \`${whole}\``;
  // Among equally close names one with the same first letter is likelier.
  return didYouMean(
    given,
    words.toSorted((a, b) => Number(b[0] === given[0]) - Number(a[0] === given[0])),
  );
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
    return {
      why: 'there is no time zone of that name',
      suggestion: zoneHelp(name) ?? 'write a name like `Europe/Berlin` or `UTC`',
    };
  }
}

function zoneHelp(name: string): string | undefined {
  const offset = /^(?:UTC|GMT)([+-])(\d{1,2})(?::?(\d\d))?$/i.exec(name);
  if (offset !== null) return `write \`${offset[1]}${offset[2]?.padStart(2, '0')}:${offset[3] ?? '00'}\``;
  const zones = Intl.supportedValuesOf('timeZone');
  const asCity = `/${name.trim().replaceAll(' ', '_').toLowerCase()}`;
  const city = zones.find((zone) => zone.toLowerCase().endsWith(asCity));
  return city === undefined ? didYouMean(name, zones) : `did you mean \`${city}\`?`;
}
