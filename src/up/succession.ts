// Reports how and how often earlier supervisors ended, when their successor starts. Pure, except for the announcement. Part of
// the root.
import type { History } from '../control/source.ts';
import { signalName } from '../linux/signals.ts';
import type { Handover } from '../platform/handover.ts';
import type { Announce } from './announcer.ts';

type Death = Handover['deaths'][number];

/** Signals after which the runtime prints its own report. */
const CRASHES = new Set(['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGABRT', 'SIGTRAP']);

/** A word for metrics: `SIGKILL`, `exit 70`, `hung`. */
function reasonOf({ how, number }: Death): string {
  return how === 'signal' ? signalName(number) : how === 'exit' ? `exit ${number}` : 'hung';
}

function describeDeath(death: Death): string {
  const { how, number } = death;
  if (how === 'hung') return 'did not answer, and was killed';
  return how === 'exit' ? `exited with code ${number}` : `was killed by ${reasonOf(death)}`;
}

/** `wall` is milliseconds since 1970. */
export function historyAfter(history: History, { restarts, deaths }: Handover, wall: number): History {
  const reasons = { ...history.reasons };
  for (const death of deaths) reasons[reasonOf(death)] = (reasons[reasonOf(death)] ?? 0) + 1;
  const [first] = deaths;
  return { restarts, reasons, last: { at: wall, reason: first === undefined ? 'ended' : describeDeath(first) } };
}

/** `isShort`: whether the kernel has killed a process for lack of memory since the start of the previous supervisor. */
export function announceSuccession(
  { restarts, last }: History,
  { deaths }: Handover,
  isShort: boolean,
  announce: Announce,
): void {
  const failed = deaths.length - 1;
  const others = failed <= 0 ? '' : `; ${failed === 1 ? 'one' : failed} more ended before taking over`;
  const hasReport = deaths.some(({ how, number }) => how === 'signal' && CRASHES.has(signalName(number)));
  const report = hasReport ? '; if the runtime has written a report, it is on standard error, above this line' : '';
  const often = restarts === 1 ? '' : ` (restart ${restarts})`;
  const memory = isShort ? ' (the kernel has killed a process of the container for lack of memory)' : '';
  const text = `the supervisor ${last?.reason ?? 'ended'}${memory} and was restarted${often}; the services go on${others}${report}`;
  announce({ level: 'warn', service: null, event: 'supervisor-restarted', text });
}
