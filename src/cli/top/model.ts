// The state of `top`: the latest responses of the supervisor, samples of CPU and memory, and what the user has selected and opened. Types,
// and functions that read them; update.ts and input.ts make the next model. Pure.
import type { GpusBody, StatusBody } from '../../control/api.ts';
import type { DetailsBody } from '../../control/details.ts';
import type { WireGraphNode, WireTimeline } from '../../control/wire.ts';
import type { Operation } from '../../core/event.ts';
import type { LogBuffer } from './logs.ts';
import type { Look, Mark, Style } from './style.ts';

export type TopService = StatusBody['services'][number];

/** The edges of a service. */
export type GraphNode = Pick<WireGraphNode, 'name' | 'needs'>;

/** A GPU, and the services that have it. */
export type ShownGpu = GpusBody['gpus'][number];

export const PANES = ['logs', 'dependencies', 'start-up', 'details'] as const;
export type Pane = (typeof PANES)[number];
export const SORTS = ['failing', 'name', 'cpu', 'memory'] as const;
export type Sort = (typeof SORTS)[number];

/** Usage over one interval of SAMPLE_EVERY. */
export interface Sample {
  /** Number of the interval: wall time divided by SAMPLE_EVERY. */
  readonly at: number;
  /** 1 is one whole processor; null: not known. */
  readonly cpu: number | null;
  /** Bytes; null: not known. */
  readonly memory: number | null;
}

/** The usage of one service over time. */
export interface Series {
  /** Oldest first. */
  readonly samples: readonly Sample[];
  /** The latest value, over the time since the previous response. */
  readonly cpu: number | null;
  /** The latest response: run, processor time, and time of the response in milliseconds; null: it had no processor time. */
  readonly last: { readonly run: number; readonly cpuSeconds: number; readonly at: number } | null;
  /** When the service failed or was restarted last, as far as `top` has seen it, milliseconds; null: never. */
  readonly troubledAt: number | null;
}

/** The interval of one sample, which one cell of a sparkline shows, milliseconds. */
export const SAMPLE_EVERY = 5_000;

/** A text that the user types in the footer. */
export interface Prompt {
  /** `find` searches the log, `filter` hides lines of the log, `services` hides services by name. */
  readonly kind: 'find' | 'filter' | 'services';
  readonly text: string;
  /** Restored by Escape. */
  readonly before: string;
}

/** The confirmation of an operation. */
export interface Dialog {
  readonly operation: Operation;
  readonly service: string;
}

/** The part of the log that is shown. */
export interface Scroll {
  /** Lines between the last line of the log and the last line that is shown; 0 follows the log. */
  readonly up: number;
  /** Cells that are hidden at the left. */
  readonly right: number;
}

export interface Model {
  readonly size: { readonly columns: number; readonly rows: number };
  /** Wall time, milliseconds. */
  readonly now: number;
  readonly look: Look;
  readonly status: StatusBody | null;
  /** Wall time since when no supervisor has responded; null: one responds. */
  readonly awaySince: number | null;
  readonly graph: readonly GraphNode[] | null;
  readonly timeline: WireTimeline | null;
  /** The latest response; it may be that of another service than the selected one. */
  readonly details: DetailsBody | null;
  readonly gpus: readonly ShownGpu[];
  /** Whether `series` has the samples that the supervisor recorded before `top` began. */
  readonly hasHistory: boolean;
  readonly series: ReadonlyMap<string, Series>;
  readonly logs: ReadonlyMap<string, LogBuffer>;
  readonly selected: string | null;
  /** Index of the first service that is shown. */
  readonly first: number;
  readonly sort: Sort;
  readonly pane: Pane;
  readonly focus: 'services' | 'pane';
  /** The pane fills the screen. */
  readonly isZoomed: boolean;
  readonly scroll: Scroll;
  /** First line of the panes other than the log. */
  readonly paneTop: number;
  /** The text of the search; empty: none. */
  readonly find: string;
  /** Index of the line that was found last, among the lines that the filter leaves; null: none. */
  readonly foundAt: number | null;
  /** Lines without this text are hidden; empty: none. */
  readonly filter: string;
  /** Services without this text in their names are hidden; empty: none. */
  readonly names: string;
  readonly wraps: boolean;
  readonly showsTime: boolean;
  readonly takesMouse: boolean;
  readonly prompt: Prompt | null;
  readonly dialog: Dialog | null;
  readonly isHelping: boolean;
  readonly message: { readonly text: string; readonly style: Style; readonly until: number } | null;
}

/** The model before the first response. */
export function initialModel(given: Pick<Model, 'size' | 'now' | 'look'>): Model {
  return {
    ...given,
    status: null,
    awaySince: null,
    graph: null,
    timeline: null,
    details: null,
    gpus: [],
    hasHistory: false,
    series: new Map(),
    logs: new Map(),
    selected: null,
    first: 0,
    sort: 'failing',
    pane: 'logs',
    focus: 'services',
    isZoomed: false,
    scroll: { up: 0, right: 0 },
    paneTop: 0,
    find: '',
    foundAt: null,
    filter: '',
    names: '',
    wraps: false,
    showsTime: given.size.columns >= 100,
    takesMouse: true,
    prompt: null,
    dialog: null,
    isHelping: false,
    message: null,
  };
}

/** How a state is shown, and its rank: what needs attention is first. */
const STATES: Readonly<Record<string, { readonly rank: number; readonly mark: Mark; readonly style: Style }>> = {
  failed: { rank: 0, mark: 'bad', style: 'bad' },
  backoff: { rank: 1, mark: 'bad', style: 'bad' },
  unready: { rank: 2, mark: 'busy', style: 'busy' },
  starting: { rank: 3, mark: 'busy', style: 'busy' },
  stopping: { rank: 3, mark: 'busy', style: 'busy' },
  pending: { rank: 4, mark: 'busy', style: 'busy' },
  running: { rank: 5, mark: 'good', style: 'good' },
  ready: { rank: 5, mark: 'good', style: 'good' },
  completed: { rank: 6, mark: 'done', style: 'good' },
  scheduled: { rank: 6, mark: 'timed', style: 'quiet' },
  idle: { rank: 7, mark: 'off', style: 'quiet' },
  stopped: { rank: 7, mark: 'off', style: 'quiet' },
  skipped: { rank: 8, mark: 'off', style: 'quiet' },
};
/** The highest rank of a failing service. */
const TROUBLE_RANK = 1;
/**
 * How long a service that has failed keeps the rank of a failing one, milliseconds: a service that fails again and again runs in
 * between, and the rows would change places each time.
 */
const TROUBLE_TIME = 60_000;
/** The look of a blocked service, and of a scheduled task whose latest run failed. */
const FAULTY = { rank: 0, mark: 'bad', style: 'bad' } as const;
/** The look of a service that has ended with success and restarts as intended (`restart: always`). */
const AGAIN = { rank: 3, mark: 'busy', style: 'busy' } as const;
const UNKNOWN = { rank: 5, mark: 'busy', style: 'plain' } as const;

/** The mark, the style and the rank of a service. */
export function appearance({
  state,
  blocked,
  ready,
  success,
}: Pick<TopService, 'state' | 'blocked' | 'ready' | 'success'>) {
  if (state === 'backoff' && success === true) return AGAIN;
  return blocked || (state === 'scheduled' && !ready) ? FAULTY : (STATES[state] ?? UNKNOWN);
}

/** Whether a service is failing. */
export function isTroubled(service: TopService): boolean {
  return appearance(service).rank <= TROUBLE_RANK;
}

/** The services that the filter of names leaves, in the selected order. */
export function listed({ status, sort, names, series, now }: Model): readonly TopService[] {
  const wanted = names.toLowerCase();
  const found = (status?.services ?? []).filter(({ name }) => name.toLowerCase().includes(wanted));
  const cpu = ({ name }: TopService) => series.get(name)?.cpu ?? -1;
  const memory = ({ usage }: TopService) => usage?.memory_bytes ?? -1;
  const rank = (service: TopService) => {
    const troubled = series.get(service.name)?.troubledAt ?? null;
    const isRecent = troubled !== null && now - troubled < TROUBLE_TIME;
    return Math.min(appearance(service).rank, isRecent ? TROUBLE_RANK : Number.POSITIVE_INFINITY);
  };
  // The sort is stable: services with equal keys keep the order of the file.
  return found.toSorted((a, b) => {
    switch (sort) {
      case 'failing':
        return rank(a) - rank(b);
      case 'name':
        return a.name < b.name ? -1 : 1;
      case 'cpu':
        return cpu(b) - cpu(a);
      case 'memory':
        return memory(b) - memory(a);
      default:
        return sort satisfies never;
    }
  });
}

/** The selected service; null: none is selected. */
export function serviceOf({ status, selected }: Model): TopService | null {
  return status?.services.find(({ name }) => name === selected) ?? null;
}

/** The samples of a service in the latest `count` intervals, oldest first; null: no sample. The last interval is not over yet. */
export function recent(series: Series | undefined, now: number, count: number): readonly (Sample | null)[] {
  const last = Math.floor(now / SAMPLE_EVERY);
  const byTime = new Map((series?.samples ?? []).map((sample) => [sample.at, sample]));
  return Array.from({ length: count }, (_, index) => byTime.get(last - count + 1 + index) ?? null);
}
