// Dependencies: `depends_on`, stages, and their mistakes.
import { describe, expect, test } from 'bun:test';
import { startOrder } from '../../src/plan/graph.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { allEdges } from '../../src/plan/stages.ts';
import { messages, planOf, printed } from '../config/rig.ts';
import { processorTime } from '../helpers/processor.ts';

/** `a: b ready, c completed*` for each service; a star marks a stage edge. */
function edgesOf(plan: Plan): readonly string[] {
  return plan.services.map((service) => {
    const on = allEdges(service).map((edge) => `${edge.on} ${edge.condition}${edge.origin === 'stage' ? '*' : ''}`);
    return `${service.name}: ${on.join(', ')}`;
  });
}

describe('depends_on', () => {
  test('as a list uses the condition that its target supports', () => {
    const plan = planOf(`
services:
  plain: { command: run }
  probed: { command: run, ready: { file: /x } }
  task: { command: run, type: task }
  probed-task: { command: run, type: task, ready: { file: /x } }
  web: { command: run, depends_on: [plain, probed, task, probed-task] }
`);
    expect(edgesOf(plan).at(-1)).toBe('web: plain started, probed ready, task completed, probed-task ready');
  });

  test('as a map uses the given conditions', () => {
    const plan = planOf(`
services:
  a: { command: run }
  b: { command: run }
  c: { command: run }
  d: { command: run }
  web: { command: run, depends_on: { a: started, b: ready, c: completed, d: exited } }
`);
    expect(edgesOf(plan).at(-1)).toBe('web: a started, b ready, c completed, d exited');
  });

  test('with `restart: true` restarts with its target and with all its replicas', () => {
    const plan = planOf(`
services:
  ray: { command: run, replicas: 2 }
  task: { command: run, depends_on: { ray: { restart: true }, ray.0: started } }
  web: { command: run, depends_on: { task: { condition: ready, restart: false } } }
`);
    expect(plan.services.map(({ edges }) => edges)).toEqual([
      [],
      [],
      [
        { on: 'ray.0', condition: 'started', origin: 'declared', restarts: true },
        { on: 'ray.1', condition: 'started', origin: 'declared', restarts: true },
      ],
      [{ on: 'task', condition: 'ready', origin: 'declared' }],
    ]);
  });

  test('on a number means the service of that name', () => {
    expect(edgesOf(planOf('services: { 1: { command: run }, b: { command: run, depends_on: [1] } }\n'))[1]).toBe(
      'b: 1 started',
    );
  });

  test('waiting for the exit of a service that always restarts is refused', () => {
    const text = `
services:
  a: { command: run, restart: always }
  b: { command: run, depends_on: { a: completed } }
  c: { command: run, depends_on: { a: exited } }
`;
    expect(messages(text)).toEqual([
      '`a` restarts always, so it is never `completed`',
      '`a` restarts always, so it is never `exited`',
    ]);
  });

  test('waiting for a task to be ready causes a warning', () => {
    const text = 'services:\n  a: { command: run, type: task }\n  b: { command: run, depends_on: { a: ready } }\n';
    expect(messages(text)).toEqual([
      '`a` is a task without a `ready` probe: it is ready as soon as its process has started',
    ]);
  });

  test('on itself is refused, once', () => {
    expect(messages('services: { a: { command: run, depends_on: { a: ready } } }\n')).toEqual([
      '`a` depends on itself',
    ]);
  });

  test('of an invalid service is not reported as unknown', () => {
    expect(messages('services:\n  a: { command: run, depends_on: [b] }\n  b: { comand: run }\n')).toEqual([
      'unknown key `comand` in a service',
    ]);
  });
});

describe('a cycle', () => {
  const chain = (length: number): string =>
    `services:\n${Array.from({ length }, (_, at) => `  s${at}: { command: run, depends_on: [s${(at + 1) % length}] }\n`).join('')}`;

  test('of five hundred services is found at once and printed short', () => {
    const start = processorTime();
    expect(messages(chain(500))).toEqual([
      'these services wait for each other: s0 -> s1 -> s2 -> s3 -> … (493 more) -> s497 -> s498 -> s499 -> s0',
    ]);
    expect(processorTime() - start).toBeLessThan(1000);
  });

  test('of eight is printed completely', () => {
    expect(messages(chain(8))).toEqual([
      'these services wait for each other: s0 -> s1 -> s2 -> s3 -> s4 -> s5 -> s6 -> s7 -> s0',
    ]);
  });

  test('is reported once for each strongly connected component', () => {
    const text = `
services:
  a: { command: run, depends_on: [b] }
  b: { command: run, depends_on: [a, c] }
  c: { command: run, depends_on: [d] }
  d: { command: run, depends_on: [e, c] }
  e: { command: run, depends_on: [c] }
  f: { command: run, depends_on: [a] }
`;
    expect(messages(text)).toEqual([
      'these services wait for each other: a -> b -> a',
      'these services wait for each other: c -> d -> c',
    ]);
  });

  test('through a stage names the step of the stage', () => {
    const text = `
groups: [one, two]
services:
  a: { command: run, group: one, depends_on: [x] }
  x: { command: run, depends_on: [b] }
  b: { command: run, group: two }
`;
    expect(printed(text)).toBe(
      `services.yaml:4:47: error: these services wait for each other: a -> x -> b -> a (\`b\` waits for \`a\` because its stage comes later)
   4 |   a: { command: run, group: one, depends_on: [x] }
     |                                               ~
services.yaml:5:35: note: \`x\` waits for \`b\` here
   5 |   x: { command: run, depends_on: [b] }
     |                                   ~
`,
    );
  });

  test('among disabled services is a cycle too', () => {
    const text = `
services:
  a: { command: run, enabled: false, depends_on: [b] }
  b: { command: run, enabled: false, depends_on: [a] }
  c: { command: run }
`;
    expect(messages(text)).toEqual(['these services wait for each other: a -> b -> a']);
  });
});

describe('stages', () => {
  test('wait for the nearest earlier stage that has enabled members', () => {
    const plan = planOf(`
groups: [one, two, three]
services:
  last: { command: run, group: three }
  a: { command: run, group: one }
  b: { command: run, group: one, type: task }
  off: { command: run, group: two, enabled: false }
  alone: { command: run }
`);
    expect(edgesOf(plan)).toEqual(['last: a ready*, b completed*', 'a: ', 'b: ', 'off: ', 'alone: ']);
    expect(plan.groups).toEqual(['one', 'two', 'three']);
  });

  test('are in the order of first use without `groups`', () => {
    const plan = planOf(`
services:
  b: { command: run, group: second-name-first-used }
  a: { command: run, group: a }
`);
    expect(edgesOf(plan)).toEqual(['b: ', 'a: b ready*']);
  });

  test('add to declared edges without repeating them', () => {
    const plan = planOf(`
services:
  a: { command: run, group: one, ready: { file: /x } }
  b: { command: run, group: one }
  c: { command: run, group: two, depends_on: { a: ready, b: started } }
`);
    expect(edgesOf(plan)[2]).toBe('c: a ready, b started, b ready*');
  });

  test('that are missing in `groups` are refused', () => {
    const text =
      'groups: [infra, apps]\nservices:\n  a: { command: run, group: infar }\n  b: { command: run, group: apps }\n';
    expect(printed(text)).toBe(
      `services.yaml:1:10: warning: no service is in the group \`infra\`
   1 | groups: [infra, apps]
     |          ~~~~~
     help: did you mean \`infar\`?
services.yaml:3:29: error: the group \`infar\` is not in the list \`groups\`
   3 |   a: { command: run, group: infar }
     |                             ~~~~~
     help: did you mean \`infra\`?
services.yaml:1:1: note: the list is here
   1 | groups: [infra, apps]
     | ~~~~~~
`,
    );
  });

  test('that are listed twice are refused', () => {
    const text = 'groups: [a, a]\nservices:\n  a: { command: run, group: a }\n';
    expect(messages(text)).toEqual(['`groups` names `a` twice']);
  });

  test('of hundreds are made in one pass', () => {
    const services = Array.from({ length: 1000 }, (_, at) => `  s${at}: { command: run, group: g${at >> 9} }\n`);
    const start = processorTime();
    const plan = planOf(`services:\n${services.join('')}`);
    expect(plan.services[999]?.stageEdges.length).toBe(512);
    expect(startOrder(plan).length).toBe(1000);
    expect(processorTime() - start).toBeLessThan(3000);
  });
});
