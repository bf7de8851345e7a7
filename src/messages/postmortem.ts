// Renders the post-mortem, which reports the service whose failure ended the container: how and after which time it failed,
// whether memory ran out, and its last lines. Pure.
import type { Ended } from '../core/run.ts';
import { printable, printableLine } from '../text.ts';
import { renderEnd } from './ends.ts';

interface Evidence {
  /** OOM kills in this cgroup since the start; null if the kernel has no such counter. */
  readonly oomKills: number | null;
  readonly lastLines: readonly string[];
  /** How many lines about requests of probes have been left out of `lastLines`. */
  readonly leftOut: number;
  /** Whether the supervisor was restarted: earlier lines may be lost. */
  readonly wasRestarted: boolean;
}

/** The most that Kubernetes keeps of a termination message, bytes (kubelet, MaxContainerTerminationMessageLength). */
const TERMINATION_MESSAGE = 4_096;
const INDENT = '  ';

export function renderPostmortem(
  ended: Ended,
  code: number,
  { oomKills, lastLines, leftOut, wasRestarted }: Evidence,
): string[] {
  const run = ended.run > 1 ? `, in run ${ended.run}` : '';
  const lines = [`${ended.service} ${renderEnd(ended)}${run}; the container ends with code ${code}`];
  if (oomKills !== null && oomKills > 0) {
    const processes = oomKills === 1 ? 'a process' : `${oomKills} processes`;
    lines.push(`out of memory: the kernel killed ${processes} of this container for want of memory`);
  }
  // A service that was not started has no output, except that of its `before_start` hook.
  if (ended.cause.kind === 'not-started' && lastLines.length === 0) return lines.map(printable);
  const since = wasRestarted ? ' since the supervisor was restarted' : '';
  if (lastLines.length === 0 && leftOut > 0) {
    lines.push(`last ${linesOf(leftOut)} of ${ended.service} left out: only about probes`);
  } else if (lastLines.length === 0) lines.push(`${ended.service} had printed nothing${since}`);
  else {
    const without = leftOut === 0 ? '' : `, without ${leftOut === 1 ? 'one' : leftOut} about probes`;
    lines.push(`last ${linesOf(lastLines.length)} of ${ended.service}${without}:`);
  }
  return [...lines.map(printable), ...lastLines.map((line) => `${INDENT}${printableLine(line)}`)];
}

/**
 * Shortens a post-mortem to the size of a termination message: removes the oldest lines of the service, and the end of the last one if
 * that alone is too long. Ends with a newline.
 */
export function renderTerminationMessage(lines: readonly string[]): string {
  const first = lines.findIndex((line) => line.startsWith(INDENT));
  if (first < 0 || sizeOf(lines) <= TERMINATION_MESSAGE) return `${lines.join('\n')}\n`;
  const about = lines.slice(0, first);
  const kept: string[] = [];
  let room = TERMINATION_MESSAGE - sizeOf(about);
  for (const line of lines.slice(first).reverse()) {
    if (sizeOf([line]) > room) {
      if (kept.length === 0) kept.push(`${cutBytes(line, room - Buffer.byteLength('…\n'))}…`);
      break;
    }
    room -= sizeOf([line]);
    kept.unshift(line);
  }
  const heading = about.pop()?.replace(/^last \d+ lines/, `last ${linesOf(kept.length)}`) ?? '';
  return `${[...about, heading, ...kept].join('\n')}\n`;
}

const linesOf = (count: number): string => (count === 1 ? 'line' : `${count} lines`);

/** Bytes of lines with their newlines. */
const sizeOf = (lines: readonly string[]): number => lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);

/** The beginning of a text, at most `most` bytes, without a part of a character. */
function cutBytes(text: string, most: number): string {
  return new TextDecoder().decode(Buffer.from(text).subarray(0, Math.max(0, most)), { stream: true });
}
