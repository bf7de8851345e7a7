// The post-mortem, the final report after a failure: which service, how, after how long, whether memory ran out, and
// its last lines. Pure.
import type { Ended } from '../core/run.ts';
import { printable, printableLine } from '../text.ts';
import { renderEnd } from './ends.ts';

interface Evidence {
  /** OOM kills in this cgroup since the supervisor began; null: they cannot be read. */
  readonly oomKills: number | null;
  readonly lastLines: readonly string[];
  /** How many lines about requests of probes have been left out of `lastLines`. */
  readonly leftOut: number;
  /** Whether the supervisor was restarted: lines of before may not be known. */
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
  const words = [`${ended.service} ${renderEnd(ended)}${run}; the container ends with code ${code}`];
  if (oomKills !== null && oomKills > 0) {
    const processes = oomKills === 1 ? 'a process' : `${oomKills} processes`;
    words.push(`out of memory: the kernel killed ${processes} of this container for want of memory`);
  }
  // Without a program there are no words, but for those of a hook before it.
  if (ended.cause.kind === 'not-started' && lastLines.length === 0) return words.map(printable);
  const since = wasRestarted ? ' since the supervisor was restarted' : '';
  if (lastLines.length === 0) words.push(`${ended.service} had printed nothing${since}`);
  else {
    const without = leftOut === 0 ? '' : `, without ${leftOut === 1 ? 'one' : leftOut} about probes`;
    words.push(`last ${lastLines.length === 1 ? 'line' : `${lastLines.length} lines`} of ${ended.service}${without}:`);
  }
  return [...words.map(printable), ...lastLines.map((line) => `${INDENT}${printableLine(line)}`)];
}

/** A post-mortem as a termination message, with the last lines of the service that fit. Ends with a newline. */
export function renderTerminationMessage(words: readonly string[]): string {
  const size = (line: string): number => Buffer.byteLength(line) + 1;
  let excess = words.reduce((sum, line) => sum + size(line), 0) - TERMINATION_MESSAGE;
  const kept = words.filter((line) => {
    if (excess <= 0 || !line.startsWith(INDENT)) return true;
    excess -= size(line);
    return false;
  });
  return `${kept.join('\n')}\n`;
}
