// The status table and the line below it: aligned columns, formatted durations and sizes. Pure.
import { printable, renderCount, renderDuration, renderSize } from '../text.ts';
import type { StatusBody } from './api.ts';
import { shownState } from './wire.ts';

const HEAD = ['SERVICE', 'STATE', 'PID', 'UPTIME', 'RESTARTS', 'CPU', 'MEMORY'] as const;
const COLOUR: Readonly<Record<string, number>> = {
  ready: 32,
  running: 32,
  completed: 32,
  starting: 33,
  unready: 33,
  pending: 33,
  backoff: 33,
  stopping: 33,
  failed: 31,
};

export function renderStatus(services: StatusBody['services'], colour: boolean): string {
  // Most machines have no GPU, and an empty column would waste space.
  const hasGpus = services.some(({ gpus }) => gpus !== null);
  const head = [...HEAD, ...(hasGpus ? ['GPU'] : []), 'NOTE'];
  const rows = services.map((service) => [
    printable(service.name),
    shownState(service),
    service.pid === null ? '-' : String(service.pid),
    service.uptime_seconds === null ? '-' : renderDuration(service.uptime_seconds * 1_000),
    String(service.restarts),
    service.usage === null ? '-' : renderDuration(service.usage.cpu_seconds * 1_000),
    service.usage === null ? '-' : renderSize(service.usage.memory_bytes),
    ...(hasGpus
      ? [service.gpus === null || service.gpus.length === 0 ? '-' : printable(service.gpus.map(brief).join(','))]
      : []),
    noteOf(service),
  ]);
  const table = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table
    .map((row, line) => {
      const cells = row.map((cell, column) => {
        const padded = column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0);
        const code = colour && line > 0 && column === 1 ? COLOUR[cell] : undefined;
        return code === undefined ? padded : `\x1b[${code}m${padded}\x1b[0m`;
      });
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}

/** A line about restarts of the supervisor; empty if there were none. `wall`: milliseconds since 1970. */
export function renderRestarts({ restarts, last }: StatusBody['supervisor'], wall: number): string {
  if (restarts === 0) return '';
  const often = restarts === 1 ? 'once' : restarts === 2 ? 'twice' : `${restarts} times`;
  const ago = last === null ? '' : `, last ${renderDuration(Math.max(0, wall - Date.parse(last.time)))} ago`;
  const why = last === null ? '' : `: it ${printable(last.reason)}`;
  return `the supervisor was restarted ${often}${ago}${why}\n`;
}

/** A line for each number of replicas that differs from the file. */
export function renderScale(scale: StatusBody['scale']): string {
  return Object.entries(scale)
    .map(
      ([name, { replicas, file }]) =>
        `${name} has ${renderCount(replicas, 'replica')} by \`svc-super scale\`; the file has ${file}\n`,
    )
    .join('');
}

/** `GPU-8932f937-d72c-…` as `GPU-8932f937`: the rest is in `--json`. */
function brief(device: string): string {
  return /^(?:GPU|MIG)-[^-/]+/.exec(device)?.[0] ?? device;
}

function noteOf({ state, probed, reason, ready_after_seconds: after }: StatusBody['services'][number]): string {
  if (reason !== null) return printable(reason);
  return state === 'ready' && probed && after !== null && after >= 0.1
    ? `ready after ${renderDuration(after * 1_000)}`
    : '';
}
