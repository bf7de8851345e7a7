// Places the services of a dependency graph in columns, each service to the right of all services that it waits for. The edges
// between two stages go through one point, so that stages of 20 services have 40 lines and not 400. Draws nothing. Pure.
import type { DependencyEdge } from '../control/consequences.ts';

// All sizes are in units of the drawing.
export const NODE_WIDTH = 148;
export const NODE_HEIGHT = 32;
/** From one column to the next, and from one row to the next. */
const COLUMN = 228;
const ROW = 44;
const MARGIN = 6;

/** The drawing. `x` and `y`: the top left corner of a node; `path`: of SVG. */
export interface GraphLayout {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly { readonly name: string; readonly x: number; readonly y: number }[];
  readonly lines: readonly {
    readonly key: string;
    readonly path: string;
    readonly origin: DependencyEdge['origin'];
    /** Whether the line ends at a service, and so has an arrow. */
    readonly isLast: boolean;
    readonly title: string;
  }[];
}

/** For each service, the length of the longest chain of services that it waits for. */
function depthsOf(names: readonly string[], edges: readonly DependencyEdge[]): ReadonlyMap<string, number> {
  const needs = new Map(names.map((name) => [name, [] as string[]]));
  for (const { name, on } of edges) if (needs.has(on)) needs.get(name)?.push(on);
  const depths = new Map<string, number>();
  const depthOf = (name: string): number => {
    const known = depths.get(name);
    if (known !== undefined) return known;
    // The configuration has no cycle. If the data has one, this ends the recursion.
    depths.set(name, 0);
    const depth = Math.max(0, ...(needs.get(name) ?? []).map((on) => depthOf(on) + 1));
    depths.set(name, depth);
    return depth;
  };
  for (const name of names) depthOf(name);
  return depths;
}

/** The columns. Within a column, services are sorted by the mean row of the services that they wait for. */
function columnsOf(names: readonly string[], edges: readonly DependencyEdge[]): readonly (readonly string[])[] {
  const depths = depthsOf(names, edges);
  // Each depth up to the largest one gets a column.
  const columns = Array.from({ length: Math.max(0, ...depths.values()) + 1 }, (): string[] => []);
  for (const name of names) {
    const depth = depths.get(name) ?? 0;
    columns[depth]?.push(name);
  }
  const rows = new Map<string, number>();
  for (const column of columns) {
    const meanRow = (name: string) => {
      const own = edges.filter((edge) => edge.name === name).map(({ on }) => rows.get(on) ?? 0);
      return own.length === 0 ? 0 : own.reduce((sum, row) => sum + row, 0) / own.length;
    };
    column.sort((a, b) => meanRow(a) - meanRow(b));
    for (const [row, name] of column.entries()) rows.set(name, row - column.length / 2);
  }
  return columns;
}

/** Places all services. Edges to services that are not in `names` are left out. */
export function layOut(names: readonly string[], edges: readonly DependencyEdge[]): GraphLayout {
  const columns = columnsOf(names, edges);
  const most = Math.max(1, ...columns.map((column) => column.length));
  const nodes = columns.flatMap((column, x) =>
    column.map((name, y) => ({
      name,
      x: x * COLUMN + MARGIN,
      y: (y + (most - column.length) / 2) * ROW + MARGIN,
    })),
  );
  const places = new Map(nodes.map((node) => [node.name, node]));
  const known = edges.filter(({ name, on }) => places.has(name) && places.has(on));
  return {
    width: Math.max(0, columns.length - 1) * COLUMN + NODE_WIDTH + 2 * MARGIN,
    height: most * ROW + 2 * MARGIN,
    nodes,
    lines: linesOf(known, places),
  };
}

interface Place {
  readonly x: number;
  readonly y: number;
}

/** A curve that leaves to the right and arrives from the left. */
const curve = (x1: number, y1: number, x2: number, y2: number) => {
  const bend = Math.max(24, (x2 - x1) / 2);
  return `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`;
};

/** The lines of all edges; those of a bundle meet in one point. */
function linesOf(edges: readonly DependencyEdge[], places: ReadonlyMap<string, Place>): GraphLayout['lines'] {
  const right = (name: string): readonly [number, number] => {
    const { x, y } = places.get(name) ?? { x: 0, y: 0 };
    return [x + NODE_WIDTH, y + NODE_HEIGHT / 2];
  };
  const left = (name: string): readonly [number, number] => [right(name)[0] - NODE_WIDTH, right(name)[1]];
  return bundlesOf(edges).flatMap(({ origin, targets, dependents, conditions }) => {
    if (targets.length < 2 || dependents.length < 2) {
      return dependents.flatMap((name) =>
        targets.map((on) => ({
          key: `${name} ${on} ${origin}`,
          path: curve(...right(on), ...left(name)),
          origin,
          isLast: true,
          title: `${name} waits for ${on} (${[...(conditions.get(on) ?? [])].join(' and ')})`,
        })),
      );
    }
    const x = Math.max(...targets.map((on) => right(on)[0])) + 40;
    const rows = [...targets.map(right), ...dependents.map(left)].map(([, y]) => y);
    const y = rows.reduce((sum, one) => sum + one, 0) / rows.length;
    const title = `${dependents.join(', ')} wait for ${targets.join(', ')}`;
    const key = `${targets.join(' ')} > ${dependents.join(' ')}`;
    return [
      ...targets.map((on) => ({ key: `${key} ${on}`, path: curve(...right(on), x, y), origin, isLast: false, title })),
      ...dependents.map((name) => ({
        key: `${key} > ${name}`,
        path: curve(x, y, ...left(name)),
        origin,
        isLast: true,
        title,
      })),
    ];
  });
}

/** Each of `dependents` waits for each of `targets`. `conditions`: by target. */
interface Bundle {
  readonly origin: DependencyEdge['origin'];
  readonly targets: readonly string[];
  readonly dependents: string[];
  readonly conditions: Map<string, Set<string>>;
}

/** The edges of services that wait for the same stage are one bundle; so are all other edges between the same two services. */
function bundlesOf(edges: readonly DependencyEdge[]): readonly Bundle[] {
  const stages = new Map<string, string[]>();
  for (const { name, on, origin } of edges) if (origin === 'stage') stages.set(name, [...(stages.get(name) ?? []), on]);
  const bundles = new Map<string, Bundle>();
  for (const edge of edges) {
    const targets = edge.origin === 'stage' ? (stages.get(edge.name) ?? []) : [edge.on];
    const key = edge.origin === 'stage' ? `stage ${targets.join(' ')}` : `${edge.name} ${edge.on}`;
    const bundle: Bundle = bundles.get(key) ?? { origin: edge.origin, targets, dependents: [], conditions: new Map() };
    if (!bundle.dependents.includes(edge.name)) bundle.dependents.push(edge.name);
    bundle.conditions.set(edge.on, (bundle.conditions.get(edge.on) ?? new Set<string>()).add(edge.condition));
    bundles.set(key, bundle);
  }
  return [...bundles.values()];
}
