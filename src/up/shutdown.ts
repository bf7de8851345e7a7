// The end of a supervising process: undoes what it has changed, waits until all output is written, and prints the post-mortem.
// PID 1 ends the process.
import { countOomKills } from '../linux/cgroup.ts';
import { writeTerminationLog } from '../linux/termination-log.ts';
import type { Pipeline } from '../logs/pipeline.ts';
import { renderPostmortem, renderTerminationMessage } from '../messages/postmortem.ts';
import type { Plan } from '../plan/plan.ts';
import type { Clock } from '../ports.ts';
import { chooseLastLines, probeRequestsTo, SEARCHED } from '../runtime/last-lines.ts';
import type { Announce } from './announcer.ts';
import type { End } from './checkpoint.ts';
import type { Closable } from './control.ts';
import type { Core } from './core.ts';
import type { Parts } from './parts.ts';

/** The longest wait for a reader of our output that reads no byte, milliseconds. */
const LAST_DRAIN = 2_000;
/**
 * The least time for the output of services, and again for the post-mortem; and the longest wait, in the post-mortem, for a reader that
 * did not take all of that output.
 */
const LEAST_DRAIN = 500;

interface ShutdownParts {
  readonly clock: Clock;
  readonly logs: Pipeline;
  readonly announce: Announce;
  /** The plan in force. */
  readonly plan: Plan;
  /** The time of the first stop signal; null: none has been received. */
  readonly stopAskedAt: number | null;
  /** The number of OOM kills in the cgroup at the start; null: it cannot be read. */
  readonly oomBefore: number | null;
  /** Whether the supervisor was restarted. */
  readonly wasRestarted: boolean;
}

/** Call it when all services have ended. Never resolves: PID 1 ends this process. */
export async function shutDown(end: End, core: Core, parts: Parts, control: Closable | null): Promise<number> {
  const { checkpoint, engine } = core;
  const { hostNames, logs, announce, link } = parts;
  hostNames.undo();
  checkpoint.note({ hosts: hostNames.held });
  control?.close();
  const { isPostmortemPrinted, stopAskedAt, oomBefore, history } = checkpoint.own;
  const last = isPostmortemPrinted ? { ...end, culprit: null } : end;
  await writeLastOutput(
    last,
    {
      ...{ logs, announce, clock: parts.request.clock, plan: engine.world.plan, stopAskedAt, oomBefore },
      wasRestarted: history.restarts > 0,
    },
    () => checkpoint.note({ isPostmortemPrinted: true }),
  );
  const { pidFile } = checkpoint.own;
  if (pidFile !== null) (await import('../linux/pid-file.ts')).removePidFile(pidFile, parts.request.handover.pid1);
  if (engine.world.plan.services.some(({ attributes }) => attributes.memory !== null)) {
    const { removeCgroups } = await import('../linux/memory-cgroup.ts');
    removeCgroups(link.children.owner);
  }
  return link.pid1.end(end.code);
}

/** Writes the output of services, then the post-mortem. `printed` is called after the post-mortem. */
export async function writeLastOutput(
  end: End,
  parts: ShutdownParts,
  printed: () => void = () => undefined,
): Promise<void> {
  const { clock, logs, stopAskedAt } = parts;
  const { stopTimeout } = parts.plan;
  const now = clock.now();
  // The sender of a stop signal waits for `stop_timeout`, which includes this output.
  const late =
    stopAskedAt === null
      ? now + Math.max(LAST_DRAIN, stopTimeout)
      : Math.max(now + LEAST_DRAIN, stopAskedAt + stopTimeout);
  // The post-mortem comes after everything that services have printed.
  const isRead = await waitWhileWriting(logs.ended(), logs, clock, late, LAST_DRAIN);
  announcePostmortem(end, parts);
  printed();
  // The output of services may have taken all the time: the post-mortem gets some of its own.
  const last = end.culprit === null ? late : Math.max(late, clock.now() + LEAST_DRAIN);
  await waitWhileWriting(logs.drained(), logs, clock, last, isRead ? LAST_DRAIN : LEAST_DRAIN);
}

/**
 * Waits until output is written. Stops waiting at `late`, or if no byte is written for `silence` milliseconds. Returns whether
 * all was written.
 */
async function waitWhileWriting(
  done: Promise<void>,
  logs: Pipeline,
  clock: Clock,
  late: number,
  silence: number,
): Promise<boolean> {
  let isFinished = false;
  const end = done.then(() => {
    isFinished = true;
  });
  for (let before = -1; !isFinished && logs.written !== before && clock.now() < late; ) {
    before = logs.written;
    const wait = Math.max(0, Math.min(silence, late - clock.now()));
    await Promise.race([end, new Promise<void>((resolve) => void clock.after(wait, resolve))]);
  }
  return isFinished;
}

function announcePostmortem(
  { culprit, code }: End,
  { announce, logs, plan, oomBefore, wasRestarted }: ShutdownParts,
): void {
  if (culprit === null) return;
  const oomAfter = countOomKills();
  const oomKills = oomBefore === null || oomAfter === null ? null : oomAfter - oomBefore;
  const service = plan.services.find(({ name }) => name === culprit.service);
  const requests = service === undefined ? [] : probeRequestsTo(service, plan);
  const { lines: lastLines, leftOut } = chooseLastLines(logs.tailOfRun(culprit.service, SEARCHED), requests);
  const postmortem = renderPostmortem(culprit, code, { oomKills, lastLines, leftOut, wasRestarted });
  for (const text of postmortem) announce({ level: 'error', service: null, event: 'post-mortem', text });
  writeTerminationLog(renderTerminationMessage(postmortem));
}
