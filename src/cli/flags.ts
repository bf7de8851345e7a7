// Flags that several commands have, and parsers of their values. Pure: the current time is an argument.
import { parseDuration } from '../config/quantity.ts';
import type { Command, Flag, GivenFlags } from './command.ts';

export const HELP_FLAG = { type: 'boolean', short: 'h', summary: 'show this help' } as const satisfies Flag;
export const JSON_FLAG = { type: 'boolean', summary: 'print JSON instead of text' } as const satisfies Flag;
export const FILE_FLAG = {
  type: 'string',
  short: 'f',
  value: 'FILE',
  multiple: true,
  completes: 'files',
  summary:
    'the configuration (default: $SVC_SUPER_CONFIG, ./services.yaml, /etc/svc-super/services.yaml, /services.yaml); further ones are merged into the first; in the variable `:` separates them',
} as const satisfies Flag;

export const TIMEOUT_FLAG = {
  type: 'string',
  short: 't',
  value: 'D',
  summary: 'time limit of the wait (10s, 5m); after that, exit code 124',
} as const satisfies Flag;

export const PROFILE_FLAG = {
  type: 'string',
  multiple: true,
  value: 'NAME',
  completes: 'profiles',
  summary:
    'turn on a profile: services with that profile start too; may be repeated; `*`: all (also: $SVC_SUPER_PROFILES, separated by commas)',
} as const satisfies Flag;

/** The flag of each command that connects; the native program reads it and makes the connection. */
const SOCKET_FLAG = {
  type: 'string',
  value: 'PATH',
  completes: 'files',
  summary: 'use the supervisor at this control socket (default: $SVC_SUPER_SOCKET, else the only one that responds)',
} as const satisfies Flag;

/** The flags of each command that connects over TCP instead. */
const URL_FLAG = {
  type: 'string',
  value: 'URL',
  summary:
    'use the supervisor on another machine whose `control.http` listens there, such as http://10.0.0.5:9100 (default: $SVC_SUPER_URL)',
} as const satisfies Flag;
const TOKEN_FLAG = {
  type: 'string',
  value: 'TOKEN',
  summary: 'the token for that URL; prefer the variable, because `ps` shows arguments (default: $SVC_SUPER_TOKEN)',
} as const satisfies Flag;

/** All flags of a command: its own, those of a command that connects, and `--help`. */
export function flagsOf({ flags, connects }: Command): Readonly<Record<string, Flag>> {
  return {
    ...flags,
    ...(connects === true && { socket: SOCKET_FLAG, url: URL_FLAG, token: TOKEN_FLAG }),
    help: HELP_FLAG,
  };
}

/** A duration in milliseconds; null: the flag was not given; a string: what to write instead. */
export function readDuration(value: string | boolean | undefined): number | null | string {
  if (typeof value !== 'string') return null;
  const parsed = parseDuration(value);
  return parsed.ok ? parsed.value : parsed.suggestion;
}

/** The time limit of `--wait` in milliseconds; null: none; or what is wrong with `--timeout`. */
export function readWaitLimit({ wait, timeout }: GivenFlags['values']): number | null | string {
  if (timeout !== undefined && wait !== true) return '--timeout limits --wait: add --wait';
  const limit = readDuration(timeout);
  return typeof limit === 'string' ? `--timeout: ${limit}` : limit;
}

/**
 * A time, or a duration before `now`, in milliseconds since 1970; undefined: the flag was not given; a string: what to write instead.
 * Times are those of RFC 3339, https://www.rfc-editor.org/rfc/rfc3339; without a zone, a date is UTC and a date with a time is
 * local, as in Date.parse().
 */
export function readTime(value: string | boolean | undefined, now: number): number | undefined | string {
  if (typeof value !== 'string') return undefined;
  if (/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/i.test(value)) {
    const time = Date.parse(value.replace(' ', 'T'));
    // Date.parse() takes the 31st of February for the 3rd of March.
    const [date] = value.split(/[T ]/i);
    const isDay = new Date(`${date}T00:00:00Z`).toJSON()?.startsWith(`${date}`);
    if (!Number.isNaN(time) && isDay === true) return Math.max(0, time);
  }
  const ago = readDuration(value);
  if (typeof ago === 'string') return `${ago}, or a time: 2026-01-02T03:04:05Z`;
  return Math.max(0, Math.round(now - (ago ?? 0)));
}
