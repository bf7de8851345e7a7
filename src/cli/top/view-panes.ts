// The panes beside the log: dependencies of the chosen service, the start of all services over time; details are in view-details.ts.
// Each is a list of rows, of which as many are shown as fit. Pure.
import { shownState, type WireSpan } from '../../control/wire.ts';
import { renderDuration } from '../../text.ts';
import { appearance, type GraphNode, type Model, type TopService } from './model.ts';
import { Row } from './row.ts';
import { clean, widthOf } from './text.ts';
import { detailRows } from './view-details.ts';

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
      .add(`  ${shownState(service)}`, style);
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
