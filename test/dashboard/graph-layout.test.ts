// The graph of dependencies: it has room for every service, and draws shared edges once.
import { describe, expect, test } from 'bun:test';
import type { DependencyEdge } from '../../src/control/consequences.ts';
import { layOut, NODE_HEIGHT, NODE_WIDTH } from '../../src/dashboard/graph-layout.ts';

const names = (count: number, first = 'n') => Array.from({ length: count }, (_, index) => `${first}${index}`);
const edge = (name: string, on: string, origin: DependencyEdge['origin'] = 'declared'): DependencyEdge => ({
  ...{ name, on, condition: 'ready', origin },
});

describe('the graph', () => {
  test('contains every node of a chain, of a wide stage and of services without edges', () => {
    const chain = names(20);
    const cases = [
      layOut(
        chain,
        chain.slice(1).map((name, index) => edge(name, chain[index] ?? '')),
      ),
      layOut(names(60), []),
      layOut(
        [...names(30), 'last'],
        names(30).map((on) => edge('last', on)),
      ),
    ];
    for (const { nodes, width, height } of cases) {
      for (const { x, y } of nodes) {
        expect(x >= 0 && y >= 0 && x + NODE_WIDTH <= width && y + NODE_HEIGHT <= height).toBe(true);
      }
      expect(new Set(nodes.map(({ x, y }) => `${x},${y}`)).size).toBe(nodes.length);
    }
    expect(cases.map(({ nodes }) => nodes.length)).toEqual([20, 60, 31]);
  });

  test('draws each service to the right of what it waits for, and a stage through one point', () => {
    const [first, second] = [names(20, 'a'), names(20, 'b')];
    const edges = second.flatMap((name) => first.map((on) => edge(name, on, 'stage')));
    const { nodes, lines } = layOut([...second, ...first], edges);
    const x = new Map(nodes.map((node) => [node.name, node.x]));
    expect(edges.every(({ name, on }) => (x.get(name) ?? 0) > (x.get(on) ?? 0))).toBe(true);
    expect(lines).toHaveLength(40);
    expect(lines.filter(({ isLast }) => isLast)).toHaveLength(20);
    expect(new Set(lines.map(({ key }) => key)).size).toBe(40);
  });

  test('names the condition of each edge of a stage with one dependent, and all conditions between two services', () => {
    const needs = [
      { ...edge('last', 'web', 'stage'), condition: 'ready' },
      { ...edge('last', 'make', 'stage'), condition: 'completed' },
      { ...edge('last', 'db'), condition: 'started' },
      { ...edge('last', 'db'), condition: 'ready' },
    ];
    expect(layOut(['web', 'make', 'db', 'last'], needs).lines.map(({ title }) => title)).toEqual([
      'last waits for web (ready)',
      'last waits for make (completed)',
      'last waits for db (started and ready)',
    ]);
  });

  test('ends even if the edges had a circle, and ignores edges to services that are not there', () => {
    expect(layOut(['a', 'b'], [edge('a', 'b'), edge('b', 'a'), edge('a', 'gone')]).nodes).toHaveLength(2);
  });
});
