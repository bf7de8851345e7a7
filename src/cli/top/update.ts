// The next model after a response of the supervisor, its absence, a message, or a resize of the terminal. input.ts does the same for keys and the mouse. Pure.
import type { StatusBody } from '../../control/api.ts';
import type { DetailsBody } from '../../control/details.ts';
import type { LogLineJson } from '../../control/follow.ts';
import type { HistoryJson } from '../../control/resource-history.ts';
import type { WireTimeline } from '../../control/wire.ts';
import { firstFor, layoutOf } from './layout.ts';
import { append, filtered, NO_LINES } from './logs.ts';
import {
  type GraphNode,
  isTroubled,
  listed,
  type Model,
  SAMPLE_EVERY,
  type Sample,
  type Series,
  type ShownGpu,
  serviceOf,
  type TopService,
} from './model.ts';
import type { Intervals } from './polling.ts';
import type { Style } from './style.ts';

/** Samples of one hour. */
const MOST_SAMPLES = 3_600_000 / SAMPLE_EVERY;
/** Services whose log is kept after another one was selected. */
const MOST_LOGS = 8;
/** How long a message is shown, milliseconds. */
const MESSAGE_TIME = 6_000;

/** How often each resource is requested while the screen shows it, milliseconds. */
const EVERY = {
  status: 1_000,
  logs: 1_000,
  graph: 15_000,
  timeline: 2_000,
  details: 2_000,
  gpus: 5_000,
  /** Until a response has it. */
  history: 15_000,
} as const;

/** The resources that the screen needs. */
export function intervalsOf(model: Model): Intervals {
  const { pane, dialog, selected, awaySince, graph } = model;
  // While no supervisor responds, one resource is enough to find out when the next one does.
  if (awaySince !== null) return { status: EVERY.status };
  const hasService = selected !== null;
  const usesGpus = (serviceOf(model)?.gpus?.length ?? 0) > 0;
  return {
    status: EVERY.status,
    ...(pane === 'logs' && hasService && { logs: EVERY.logs }),
    ...((pane === 'dependencies' || dialog !== null || graph === null) && { graph: EVERY.graph }),
    ...(pane === 'start-up' && { timeline: EVERY.timeline }),
    ...(pane === 'details' && hasService && { details: EVERY.details }),
    ...(pane === 'details' && usesGpus && { gpus: EVERY.gpus }),
    ...(!model.hasHistory && { history: EVERY.history }),
  };
}

/** Takes a new status, and reports that the supervisor was restarted or responds again. `now`: wall time, milliseconds. */
export function withStatus(model: Model, status: StatusBody, now: number): Model {
  const before = model.status;
  const series = new Map<string, Series>();
  for (const service of status.services)
    series.set(service.name, nextSeries(model.series.get(service.name), service, now));
  const hasOthers = before !== null && namesOf(before) !== namesOf(status);
  const next: Model = {
    ...model,
    now,
    status,
    series,
    awaySince: null,
    // A reload has changed the services: their dependencies are requested again.
    graph: hasOthers ? null : model.graph,
    dialog: status.services.some(({ name }) => name === model.dialog?.service) ? model.dialog : null,
  };
  return keepSelection(withSupervisorMessage(next, model));
}

/** Adds a message if the supervisor was restarted, or if it did not respond before. */
function withSupervisorMessage(next: Model, before: Model): Model {
  const now = next.status?.supervisor;
  const restarts = (now?.restarts ?? 0) - (before.status?.supervisor.restarts ?? now?.restarts ?? 0);
  if (restarts > 0) {
    // Short enough for 80 columns.
    const text = `the supervisor was restarted: it ${now?.last?.reason ?? 'ended'}; the services continue`;
    return withMessage(next, text, 'busy');
  }
  return before.awaySince === null ? next : withMessage(next, 'the supervisor responds again', 'good');
}

const namesOf = ({ services }: StatusBody) => services.map(({ name }) => name).join('\n');

/** Adds the sample of a status to those of a service. */
function nextSeries(series: Series | undefined, service: TopService, now: number): Series {
  const { run, usage } = service;
  const { samples = [], last = null, troubledAt = null } = series ?? {};
  const cpuSeconds = usage?.cpu_seconds ?? null;
  // The processor time of one run shrinks if some of its processes have ended: then the difference is not the usage.
  const isComparable =
    last !== null && cpuSeconds !== null && last.run === run && cpuSeconds >= last.cpuSeconds && now > last.at;
  const cpu = isComparable ? ((cpuSeconds - last.cpuSeconds) * 1_000) / (now - last.at) : null;
  const at = Math.floor(now / SAMPLE_EVERY);
  const sample = { at, cpu, memory: usage?.memory_bytes ?? null };
  const newest = samples.at(-1);
  const joined =
    newest?.at === at
      ? [
          ...samples.slice(0, -1),
          { ...sample, cpu: larger(newest.cpu, cpu), memory: larger(newest.memory, sample.memory) },
        ]
      : [...samples, sample];
  return {
    samples: joined.slice(-MOST_SAMPLES),
    cpu,
    troubledAt: isTroubled(service) ? now : troubledAt,
    last: cpuSeconds === null ? null : { run, cpuSeconds, at: now },
  };
}

/** The larger value, so that a short peak stays visible in its interval. */
function larger(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}

export function withGraph(model: Model, graph: readonly GraphNode[]): Model {
  return { ...model, graph };
}

export function withTimeline(model: Model, timeline: WireTimeline): Model {
  return { ...model, timeline };
}

export function withDetails(model: Model, details: DetailsBody): Model {
  return { ...model, details };
}

export function withGpuUse(model: Model, gpus: readonly ShownGpu[]): Model {
  return { ...model, gpus };
}

/** Puts the samples that the supervisor has recorded before those of `top`. */
export function withHistory(model: Model, { interval_seconds, times, services }: HistoryJson): Model {
  const cells = Math.max(1, Math.round((interval_seconds * 1_000) / SAMPLE_EVERY));
  const series = new Map<string, Series>();
  for (const [name, known] of model.series) {
    const recorded = services[name];
    const first = known.samples[0]?.at ?? Number.POSITIVE_INFINITY;
    // A value is the mean of the interval that ends at its time.
    const older = times.flatMap((time, index): readonly Sample[] => {
      const last = Math.floor(time / SAMPLE_EVERY);
      const percent = recorded?.cpu_percent[index] ?? null;
      const sample = { cpu: percent === null ? null : percent / 100, memory: recorded?.memory_bytes[index] ?? null };
      return Array.from({ length: cells }, (_, cell) => ({ at: last - cells + 1 + cell, ...sample }));
    });
    const samples = [...older.filter(({ at }) => at < first), ...known.samples];
    series.set(name, { ...known, samples: samples.slice(-MOST_SAMPLES) });
  }
  return { ...model, series, hasHistory: true };
}

/** Adds the new lines of a log. If the user has scrolled up, the same lines stay on the screen. */
export function withLogs(model: Model, service: string, lines: readonly LogLineJson[]): Model {
  const before = model.logs.get(service) ?? NO_LINES;
  const after = append(before, lines);
  if (after === before && model.logs.has(service)) return model;
  const others = [...model.logs].filter(([name]) => name !== service).slice(-MOST_LOGS);
  const logs = new Map([...others, [service, after]]);
  if (service !== model.selected) return { ...model, logs };
  // Only lines that the filter shows count: `scroll.up` and `foundAt` are places among them.
  const gone = { ...before, lines: before.lines.slice(0, after.dropped - before.dropped) };
  const dropped = filtered(gone, model.filter).length;
  const grown = filtered(after, model.filter).length - filtered(before, model.filter).length + dropped;
  const { up } = model.scroll;
  return {
    ...model,
    logs,
    scroll: up === 0 ? model.scroll : { ...model.scroll, up: up + grown },
    foundAt: model.foundAt === null || model.foundAt < dropped ? null : model.foundAt - dropped,
  };
}

/** No supervisor responds: a confirmation that is open is closed, because nothing can be requested. */
export function withAway(model: Model, now: number): Model {
  return { ...model, now, awaySince: model.awaySince ?? now, dialog: null };
}

export function withMessage(model: Model, text: string, style: Style): Model {
  return { ...model, message: { text, style, until: model.now + MESSAGE_TIME } };
}

export function withSize(model: Model, size: Model['size']): Model {
  return keepSelection({ ...model, size });
}

/** Keeps the selected service, or selects the first one if it is no longer listed, and scrolls the table to it. */
export function keepSelection(model: Model): Model {
  const services = listed(model);
  const index = services.findIndex(({ name }) => name === model.selected);
  const selected = services[Math.max(0, index)]?.name ?? null;
  const { rows } = layoutOf(model).services;
  const first = firstFor(model.first, Math.max(0, index), services.length, rows);
  return selected === model.selected && first === model.first ? model : { ...selectService(model, selected), first };
}

/** Selects a service. If it is another one, its pane is shown from the beginning. */
export function selectService(model: Model, selected: string | null): Model {
  if (selected === model.selected) return model;
  return { ...model, selected, scroll: { up: 0, right: 0 }, paneTop: 0, foundAt: null };
}
