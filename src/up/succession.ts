// The start of a successor: takes over what the checkpoint has kept of each part, and reports how and how often earlier
// supervisors ended.
import type { History } from '../control/source.ts';
import type { Event } from '../core/event.ts';
import { countOomKills } from '../linux/cgroup.ts';
import { signalName } from '../linux/signals.ts';
import type { Handover } from '../platform/handover.ts';
import { LONGEST_SILENCE } from '../runtime/absence-detector.ts';
import type { Announce } from './announcer.ts';
import type { Kept } from './checkpoint.ts';
import type { Core } from './core.ts';
import type { Parts } from './parts.ts';

type Death = Handover['deaths'][number];

/** Signals after which the runtime prints its own report. */
const CRASHES = new Set(['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGABRT', 'SIGTRAP']);

/** A word for metrics: `SIGKILL`, `exit 70`, `hung`. */
function reasonOf({ how, number }: Death): string {
  return how === 'signal' ? signalName(number) : how === 'exit' ? `exit ${number}` : 'hung';
}

function describeDeath(death: Death): string {
  const { how, number } = death;
  if (how === 'hung') return 'was killed for not responding';
  return how === 'exit' ? `exited with code ${number}` : `was killed by ${reasonOf(death)}`;
}

/** `wall` is milliseconds since 1970. */
export function historyAfter(history: History, { restarts, deaths }: Handover, wall: number): History {
  const reasons = { ...history.reasons };
  for (const death of deaths) reasons[reasonOf(death)] = (reasons[reasonOf(death)] ?? 0) + 1;
  // The first death is that of the last supervisor that had taken over; the others died before they had taken over.
  const [death] = deaths;
  return { restarts, reasons, last: { at: wall, reason: death === undefined ? 'ended' : describeDeath(death) } };
}

/** `hadOomKill`: whether the kernel has killed a process for lack of memory since the start of the previous supervisor. */
function announceSuccession(
  { restarts, last }: History,
  { deaths }: Handover,
  hadOomKill: boolean,
  announce: Announce,
): void {
  const failed = deaths.length - 1;
  const others = failed <= 0 ? '' : `; ${failed === 1 ? 'one' : failed} more ended before taking over`;
  const hasReport = deaths.some(({ how, number }) => how === 'signal' && CRASHES.has(signalName(number)));
  const report = hasReport ? '; if the runtime has written a report, it is on standard error, above this line' : '';
  const often = restarts === 1 ? '' : ` (restart ${restarts})`;
  const memory = hadOomKill ? ' (the kernel has killed a process of the container for lack of memory)' : '';
  const text = `the supervisor ${last?.reason ?? 'ended'}${memory} and was restarted${often}; the services go on${others}${report}`;
  announce({ level: 'warn', service: null, event: 'supervisor-restarted', text });
}

/** Gives each part what the previous supervisor has kept of it, and announces the succession. */
export function adopt(kept: Kept, { executor, checkpoint }: Core, parts: Parts): void {
  const { logs, journal, hostNames, announce, link, request } = parts;
  logs.endTornLines(kept.own.isTorn);
  journal.inherit(kept.entries);
  hostNames.held = kept.own.hosts;
  for (const service of kept.world.plan.services) {
    const { name } = service;
    const record = kept.records.get(name);
    if (record !== undefined) executor.adopt(service, record);
    const counted = kept.counted.get(name);
    if (counted === undefined) continue;
    executor.counts.inherit(name, counted);
    logs.inherit(name, kept.lines.get(name) ?? [], counted.streams);
  }
  link.children.discardOthers();
  const oomKills = countOomKills();
  announceSuccession(checkpoint.own.history, request.handover, isMore(oomKills, kept.own.oomBefore), announce);
  // The post-mortem reports OOM kills of services only: earlier kills, such as that of a supervisor, are not counted.
  checkpoint.note({ oomBefore: oomKills });
}

/** Whether the kernel has killed a process of the cgroup for lack of memory since `before`. */
function isMore(now: number | null, before: number | null): boolean {
  return now !== null && before !== null && now > before;
}

/**
 * The event of a takeover, with the time in which no supervisor ran. The previous supervisor may have been stopped for some
 * time before it died.
 */
export function takenOver({ diedAt, heardAt }: Handover, now: number): Event {
  const began = diedAt - heardAt > LONGEST_SILENCE ? heardAt : diedAt;
  const outage = Math.max(0, now - began);
  return { type: 'taken-over', by: outage };
}
