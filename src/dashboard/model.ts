// The data of the dashboard and the requests that update it: the state after each event and at an interval; history, GPUs and
// dependencies less often. While the tab is hidden only the stream of events stays open, so that none is missing. Draws nothing.

import { useEffect, useState } from 'preact/hooks';
import type { GpusBody, StatusBody } from '../control/api.ts';
import { type DependencyEdge, edgesOf } from '../control/consequences.ts';
import type { JournalEntry } from '../control/journal.ts';
import type { HistoryJson } from '../control/resource-history.ts';
import type { WireGraphNode, WireTimeline } from '../control/wire.ts';
import type { Operation } from '../core/event.ts';
import { forgetToken, getJson, onRefusal, pause, post, Refused, stream } from './client.ts';
import { NO_SHARES, takeShares } from './cpu-shares.ts';

/** A GPU, and the services that use it. */
export type Gpu = GpusBody['gpus'][number];

/** All data that the views draw. */
export interface DashboardModel {
  /** The last state that was received. */
  readonly status: StatusBody | null;
  /** Wall time at which `status` arrived, milliseconds. */
  readonly seenAt: number;
  /** `lost`: the last request has failed, so the state may have changed since. */
  readonly link: 'connecting' | 'live' | 'lost';
  /** Percentage of one processor by service: 200 means two processors. */
  readonly cpu: ReadonlyMap<string, number>;
  readonly history: HistoryJson | null;
  readonly gpus: readonly Gpu[];
  /** Why GPUs cannot be read; null: they can, or there is none. */
  readonly gpuWhy: string | null;
  /** null: not received yet. */
  readonly edges: readonly DependencyEdge[] | null;
  readonly timeline: WireTimeline | null;
  /** Oldest first. */
  readonly events: readonly JournalEntry[];
  /** A message for the person, also for screen readers. */
  readonly news: string;
  /** Whether the token is asked for: for the first time, or because it was wrong. */
  readonly login: 'no' | 'asked' | 'wrong';
}

let model: DashboardModel = {
  status: null,
  seenAt: 0,
  link: 'connecting',
  cpu: new Map(),
  history: null,
  gpus: [],
  gpuWhy: null,
  edges: null,
  timeline: null,
  events: [],
  news: '',
  login: 'no',
};
const listeners = new Set<() => void>();

function update(part: Partial<DashboardModel>): void {
  model = { ...model, ...part };
  for (const listener of listeners) listener();
}

/** The current data; the component is drawn again when it changes. */
export function useModel(): DashboardModel {
  const [, redraw] = useState(model);
  useEffect(() => {
    const listener = () => redraw(model);
    listeners.add(listener);
    listener();
    return () => void listeners.delete(listener);
  }, []);
  return model;
}

/** How long a message is shown, milliseconds. */
const NEWS_FOR = 8_000;
let newsTimer: ReturnType<typeof setTimeout> | undefined;

/** Shows a message for a while. */
export function announce(news: string): void {
  clearTimeout(newsTimer);
  update({ news });
  newsTimer = setTimeout(() => update({ news: '' }), NEWS_FOR);
}

/** The address of the view with the graph of dependencies and the timeline of the start. */
export const DEPENDENCIES = '#/dependencies';

/** Events that are kept; the supervisor has as many. */
const MAX_EVENTS = 1_000;
/** Milliseconds between two requests of the same data. */
const EVERY = { edges: 30_000, timeline: 10_000, history: 15_000, gpus: 4_000 } as const;
/** When each kind of data was requested last, by `performance.now()`. */
const requestedAt = new Map<string, number>();
/** Whether GPUs are requested at an interval: yes until it is known that there are none. */
let mayHaveGpus = true;

/** Requests all data again at the next opportunity. */
function requestAll(): void {
  requestedAt.clear();
  mayHaveGpus = true;
}

/** Whether data must be requested now; notes the time if so. */
function takeTurn(what: keyof typeof EVERY): boolean {
  const now = performance.now();
  if (now - (requestedAt.get(what) ?? -Infinity) < EVERY[what]) return false;
  requestedAt.set(what, now);
  return true;
}

/** Milliseconds between two requests of the state: longer with many services, whose state is large. */
function interval(): number {
  return Math.min(4_000, 1_500 + 40 * (model.status?.services.length ?? 0));
}

let wake: () => void = () => undefined;
/** Requests the state soon. */
export function refreshSoon(): void {
  wake();
}
document.addEventListener('visibilitychange', refreshSoon);
addEventListener('hashchange', () => {
  if (historyScope() !== scope) requestedAt.delete('history');
  refreshSoon();
});

/** The number of the current login. The loops of an earlier login end. */
let generation = 0;

/** Starts to request data. Called again when a token was entered. */
export function begin(): void {
  generation += 1;
  const mine = generation;
  requestAll();
  update({ login: 'no' });
  void poll(() => mine === generation);
  void followEvents(() => mine === generation);
}

onRefusal((hadToken) => {
  generation += 1;
  update({ login: hadToken ? 'wrong' : 'asked' });
});

/** Forgets the token and everything that was received with it. */
export function leave(): void {
  forgetToken();
  location.reload();
}

/** Requests the state until `isCurrent` is false. */
async function poll(isCurrent: () => boolean): Promise<void> {
  while (isCurrent()) {
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    if (!document.hidden) await refresh();
    // At most three times a second, however many events there are.
    await Promise.all([pause(300), Promise.race([woken, pause(interval())])]);
  }
}

async function refresh(): Promise<void> {
  try {
    const status = await getJson<StatusBody>('/v1/status');
    if (status === null) throw new Error('404');
    takeStatus(status);
    if (takeTurn('edges')) await refreshEdges();
    if (location.hash === DEPENDENCIES && takeTurn('timeline'))
      update({ timeline: await getJson<WireTimeline>('/v1/timeline') });
    if (takeTurn('history')) await refreshHistory();
    if (mayHaveGpus && !isReadingGpus && takeTurn('gpus')) void refreshGpus();
  } catch (error) {
    if (!(error instanceof Refused)) update({ link: 'lost' });
  }
}

let cpuShares = NO_SHARES;

function takeStatus(status: StatusBody): void {
  const now = Date.now();
  const before = model.status;
  cpuShares = takeShares(cpuShares, status.services, now);
  const { restarts, last } = status.supervisor;
  const isReplaced = before !== null && restarts > before.supervisor.restarts;
  update({ status, cpu: cpuShares.shares, link: 'live', seenAt: now });
  if (!isReplaced) return;
  // The new supervisor begins with an empty history.
  requestAll();
  update({ history: null });
  announce(`the supervisor was restarted: it ${last?.reason ?? 'ended'}. The services continue to run`);
}

async function refreshEdges(): Promise<void> {
  const graph = await getJson<{ services: readonly WireGraphNode[] }>('/v1/graph');
  update({ edges: edgesOf(graph?.services ?? []) });
}

/** Longer than the supervisor waits for the driver, milliseconds. */
const GPU_TIMEOUT = 8_000;
/** Whether a request for GPUs is under way: with a slow driver it lasts longer than the interval. */
let isReadingGpus = false;

/** Never rejects: a driver that is slow does not mean that the supervisor does not respond. */
async function refreshGpus(): Promise<void> {
  isReadingGpus = true;
  const found = await getJson<GpusBody>('/v1/gpus', GPU_TIMEOUT).catch(() => undefined);
  isReadingGpus = false;
  if (found === undefined) return;
  const [gpus, gpuWhy] = [found?.gpus ?? [], found?.why ?? null];
  mayHaveGpus = gpus.length > 0 || gpuWhy !== null;
  update({ gpus, gpuWhy });
}

/** With more services than this, only the history of the service whose view is open is requested: all together have megabytes. */
const MANY = 200;
/** The scope of `model.history`. */
let scope = '';

/** The part of the query that selects services; null: no history is needed. */
function historyScope(): string | null {
  if ((model.status?.services.length ?? 0) <= MANY) return '';
  const name = /^#\/service\/(.+)$/.exec(location.hash)?.[1];
  return name === undefined ? null : `service=${name}&`;
}

async function refreshHistory(): Promise<void> {
  const wanted = historyScope();
  if (wanted === null) return;
  if (wanted !== scope) update({ history: null });
  scope = wanted;
  const since = model.history?.times.at(-1) ?? 0;
  const fresh = await getJson<HistoryJson>(`/v1/history?${scope}since=${Math.floor(since)}`);
  if (fresh !== null) update({ history: append(model.history, fresh) });
}

/** Samples of one hour: MAX_SAMPLES of control/resource-history.ts. */
const MAX_SAMPLES = 240;
type Series = Readonly<Record<string, readonly (number | null)[]>>;

/** `old` with the samples of `fresh` at the end. Only services and GPUs of `fresh` are kept. */
function append(old: HistoryJson | null, fresh: HistoryJson): HistoryJson {
  if (old === null) return fresh;
  const before = old.times.length;
  const join = (a: readonly (number | null)[] | undefined, b: readonly (number | null)[]) =>
    [...(a ?? new Array<null>(before).fill(null)), ...b].slice(-MAX_SAMPLES);
  const joinAll = <T extends Series>(kept: Readonly<Record<string, T>>, added: Readonly<Record<string, T>>) =>
    Object.fromEntries(
      Object.entries(added).map(([name, series]) => [
        name,
        Object.fromEntries(
          Object.entries(series).map(([key, values]) => [key, join(kept[name]?.[key], values)]),
        ) as unknown as T,
      ]),
    );
  return {
    ...fresh,
    times: [...old.times, ...fresh.times].slice(-MAX_SAMPLES),
    services: joinAll(old.services, fresh.services),
    gpus: joinAll(old.gpus, fresh.gpus),
  };
}

/** Follows the events, and requests the state after each. */
async function followEvents(isCurrent: () => boolean): Promise<void> {
  for (let wait = 500; isCurrent(); wait = Math.min(10_000, wait * 2)) {
    const end = new AbortController();
    try {
      const after = model.events.at(-1)?.seq ?? 0;
      for await (const entries of stream<JournalEntry>(`/v1/events?follow=true&after=${after}`, end.signal)) {
        if (!isCurrent()) break;
        wait = 500;
        update({ events: [...model.events, ...entries].slice(-MAX_EVENTS) });
        if (entries.some(({ event }) => event === 'reloaded')) requestedAt.delete('edges');
        requestedAt.delete('timeline');
        refreshSoon();
      }
    } catch (error) {
      if (error instanceof Refused) return;
    } finally {
      end.abort();
    }
    // The connection has broken: a request shows at once whether the supervisor still responds.
    refreshSoon();
    await pause(wait);
  }
}

/** What an operation is requested for: one service, or the members of a group. */
export type Target = { readonly service: string } | { readonly group: string };

/** `web`, `group backend` */
export function targetName(target: Target): string {
  return 'service' in target ? target.service : `group ${target.group}`;
}

/** Requests an operation, and announces the request and a refusal. Never rejects. */
export async function sendOperation(operation: Operation, target: Target): Promise<void> {
  const name = targetName(target);
  announce(`requested: ${operation} ${name}`);
  try {
    const error =
      'service' in target
        ? await post(`/v1/services/${encodeURIComponent(target.service)}/${operation}`)
        : await post(`/v1/${operation}`, { group: target.group });
    if (error !== null) announce(`cannot ${operation} ${name}: ${error}`);
  } catch (error) {
    if (!(error instanceof Refused)) announce(`cannot ${operation} ${name}: the supervisor does not respond`);
  }
  refreshSoon();
}
