// Durations, sizes, ports and booleans as other systems write them, and durations and sizes as services.yaml takes them. Pure.
import { formatDuration } from '../config/quantity.ts';

const GO_UNITS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 0.001,
  ns: 1e-6,
};

/** Milliseconds of a Go duration (`1m30s`, `1.5h`); null for anything else. https://pkg.go.dev/time#ParseDuration */
export function readGoDuration(text: string): number | null {
  // Go takes the micro sign and the letter mu.
  const given = text.replaceAll(/[\u00b5\u03bc]s/g, 'us');
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:h|ms|m|s|us|ns))+$/.test(given)) return text === '0' ? 0 : null;
  let sum = 0;
  for (const [, count = '0', unit = 's'] of given.matchAll(/([\d.]+)(h|ms|m|s|us|ns)/g)) {
    sum += Number(count) * (GO_UNITS[unit] ?? 0);
  }
  return Math.round(sum);
}

/** A TCP port from 1 to 65535; null for anything else. */
export function readPort(text: string): number | null {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port > 0 && port <= 65_535 ? port : null;
}

/** The argument of sleep(1), such as `1.5`, `5m`, `2h`, in seconds; null for anything else, such as a variable. */
export function readSleep(text: string): number | null {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(text) ?? [];
  return number === undefined ? null : Number(number) * (SLEEP_UNITS[unit || 's'] ?? 1);
}

const SLEEP_UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `true yes on 1`, `false no off 0` in any case; null for anything else. */
export function readBoolean(text: string): boolean | null {
  const word = text.toLowerCase();
  if (['true', 'yes', 'on', '1'].includes(word)) return true;
  return ['false', 'no', 'off', '0'].includes(word) ? false : null;
}

/** A number of milliseconds as a duration that services.yaml takes: whole milliseconds, at least 1, at most 24 days. */
export function writeDuration(millis: number): string {
  return formatDuration(Math.min(Math.max(1, millis), 24 * 86_400_000));
}

/**
 * A `stop_timeout` for services of which one may take this many seconds to stop: a second more, because its time may begin a moment
 * after the shutdown does; at most 24 days.
 */
export function writeStopTimeout(longest: number): string {
  return longest < 24 * 86_400 ? `${longest + 1}s` : '24d';
}

/** How to stop a container with that `stop_timeout`: Docker waits five seconds longer before it kills. */
export function adviseDockerStop(longest: number): string {
  return `stop the container with \`docker stop -t ${longest + 6}\``;
}

/** Milliseconds as seconds, rounded up. */
export const toSeconds = (millis: number): number => Math.ceil(millis / 1000);

/** The same for targets whose shortest time is one second. */
export const toSecondsFromOne = (millis: number): number => Math.max(1, toSeconds(millis));

/** A number of bytes as a size of services.yaml. */
export function writeSize(bytes: number): string {
  for (const [unit, size] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}
