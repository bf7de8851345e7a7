// Ends and remains in sentences, as people read them in the log, in `status` and in the post-mortem.
import { type Difference, FIELD_NAMES } from '../plan/difference.ts';
import type { Ended, LeftoverProcess } from './event.ts';
import { renderDuration } from './policy.ts';

/** An end in a sentence, without the service's name in front. */
export function renderEnd({ cause, exit, verdict, lasted }: Ended): string {
  const lastedFor = renderDuration(lasted);
  switch (cause.kind) {
    case 'exited':
    case 'exited-early': {
      const early = cause.kind === 'exited-early' ? ', before it was ready' : '';
      const how =
        exit === null
          ? 'ended'
          : exit.kind === 'code'
            ? `exited with code ${exit.code}`
            : `was killed by ${exit.signal}`;
      const odd =
        cause.kind === 'exited' && !verdict.success && exit?.kind === 'code' && exit.code === 0
          ? ', which is not a success here,'
          : '';
      return `${how}${odd} after ${lastedFor}${early}`;
    }
    case 'not-started':
      return `could not be started: ${cause.message}`;
    case 'start-timeout':
      return `was not ready within start_timeout (${renderDuration(cause.after)})${cause.detail === null ? '' : `: ${cause.detail}`}`;
    case 'start-stall':
      return `made no progress for start_stall (${renderDuration(cause.after)})${cause.detail === null ? '' : `: ${cause.detail}`}`;
    case 'not-alive':
      return `failed its liveness probe after ${lastedFor}: ${cause.detail}`;
    case 'gpu-lost':
      return `lost its GPU: ${cause.why}; only a new container can mend that`;
    case 'asked':
      return `stopped after ${lastedFor}`;
    default:
      return cause satisfies never;
  }
}

/** Why one end is the end of everything. */
export function renderReason({ cause, verdict }: Ended): string {
  if (cause.kind === 'gpu-lost') return 'lost its GPU';
  return `${verdict.success ? 'ended' : 'failed'}, and it is essential`;
}

/** For a program whose main process exited with code 0 soon after its start, while other processes of it kept running. */
export const BACKGROUND_QUESTION =
  'Did the program go into the background? It has to stay in the foreground: `daemon off;` in nginx, `-F` or ' +
  '`--foreground` in others';

/** What outlived a main process and had to be ended by the supervisor. */
export function renderCleanedUp(name: string, leftovers: readonly LeftoverProcess[]): string {
  const shown = leftovers.slice(0, 8).map(({ pid, name: process }) => `${process} (pid ${pid})`);
  const more = leftovers.length > shown.length ? `, and ${leftovers.length - shown.length} more` : '';
  return `cleaned up ${leftovers.length} ${leftovers.length === 1 ? 'process' : 'processes'} of ${name}: ${shown.join(', ')}${more}`;
}

/** What a reload changes, in a sentence: `added db; changed api (command, env); removed old; 3 unchanged`. */
export function renderDifference({ added, removed, changed, unchanged }: Difference): string {
  const list = (verb: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`${verb} ${names.slice(0, 8).join(', ')}${names.length > 8 ? ', ...' : ''}`];
  const what = changed.map(({ name, fields }) => {
    const named = [...new Set(fields.map((field) => FIELD_NAMES[field]))];
    return `${name} (${named.join(', ')})`;
  });
  const parts = [...list('added', added), ...list('changed', what), ...list('removed', removed)];
  if (parts.length === 0) return 'nothing has changed';
  return [...parts, ...(unchanged.length === 0 ? [] : [`${unchanged.length} unchanged`])].join('; ');
}
