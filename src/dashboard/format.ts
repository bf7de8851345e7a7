// The words and numbers of the dashboard for what the API returns: states, actions, durations, sizes. Draws nothing and uses no API
// of a browser. Pure.
import type { StatusBody } from '../control/api.ts';
import type { DependencyEdge } from '../control/consequences.ts';
import type { Operation } from '../core/event.ts';
import { renderSize } from '../text.ts';

export type ServiceStatus = StatusBody['services'][number];

/**
 * The colour and the icon of a state. `wait`: it will change by itself; `calm`: neither good nor bad, such as stopped on request.
 */
export type Mood = 'good' | 'wait' | 'bad' | 'calm';

type Shown = Pick<ServiceStatus, 'type' | 'state'> &
  Partial<Pick<ServiceStatus, 'probed' | 'blocked' | 'unkillable' | 'success' | 'schedule'>>;

/** The word for a state. A service without a readiness probe is `running`, because nothing has found it ready. */
export function labelOf(service: Shown): string {
  const { state, probed = true, blocked = false, unkillable = false, schedule = null, success } = service;
  if (unkillable) return 'cannot be killed';
  if (blocked && state === 'pending') return 'blocked';
  if (state === 'scheduled' && schedule?.last_run?.success === false) return 'failed, scheduled again';
  if (state === 'ready' && !probed) return 'running';
  if (state !== 'backoff') return state;
  // With `restart: always`, a service that has ended with success restarts as intended.
  return success === true ? 'starting again' : 'restarting';
}

const MOODS: Readonly<Record<string, Mood>> = {
  ready: 'good',
  completed: 'good',
  failed: 'bad',
  blocked: 'bad',
  'cannot be killed': 'bad',
  'failed, scheduled again': 'bad',
  restarting: 'bad',
  'starting again': 'wait',
  unready: 'wait',
  starting: 'wait',
  stopping: 'wait',
  pending: 'wait',
  running: 'good',
};

/** `label`: the result of `labelOf`. */
export function moodOf(label: string): Mood {
  return MOODS[label] ?? 'calm';
}

/** The labels of services that need a person, most urgent first. */
const URGENCY = ['failed', 'cannot be killed', 'blocked', 'failed, scheduled again', 'restarting', 'unready'];

/** The rank of a service among those that need a person, 0 the most urgent; null: it needs none. */
export function urgencyOf(service: Shown): number | null {
  const at = URGENCY.indexOf(labelOf(service));
  return at < 0 ? null : at;
}

interface Counts {
  readonly urgent: number;
  readonly up: number;
  readonly inProgress: number;
  readonly notRunning: number;
}

const UP: ReadonlySet<string> = new Set(['ready', 'running']);
const IN_PROGRESS: ReadonlySet<string> = new Set(['starting', 'pending', 'stopping', 'starting again']);

/** How many services are in each condition. Each service is counted once. */
export function countServices(services: readonly Shown[]): Counts {
  const labels = services.filter((service) => urgencyOf(service) === null).map(labelOf);
  const up = labels.filter((label) => UP.has(label)).length;
  const inProgress = labels.filter((label) => IN_PROGRESS.has(label)).length;
  return {
    urgent: services.length - labels.length,
    up,
    inProgress,
    notRunning: labels.length - up - inProgress,
  };
}

/**
 * The operations that a service offers in its state, with the label of each button, the usual one first. No two have the same
 * effect.
 */
export function actionsOf({ type, state, blocked }: ServiceStatus): readonly (readonly [Operation, string])[] {
  switch (state) {
    case 'starting':
    case 'running':
    case 'ready':
    case 'unready':
      return [
        ['restart', 'Restart'],
        ['stop', 'Stop'],
      ];
    case 'backoff':
      return [
        ['start', 'Start now'],
        ['stop', 'Stop'],
      ];
    case 'pending':
      return blocked
        ? [
            ['start', 'Start'],
            ['stop', 'Stop'],
          ]
        : [['stop', 'Stop']];
    case 'completed':
    case 'failed':
      return [['start', type === 'task' ? 'Run again' : 'Start']];
    case 'scheduled':
      return [
        ['start', 'Run now'],
        ['stop', 'Stop'],
      ];
    case 'stopping':
      return [['start', 'Start again']];
    case 'stopped':
    case 'idle':
      return [['start', 'Start']];
    default:
      return [];
  }
}

const UNITS = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'm'],
  [1, 's'],
] as const;

/** `412 ms`, `6.2 s`, `2m 10s`, `3h 5m`; a dash if there is no value. */
export function span(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return '–';
  if (seconds < 0.9995) return `${Math.round(seconds * 1_000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const whole = Math.floor(seconds);
  const first = UNITS.findIndex(([unit]) => whole >= unit);
  const [large = [1, 's'], small] = UNITS.slice(first, first + 2);
  const rest = small === undefined ? 0 : Math.floor((whole % large[0]) / small[0]);
  return `${Math.floor(whole / large[0])}${large[1]}${rest > 0 && small !== undefined ? ` ${rest}${small[1]}` : ''}`;
}

/** `1.5 MiB`; a dash if there is no value. */
export function sizeOf(bytes: number | null | undefined): string {
  return bytes === null || bytes === undefined ? '–' : renderSize(bytes);
}

/** `0.4 %`, `87 %`; a dash if there is no value. */
export function renderShare(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}

/** `1 line`, `2 lines` */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** How a main process ended: `code 3`, `SIGKILL`. */
export function exitOf(exit: ServiceStatus['exit']): string {
  if (exit === null) return '–';
  return exit.signal ?? `code ${exit.code}`;
}

/**
 * `db (ready); 1 of a-1 (started), a-2 (started)`: what a service waits for, one part for each target. `needs`: its edges. Without
 * replicas to choose from, commas separate the parts.
 */
export function describeNeeds(needs: readonly DependencyEdge[]): string {
  const targets = Map.groupBy(needs, ({ on, any }) => (any === undefined ? `service ${on}` : `replicas ${any.of}`));
  const parts = [...targets.values()].map((edges) => {
    const least = edges[0]?.any?.least;
    const words = edges.map(({ on, condition }) => `${on} (${condition})`).join(', ');
    return least === undefined ? words : `${least} of ${words}`;
  });
  return parts.join(targets.size > 1 && needs.some(({ any }) => any !== undefined) ? '; ' : ', ');
}
