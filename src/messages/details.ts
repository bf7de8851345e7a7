// Parts of sentences: what a run waits for or its probes have found, and why a start has failed. Renders the data of
// core/detail.ts; decides nothing. Pure.
import type { Lapse, ProbeDetail, Shortage, StartFailure } from '../core/detail.ts';
import type { Holder } from '../plan/gpu-reading.ts';
import { renderDuration, renderSize } from '../text.ts';

/** The most processes that a sentence names as holders of GPU memory. */
const HOLDERS_SHOWN = 5;

/** `waiting for READY=1`: without the service's name. */
export function renderDetail(detail: ProbeDetail): string {
  switch (detail.kind) {
    case 'hook':
      return 'before_start is under way';
    case 'memory':
      return `waits for GPU memory: ${renderShortage(detail.shortage)}`;
    case 'line':
      return `waiting for a line that matches /${detail.pattern}/`;
    case 'newline':
      return `waiting for a newline on descriptor ${detail.fd}`;
    case 'notification':
      return 'waiting for READY=1';
    case 'result':
      return detail.text;
    case 'no-answer':
      return `no answer within ${renderDuration(detail.within)}`;
    default:
      return detail satisfies never;
  }
}

/** `liveness probe failed (2 of 3): no answer within 5.0 s`. */
export function renderLapse({ failures, of, detail }: Lapse): string {
  return `liveness probe failed (${failures} of ${of}): ${renderDetail(detail)}`;
}

/** `: no answer within 250 ms`, or nothing. */
export function withDetail(detail: ProbeDetail | null): string {
  return detail === null ? '' : `: ${renderDetail(detail)}`;
}

/** Why a start has failed, without the service's name. */
export function renderStartFailure(failure: StartFailure): string {
  switch (failure.kind) {
    case 'spawn':
      return failure.message;
    case 'no-gpu':
      return `${failure.why}; start the container with that GPU, or set \`optional: true\` in \`gpus\``;
    case 'small-gpu': {
      const { device, total, minFree } = failure;
      return `it needs ${renderSize(minFree)} (\`min_free\`), and GPU ${device} has ${renderSize(total)} in all`;
    }
    case 'hook-failed':
      return `before_start failed: ${failure.detail}`;
    case 'hook-late':
      return `before_start did not end within ${renderDuration(failure.after)}: killed`;
    case 'memory': {
      const { within, waited, shortage, holders } = failure;
      const what = `${renderShortage(shortage)}, after ${renderDuration(waited)}${renderHolders(holders)}`;
      return `GPU memory did not become free within ${renderDuration(within)}: ${what}`;
    }
    default:
      return failure satisfies never;
  }
}

/** The GPUs with too little free memory, one part for each. */
export function renderShortage(shortage: Shortage): string {
  return shortage
    .map((one) =>
      one.kind === 'free'
        ? `${renderSize(one.free)} of GPU ${one.device} are free, and ${renderSize(one.wanted)} are asked for`
        : `${renderSize(one.used)} of GPU ${one.device} are in use, ${renderSize(one.usual)} were before the service's last run`,
    )
    .join('; ');
}

function renderHolders(holders: readonly Holder[]): string {
  if (holders.length === 0) return '; no process that can be seen here holds it';
  const shown = holders
    .slice(0, HOLDERS_SHOWN)
    .map(({ pid, name, service }) => `${name} (pid ${pid}${service === null ? '' : ` of ${service}`})`);
  const more = holders.length > HOLDERS_SHOWN ? `, and ${holders.length - HOLDERS_SHOWN} more` : '';
  return `; held by ${shown.join(', ')}${more}`;
}
