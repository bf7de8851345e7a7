// Edges: turns `depends_on` and the order of stages into the dependencies of each service, and reports every mistake in
// them. Starts nothing.
import type { Config, ServiceConfig } from '../config/config.ts';
import { cycles, renderCycle } from './graph.ts';
import type { Condition, Edge } from './plan.ts';
import type { Path, Problems } from './problems.ts';
import { stageEdges, withoutRepeats } from './stages.ts';

export interface Waiting {
  /** By service name: the edges that the service declares. */
  readonly edges: ReadonlyMap<string, readonly Edge[]>;
  /** By service name: the additional edges of a member of a stage. */
  readonly stages: ReadonlyMap<string, readonly Edge[]>;
  /** Stages in their order. */
  readonly groups: readonly string[];
}

/** The dependencies as written: services by their keys, with all replicas as one. */
type Written = ReadonlyMap<string, readonly Need[]>;

/** `target` is the service, `on` is its name in `depends_on`: the key, or the name of one replica. */
interface Need {
  readonly on: string;
  readonly target: ServiceConfig;
  readonly condition: Condition;
  readonly any: number | null;
  readonly restart: boolean;
  readonly step: string | number;
}

/** Turns `depends_on` and `group` into edges. Reports unknown names, cycles, and dependencies against the stages. */
export function toEdges(config: Config, problems: Problems): Waiting {
  const { services } = config;
  const written = services.filter(({ replica }) => replica === null || replica.index === 0);
  const byKey = new Map(written.map((service) => [service.key, service]));
  const byName = new Map(services.map((service) => [service.name, service]));
  const copies = new Map<string, ServiceConfig[]>();
  for (const service of services) {
    const known = copies.get(service.key);
    if (known === undefined) copies.set(service.key, [service]);
    else known.push(service);
  }
  const order = stageOrder(config, problems);
  const needs: Written = new Map(
    written.map((service) => [service.key, declaredNeeds(service, byKey, byName, problems)]),
  );
  // A dependency on a later stage is reported as such; without this filter it would be reported as a cycle too.
  const backward = new Set<string>();
  for (const service of written) {
    for (const { target, step } of needs.get(service.key) ?? []) {
      if (!isLaterStage(service, target, order)) continue;
      backward.add(`${service.key}\0${target.key}`);
      reportBackward(service, target, step, problems);
    }
  }
  reportCycles(written, needs, order, backward, problems);
  const result = new Map<string, readonly Edge[]>();
  for (const [key, own] of copies) {
    const declared = without(backward, key, needs.get(key) ?? []).flatMap((need) => edgesOf(need, copies));
    // Replicas share one list, so that hundreds that depend on hundreds cost hundreds.
    const edges = withoutRepeats(declared);
    for (const copy of own) result.set(copy.name, edges);
  }
  return { edges: result, stages: stageEdges(services.map(toStaged), order), groups: order };
}

/** The part of a service that its stage depends on. */
function toStaged({ name, type, enabled, group, schedule, every }: ServiceConfig) {
  return { name, type, enabled, group, isScheduled: schedule !== null || every !== null };
}

function edgesOf(
  { on, target, condition, any, restart }: Need,
  copies: ReadonlyMap<string, readonly ServiceConfig[]>,
): readonly Edge[] {
  const meant = on === target.key ? (copies.get(on) ?? []) : [{ name: on }];
  const choice = any === null || any >= meant.length ? {} : { choice: { of: on, least: any } };
  const restarts = restart ? ({ restarts: true } as const) : {};
  return meant.map(({ name }) => ({ on: name, condition, origin: 'declared', ...restarts, ...choice }));
}

function declaredNeeds(
  service: ServiceConfig,
  byKey: ReadonlyMap<string, ServiceConfig>,
  byName: ReadonlyMap<string, ServiceConfig>,
  problems: Problems,
): readonly Need[] {
  const { key } = service;
  return (service.depends_on ?? []).flatMap(({ name: on, condition, any, restart, step }): Need[] => {
    const path = ['services', service.name, 'depends_on', step];
    const target = byKey.get(on) ?? byName.get(on);
    if (target === undefined) {
      const whole = byKey.get(on.replace(/\.\d+$/, ''));
      // The number of replicas is unknown because `replicas` is invalid, which has been reported.
      if (whole?.broken.has('replicas')) return [];
      const near = whole?.replicas ?? null;
      const suggestion =
        near === null
          ? problems.suggest(on, () => [...byKey.keys()].filter((name) => name !== key))
          : `it has ${near === 1 ? 'no replicas' : `the replicas 0 to ${near - 1}`}`;
      const message = `\`${key}\` depends on \`${on}\`, which does not exist`;
      problems.error(path, 'unknown-service', message, { suggestion, key: typeof step === 'string' });
      return [];
    }
    if (target.key === key) {
      const message =
        on === key ? `\`${on}\` depends on itself` : `\`${key}\` depends on \`${on}\`, a replica of itself`;
      problems.error(path, 'cycle', message, { key: typeof step === 'string' });
      return [];
    }
    const usual = usualCondition(target);
    checkCondition(service, target, condition ?? usual, path, problems);
    checkAny(any, on, target, path, problems);
    if (restart) checkFollowed(service, target, path, problems);
    return [{ on, target, condition: condition ?? usual, any, restart, step }];
  });
}

function checkAny(any: number | null, on: string, target: ServiceConfig, path: Path, problems: Problems): void {
  const count = on === target.key ? (target.replicas ?? 1) : 1;
  if (any === null || any <= count || target.broken.has('replicas')) return;
  const has = count === 1 ? 'it has no replicas' : `it has ${count} replicas`;
  problems.error([...path, 'any'], 'impossible-value', `\`any: ${any}\` of \`${on}\` cannot be satisfied: ${has}`);
}

/** A scheduled task runs again by design: a dependent that followed it would stop at each of its times. */
function checkFollowed(service: ServiceConfig, target: ServiceConfig, path: Path, problems: Problems): void {
  if (target.schedule === null && target.every === null) return;
  const message = `\`${service.key}\` cannot restart with \`${target.key}\`, which runs by a schedule`;
  const suggestion = `remove \`restart: true\`, or let the command of \`${target.key}\` restart it: \`svc-super restart ${service.key}\``;
  problems.error([...path, 'restart'], 'contradiction', message, { suggestion });
}

function usualCondition(target: ServiceConfig): Condition {
  if (target.ready !== null) return 'ready';
  return target.type === 'task' ? 'completed' : 'started';
}

function checkCondition(
  service: ServiceConfig,
  target: ServiceConfig,
  condition: Condition,
  path: Path,
  problems: Problems,
): void {
  const ends = condition === 'completed' || condition === 'exited';
  if (ends && target.restart.policy === 'always' && target.type !== 'task' && !target.broken.has('restart')) {
    const related = [problems.place(['services', target.name, 'restart'], 'its restart policy is here')];
    const message = `\`${target.key}\` restarts always, so it is never \`${condition}\``;
    problems.error(path, 'impossible-value', message, { related });
  }
  if (condition === 'ready' && target.type === 'task' && target.ready === null && !target.broken.has('ready')) {
    const message = `\`${target.key}\` is a task without a \`ready\` probe: it is ready as soon as its process has started`;
    const suggestion = `write \`${target.key}: completed\` to wait until it has completed`;
    problems.warn(path, 'task-ready', message, { suggestion });
  }
  if (service.enabled && !target.enabled && !target.broken.has('enabled')) {
    const message = `\`${service.key}\` will not start: it depends on \`${target.key}\`, which is not enabled`;
    const suggestion =
      'disable it too, or write `essential: false`: the container fails if an essential service never starts';
    problems.warn(path, 'depends-on-disabled', message, service.essential ? { suggestion } : {});
  }
}

/** The order of the stages: `groups` if it is present, else the order of first use. */
function stageOrder(config: Config, problems: Problems): readonly string[] {
  const used = new Map<string, string>();
  for (const { name, group } of config.services) if (group !== null && !used.has(group)) used.set(group, name);
  const { groups } = config;
  if (groups === null) return [...used.keys()];
  const named = new Set(groups);
  const listed = new Set<string>();
  groups.forEach((group, index) => {
    if (listed.has(group)) {
      problems.error(['groups', index], 'named-twice', `\`groups\` names \`${group}\` twice`);
    } else if (!used.has(group) && !config.services.some(({ broken }) => broken.has('group'))) {
      const suggestion = problems.suggest(group, () => [...used.keys()].filter((name) => !named.has(name)));
      problems.warn(['groups', index], 'unused-group', `no service is in the group \`${group}\``, { suggestion });
    }
    listed.add(group);
  });
  for (const { name, group } of config.services) {
    if (group === null || named.has(group)) continue;
    const related = [problems.place(['groups'], 'the list is here', true)];
    const message = `the group \`${group}\` is not in the list \`groups\``;
    problems.error(['services', name, 'group'], 'unknown-group', message, {
      suggestion: problems.suggest(group, () => groups),
      related,
    });
  }
  return groups;
}

function isLaterStage(service: ServiceConfig, target: ServiceConfig, order: readonly string[]): boolean {
  if (service.group === null || target.group === null) return false;
  const [own, other] = [order.indexOf(service.group), order.indexOf(target.group)];
  return own >= 0 && other > own;
}

function reportBackward(
  service: ServiceConfig,
  target: ServiceConfig,
  step: string | number,
  problems: Problems,
): void {
  const message =
    `\`${service.key}\` depends on \`${target.key}\`, which is in a later stage: ` +
    `\`${target.group}\` waits for all of \`${service.group}\``;
  const suggestion = 'move one of them to another `group`, or change the order in `groups`';
  problems.error(['services', service.name, 'depends_on', step], 'cycle', message, { suggestion });
}

function without(backward: ReadonlySet<string>, key: string, needs: readonly Need[]): readonly Need[] {
  return backward.size === 0 ? needs : needs.filter(({ target }) => !backward.has(`${key}\0${target.key}`));
}

/** Replicas share their dependencies, so a cycle of services is a cycle of replicas, and the reverse. */
function reportCycles(
  services: readonly ServiceConfig[],
  needs: Written,
  order: readonly string[],
  backward: ReadonlySet<string>,
  problems: Problems,
): void {
  const stages = stageEdges(
    services.map((service) => ({ ...toStaged(service), name: service.key })),
    order,
  );
  const vertices = services.map(({ key }) => {
    const declared = without(backward, key, needs.get(key) ?? []).map(({ target }) => ({ on: target.key }));
    return { name: key, edges: declared, stageEdges: stages.get(key) ?? [] };
  });
  for (const cycle of cycles(vertices)) {
    const steps = cycle.map((name, index) => ({ name, on: cycle[(index + 1) % cycle.length] ?? name }));
    const declared = steps.flatMap(({ name, on }) => {
      const need = needs.get(name)?.find(({ target }) => target.key === on);
      return need === undefined ? [] : [{ name, on, path: ['services', name, 'depends_on', need.step] }];
    });
    const staged = steps.find(({ name }) => !declared.some((step) => step.name === name));
    const [at, next] = declared;
    const stage =
      staged === undefined ? '' : ` (\`${staged.name}\` waits for \`${staged.on}\` because its stage comes later)`;
    const related =
      next === undefined ? [] : [problems.place(next.path, `\`${next.name}\` waits for \`${next.on}\` here`)];
    const path = at?.path ?? ['services', steps[0]?.name ?? ''];
    problems.error(path, 'cycle', `these services wait for each other: ${renderCycle(cycle)}${stage}`, { related });
  }
}
