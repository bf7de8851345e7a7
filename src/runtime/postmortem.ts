// The last words when everything ends through a failure: which service, how, after how long, whether memory ran out, and
// its last lines. Pure.
import type { Ended } from '../core/event.ts';
import { renderEnd } from '../core/words.ts';

export interface Evidence {
  /** OOM kills in this cgroup since the supervisor began; null where nothing tells. */
  readonly oomKills: number | null;
  readonly lastLines: readonly string[];
}

export function renderPostmortem(ended: Ended, code: number, { oomKills, lastLines }: Evidence): string[] {
  const run = ended.run > 1 ? `, in run ${ended.run}` : '';
  const words = [`${ended.service} ${renderEnd(ended)}${run}; the container ends with code ${code}`];
  if (oomKills !== null && oomKills > 0) {
    const processes = oomKills === 1 ? 'a process' : `${oomKills} processes`;
    words.push(`out of memory: the kernel killed ${processes} of this container for want of memory`);
  }
  // Without a program there are no words, but for those of a hook before it.
  if (ended.cause.kind === 'not-started' && lastLines.length === 0) return words;
  if (lastLines.length === 0) words.push(`${ended.service} had printed nothing`);
  else words.push(`last ${lastLines.length === 1 ? 'line' : `${lastLines.length} lines`} of ${ended.service}:`);
  return [...words, ...lastLines.map((line) => `  ${line}`)];
}
