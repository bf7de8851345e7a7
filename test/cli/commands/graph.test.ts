// The graph of the dependencies as text and for Graphviz. Pure.
import { expect, test } from 'bun:test';
import { renderDot, renderGraph } from '../../../src/cli/commands/graph.ts';

test('the graph as text and for Graphviz', () => {
  const nodes = [
    { name: 'db', type: 'task', group: null, state: 'completed', needs: [] },
    {
      name: 'a"b',
      type: 'service',
      group: null,
      state: 'ready',
      needs: [{ on: 'db', condition: 'completed', origin: 'stage' }],
    },
    {
      name: 'c',
      type: 'service',
      group: null,
      state: 'ready',
      needs: [{ on: 'db', condition: 'completed', origin: 'declared', restarts: true }],
    },
  ] as const;
  expect(renderGraph(nodes)).toBe(
    'SERVICE  STATE      WAITS FOR\ndb       completed  -\na"b      ready      db (completed, stage)\n' +
      'c        ready      db (completed, restarts)\n',
  );
  expect(renderDot(nodes)).toContain('"c" -> "db" [label="completed, restarts"];');
  expect(renderDot(nodes)).toContain('"a\\"b" -> "db" [label="completed", style=dashed];');
});
