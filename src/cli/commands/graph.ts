// `graph`: the dependencies as text and as DOT for Graphviz.
import { printable } from '../../text.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { JSON_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';
import { callSupervisor, reportNoSupervisor } from '../request.ts';

export default {
  summary: 'show the dependencies of each service and their conditions',
  usage: 'svc-super graph [--dot] [--json]',
  example: 'svc-super graph --dot | dot -Tsvg > graph.svg',
  connects: true,
  flags: { dot: { type: 'boolean', summary: 'print DOT for Graphviz' }, json: JSON_FLAG },
  run: showGraph,
} satisfies Command;

interface Node {
  readonly name: string;
  readonly type: 'service' | 'task';
  readonly group: string | null;
  readonly state: string | null;
  readonly needs: readonly {
    readonly on: string;
    readonly condition: string;
    readonly origin: 'declared' | 'stage';
    /** The service restarts with its target. */
    readonly restarts?: boolean;
    /** The target is one of several replicas, of which `least` must satisfy the condition. */
    readonly any?: { readonly of: string; readonly least: number };
  }[];
}

async function showGraph(context: CommandContext, { values }: GivenFlags): Promise<number> {
  const response = await callSupervisor(context, { path: '/v1/graph' });
  if (!response.ok) return reportNoSupervisor(context, response);
  const { services } = response.body as { services: readonly Node[] };
  if (values.json === true) context.out(renderJson(response.body, 2));
  else context.out(values.dot === true ? renderDot(services) : renderGraph(services));
  return EXIT.ok;
}

export function renderGraph(nodes: readonly Node[]): string {
  const width = Math.max(7, ...nodes.map(({ name }) => name.length));
  const states = Math.max(5, ...nodes.map(({ state }) => state?.length ?? 1));
  const rows = nodes.map(({ name, state, needs }) => {
    const waits = needs.map(
      ({ on, condition, origin, restarts, any }) =>
        `${on} (${condition}${any === undefined ? '' : `, any ${any.least} of ${any.of}`}${restarts === true ? ', restarts' : ''}${origin === 'stage' ? ', stage' : ''})`,
    );
    const line = `${name.padEnd(width)}  ${(state ?? '-').padEnd(states)}  ${waits.length === 0 ? '-' : waits.join(', ')}`;
    return `${printable(line)}\n`;
  });
  return `${'SERVICE'.padEnd(width)}  ${'STATE'.padEnd(states)}  WAITS FOR\n${rows.join('')}`;
}

export function renderDot(nodes: readonly Node[]): string {
  const quote = (text: string) => `"${printable(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const lines = nodes.flatMap(({ name, type, state, needs }) => [
    `  ${quote(name)} [shape=${type === 'task' ? 'box' : 'ellipse'}, tooltip=${quote(state ?? '')}];`,
    ...needs.map(
      ({ on, condition, origin, restarts, any }) =>
        `  ${quote(name)} -> ${quote(on)} [label=${quote(`${condition}${any === undefined ? '' : `, any ${any.least}`}${restarts === true ? ', restarts' : ''}`)}${origin === 'stage' ? ', style=dashed' : ''}];`,
    ),
  ]);
  return ['digraph services {', '  rankdir=RL;', ...lines, '}', ''].join('\n');
}
