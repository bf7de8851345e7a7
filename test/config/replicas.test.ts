// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// Replicas of a service: their names, numbers and ports, dependencies on them, and mistakes.
import { describe, expect, test } from 'bun:test';
import { difference } from '../../src/plan/difference.ts';
import { loadPlan } from '../../src/plan/expand.ts';
import type { HttpProbe, Plan, TcpProbe } from '../../src/plan/plan.ts';
import { selectServices } from '../../src/plan/selection.ts';
import { allEdges } from '../../src/plan/stages.ts';
import { load, memoryFiles, messages, oneService, PATH, planOf, printed, serviceOf } from './rig.ts';

const names = (plan: Plan) => plan.services.map(({ name }) => name);
const edgesOf = (plan: Plan, name: string) =>
  plan.services
    .filter((service) => service.name === name)
    .flatMap(allEdges)
    .map(
      ({ on, condition, origin, choice }) =>
        `${on} ${condition}${origin === 'stage' ? '*' : ''}${choice === undefined ? '' : ` (${choice.least} of ${choice.of})`}`,
    );

describe('replicas', () => {
  test('creates the replicas, each with its name, its number and its port', () => {
    const { services } = planOf(oneService('command: run', 'replicas: 3', 'port: 9000', 'ready: { http: /health }'));
    expect(services.map(({ name, replica, ports }) => ({ name, replica, ports }))).toEqual([
      { name: 'a.0', replica: { of: 'a', index: 0 }, ports: [9000] },
      { name: 'a.1', replica: { of: 'a', index: 1 }, ports: [9001] },
      { name: 'a.2', replica: { of: 'a', index: 2 }, ports: [9002] },
    ]);
    expect(services.map(({ env }) => [env.SVC_NAME, env.SVC_REPLICA, env.PORT])).toEqual([
      ['a.0', '0', '9000'],
      ['a.1', '1', '9001'],
      ['a.2', '2', '9002'],
    ]);
    expect(services.map(({ ready }) => (ready[0] as HttpProbe).port)).toEqual([9000, 9001, 9002]);
  });

  test('of 1 is the service itself with the number 0; without `replicas` there is no number', () => {
    const one = serviceOf(oneService('command: run', 'replicas: 1'));
    expect(one).toMatchObject({ name: 'a', replica: null });
    expect(one.env.SVC_REPLICA).toBe('0');
    const none = serviceOf(oneService('command: run'), { environment: { SVC_REPLICA: '7' } });
    expect(none.env).not.toHaveProperty('SVC_REPLICA');
  });

  test('may come from a variable and from `defaults`', () => {
    const text =
      'defaults: { replicas: "${N:-2}" }\nservices: { a: { command: run }, b: { command: run, replicas: 1 } }\n';
    expect(names(planOf(text))).toEqual(['a.0', 'a.1', 'b']);
    expect(names(planOf(text, { environment: { N: '3' } }))).toEqual(['a.0', 'a.1', 'a.2', 'b']);
  });

  test('is a whole number from 1 to 1000', () => {
    for (const wrong of ['0', '1001', '1.5', 'all', '"2"'])
      expect(messages(oneService('command: run', `replicas: ${wrong}`))).toEqual([
        `\`replicas\` must be a number of copies from 1 to 1000, not ${wrong === 'all' ? '"all"' : wrong}`,
      ]);
  });

  test('adds the number to every port, and to the same ports in probes; other ports stay', () => {
    const text = oneService(
      'command: run',
      'ports: [9000, 9100]',
      'replicas: 2',
      'ready: [{ http: { port: 9100 } }, { tcp: 9000 }, { tcp: "10.0.0.1:9000" }, { http: "http://127.0.0.1:5000/" }]',
      'live: { tcp: true }',
      'hooks: { before_stop: { wait_for: { http: { port: 9100, path: /metrics } } } }',
    );
    const [, second] = planOf(text).services;
    expect(second?.ports).toEqual([9001, 9101]);
    expect(second?.ready.map((probe) => (probe as TcpProbe).port)).toEqual([9101, 9001, 9000, 5000]);
    expect(second?.live[0]).toMatchObject({ port: 9001 });
    expect(second?.hooks.beforeStop).toMatchObject({ waitFor: { port: 9101 } });
  });

  test('does not change a port that contains the number', () => {
    const text = oneService(
      'command: run',
      'replicas: 2',
      'port: 9${SVC_REPLICA}00',
      'ready: { tcp: "9${SVC_REPLICA}00" }',
    );
    expect(planOf(text).services.map(({ ports, ready }) => [ports[0], (ready[0] as TcpProbe).port])).toEqual([
      [9000, 9000],
      [9100, 9100],
    ]);
  });

  test('refuses ports that two replicas would share, once', () => {
    expect(printed(oneService('command: run', 'replicas: 3', 'ports: [9000, 9001]'))).toBe(
      `services.yaml:5:13: error: \`a.1\` and \`a.0\` both listen on port 9001
   5 |     ports: [9000, 9001]
     |             ~~~~
     help: the number of each replica is added to its ports: leave gaps of 3 or more between the ports of \`a\`
`,
    );
  });

  test('refuses the port of another service, and one above 65535', () => {
    const two = 'services:\n  a: { command: run, replicas: 3, port: 9000 }\n  b: { command: run, port: 9002 }\n';
    expect(messages(two)).toEqual(['`b` and `a.2` both listen on port 9002']);
    expect(messages(oneService('command: run', 'replicas: 4', 'port: 65533'))).toEqual([
      'port 65533 of `a` plus the number of its last replica is 65536: the highest port is 65535',
    ]);
  });
});

describe('${SVC_REPLICA}', () => {
  const text = oneService(
    'command: [run, "--index=${SVC_REPLICA}"]',
    'replicas: 2',
    'env: { NAME: "model-${SVC_REPLICA:-none}" }',
    'cwd: /srv/${SVC_REPLICA}',
    'cpus: "${SVC_REPLICA}"',
    'log: { file: { path: "a.${SVC_REPLICA}.log" } }',
    'stop: { command: [stop, "${SVC_REPLICA}"] }',
    'ready: { http: { path: "/${SVC_REPLICA}", port: 1 } }',
    'hooks: { before_start: [prepare, "${SVC_REPLICA}"] }',
  );

  test('is the number of the replica in every text of a service', () => {
    expect(planOf(text).services[1]).toMatchObject({
      argv: ['run', '--index=1'],
      env: { NAME: 'model-1' },
      cwd: '/srv/1',
      attributes: { cpus: [1] },
      log: { file: { path: '/app/a.1.log' } },
      stop: { argv: ['stop', '1'] },
      ready: [{ path: '/1' }],
      hooks: { beforeStart: { argv: ['prepare', '1'] } },
    });
  });

  test('is left to the shell in a command written as one text', () => {
    const [, second] = planOf(oneService('command: run ${SVC_REPLICA}', 'replicas: 2')).services;
    expect(second?.argv).toEqual(['/bin/sh', '-c', 'exec run ${SVC_REPLICA}']);
  });

  test("is 0 in a service without replicas, whatever the container's environment", () => {
    const environment = { SVC_REPLICA: '7' };
    expect(serviceOf(oneService('command: [run, "${SVC_REPLICA}"]'), { environment }).argv).toEqual(['run', '0']);
  });

  test('in `defaults` is the replica of each service', () => {
    const shared = `defaults: { cwd: "/srv/\${SVC_REPLICA}" }\n${oneService('command: run', 'replicas: 2')}`;
    expect(planOf(shared).services.map(({ cwd }) => cwd)).toEqual(['/srv/0', '/srv/1']);
  });

  test('is not available at the top level', () => {
    expect(messages(`env: { A: "\${SVC_REPLICA}" }\n${oneService('command: run')}`)).toEqual([
      '`${SVC_REPLICA}`, the number of a replica, is set only within a service',
    ]);
  });

  test('cannot be set', () => {
    expect(messages(oneService('command: run', 'env: { SVC_REPLICA: 1 }', 'replicas: 2'))).toEqual([
      '`SVC_REPLICA` is set by svc-super',
    ]);
  });

  test('in the path of a file: each file that is missing is reported, and one that all replicas read is reported once', () => {
    const text = oneService('command: run', 'replicas: 3', 'env_file: ["${SVC_REPLICA}.env", all.env]');
    expect(messages(text, { files: { '/app/1.env': '' } })).toEqual(
      ['0', '2', 'all'].map((name) => `cannot read /app/${name}.env: there is no such file`),
    );
  });

  test('that gives one replica an invalid value is reported once', () => {
    expect(messages(oneService('command: run', 'replicas: 3', 'cpus: "${SVC_REPLICA}-1"'))).toEqual([
      '`cpus` must be processor numbers as a text (`"0-3,8"`), not "2-1" (from ${SVC_REPLICA}-1)',
    ]);
  });
});

describe('a problem of every replica', () => {
  test('is reported once, under the name in the file', () => {
    const text = oneService(
      'command: [run, "&&", stop]',
      'replicas: 3',
      'user: ghost',
      'ready: { tcp: true }',
      'depends_on: [b]',
    );
    expect(messages(text, { files: { '/etc/passwd': '' } })).toEqual([
      'a list is executed without a shell: `&&` is passed to `run` as an argument',
      'there is no user `ghost`',
      'this probe has no port, and `a` has no `port`',
      '`a` depends on `b`, which does not exist',
    ]);
  });

  test('one log file for all has a suggestion', () => {
    expect(printed(oneService('command: run', 'replicas: 3', 'log: { file: { path: a.log } }'))).toContain(
      '`a.1` and `a.0` write the same log file a.log\n   5 |     log: { file: { path: a.log } }\n' +
        "     |                          ~~~~~\n     help: put the replica's number in the path: `${SVC_REPLICA}`\n",
    );
  });

  test('hides no number of the others', () => {
    const log = 'log: { file: { path: "a.${SVC_REPLICA}.log" }, nope: 1 }';
    expect(messages(oneService('command: run', 'replicas: 3', log))).toEqual(['unknown key `nope` in `log`']);
  });

  test('a service must not have the name of a replica', () => {
    const text = 'services:\n  a: { command: run, replicas: 2 }\n  a.1: { command: run }\n  a.2: { command: run }\n';
    expect(messages(text)).toEqual(['`a.1` is already the name of a replica of `a`']);
  });
});

describe('depends_on', () => {
  const three = 'services:\n  vllm: { command: run, replicas: 3, ready: { tcp: 1 } }\n';

  test('a dependent waits for all replicas', () => {
    expect(edgesOf(planOf(`${three}  web: { command: run, depends_on: [vllm] }\n`), 'web')).toEqual([
      'vllm.0 ready',
      'vllm.1 ready',
      'vllm.2 ready',
    ]);
  });

  test('may name one replica, or require a number of them', () => {
    const one = planOf(`${three}  web: { command: run, depends_on: { vllm.2: started } }\n`);
    expect(edgesOf(one, 'web')).toEqual(['vllm.2 started']);
    const some = planOf(`${three}  web: { command: run, depends_on: { vllm: { condition: started, any: 2 } } }\n`);
    expect(edgesOf(some, 'web')).toEqual([0, 1, 2].map((index) => `vllm.${index} started (2 of vllm)`));
    const usual = planOf(`${three}  web: { command: run, depends_on: { vllm: { any: 1 } } }\n`);
    expect(edgesOf(usual, 'web')?.[0]).toBe('vllm.0 ready (1 of vllm)');
  });

  test('`any` of the number of replicas means all; a larger number is refused', () => {
    const any = (count: number) => `${three}  web: { command: run, depends_on: { vllm: { any: ${count} } } }\n`;
    expect(edgesOf(planOf(any(3)), 'web')).toEqual(['vllm.0 ready', 'vllm.1 ready', 'vllm.2 ready']);
    expect(messages(any(4))).toEqual(['`any: 4` of `vllm` cannot be satisfied: it has 3 replicas']);
    const alone = (count: number) =>
      `services: { a: { command: run }, b: { command: run, depends_on: { a: { any: ${count} } } } }\n`;
    expect(edgesOf(planOf(alone(1)), 'b')).toEqual(['a started']);
    expect(messages(alone(2))).toEqual(['`any: 2` of `a` cannot be satisfied: it has no replicas']);
  });

  test('an unknown replica lists the existing ones', () => {
    const wrong = (name: string, rest = three) => printed(`${rest}  web: { command: run, depends_on: [${name}] }\n`);
    expect(wrong('vllm.3')).toContain('help: it has the replicas 0 to 2\n');
    expect(wrong('vlm')).toContain('help: did you mean `vllm`?\n');
    expect(wrong('a.0', 'services:\n  a: { command: run, replicas: 1 }\n')).toContain('help: it has no replicas\n');
  });

  test('on a replica of a service with an invalid number is not reported as unknown', () => {
    const text =
      'services:\n  a: { command: run, replicas: "${N}" }\n  b: { command: run, depends_on: { a.1: {}, a: { any: 2 } } }\n';
    expect(messages(text)).toEqual(['N is not set']);
  });

  test('on one of its own replicas is refused', () => {
    expect(messages(oneService('command: run', 'replicas: 2', 'depends_on: [a.0]'))).toEqual([
      '`a` depends on `a.0`, a replica of itself',
    ]);
  });

  test('cycles and warnings name each service once', () => {
    const cycle = `${three}    # ...
  web: { command: run, replicas: 2, depends_on: [vllm] }
`.replace('ready: { tcp: 1 }', 'ready: { tcp: 1 }, depends_on: [web.1]');
    expect(messages(cycle)).toEqual(['these services wait for each other: vllm -> web -> vllm']);
    const doubt =
      'services:\n  a: { command: run, replicas: 2, enabled: no }\n  b: { command: run, replicas: 2, depends_on: [a] }\n';
    expect(messages(doubt)).toEqual(['`b` will not start: it depends on `a`, which is not enabled']);
    const always =
      'services:\n  a: { command: run, replicas: 2, restart: always }\n  b: { command: run, replicas: 2, depends_on: { a: exited } }\n';
    expect(messages(always)).toEqual(['`a` restarts always, so it is never `exited`']);
  });

  test('stages contain all replicas, and a dependency on some does not hide them', () => {
    const text = `services:
  a: { command: run, replicas: 2, group: one, ready: { tcp: 1 } }
  b: { command: run, replicas: 2, group: two, depends_on: { a: { any: 1 } } }
`;
    const plan = planOf(text);
    expect(edgesOf(plan, 'b.1')).toEqual(['a.0 ready (1 of a)', 'a.1 ready (1 of a)', 'a.0 ready*', 'a.1 ready*']);
    const selected = selectServices(plan, ['b']);
    expect(selected.ok && edgesOf(selected.value, 'b.1')).toEqual(edgesOf(plan, 'b.1') as never);
  });

  test('a thousand replicas that wait for a thousand share one list', () => {
    const text =
      'services:\n  a: { command: run, replicas: 1000 }\n  b: { command: run, replicas: 1000, depends_on: [a] }\n';
    const { services } = planOf(text);
    expect(services.length).toBe(2000);
    expect(new Set(services.slice(1000).map(({ edges }) => edges)).size).toBe(1);
    expect(services[1999]?.edges.length).toBe(1000);
  });

  test('a condition of Compose has a suggestion', () => {
    const text = `${three}  web: { command: run, depends_on: { vllm: { condition: service_healthy } } }\n`;
    expect(printed(text)).toContain('help: did you mean `ready`?\n');
    expect(messages(text.replace('condition: service_healthy', 'condition: ready, required: false'))).toEqual([
      'unknown key `required` in an entry of `depends_on`',
    ]);
  });
});

describe('names on the command line', () => {
  const text = `services:
  vllm: { command: run, replicas: 3 }
  web: { command: run, depends_on: { vllm: { any: 1 } } }
  other: { command: run }
`;
  const selected = (...wanted: string[]) => names(planOf(text, { names: wanted }));

  test('the name of a service means all its replicas, the name of a replica one, a glob its matches', () => {
    expect(selected('vllm')).toEqual(['vllm.0', 'vllm.1', 'vllm.2']);
    expect(selected('vllm.1')).toEqual(['vllm.1']);
    expect(selected('vllm.[01]')).toEqual(['vllm.0', 'vllm.1']);
    expect(selected('vll?')).toEqual(['vllm.0', 'vllm.1', 'vllm.2']);
    expect(selected('w*')).toEqual(['vllm.0', 'vllm.1', 'vllm.2', 'web']);
  });

  test('an unknown name suggests the closest', () => {
    expect(printed(text, { names: ['vlm'] })).toContain('help: did you mean `vllm`?');
    expect(messages(text, { names: ['x*'] })).toEqual(['no service matches `x*`']);
  });
});

test('a reload from three replicas to two removes the third and changes nothing else', () => {
  const of = (count: number) =>
    planOf(
      `services:\n  a: { command: run, port: 9000, replicas: ${count} }\n  b: { command: run, depends_on: [a] }\n`,
    );
  expect(difference(of(3), of(2))).toEqual({
    added: [],
    removed: ['a.2'],
    changed: [{ name: 'b', fields: ['edges'] }],
    unchanged: ['a.0', 'a.1'],
  });
  expect(difference(of(1), of(2))).toMatchObject({ added: ['a.0', 'a.1'], removed: ['a'] });
});

test('every replica has a position in the file', () => {
  const loaded = load(oneService('command: run', 'replicas: 2', 'venv: /nowhere'));
  expect(!loaded.ok && loaded.error.diagnostics.map(({ range }) => [range.line, range.column])).toEqual([[5, 11]]);
});

describe('a number of replicas that is set at run time', () => {
  const text = (count: number, more = '') =>
    `services:\n  a: { command: run, replicas: ${count}, port: 9000 }\n  b: { command: run, depends_on: { a: { condition: started${more} } } }\n`;
  const scaled = (file: string, scale: Record<string, number>, before?: Plan): Plan | readonly string[] => {
    const around = before === undefined ? { scale } : { scale, before };
    const loaded = loadPlan({ path: PATH, files: memoryFiles({ [PATH]: file }), environment: {}, ...around });
    return loaded.ok ? loaded.value.plan : loaded.error.diagnostics.map(({ message }) => message);
  };
  const plan = (...given: Parameters<typeof scaled>) => {
    const found = scaled(...given);
    if (!('services' in found)) throw new Error(found.join('; '));
    return found;
  };

  test('each replica of a service without `replicas` has its number, whatever the file says of ${SVC_REPLICA}', () => {
    for (const other of ['', '  b: { command: "run $SVC_REPLICA" }\n', '  b: { command: [run, "${SVC_REPLICA}"] }\n']) {
      const { services } = plan(`${oneService('command: run')}${other}`, { a: 3 });
      const numbers = services.flatMap(({ name, env }) => (name.startsWith('a.') ? [env.SVC_REPLICA] : []));
      expect([other, numbers]).toEqual([other, ['0', '1', '2']]);
    }
  });

  test('makes the replicas that the file would make with it, and the dependencies on them', () => {
    const five = plan(text(2), { a: 5 });
    expect(five).toEqual({ ...plan(text(5), {}), scale: { a: { replicas: 5, file: 2 } } });
    expect(edgesOf(five, 'b')).toEqual([0, 1, 2, 3, 4].map((index) => `a.${index} started`));
  });

  test('of 1 keeps the number 0, so that the replica continues to run', () => {
    const one = plan(text(3), { a: 1 });
    expect(names(one)).toEqual(['a.0', 'b']);
    expect(difference(plan(text(3), {}), one).changed).toEqual([{ name: 'b', fields: ['edges'] }]);
  });

  test('applies until the number in the file changes, or is set to it', () => {
    const five = plan(text(2), { a: 5 });
    expect(names(plan(text(2), {}, five))).toHaveLength(6);
    expect(plan(text(2), {}, five).scale).toEqual(five.scale);
    expect(plan(text(3), {}, five)).toEqual(plan(text(3), {}));
    expect(plan(text(2), { a: 2 }, five)).toEqual(plan(text(2), {}));
    expect(plan(oneService('command: run').replace('a:', 'c:'), {}, five).scale).toBeUndefined();
  });

  test('is checked like one in the file', () => {
    expect(scaled(text(4, ', any: 3'), { a: 2 })).toEqual(messages(text(2, ', any: 3')));
    expect(scaled(text(2), { a: 1_001 })).toContain('`a` cannot have 1001 replicas: the most are 1000');
    expect(scaled(`${text(2)}  c: { command: run, port: 9002 }\n`, { a: 3 })).toEqual(
      messages(`${text(3)}  c: { command: run, port: 9002 }\n`),
    );
  });
});
