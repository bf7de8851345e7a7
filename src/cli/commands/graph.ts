// `graph`: prints the dependencies as text, as JSON, or as DOT for Graphviz. Changes nothing.
import type { WireGraphNode } from '../../control/wire.ts';
import { printable } from '../../text.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { JSON_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';
import { callSupervisor, reportNoSupervisor, reportRefusal } from '../request.ts';

export default {
  summary: 'show the dependencies of each service and their conditions',
  usage: 'svc-super graph [--dot] [--json]',
  example: 'svc-super graph --dot | dot -Tsvg > graph.svg',
  connects: true,
  flags: { dot: { type: 'boolean', summary: 'print DOT for Graphviz' }, json: JSON_FLAG },
  run: showGraph,
} satisfies Command;

async function showGraph(context: CommandContext, { values }: GivenFlags): Promise<number> {
  const response = await callSupervisor(context, { path: '/v1/graph' });
  if (!response.ok) return reportNoSupervisor(context, response);
  if (response.status !== 200) return reportRefusal(context, response.body);
  const { services } = response.body as { services: readonly WireGraphNode[] };
  if (values.json === true) context.out(renderJson(response.body, 2));
  else context.out(values.dot === true ? renderDot(services) : renderGraph(services));
  return EXIT.ok;
}

type Need = WireGraphNode['needs'][number];

/** The condition of an edge, and what belongs to it: `ready, any 1 of worker, restarts`. */
function describeNeed(
  { condition, restarts, any }: Need,
  describeAny: (any: NonNullable<Need['any']>) => string,
): string {
  const parts = [
    condition,
    ...(any === undefined ? [] : [describeAny(any)]),
    ...(restarts === true ? ['restarts'] : []),
  ];
  return parts.join(', ');
}

/** The dependencies as a table with a line for each service. */
export function renderGraph(nodes: readonly WireGraphNode[]): string {
  const rows = nodes.map(({ name, state, needs }) => {
    const waits = needs.map((need) => {
      const what = describeNeed(need, ({ of, least }) => `any ${least} of ${of}`);
      return `${need.on} (${what}${need.origin === 'stage' ? ', stage' : ''})`;
    });
    return { name, state: state ?? '-', waits: waits.length === 0 ? '-' : waits.join(', ') };
  });
  const width = Math.max(7, ...rows.map(({ name }) => name.length));
  const states = Math.max(5, ...rows.map(({ state }) => state.length));
  return [{ name: 'SERVICE', state: 'STATE', waits: 'WAITS FOR' }, ...rows]
    .map(({ name, state, waits }) => `${printable(`${name.padEnd(width)}  ${state.padEnd(states)}  ${waits}`)}\n`)
    .join('');
}

/** The dependencies as a directed graph in DOT. */
export function renderDot(nodes: readonly WireGraphNode[]): string {
  const quote = (text: string) => `"${printable(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const lines = nodes.flatMap(({ name, type, state, needs }) => [
    `  ${quote(name)} [shape=${type === 'task' ? 'box' : 'ellipse'}, tooltip=${quote(state ?? '')}];`,
    ...needs.map((need) => {
      const label = quote(describeNeed(need, ({ least }) => `any ${least}`));
      return `  ${quote(name)} -> ${quote(need.on)} [label=${label}${need.origin === 'stage' ? ', style=dashed' : ''}];`;
    }),
  ]);
  return ['digraph services {', '  rankdir=RL;', ...lines, '}', ''].join('\n');
}
