// The panes beside the log: dependencies of the chosen service, the start of all services over time, details of the chosen one.
// Each is a list of rows, of which as many are shown as fit. Pure.
import type { WireSpan } from '../../control/wire.ts';
import { renderDuration } from '../../text.ts';
import { appearance, type GraphNode, type Model, recent, SAMPLE_EVERY, serviceOf, type TopService } from './model.ts';
import { Row } from './row.ts';
import { clean, percent, shortDuration, shortSize, widthOf } from './text.ts';
import { maximum } from './view-services.ts';

export function paneRows(model: Model): readonly Row[] {
  switch (model.pane) {
    case 'logs':
      return [];
    case 'dependencies':
      return dependencyRows(model);
    case 'start-up':
      return startRows(model);
    case 'details':
      return detailRows(model);
    default:
      return model.pane satisfies never;
  }
}

const blank = ({ look, size }: Model) => new Row(look, size.columns);

/** Deeper chains are cut: a row has to show the name. */
const DEEPEST = 12;

function dependencyRows(model: Model): readonly Row[] {
  const { graph, selected } = model;
  if (graph === null || selected === null) return [blank(model).add(' asking the supervisor ...', 'quiet')];
  const nodes = new Map(graph.map((node) => [node.name, node]));
  const needs = (name: string) => (nodes.get(name)?.needs ?? []).map((need) => ({ ...need, name: need.on }));
  const users = (name: string) =>
    graph.flatMap((node) => node.needs.filter(({ on }) => on === name).map((need) => ({ ...need, name: node.name })));
  return [
    blank(model).add(' it needs', 'strong'),
    ...tree(model, selected, needs, 'nothing'),
    blank(model),
    blank(model).add(' it is needed by', 'strong'),
    ...tree(model, selected, users, 'no service'),
  ];
}

type Need = GraphNode['needs'][number] & { readonly name: string };

function tree(model: Model, root: string, next: (name: string) => readonly Need[], none: string): readonly Row[] {
  const { look, status } = model;
  const states = new Map((status?.services ?? []).map((service) => [service.name, service]));
  const seen = new Set([root]);
  const rows: Row[] = [];
  const walk = (name: string, indent: string, depth: number) => {
    const needs = next(name);
    for (const [index, need] of needs.entries()) {
      const isLast = index === needs.length - 1;
      const isRepeated = seen.has(need.name);
      seen.add(need.name);
      const hasMore = next(need.name).length > 0;
      const row = needRow(model, need, `${indent}${look.branch[isLast ? 1 : 0]}`, states.get(need.name));
      rows.push(isRepeated && hasMore ? row.add('  (above)', 'quiet') : row);
      if (!isRepeated && depth < DEEPEST) walk(need.name, `${indent}${isLast ? '   ' : look.branch[2]}`, depth + 1);
    }
  };
  walk(root, ' ', 0);
  return rows.length > 0 ? rows : [blank(model).add(` ${none}`, 'quiet')];
}

function needRow(model: Model, need: Need, indent: string, service: TopService | undefined): Row {
  const row = blank(model).all({ kind: 'select', name: need.name }).add(indent, 'quiet');
  if (service !== undefined) {
    const { mark, style } = appearance(service);
    row
      .add(`${model.look.mark(mark)} `, style)
      .add(clean(need.name))
      .add(`  ${service.state}`, style);
  } else row.add(clean(need.name));
  const parts = [
    need.condition,
    ...(need.any === undefined ? [] : [`any ${need.any.least} of ${clean(need.any.of)}`]),
    ...(need.restarts === true ? ['restarts with it'] : []),
    ...(need.origin === 'stage' ? ['stage'] : []),
  ];
  return row.add(`  until ${parts.join(', ')}`, 'quiet');
}

/** Cells of the bars at least; the names get what is left of a narrow screen. */
const LEAST_BAR = 12;

function startRows(model: Model): readonly Row[] {
  const { timeline, look, size } = model;
  if (timeline === null) return [blank(model).add(' asking the supervisor ...', 'quiet')];
  const spans = timeline.services
    .filter((span): span is WireSpan & { started_ms: number } => span.started_ms !== null)
    .toSorted((a, b) => a.started_ms - b.started_ms);
  const end = Math.max(1, ...spans.map(({ ready_ms }) => ready_ms ?? timeline.elapsed_ms));
  const longest = Math.max(4, ...spans.map(({ name }) => widthOf(clean(name))));
  const name = Math.max(4, Math.min(longest, size.columns - 24 - LEAST_BAR));
  const cells = Math.max(LEAST_BAR, size.columns - name - 24);
  const head =
    timeline.ready_ms === null
      ? 'not everything is ready yet'
      : `everything was ready after ${renderDuration(timeline.ready_ms)}`;
  const chain = spans.filter(({ critical }) => critical).map((span) => clean(span.name));
  const path = chain.length === 0 ? '' : `; * critical path: ${chain.join(' > ')}`;
  return [
    blank(model).add(` ${head}${path}`, timeline.ready_ms === null ? 'busy' : 'plain'),
    ...spans.map((span) => {
      const to = span.ready_ms ?? timeline.elapsed_ms;
      const from = Math.min(cells - 1, Math.floor((span.started_ms / end) * cells));
      const length = Math.max(1, Math.min(cells - from, Math.round(((to - span.started_ms) / end) * cells)));
      const style = span.ready_ms === null ? 'busy' : span.critical ? 'bad' : 'accent';
      return blank(model)
        .all({ kind: 'select', name: span.name })
        .add(span.critical ? ' * ' : '   ', 'strong')
        .cell(clean(span.name), name, span.name === model.selected ? 'strong' : 'plain')
        .cell(`+${renderDuration(span.started_ms)}`, 10, 'quiet', 'right')
        .cell(renderDuration(to - span.started_ms), 9, span.ready_ms === null ? 'busy' : 'plain', 'right')
        .add(`  ${' '.repeat(from)}`)
        .add((span.critical ? look.full : look.light).repeat(length), style);
    }),
    ...timeline.services
      .filter(({ started_ms }) => started_ms === null)
      .map((span) =>
        blank(model)
          .add(`   ${clean(span.name)}  ${span.state}`, 'quiet')
          .add(span.after === null ? '' : `: waits for ${clean(span.after)}`, 'quiet'),
      ),
  ];
}

/** Rows of a chart, and cells of its labels. */
const CHART = 3;
const LABEL = 10;

function detailRows(model: Model): readonly Row[] {
  const service = serviceOf(model);
  if (service === null) return [];
  const { usage, exit, gpus, replica } = service;
  const facts: readonly (readonly [string, string])[] = [
    ['state', service.blocked ? `${service.state}, blocked` : service.state],
    ['reason', service.reason ?? '-'],
    ['pid', service.pid === null ? '-' : String(service.pid)],
    ['run', `${service.run}, ${service.restarts} ${service.restarts === 1 ? 'restart' : 'restarts'}`],
    ['uptime', service.uptime_seconds === null ? '-' : shortDuration(service.uptime_seconds)],
    ['ready after', service.ready_after_seconds === null ? '-' : renderDuration(service.ready_after_seconds * 1_000)],
    ['processes', usage === null ? '-' : String(usage.processes)],
    ['type', `${service.type}${service.essential ? ', essential' : ''}`],
    ...(exit === null ? [] : [['last exit', exit.signal ?? `code ${exit.code}`] as const]),
    ...(service.group === null ? [] : [['group', service.group] as const]),
    ...(replica === null ? [] : [['copy', `${replica.index} of ${replica.of}`] as const]),
    ...(gpus === null ? [] : [['GPUs', gpus.length === 0 ? 'none' : gpus.join(', ')] as const]),
  ];
  const half = Math.floor(model.size.columns / 2);
  const rows: Row[] = [];
  for (let index = 0; index < facts.length; index += 2) {
    const row = blank(model);
    for (const [label, text] of facts.slice(index, index + 2))
      row.cell(` ${label}`, 13, 'quiet').cell(clean(text), half - 13);
    rows.push(row);
  }
  return [...rows, ...chartRows(model, service, 'cpu'), ...chartRows(model, service, 'memory')];
}

function chartRows(model: Model, { name }: TopService, kind: 'cpu' | 'memory'): readonly Row[] {
  const { look, series, now, size } = model;
  const cells = size.columns - LABEL - 1;
  const values = recent(series.get(name), now, cells).map((sample) => sample?.[kind] ?? null);
  const most = maximum(values);
  const top = kind === 'cpu' ? Math.max(0.1, most) : Math.max(1, most * 1.4);
  const write = kind === 'cpu' ? percent : shortSize;
  const span = shortDuration((cells * SAMPLE_EVERY) / 1_000);
  const labels = [kind === 'cpu' ? 'CPU' : 'memory', `max ${write(most)}`, `-${span}`];
  return Array.from({ length: CHART }, (_, index) => {
    // Each row shows its part of the height: the lowest row fills first.
    const floor = (CHART - 1 - index) / CHART;
    const drawn = values.map((value) => {
      if (value === null) return ' ';
      const part = Math.min(1, Math.max(0, (value / top - floor) * CHART));
      if (part === 0 && floor > 0) return ' ';
      return look.bars[Math.max(0, Math.round(part * look.bars.length) - 1)] ?? ' ';
    });
    return blank(model).cell(` ${labels[index]}`, LABEL, 'quiet').add(' ').add(drawn.join(''), 'accent');
  });
}
