// The pane with the details of the selected service: facts, CPU and memory over time, GPUs, probes with their last results, the latest
// runs. Returns all rows; the caller shows those that fit. Pure.
import type { DetailsBody } from '../../control/details.ts';
import { shownState } from '../../control/wire.ts';
import { renderDuration } from '../../text.ts';
import { type Model, recent, SAMPLE_EVERY, serviceOf, type TopService } from './model.ts';
import { blankRow, type Row } from './row.ts';
import type { Style } from './style.ts';
import { chartTop, clean, maximum, percent, shortDuration, shortSize } from './text.ts';

/** The rows of the pane; those of the details are missing until they have arrived. */
export function detailRows(model: Model): readonly Row[] {
  const service = serviceOf(model);
  if (service === null) return [];
  const details = model.details?.name === service.name ? model.details : null;
  return [
    ...factRows(model, service, details),
    ...chartRows(model, service),
    ...gpuRows(model, service),
    ...(details === null ? [] : [...probeRows(model, details), ...runRows(model, details)]),
  ];
}

/** Cells of the label of a fact. LEAST of layout.ts leaves room beside it, and beside LABEL, in each half. */
const FACT = 13;

function factRows(model: Model, service: TopService, details: DetailsBody | null): readonly Row[] {
  const half = Math.floor(model.size.columns / 2);
  const wide = wideFacts(service, details).map(([label, text]) =>
    blankRow(model).cell(` ${label}`, FACT, 'quiet').add(clean(text)),
  );
  const facts = shortFacts(service);
  const rows: Row[] = [];
  for (let index = 0; index < facts.length; index += 2) {
    const row = blankRow(model);
    for (const [label, text] of facts.slice(index, index + 2))
      row.cell(` ${label}`, FACT, 'quiet').cell(clean(text), half - FACT);
    rows.push(row);
  }
  return [...wide, ...rows];
}

/** Label and text. */
type Fact = readonly [string, string];

/** Facts that may need the whole width of a row. */
function wideFacts(service: TopService, details: DetailsBody | null): readonly Fact[] {
  const { reason, blocked, schedule } = service;
  const why = reason === null ? '' : `: ${reason}`;
  return [
    ['state', `${shownState(service)}${blocked ? ', blocked' : ''}${why}`],
    ...(details === null ? [] : [['command', commandText(details.command)] as const]),
    ...(schedule === null || schedule === undefined
      ? []
      : [['next run', schedule.next_run ?? 'not known yet'] as const]),
  ];
}

/** The text of a shell command, or the words of another one. */
function commandText(command: DetailsBody['command']): string {
  const [shell, option, text] = command;
  return shell === '/bin/sh' && option === '-c' && text !== undefined ? text : command.join(' ');
}

/** Facts of which two fit into a row. */
function shortFacts({
  pid,
  run,
  restarts,
  uptime_seconds,
  ready_after_seconds,
  usage,
  ...service
}: TopService): readonly Fact[] {
  const { exit, group, replica, gpus } = service;
  return [
    ['pid', pid === null ? '-' : String(pid)],
    ['run', `${run}, ${restarts} ${restarts === 1 ? 'restart' : 'restarts'}`],
    ['uptime', uptime_seconds === null ? '-' : shortDuration(uptime_seconds)],
    ['ready after', ready_after_seconds === null ? '-' : renderDuration(ready_after_seconds * 1_000)],
    ['processes', usage === null ? '-' : String(usage.processes)],
    ['type', `${service.type}${service.essential ? ', essential' : ''}`],
    ...(exit === null ? [] : [['last exit', exit.signal ?? `code ${exit.code}`] as const]),
    ...(group === null ? [] : [['group', group] as const]),
    ...(replica === null ? [] : [['replica', `${replica.index} of ${replica.of}`] as const]),
    ...(gpus === null ? [] : [['GPUs', gpus.length === 0 ? 'none' : gpus.join(', ')] as const]),
  ];
}

/** Rows of a chart, and cells of the label at its left. */
const CHART = 3;
const LABEL = 11;

/** CPU on the left, memory on the right. */
function chartRows(model: Model, service: TopService): readonly Row[] {
  const half = Math.floor(model.size.columns / 2);
  const charts = (['cpu', 'memory'] as const).map((kind) => chartOf(model, service, kind, half - LABEL - 2));
  return Array.from({ length: CHART }, (_, index) => {
    const row = blankRow(model);
    for (const { labels, lines } of charts)
      row
        .cell(` ${labels[index]}`, LABEL, 'quiet')
        .add(' ')
        .add(lines[index] ?? '', 'accent')
        .add(' ');
    return row;
  });
}

function chartOf({ look, series, now }: Model, { name }: TopService, kind: 'cpu' | 'memory', cells: number) {
  const values = recent(series.get(name), now, cells).map((sample) => sample?.[kind] ?? null);
  const most = maximum(values);
  const top = chartTop(kind, most);
  const write = kind === 'cpu' ? percent : shortSize;
  const lines = Array.from({ length: CHART }, (_, index) => {
    // Each row shows its part of the height, from `floor` up, as a share of the top: the lowest row fills first.
    const floor = (CHART - 1 - index) / CHART;
    const drawn = values.map((value) => {
      if (value === null) return ' ';
      const part = Math.min(1, Math.max(0, (value / top - floor) * CHART));
      if (part === 0 && floor > 0) return ' ';
      return look.bars[Math.max(0, Math.round(part * look.bars.length) - 1)] ?? ' ';
    });
    return drawn.join('');
  });
  const span = shortDuration((cells * SAMPLE_EVERY) / 1_000);
  return { lines, labels: [kind === 'cpu' ? 'CPU' : 'memory', `max ${write(most)}`, `${span} ago`] };
}

function gpuRows(model: Model, { name, gpus }: TopService): readonly Row[] {
  if (gpus === null || gpus.length === 0) return [];
  return model.gpus
    .filter(({ services }) => services.includes(name))
    .map((gpu) => {
      const use = gpu.use_percent === null ? 'use not known' : `${Math.round(gpu.use_percent)}%`;
      const [used, total] = [gpu.memory_used_bytes, gpu.memory_total_bytes].map((bytes) =>
        bytes === null ? '?' : shortSize(bytes),
      );
      return blankRow(model)
        .cell(` GPU ${gpu.index}`, FACT, 'quiet')
        .add(`${use}, ${used} of ${total}  `)
        .add(clean(gpu.name), 'quiet');
    });
}

const RESULTS: Readonly<Record<string, Style>> = {
  ok: 'good',
  failed: 'bad',
  timeout: 'bad',
  completed: 'good',
  running: 'good',
};

function probeRows(model: Model, { probes }: DetailsBody): readonly Row[] {
  return probes.map(({ use, kind, target, last }) => {
    const row = blankRow(model).cell(` ${use} probe`, FACT, 'quiet');
    if (last === null) row.add('no result yet  ', 'busy');
    else
      row.add(last.result, RESULTS[last.result] ?? 'plain').add(`${last.text === '' ? '' : `: ${clean(last.text)}`}  `);
    return row.add(`${kind} ${clean(target)}`, 'quiet');
  });
}

function runRows(model: Model, { runs }: DetailsBody): readonly Row[] {
  return runs.map(({ run, started, lasted_seconds, ready_after_seconds, result, text }) => {
    const row = blankRow(model)
      .cell(` run ${run}`, FACT, 'quiet')
      .cell(result, 10, RESULTS[result] ?? 'plain');
    row.add(started === null ? '' : `${started.slice(0, 19).replace('T', ' ')}  `, 'quiet');
    if (lasted_seconds !== null) row.add(`lasted ${renderDuration(lasted_seconds * 1_000)}  `);
    if (ready_after_seconds !== null) row.add(`ready after ${renderDuration(ready_after_seconds * 1_000)}  `, 'quiet');
    return row.add(clean(text ?? ''));
  });
}
