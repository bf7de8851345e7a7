// The panes other than the log: dependencies of the selected service, and the start of all services over time; view-details.ts has the
// details. Returns all rows of a pane; the caller shows those that fit. Pure.
import { startBars } from '../../control/start-bars.ts';
import { shownState } from '../../control/wire.ts';
import { renderDuration } from '../../text.ts';
import { appearance, type GraphNode, type Model, type TopService } from './model.ts';
import { blankRow, type Row } from './row.ts';
import { clean, widthOf } from './text.ts';
import { detailRows } from './view-details.ts';

/** All rows of the open pane; none for the log, which view-logs.ts shows. */
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

/** Levels of the tree that are shown: each indents the name, which must stay in the row. */
const DEEPEST = 12;

function dependencyRows(model: Model): readonly Row[] {
  const { graph, selected } = model;
  if (graph === null || selected === null) return [blankRow(model).add(' requesting the dependencies ...', 'quiet')];
  const nodes = new Map(graph.map((node) => [node.name, node]));
  const needs = (name: string) => (nodes.get(name)?.needs ?? []).map((need) => ({ ...need, name: need.on }));
  const users = (name: string) =>
    graph.flatMap((node) => node.needs.filter(({ on }) => on === name).map((need) => ({ ...need, name: node.name })));
  return [
    blankRow(model).add(` ${clean(selected)} needs`, 'strong'),
    ...tree(model, selected, needs, 'nothing'),
    blankRow(model),
    blankRow(model).add(` ${clean(selected)} is needed by`, 'strong'),
    ...tree(model, selected, users, 'no service'),
  ];
}

/** An edge; `name` is its other end, seen from the service that is explained. */
type Need = GraphNode['needs'][number] & { readonly name: string };

/** The services at the other ends of the edges of `root`, directly and through others. `none`: shown if there is none. */
function tree(model: Model, root: string, next: (name: string) => readonly Need[], none: string): readonly Row[] {
  const { look, status } = model;
  const states = new Map((status?.services ?? []).map((service) => [service.name, service]));
  /** The services whose own edges are shown. */
  const unfolded = new Set([root]);
  const rows: Row[] = [];
  const walk = (name: string, indent: string, depth: number) => {
    const needs = next(name);
    for (const [index, need] of needs.entries()) {
      const isLast = index === needs.length - 1;
      const isRepeated = unfolded.has(need.name);
      const isHidden = !isRepeated && depth === DEEPEST;
      const hasMore = next(need.name).length > 0;
      const row = needRow(model, need, `${indent}${look.branch[isLast ? 1 : 0]}`, states.get(need.name));
      rows.push(hasMore && (isRepeated || isHidden) ? row.add(isHidden ? '  ...' : '  (above)', 'quiet') : row);
      if (isRepeated || isHidden) continue;
      unfolded.add(need.name);
      walk(need.name, `${indent}${isLast ? '   ' : look.branch[2]}`, depth + 1);
    }
  };
  walk(root, ' ', 1);
  return rows.length > 0 ? rows : [blankRow(model).add(` ${none}`, 'quiet')];
}

function needRow(model: Model, need: Need, indent: string, service: TopService | undefined): Row {
  const row = blankRow(model).onClick({ kind: 'select', name: need.name }).add(indent, 'quiet');
  if (service !== undefined) {
    const { mark, style } = appearance(service);
    row
      .add(`${model.look.mark(mark)} `, style)
      .add(clean(need.name))
      .add(`  ${shownState(service)}`, style);
  } else row.add(clean(need.name));
  const any = need.any === undefined ? '' : `, any ${need.any.least} of ${clean(need.any.of)}`;
  const parts = [
    `until ${need.condition}${any}`,
    ...(need.restarts === true ? ['restarts with it'] : []),
    ...(need.origin === 'stage' ? ['stage'] : []),
  ];
  return row.add(`  ${parts.join('; ')}`, 'quiet');
}

/** The least cells of the bars. On a narrow screen, names are cut first. */
const LEAST_BAR = 12;

function startRows(model: Model): readonly Row[] {
  const { timeline, look, size } = model;
  if (timeline === null) return [blankRow(model).add(' requesting the start-up times ...', 'quiet')];
  const { bars, end } = startBars(timeline);
  const longest = Math.max(4, ...bars.map(({ name }) => widthOf(clean(name))));
  const name = Math.max(4, Math.min(longest, size.columns - 24 - LEAST_BAR));
  const cells = Math.max(LEAST_BAR, size.columns - name - 24);
  const head =
    timeline.ready_ms === null
      ? 'not everything is ready yet'
      : `everything was ready after ${renderDuration(timeline.ready_ms)}`;
  const chain = bars.filter(({ critical }) => critical).map((bar) => clean(bar.name));
  const path = chain.length === 0 ? '' : `; * critical path: ${chain.join(' > ')}`;
  return [
    blankRow(model).add(` ${head}${path}`, timeline.ready_ms === null ? 'busy' : 'plain'),
    ...bars.map((bar) => {
      const from = Math.min(cells - 1, Math.floor((bar.from / end) * cells));
      const length = Math.max(1, Math.min(cells - from, Math.round(((bar.to - bar.from) / end) * cells)));
      const unready = appearance({ state: bar.state, blocked: false, ready: false, success: null }).style;
      return blankRow(model)
        .onClick({ kind: 'select', name: bar.name })
        .add(bar.critical ? ' * ' : '   ', 'strong')
        .cell(clean(bar.name), name, bar.name === model.selected ? 'strong' : 'plain')
        .cell(`+${renderDuration(bar.from)}`, 10, 'quiet', 'right')
        .cell(renderDuration(bar.to - bar.from), 9, bar.ready_ms === null ? unready : 'plain', 'right')
        .add(`  ${' '.repeat(from)}`)
        .add(
          (bar.critical ? look.full : look.light).repeat(length),
          bar.ready_ms === null ? unready : bar.critical ? 'bad' : 'accent',
        );
    }),
    ...timeline.services
      .filter(({ started_ms }) => started_ms === null)
      .map((span) =>
        blankRow(model)
          .add(`   ${clean(span.name)}  ${span.state}`, 'quiet')
          .add(span.after === null ? '' : `: waits for ${clean(span.after)}`, 'quiet'),
      ),
  ];
}
