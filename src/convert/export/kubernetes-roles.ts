// Which place each service has in a Pod, and what that changes. Init containers start one after the other; one with
// `restartPolicy: Always` is a native sidecar and runs on (kubernetes.io/docs/concepts/workloads/pods/sidecar-containers).
import { awaitedConditions, inStartOrder, singleEdges } from './order.ts';
import { changed, lost, type Reporter } from './report.ts';
import type { ExportService, ExportSource } from './source.ts';

/** `task`: an init container that has to end; `sidecar`: one that runs on; `main`: a container. */
export type Role = 'task' | 'sidecar' | 'main';

/** A Job: `exit: all`, or no service remains once the tasks have ended. */
export function isJob({ config }: ExportSource, services: readonly ExportService[]): boolean {
  const awaited = awaitedConditions(services);
  return config.exit === 'all' || services.every((one) => one.config.type === 'task' || awaited.has(one.name));
}

/** The role of every service by its name. */
export function assignRoles(source: ExportSource, services: readonly ExportService[]): ReadonlyMap<string, Role> {
  const job = isJob(source, services);
  const awaited = awaitedConditions(services);
  return new Map(
    services.map(({ name, config }): [string, Role] => {
      const conditions = awaited.get(name);
      const isTask = config.type === 'task';
      if (conditions === undefined) return [name, isTask && !job ? 'task' : 'main'];
      const hasToEnd = conditions.has('completed') || conditions.has('exited');
      return [name, hasToEnd || isTask ? 'task' : 'sidecar'];
    }),
  );
}

/** Reports what the order of init containers and the restarts of the kubelet change. */
export function reportRoles(
  source: ExportSource,
  services: readonly ExportService[],
  roles: ReadonlyMap<string, Role>,
  reporter: Reporter,
): void {
  const first = inStartOrder(services.filter(({ name }) => roles.get(name) !== 'main')).map(({ name }) => name);
  if (first.length > 1) {
    const why = `init containers start one after the other: ${first.join(', ')}`;
    reporter.addGeneral('the order of the start', changed(why));
  }
  const why = 'in its container it is PID 1, which ignores signals that it does not handle';
  reporter.addGeneral('each service', changed(why, 'write `exec svc-super init -- …` where a service ignores SIGTERM'));
  const job = isJob(source, services);
  for (const service of services) {
    reportEdges(service, reporter);
    reportRole(service, roles.get(service.name) ?? 'main', job, reporter);
  }
}

function reportEdges(service: ExportService, reporter: Reporter): void {
  for (const { on, condition, restarts, choice } of singleEdges(service)) {
    const add = (remark: ReturnType<typeof changed>): void =>
      reporter.add(
        ['services', service.key, 'depends_on'],
        `\`depends_on\` ${choice?.of ?? on} of ${service.key}`,
        remark,
      );
    if (choice !== undefined) add(changed('Kubernetes waits for every copy, not for some of them'));
    if (restarts) add(lost('the kubelet restarts each container by itself'));
    if (condition === 'exited') add(changed(`${on} has to succeed: an init container that fails runs again`));
  }
}

function reportRole({ key, config }: ExportService, role: Role, job: boolean, reporter: Reporter): void {
  const add = (field: string, what: string, why: string): void =>
    reporter.add(['services', key, field], what, changed(why));
  const { policy } = config.restart;
  if (role === 'task' && config.type === 'service') {
    add(
      'type',
      `the service ${key}`,
      'another one waits for its end, so it is an init container, which has to succeed',
    );
  }
  if (role === 'task' && config.type === 'task' && policy === 'never' && !job) {
    add('restart', `\`restart: never\` of ${key}`, 'the kubelet runs an init container again until it succeeds');
  }
  if (role === 'sidecar' && policy !== 'always') {
    add('restart', `\`restart: ${policy}\` of ${key}`, 'the kubelet restarts a sidecar whenever it ends');
  }
  if (role === 'main' && !job && policy !== 'always') {
    add(
      'restart',
      `\`restart: ${policy}\` of ${key}`,
      'the kubelet restarts a container of a Deployment whenever it ends',
    );
  }
}
