// The end of a run and what is left of it, as sentences: for the log, `status` and the post-mortem.

import type { Cause } from '../core/policy.ts';
import type { Ended, LeftoverProcess } from '../core/run.ts';
import type { Exit } from '../plan/process.ts';
import { renderDuration, renderSize } from '../text.ts';
import { renderStartFailure, withDetail } from './details.ts';

/** Most processes that a sentence names. */
const SHOWN = 8;

/** An end in a sentence, without the service's name in front. */
export function renderEnd({ cause, exit, verdict, lasted }: Ended): string {
  const lastedFor = renderDuration(lasted);
  switch (cause.kind) {
    case 'exited':
    case 'exited-early': {
      const early = cause.kind === 'exited-early' ? ', before it was ready' : '';
      const isUnlistedZero = cause.kind === 'exited' && !verdict.success && exit?.kind === 'code' && exit.code === 0;
      const odd = isUnlistedZero ? ', which is not a success here,' : '';
      return `${renderMainEnd(exit)}${odd} after ${lastedFor}${early}`;
    }
    case 'not-started':
      return `could not be started: ${renderStartFailure(cause.failure)}`;
    case 'start-timeout':
      return `was not ready within start_timeout (${renderDuration(cause.after)})${withDetail(cause.detail)}${renderMissedOutput(cause)}`;
    case 'start-stall':
      return `made no progress for start_stall (${renderDuration(cause.after)})${withDetail(cause.detail)}`;
    case 'not-alive':
      return `failed its liveness probe after ${lastedFor}${withDetail(cause.detail)}`;
    case 'memory':
      return `used ${renderSize(cause.bytes)} of memory, more than ${cause.watch.field} (${renderSize(cause.watch.max)}), after ${lastedFor}`;
    case 'gpu-lost':
      return `lost its GPU: ${cause.why}; only a new container can fix that`;
    case 'asked':
      return `stopped after ${lastedFor}`;
    default:
      return cause satisfies never;
  }
}

function renderMainEnd(exit: Exit | null): string {
  if (exit === null) return 'ended';
  return exit.kind === 'code' ? `exited with code ${exit.code}` : `was killed by ${exit.signal}`;
}

function renderMissedOutput({ detail, hasMissedOutput }: Cause & { readonly kind: 'start-timeout' }): string {
  return detail === null || hasMissedOutput !== true
    ? ''
    : '; the supervisor was restarted meanwhile, and may have missed it';
}

/** `code 3`, `SIGKILL`: an exit as part of a sentence. */
export function renderExit(exit: Exit): string {
  return exit.kind === 'code' ? `code ${exit.code}` : exit.signal;
}

/** Why the end of one service ends everything. */
export function renderStopCause({ cause, verdict }: Ended): string {
  if (cause.kind === 'gpu-lost') return 'lost its GPU';
  return `${verdict.success ? 'ended' : 'failed'}, and it is essential`;
}

/** For a program whose main process exited with code 0 soon after its start, while other processes of it kept running. */
const BACKGROUND_QUESTION =
  'Did the program go into the background? It has to stay in the foreground: `daemon off;` in nginx, `-F` or ' +
  '`--foreground` in others';

/** Leftover processes that the supervisor has ended. */
export function renderCleanedUp(name: string, leftovers: readonly LeftoverProcess[], isBackground: boolean): string {
  const count = `${leftovers.length} ${leftovers.length === 1 ? 'process' : 'processes'}`;
  return `cleaned up ${count} of ${name}: ${renderProcesses(leftovers)}${isBackground ? `. ${BACKGROUND_QUESTION}` : ''}`;
}

/** Processes that the supervisor may not send SIGKILL to. */
export function renderRefused(processes: readonly LeftoverProcess[]): string {
  return `SIGKILL is not permitted to ${renderProcesses(processes)}: another user's, and CAP_KILL is missing`;
}

/** `sleep (pid 12), sh (pid 13)`; the first ones if there are many. */
export function renderProcesses(processes: readonly LeftoverProcess[]): string {
  const shown = processes.slice(0, SHOWN).map(({ pid, name }) => `${name} (pid ${pid})`);
  const more = processes.length > shown.length ? `, and ${processes.length - shown.length} more` : '';
  return `${shown.join(', ')}${more}`;
}
