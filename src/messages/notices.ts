// The notices of the core as what people read: a level, and a sentence without the service's name in front (that of
// `cleaned-up` has it). Decides nothing about what is reported. Pure.
import type { Level } from '../core/event.ts';
import type { HookFailure, MemoryNotice, Notice, Requester, StopReason } from '../core/notice.ts';
import { type Difference, FIELD_NAMES } from '../plan/difference.ts';
import type { ScaledService } from '../plan/plan.ts';
import { renderCount, renderDuration, renderSize } from '../text.ts';
import { renderLapse, renderShortage, withDetail } from './details.ts';
import { renderCleanedUp, renderEnd, renderExit, renderRefused, renderStopCause } from './ends.ts';
import { renderBlockage } from './reasons.ts';

/** A notice as the log and `events` show it. */
interface RenderedNotice {
  readonly level: Level;
  readonly event: Notice['event'];
  readonly text: string;
}

export function renderNotice(notice: Notice): RenderedNotice {
  return { level: levelOf(notice), event: notice.event, text: textOf(notice) };
}

const LEVELS = {
  unready: 'warn',
  'memory-exceeded': 'warn',
  'liveness-failed': 'warn',
  'time-missed': 'warn',
  'gpu-lost': 'warn',
  'hook-failed': 'warn',
  killed: 'warn',
  'stop-command-failed': 'warn',
  'cleaned-up': 'warn',
  killing: 'warn',
  blocked: 'error',
  unkillable: 'error',
  failed: 'error',
  unfinished: 'error',
} as const satisfies { readonly [event in Notice['event']]?: Level };

function levelOf(notice: Notice): Level {
  if (notice.event === 'restarting') return notice.ended.verdict.success ? 'info' : 'warn';
  if (notice.event === 'gpu-memory') {
    const { about } = notice;
    return about.kind === 'complaint' || (about.kind === 'unread' && about.isMinFreeIgnored) ? 'warn' : 'info';
  }
  const levels: { readonly [event in Notice['event']]?: Level } = LEVELS;
  return levels[notice.event] ?? 'info';
}

/** Why a time starts no run, by what it finds. */
const FOUND = {
  run: 'its run is not over (`overlap`)',
  start: 'it is already waiting for its start',
  restart: 'it is already waiting for its restart (`overlap`)',
  queued: 'one run is already queued (`overlap`)',
} as const;

function textOf(notice: Notice): string {
  switch (notice.event) {
    case 'skipped':
      return 'is not enabled';
    case 'removed':
      return 'is not in the configuration any more';
    case 'start-asked':
    case 'stop-asked':
    case 'restart-asked':
      return renderRequest(notice.event, notice.by);
    case 'signal-asked':
      return `was sent ${notice.signal}`;
    case 'time-skipped':
      return `is not run this time: ${FOUND[notice.found]}`;
    case 'time-missed':
      return 'has missed its time by more than two minutes, and is not run for it (`catch_up`)';
    case 'blocked':
      return notice.blockage === null ? 'never starts' : `never starts: ${renderBlockage(notice.blockage)}`;
    case 'started':
      return `started (pid ${notice.pid})`;
    case 'ready':
      return notice.after === null ? 'ready again' : `ready after ${renderDuration(notice.after)}`;
    case 'unready':
      return `not ready any more${withDetail(notice.detail)}`;
    case 'liveness-failed':
      return `${renderLapse(notice)}${notice.failures >= notice.of ? '; it is stopped' : ''}`;
    case 'liveness-recovered':
      return 'liveness probe holds again';
    case 'still-starting':
      return `still starting after ${renderDuration(notice.elapsed)}${withDetail(notice.detail)}`;
    case 'gpu-memory':
      return renderMemory(notice.about);
    case 'memory-exceeded':
      return renderExcess(notice);
    case 'gpu-lost':
      return `is started though its GPU does not answer: ${notice.why}`;
    case 'hook-failed':
      return renderHookFailure(notice.failure);
    default:
      return textOfEnd(notice);
  }
}

type EarlyEvent =
  | 'skipped'
  | 'removed'
  | 'start-asked'
  | 'stop-asked'
  | 'restart-asked'
  | 'signal-asked'
  | 'time-skipped'
  | 'time-missed'
  | 'blocked'
  | 'started'
  | 'ready'
  | 'unready'
  | 'liveness-failed'
  | 'liveness-recovered'
  | 'still-starting'
  | 'gpu-memory'
  | 'memory-exceeded'
  | 'gpu-lost'
  | 'hook-failed';

/** How runs and the supervisor stop and end. */
function textOfEnd(notice: Exclude<Notice, { readonly event: EarlyEvent }>): string {
  switch (notice.event) {
    case 'killed':
      return notice.waited === null
        ? 'leftover processes did not stop in time: sending SIGKILL'
        : `did not stop within ${renderDuration(notice.waited)}: sending SIGKILL to all its processes`;
    case 'unkillable':
      return renderUnkillable(notice);
    case 'stop-command-failed':
      return `stop.command failed (${notice.detail}): sent ${notice.signal} instead`;
    case 'cleaned-up':
      return renderCleanedUp(notice.name, notice.leftovers, notice.isBackground);
    case 'stopped':
      return notice.exit === null ? 'stopped' : `stopped (${renderExit(notice.exit)})`;
    case 'completed':
    case 'failed':
      return `${renderEnd(notice.ended)}${renderLimit(notice.restarts)}`;
    case 'restarting':
      return `${renderEnd(notice.ended)}; starting again in ${renderDuration(notice.delay)}`;
    case 'reloaded':
      return `${renderChange(notice.scaled)}: ${renderDifference(notice.difference)}`;
    case 'stopping':
      return renderStopReason(notice.why);
    case 'killing':
      return `${notice.signal} received again: killing what is left`;
    case 'unfinished':
      return `ending while processes are left: ${notice.services.join(', ')}`;
    case 'all-ended': {
      const what = notice.blocked === 0 ? 'every service has ended' : 'nothing runs any more, and nothing can start';
      return `${what}: ending with code ${notice.code}`;
    }
    case 'all-ready':
      return renderAllReady(notice);
    default:
      return notice satisfies never;
  }
}

function renderExcess({
  bytes,
  watch: { field, max, onExceed },
}: Notice & { readonly event: 'memory-exceeded' }): string {
  const used = `uses ${renderSize(bytes)} of memory, more than ${field} (${renderSize(max)})`;
  if (onExceed === 'warn') return used;
  if (onExceed === 'restart')
    return `${used}: it is stopped, and starts again unless \`restart.max\` is reached (\`on_exceed\`)`;
  return `${used}: it is stopped, which counts as a failure${field === 'max_memory' ? ' (`on_exceed`)' : ''}`;
}

/** What is true of everything: services without a readiness probe have only been started. */
function renderAllReady({ after, ready, unprobed, completed }: Notice & { readonly event: 'all-ready' }): string {
  if (unprobed === 0) return `everything is ready after ${renderDuration(after)}`;
  const parts = [
    ...(ready === 0 ? [] : [`${ready} ready`]),
    `${unprobed} running without a readiness probe`,
    ...(completed === 0 ? [] : [`${completed} completed`]),
  ];
  return `everything has started after ${renderDuration(after)}: ${parts.join(', ')}`;
}

function renderRequest(event: 'start-asked' | 'stop-asked' | 'restart-asked', by: Requester): string {
  if (by.kind === 'dependent') return 'is needed, and was asked to start';
  if (by.kind === 'schedule') return 'is to run again while it runs (`overlap: kill`): the run is stopped';
  if (by.kind === 'dependency') return `starts again after ${by.name}, which restarts`;
  return `was asked to ${event.slice(0, -'-asked'.length)}`;
}

function renderMemory(about: MemoryNotice): string {
  const unread = 'has a GPU whose memory cannot be read';
  switch (about.kind) {
    case 'complaint':
      return `has a GPU whose driver complains: ${about.warning}`;
    case 'waits':
      return `waits for GPU memory: ${renderShortage(about.shortage)}`;
    case 'unread':
      return about.isMinFreeIgnored
        ? `${unread}, so \`min_free\` is not checked, and the start does not wait for memory: ${about.why}`
        : `${unread}, so the start does not wait for memory: ${about.why}`;
    case 'unchanging':
      return `is started though ${renderShortage(about.shortage)}; it does not change any more, so others use it`;
    case 'shared':
      return `is started though ${renderShortage(about.shortage)}, after ${renderDuration(about.after)}; it is shared, so others use it`;
    default:
      return about satisfies never;
  }
}

function renderHookFailure(failure: HookFailure): string {
  switch (failure.kind) {
    case 'failed':
      return `${failure.hook} failed: ${failure.detail}`;
    case 'late':
      return `${failure.hook} did not end within ${renderDuration(failure.after)}: killed`;
    case 'given-up':
      return `before_stop was not done within ${renderDuration(failure.waited)}: stopping it all the same`;
    case 'cut':
      return 'after_exit was killed: the time to stop is over';
    case 'not-run':
      return 'after_exit was not run: no time was left for it';
    default:
      return failure satisfies never;
  }
}

function renderUnkillable({ refused, waited }: Notice & { readonly event: 'unkillable' }): string {
  const why = refused === null ? 'they do not die of SIGKILL' : renderRefused(refused);
  if (waited !== null) return `still has processes ${renderDuration(waited)} after it was told to stop: ${why}`;
  const hint = "Start the container with CAP_KILL, or run the program as svc-super's own user";
  return `cannot be ended: ${why}. ${hint}`;
}

function renderLimit(restarts: number | null): string {
  if (restarts === null) return '';
  return `; not started again: ${restarts === 1 ? '1 restart was' : `${restarts} restarts were`} its limit`;
}

function renderStopReason(why: StopReason): string {
  switch (why.kind) {
    case 'signal':
      return `${why.signal} received: stopping everything within ${renderDuration(why.within)}`;
    case 'again':
      return `${why.signal} received: everything is being stopped already`;
    case 'ended':
      return `stopping everything: ${why.ended.service} ${renderStopCause(why.ended)}`;
    case 'never-starts':
      return `stopping everything: ${why.service} can never start, and it is essential`;
    default:
      return why satisfies never;
  }
}

/** What a reload changes: `added db; changed api (command, env); removed old; 3 unchanged`. */
function renderDifference({ added, removed, changed, unchanged }: Difference): string {
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

/** What a change of the configuration came from. */
function renderChange(scaled: ScaledService | null): string {
  return scaled === null
    ? 'configuration read again'
    : `${scaled.service} scaled to ${renderCount(scaled.replicas, 'replica')}`;
}
