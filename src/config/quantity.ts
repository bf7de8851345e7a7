// Durations (`250ms`, `1h30m`) from text to number and back, and sizes (`64KiB`, `20MB`) from text to number. The result for an invalid text is a
// suggestion of what to write.

/** The number; for an invalid text, what to write instead. */
export type Parsed =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly suggestion: string };

const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

// Timers of the runtime have 31 bits of milliseconds, 24.8 days; a longer timer would fire at once.
const LONGEST = 24 * UNITS.d;
const TOO_LONG = 'the longest possible is `24d`';

const DURATION = /^(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?$/;

/** Pattern of a duration for JSON Schema. */
export const DURATION_PATTERN =
  '^(?=.)(\\d+(\\.\\d+)?d)?(\\d+(\\.\\d+)?h)?(\\d+(\\.\\d+)?m)?(\\d+(\\.\\d+)?s)?(\\d+ms)?$';

/** Reads a duration into milliseconds: units d, h, m, s, ms, each at most once and in this order; at most 24 days. */
export function parseDuration(text: string): Parsed {
  if (/^\d+(?:\.\d+)?$/.test(text)) return { ok: false, suggestion: suggestUnit(text) };
  const parts = text === '' ? null : DURATION.exec(text);
  if (parts === null) return { ok: false, suggestion: suggestDuration(text) };
  const value = Object.values(UNITS).reduce((sum, unit, at) => sum + Number(parts[at + 1] ?? 0) * unit, 0);
  if (value > LONGEST) return { ok: false, suggestion: TOO_LONG };
  return { ok: true, value: Math.round(value) };
}

/** Milliseconds as a user would write them: `90000` is `1m30s`. */
export function formatDuration(millis: number): string {
  let rest = Math.round(millis);
  if (rest === 0) return '0s';
  const parts = Object.entries(UNITS).map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count === 0 ? '' : `${count}${unit}`;
  });
  return parts.join('');
}

const SIZES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KB: 1000,
  KiB: 1024,
  MB: 1000 ** 2,
  MiB: 1024 ** 2,
  GB: 1000 ** 3,
  GiB: 1024 ** 3,
  TB: 1000 ** 4,
  TiB: 1024 ** 4,
};

/** Pattern of a size for JSON Schema. */
export const SIZE_PATTERN = '^\\d+(\\.\\d+)?(B|[kK]B|KiB|[MGT]i?B)$';

/** Reads a size into bytes: `B`, `KB` `MB` `GB` `TB` (powers of 1000), `KiB` `MiB` `GiB` `TiB` (powers of 1024). */
export function parseSize(text: string): Parsed {
  // `20 MB` is invalid too; its spaces are removed to suggest `20MB`.
  const parts = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(text.replace(/\s+/g, ''));
  if (parts === null) return { ok: false, suggestion: 'write it like `64KiB` or `20MB`' };
  const [, number = '', unit = ''] = parts;
  const size = Object.hasOwn(SIZES, unit) ? SIZES[unit] : undefined;
  if (unit === '') return { ok: false, suggestion: `write \`${number}B\`, \`${number}KiB\` or \`${number}MiB\`` };
  // Not `Mbit`, which is no size.
  const prefix = /^([kmgt])(?:i?b?|bytes?)$/i.exec(unit)?.[1]?.toUpperCase();
  if (size === undefined || /\s/.test(text)) {
    // `512m` is 512 MiB for Docker, Compose and the shell's ulimit.
    const isBinary = /^.i/i.test(unit) || /^[kmgt]$/.test(unit);
    const meant = unit.toUpperCase() === 'B' ? 'B' : prefix === undefined ? null : `${prefix}${isBinary ? 'iB' : 'B'}`;
    if (meant === null) return { ok: false, suggestion: 'write it like `64KiB` or `20MB`' };
    const written = parseSize(`${number}${meant}`);
    return written.ok ? { ok: false, suggestion: `write \`${number}${meant}\`` } : written;
  }
  const value = Math.round(Number(number) * size);
  return Number.isSafeInteger(value)
    ? { ok: true, value }
    : { ok: false, suggestion: 'the largest possible is `8191TiB`' };
}

const SPELLED: Readonly<Record<string, keyof typeof UNITS>> = {
  day: 'd',
  days: 'd',
  hour: 'h',
  hours: 'h',
  hr: 'h',
  hrs: 'h',
  min: 'm',
  mins: 'm',
  minute: 'm',
  minutes: 'm',
  sec: 's',
  secs: 's',
  second: 's',
  seconds: 's',
  msec: 'ms',
  millis: 'ms',
  milliseconds: 'ms',
};

/** For a number without a unit. */
function suggestUnit(number: string): string {
  const right = [`${number}s`, `${number}ms`].filter((text) => parseDuration(text).ok);
  return right.length === 0 ? TOO_LONG : `write ${right.map((text) => `\`${text}\``).join(' or ')}`;
}

function suggestDuration(text: string): string {
  const [, number = '', word = ''] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim()) ?? [];
  const spelled = word.toLowerCase();
  const unit = Object.hasOwn(SPELLED, spelled) ? SPELLED[spelled] : Object.hasOwn(UNITS, spelled) ? spelled : null;
  if (unit === 'ms' && number.includes('.'))
    return `\`ms\` takes no fraction: write \`${Math.max(1, Math.round(Number(number)))}ms\``;
  if (unit !== null) {
    const written = parseDuration(`${number}${unit}`);
    return written.ok ? `write \`${number}${unit}\`` : written.suggestion;
  }
  if (/^\d+(\.\d+)?(us|µs|ns)$/.test(text)) return 'the smallest unit is `ms`';
  return 'write it like `250ms`, `10s`, `15m` or `1h30m`';
}
