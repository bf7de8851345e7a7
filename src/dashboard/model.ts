// The data of the dashboard and the requests that keep it fresh: the state, on events and at an interval; history, GPUs and
// dependencies more rarely. Nothing is requested while the tab is hidden. Draws nothing.

import { useEffect, useState } from 'preact/hooks';
import type { StatusBody } from '../control/api.ts';
import type { JournalEntry } from '../control/journal.ts';
import type { HistoryJson } from '../control/resource-history.ts';
import type { GpuUse } from '../control/source.ts';
import type { WireTimeline } from '../control/wire.ts';
import type { Operation } from '../core/event.ts';
import { forgetToken, getJson, onRefusal, pause, post, Refused, stream } from './client.ts';
import type { GraphEdge } from './effects.ts';

export type Gpu = GpuUse & { readonly services: readonly string[] };

export interface DashboardModel {
  /** The last state that was received. */
  readonly status: StatusBody | null;
  /** Wall time of that, milliseconds. */
  readonly seenAt: number;
  /** `lost`: the last request has failed, so the state may have changed since. */
  readonly link: 'connecting' | 'live' | 'lost';
  /** Percentage of one processor by service, between the last two states: 200 means two processors. */
  readonly cpu: ReadonlyMap<string, number>;
  readonly history: HistoryJson | null;
  readonly gpus: readonly Gpu[];
  /** Why GPUs cannot be read; null: they can, or there is none. */
  readonly gpuWhy: string | null;
  /** null: not received yet. */
  readonly edges: readonly GraphEdge[] | null;
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
const taken = new Map<string, number>();

function isDue(what: keyof typeof EVERY): boolean {
  const now = performance.now();
  if (now - (taken.get(what) ?? -Infinity) < EVERY[what]) return false;
  taken.set(what, now);
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
  if (historyScope() !== scope) taken.delete('history');
  refreshSoon();
});

/** The number of the current login; loops of earlier ones end. */
let generation = 0;

/** Begins to request data; called again when a token was entered. */
export function begin(): void {
  generation += 1;
  const mine = generation;
  taken.clear();
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
    if (isDue('edges')) await refreshEdges();
    if (location.hash === DEPENDENCIES && isDue('timeline'))
      update({ timeline: await getJson<WireTimeline>('/v1/timeline') });
    if (isDue('history')) await refreshHistory();
    if ((model.gpus.length > 0 || !taken.has('gpus')) && isDue('gpus')) await refreshGpus();
  } catch (error) {
    if (!(error instanceof Refused)) update({ link: 'lost' });
  }
}

function takeStatus(status: StatusBody): void {
  const now = Date.now();
  const before = model.status;
  const cpu = new Map<string, number>();
  for (const { name, run, usage } of status.services) {
    const old = before?.services.find((one) => one.name === name);
    if (usage === null || old?.usage === null || old === undefined || old.run !== run || now <= model.seenAt) continue;
    const seconds = usage.cpu_seconds - old.usage.cpu_seconds;
    // The kernel counts in hundredths of a second: over a short time the share would only be noise.
    const isShort = now - model.seenAt < 1_000;
    const share = isShort ? model.cpu.get(name) : Math.max(0, (seconds / (now - model.seenAt)) * 100_000);
    if (share !== undefined) cpu.set(name, share);
  }
  const { restarts, last } = status.supervisor;
  const isReplaced = before !== null && restarts > before.supervisor.restarts;
  update({ status, cpu, link: 'live', seenAt: now });
  if (!isReplaced) return;
  // The new supervisor begins with an empty history.
  taken.clear();
  update({ history: null });
  announce(`the supervisor was restarted: it ${last?.reason ?? 'ended'}. The services continue to run`);
}

async function refreshEdges(): Promise<void> {
  const graph = await getJson<{ services: readonly { name: string; needs: readonly Omit<GraphEdge, 'name'>[] }[] }>(
    '/v1/graph',
  );
  update({ edges: graph?.services.flatMap(({ name, needs }) => needs.map((need) => ({ name, ...need }))) ?? [] });
}

async function refreshGpus(): Promise<void> {
  const found = await getJson<{ gpus: readonly Gpu[]; why: string | null }>('/v1/gpus');
  update({ gpus: found?.gpus ?? [], gpuWhy: found?.why ?? null });
}

/** With more services than this, the history is requested for the one whose view is open: that of all would have megabytes. */
const MANY = 200;
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

/** Samples of one hour. */
const MAX_SAMPLES = 240;
type Series = Readonly<Record<string, readonly (number | null)[]>>;

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

/** Follows the events, each of which may mean that the state has changed. */
async function followEvents(isCurrent: () => boolean): Promise<void> {
  for (let wait = 500; isCurrent(); wait = Math.min(10_000, wait * 2)) {
    const end = new AbortController();
    try {
      const after = model.events.at(-1)?.seq ?? 0;
      for await (const entries of stream<JournalEntry>(`/v1/events?follow=true&after=${after}`, end.signal)) {
        if (!isCurrent()) break;
        wait = 500;
        update({ events: [...model.events, ...entries].slice(-MAX_EVENTS) });
        if (entries.some(({ event }) => event === 'reloaded')) taken.delete('edges');
        taken.delete('timeline');
        refreshSoon();
      }
    } catch (error) {
      if (error instanceof Refused) return;
    } finally {
      end.abort();
    }
    // The connection has broken: whether the supervisor is gone must be known at once.
    refreshSoon();
    await pause(wait);
  }
}

/** Requests an operation on services, or on a group of them, and reports how that went. */
export async function sendOperation(
  operation: Operation,
  what: { readonly service: string } | { readonly group: string },
) {
  const name = 'service' in what ? what.service : `group ${what.group}`;
  announce(`requested: ${operation} ${name}`);
  try {
    const error =
      'service' in what
        ? await post(`/v1/services/${encodeURIComponent(what.service)}/${operation}`)
        : await post(`/v1/${operation}`, { group: what.group });
    if (error !== null) announce(`cannot ${operation} ${name}: ${error}`);
  } catch (error) {
    if (!(error instanceof Refused)) announce(`cannot ${operation} ${name}: the supervisor does not respond`);
  }
  refreshSoon();
}
