// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// `export kubernetes`: the place of each service in the Pod, probes, and what each field becomes.
import { describe, expect, test } from 'bun:test';
import { parseAllDocuments } from 'yaml';
import { EXAMPLES, exportedText } from './rig.ts';

interface KubeContainer {
  readonly name: string;
  readonly command: readonly string[];
  readonly [key: string]: unknown;
}
interface PodSpec {
  readonly initContainers?: readonly KubeContainer[];
  readonly containers: readonly KubeContainer[];
  readonly [key: string]: unknown;
}

async function kubernetes(file: object | string, oneContainer = false) {
  const source = typeof file === 'string' ? file : JSON.stringify(file);
  const { text, report } = await exportedText(source, { format: 'kubernetes', oneContainer });
  const [workload, service] = parseAllDocuments(text).map((document) => document.toJS());
  const spec = workload.spec.template.spec as PodSpec;
  const find = (name: string) => [...(spec.initContainers ?? []), ...spec.containers].find((one) => one.name === name);
  return { workload, service, spec, find, report: report.join('\n') };
}

const names = (containers: readonly KubeContainer[] | undefined) => containers?.map(({ name }) => name) ?? [];
const ready = { ready: { http: '/ok' }, port: 8000 };

describe('the Pod', () => {
  test('has tasks and awaited services as init containers, in the order of the start', async () => {
    const { workload, spec } = await kubernetes({
      services: {
        web: { command: ['w'], depends_on: { migrate: 'completed', db: 'ready' } },
        db: { command: ['d'], ...ready },
        migrate: { type: 'task', command: ['m'], depends_on: { db: 'ready' } },
        extra: { command: ['e'] },
      },
    });
    expect(workload.kind).toBe('Deployment');
    expect(workload.spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    expect(names(spec.initContainers)).toEqual(['db', 'migrate']);
    expect(names(spec.containers)).toEqual(['web', 'extra']);
    expect(spec.initContainers?.[0]).toMatchObject({
      restartPolicy: 'Always',
      startupProbe: { httpGet: { path: '/ok', port: 8000 } },
    });
    expect(spec.initContainers?.[1]).not.toHaveProperty('restartPolicy');
  });

  test('is a Job where only tasks remain, and the last task is its container', async () => {
    const { workload, spec } = await kubernetes({
      services: {
        model: { command: ['m'], ...ready },
        client: { type: 'task', command: ['c'], depends_on: { model: 'ready' } },
      },
    });
    expect(workload).toMatchObject({ kind: 'Job', spec: { backoffLimit: 0 } });
    expect(spec.restartPolicy).toBe('Never');
    expect(names(spec.initContainers)).toEqual(['model']);
    expect(names(spec.containers)).toEqual(['client']);
  });

  test('is a Job with `exit: all`', async () => {
    const { workload, spec } = await kubernetes({
      exit: 'all',
      services: { a: { command: ['a'], restart: 'on-failure' }, b: { command: ['b'] } },
    });
    expect(workload).toMatchObject({ kind: 'Job', spec: { backoffLimit: 6 } });
    expect(spec.restartPolicy).toBe('OnFailure');
    expect(names(spec.containers)).toEqual(['a', 'b']);
  });

  test('has the grace period, host names and no links of services', async () => {
    const { spec, service } = await kubernetes({
      stop_timeout: '30s',
      hosts: true,
      services: { web: { command: ['w'], ports: [80, 81] } },
    });
    expect(spec).toMatchObject({
      terminationGracePeriodSeconds: 35,
      enableServiceLinks: false,
      hostAliases: [{ ip: '127.0.0.1', hostnames: ['web'] }],
    });
    expect(service.spec.ports).toEqual([
      { name: 'port-80', port: 80 },
      { name: 'port-81', port: 81 },
    ]);
  });

  test('with a service whose end is awaited: it is an init container too', async () => {
    const { spec, report } = await kubernetes({
      services: { once: { command: ['o'] }, web: { command: ['w'], depends_on: { once: 'exited' } } },
    });
    expect(names(spec.initContainers)).toEqual(['once']);
    expect(report).toContain('changed meaning: the service once: another one waits for its end');
  });
});

describe('probes', () => {
  const only = async (service: object) => {
    const { find, report } = await kubernetes({ services: { a: { command: ['a'], port: 8000, ...service } } });
    return { container: find('a'), report };
  };

  test.each([
    [
      { http: { path: '/x', headers: { A: 'b' }, scheme: 'https', verify_tls: false } },
      { httpGet: { path: '/x', port: 8000, scheme: 'HTTPS', httpHeaders: [{ name: 'A', value: 'b' }] } },
    ],
    [{ tcp: true }, { tcpSocket: { port: 8000 } }],
    [{ exec: ['pg_isready', '-q'] }, { exec: { command: ['pg_isready', '-q'] } }],
    [{ file: '/run/up' }, { exec: { command: ['test', '-e', '/run/up'] } }],
  ])('%j', async (probe, action) => {
    const { container } = await only({ ready: probe, start_timeout: '1m' });
    expect(container?.startupProbe).toEqual({ ...action, timeoutSeconds: 5, periodSeconds: 2, failureThreshold: 30 });
  });

  test('that Kubernetes does not have are reported', async () => {
    for (const probe of [
      { log: 'up' },
      { notify: true },
      { http: { path: '/x', method: 'POST' } },
      { tcp: { socket: '/s' } },
    ]) {
      const { container, report } = await only({ ready: probe });
      expect(container).not.toHaveProperty('startupProbe');
      expect(report).toContain('not carried over: `ready` of a');
    }
  });

  test('dependents of a service that only `notify` makes ready wait for its `live` probe, if there is one', async () => {
    const reportOf = async (fields: object) =>
      kubernetes({
        services: {
          a: { command: ['a'], ready: { notify: true }, ...fields },
          b: { command: ['b'], depends_on: { a: 'ready' } },
        },
      });
    expect((await reportOf({})).report).toContain('so its dependents start as soon as it runs');
    const { find, report } = await reportOf({ port: 80, live: { http: '/alive' } });
    expect(find('a')?.startupProbe).toMatchObject({ httpGet: { path: '/alive' } });
    expect(report).toContain('so its dependents start once its `live` probe succeeds');
  });

  test('of several the one that says most is taken, and the others are reported', async () => {
    const { container, report } = await only({
      ready: [{ http: '/health' }, { http: { path: '/models', json: { path: 'a' } } }, { tcp: true }],
    });
    expect(container?.startupProbe).toMatchObject({ httpGet: { path: '/models' } });
    expect(report.match(/not carried over: `ready` of a/g)).toHaveLength(2);
    expect(report).toContain('an HTTP probe of Kubernetes ignores `json`');
  });

  test('an `exec` probe is taken before an HTTP probe of which only the status is left', async () => {
    const { container } = await only({
      ready: [{ http: { path: '/models', json: { path: 'a' } } }, { exec: ['check'] }],
    });
    expect(container?.startupProbe).toMatchObject({ exec: { command: ['check'] } });
  });

  test('`live` is a liveness probe, and `continuous` a readiness probe', async () => {
    const { container } = await only({
      ready: { http: '/ok', continuous: true, interval: '20s', successes: 2 },
      live: { http: '/alive', failures: 4, interval: '15s', timeout: '9s' },
    });
    expect(container?.readinessProbe).toEqual({
      httpGet: { path: '/ok', port: 8000 },
      timeoutSeconds: 5,
      periodSeconds: 20,
      successThreshold: 2,
    });
    expect(container?.livenessProbe).toEqual({
      httpGet: { path: '/alive', port: 8000 },
      timeoutSeconds: 9,
      periodSeconds: 15,
      failureThreshold: 4,
    });
    expect((await only({ ready: { http: '/ok' } })).container).not.toHaveProperty('readinessProbe');
  });

  test('a sidecar of which only the start is awaited has no startup probe', async () => {
    const { find } = await kubernetes({
      services: { a: { command: ['a'], ...ready }, b: { command: ['b'], depends_on: { a: 'started' } } },
    });
    expect(find('a')).toMatchObject({ restartPolicy: 'Always', readinessProbe: { httpGet: { path: '/ok' } } });
    expect(find('a')).not.toHaveProperty('startupProbe');
  });

  test('without a startup probe the liveness probe waits for `start_timeout`, and successes keep their number', async () => {
    const fields = { ready: { http: '/ok', successes: 2 }, live: { http: '/alive' }, start_timeout: '3m', port: 80 };
    const { find, report } = await kubernetes({
      services: { a: { command: ['a'], ...fields }, b: { command: ['b'], depends_on: { a: 'started' } } },
    });
    expect(find('a')).toMatchObject({
      readinessProbe: { successThreshold: 2 },
      livenessProbe: { initialDelaySeconds: 180 },
    });
    expect(report).toContain('`live` of a: the liveness probe begins after `start_timeout`');
    expect(report).not.toContain('one success is enough');
    const gate = await kubernetes({
      services: { a: { command: ['a'], ...fields }, b: { command: ['b'], depends_on: { a: 'ready' } } },
    });
    expect(gate.find('a')?.livenessProbe).not.toHaveProperty('initialDelaySeconds');
    expect(gate.report).toContain('one success is enough for a startup probe');
  });
});

describe('a container', () => {
  const only = async (service: object, top: object = {}) => {
    const { find, report } = await kubernetes({ ...top, services: { 'A.one_': { command: ['a'], ...service } } });
    return { container: find('a-one'), report };
  };

  test('keeps references of the shell, and those of Kubernetes do not arise', async () => {
    // The kubelet replaces `$(NAME)` and reads `$$` as `$` (k8s.io/kubernetes/third_party/forked/golang/expansion).
    const expand = (text: string) => text.replaceAll(/\$\$|\$\((\w+)\)/g, (all) => (all === '$$' ? '$' : 'replaced'));
    for (const text of ['echo $(HOME) $HOME', 'echo $$', 'echo $$$(HOME)', 'a $$(b) $', '${X} $$$$']) {
      const { container } = await only({ command: `${text}; true`, env: { V: text.replaceAll('${', '$${') } });
      expect(expand(container?.command[2] ?? '')).toBe(`${text}; true`);
      const [variable] = (container?.env ?? []) as { name: string; value: string }[];
      expect([variable?.name, expand(variable?.value ?? '')]).toEqual(['V', text]);
    }
  });

  test('has a numeric user, and a name is reported', async () => {
    expect((await only({ user: '1000:50' })).container?.securityContext).toEqual({ runAsUser: 1000, runAsGroup: 50 });
    const { container, report } = await only({ user: 'postgres' });
    expect(container).not.toHaveProperty('securityContext');
    expect(report).toContain('not carried over: `user` of A.one_');
  });

  test('has GPUs as limits', async () => {
    const limit = async (gpus: unknown) => (await only({ gpus })).container?.resources;
    expect(await limit(2)).toEqual({ limits: { 'nvidia.com/gpu': 2 } });
    expect(await limit([0, 1, 2])).toEqual({ limits: { 'nvidia.com/gpu': 3 } });
    expect(await limit(0)).toBeUndefined();
    expect((await only({ gpus: { share: 1 } })).report).toContain('containers of a Pod do not share a GPU');
  });

  test('sends another stop signal before the kubelet sends SIGTERM, and waits', async () => {
    const { container } = await only({ stop: { signal: 'QUIT' }, hooks: { before_stop: ['bye', "it's"] } });
    const script = JSON.stringify(container?.lifecycle);
    expect(script).toContain(`bye 'it'\\\\''s'; /bin/sh -c 'kill -s QUIT 1; while kill -0 1 `);
  });

  test('gets environment files from config maps', async () => {
    const { container, report } = await only({ env_file: [{ path: '/etc/a.env', required: false }, 'b.env'] });
    expect(container?.envFrom).toEqual([
      { configMapRef: { name: 'etc-a-env', optional: true } },
      { configMapRef: { name: 'etc-svc-super-b-env' } },
    ]);
    expect(report).toContain('kubectl create configmap etc-a-env');
  });
});

describe('--one-container', () => {
  test('has the health of svc-super as probes, and everything of services.yaml stays', async () => {
    const [, text = ''] = EXAMPLES.find(([name]) => name === 'vllm-open-webui') ?? [];
    const { spec, workload, report } = await kubernetes(text, true);
    expect(workload.kind).toBe('Deployment');
    expect(spec.containers).toHaveLength(1);
    expect(spec.containers[0]).toMatchObject({
      name: 'chat',
      ports: [{ containerPort: 9000 }, { containerPort: 8000 }],
      resources: { limits: { 'nvidia.com/gpu': 1 } },
      startupProbe: { exec: { command: ['svc-super', 'health'] }, failureThreshold: 900 },
      readinessProbe: { exec: { command: ['svc-super', 'health'] } },
    });
    expect(report).not.toContain('not carried over');
  });

  test('is a Job with tasks alone', async () => {
    const { spec, workload } = await kubernetes({ services: { t: { type: 'task', command: ['t'] } } }, true);
    expect(workload).toMatchObject({ kind: 'Job' });
    expect(spec.containers[0]).not.toHaveProperty('readinessProbe');
  });
});
