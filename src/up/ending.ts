// The end of a supervising process: the post-mortem, and waiting until all output is written. Does not end the process.
// Part of the root.
import type { Effect } from '../core/event.ts';
import { countOomKills } from '../linux/cgroup.ts';
import { writeTerminationLog } from '../linux/termination-log.ts';
import type { Pipeline } from '../logs/pipeline.ts';
import { renderPostmortem, renderTerminationMessage } from '../messages/postmortem.ts';
import type { Plan } from '../plan/plan.ts';
import type { Clock } from '../ports.ts';
import { chooseLastLines, probeRequestsTo, SEARCHED } from '../runtime/last-lines.ts';
import type { Announce } from './announcer.ts';

export type End = Effect & { readonly type: 'end' };

/** At the end, longest wait for output of which no byte is read, milliseconds. */
const LAST_DRAIN = 2_000;
/** The same when the time to stop is over, or no byte was read before. */
const LEAST_DRAIN = 500;

export interface EndingParts {
  readonly clock: Clock;
  readonly logs: Pipeline;
  readonly announce: Announce;
  /** The plan in force. */
  readonly plan: Plan;
  /** When the first signal asked to stop; null: none did. */
  readonly stopAskedAt: number | null;
  /** The OOM kills that the cgroup had counted at the start; null: it cannot be read. */
  readonly oomBefore: number | null;
  /** Whether the supervisor was restarted. */
  readonly wasRestarted: boolean;
}

/** Writes what services have printed, then the post-mortem; `told` is called when that has been announced. */
export async function writeLastOutput(end: End, parts: EndingParts, told: () => void = () => undefined): Promise<void> {
  const { clock, logs, stopAskedAt } = parts;
  const { stopTimeout } = parts.plan;
  const now = clock.now();
  // The sender of a stop signal waits: that stop has one deadline.
  const late =
    stopAskedAt === null
      ? now + Math.max(LAST_DRAIN, stopTimeout)
      : Math.max(now + LEAST_DRAIN, stopAskedAt + stopTimeout);
  // The post-mortem comes after everything that services have printed.
  const isRead = await waitWhileWriting(logs.ended(), logs, clock, late, LAST_DRAIN);
  announcePostmortem(end, parts);
  told();
  await waitWhileWriting(logs.drained(), logs, clock, late, isRead ? LAST_DRAIN : LEAST_DRAIN);
}

/** Waits for output to be written: not past `late`, nor when nothing moves for `silence` ms. True when it was written. */
async function waitWhileWriting(
  done: Promise<void>,
  logs: Pipeline,
  clock: Clock,
  late: number,
  silence: number,
): Promise<boolean> {
  let finished = false;
  const end = done.then(() => {
    finished = true;
  });
  for (let before = -1; !finished && logs.written !== before && clock.now() < late; ) {
    before = logs.written;
    const wait = Math.max(0, Math.min(silence, late - clock.now()));
    await Promise.race([end, new Promise<void>((resolve) => void clock.after(wait, resolve))]);
  }
  return finished;
}

function announcePostmortem(
  { culprit, code }: End,
  { announce, logs, plan, oomBefore, wasRestarted }: EndingParts,
): void {
  if (culprit === null) return;
  const oomAfter = countOomKills();
  const oomKills = oomBefore === null || oomAfter === null ? null : oomAfter - oomBefore;
  const service = plan.services.find(({ name }) => name === culprit.service);
  const requests = service === undefined ? [] : probeRequestsTo(service, plan);
  const { lines: lastLines, leftOut } = chooseLastLines(logs.lastWords(culprit.service, SEARCHED), requests);
  const words = renderPostmortem(culprit, code, { oomKills, lastLines, leftOut, wasRestarted });
  for (const text of words) announce({ level: 'error', service: null, event: 'post-mortem', text });
  writeTerminationLog(renderTerminationMessage(words));
}
