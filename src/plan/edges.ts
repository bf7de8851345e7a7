// Edges: `depends_on` and the order of stages, turned into what each service waits for, with everything that can be wrong
// about it. Starts nothing.
import type { Config, ServiceConfig } from '../config/config.ts';
import type { Complaints, Path } from './complaints.ts';
import { cycles, renderCycle } from './graph.ts';
import type { Condition, Edge } from './plan.ts';
import { stageEdges } from './stages.ts';

export interface Waiting {
  /** What every service waits for, by name; declared edges first. */
  readonly edges: ReadonlyMap<string, readonly Edge[]>;
  /** Stages in their order. */
  readonly groups: readonly string[];
}

/** Turns `depends_on` and `group` into edges. Reports dangling names, cycles, stages that contradict. */
export function toEdges(config: Config, complaints: Complaints): Waiting {
  const byName = new Map(config.services.map((service) => [service.name, service]));
  const order = stageOrder(config, complaints);
  const stages = stageEdges(config.services, order);
  const result = new Map<string, readonly Edge[]>();
  // Edges against the order of stages are reported as such, and would only be found once more as cycles.
  const backward = new Set<string>();
  for (const service of config.services) {
    const declared = declaredEdges(service, byName, complaints);
    for (const { on } of declared) {
      const target = byName.get(on);
      if (target !== undefined && isLaterStage(service, target, order)) {
        backward.add(`${service.name}\0${on}`);
        reportBackward(service, target, complaints);
      }
    }
    const stage = stages.get(service.name) ?? [];
    result.set(service.name, declared.length === 0 ? stage : [...declared, ...withoutRepeats(stage, declared)]);
  }
  reportCycles(config, result, backward, complaints);
  return { edges: result, groups: order };
}

function withoutRepeats(stage: readonly Edge[], declared: readonly Edge[]): readonly Edge[] {
  return stage.filter((edge) => !declared.some(({ on, condition }) => on === edge.on && condition === edge.condition));
}

function declaredEdges(
  service: ServiceConfig,
  byName: ReadonlyMap<string, ServiceConfig>,
  complaints: Complaints,
): readonly Edge[] {
  return (service.depends_on ?? []).flatMap(({ name: on, condition, step }): Edge[] => {
    const path = ['services', service.name, 'depends_on', step];
    const target = byName.get(on);
    if (target === undefined) {
      const suggestion = complaints.suggest(on, () => [...byName.keys()].filter((name) => name !== service.name));
      const message = `\`${service.name}\` depends on \`${on}\`, which does not exist`;
      complaints.error(path, 'unknown-service', message, { suggestion, key: condition !== null });
      return [];
    }
    if (on === service.name) {
      complaints.error(path, 'cycle', `\`${on}\` depends on itself`, { key: condition !== null });
      return [];
    }
    const usual = usualCondition(target);
    checkCondition(service, target, condition ?? usual, path, complaints);
    return [{ on, condition: condition ?? usual, origin: 'declared' }];
  });
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
  complaints: Complaints,
): void {
  const ends = condition === 'completed' || condition === 'exited';
  if (ends && target.restart.policy === 'always' && target.type !== 'task' && !target.broken.has('restart')) {
    const related = [complaints.place(['services', target.name, 'restart'], 'its restart policy is here')];
    const message = `\`${target.name}\` restarts always, so it is never \`${condition}\``;
    complaints.error(path, 'impossible-value', message, { related });
  }
  if (condition === 'ready' && target.type === 'task' && target.ready === null && !target.broken.has('ready')) {
    const message = `\`${target.name}\` is a task without a \`ready\` probe: it is ready as soon as it has started`;
    const suggestion = `write \`${target.name}: completed\` to wait for its end`;
    complaints.warn(path, 'task-ready', message, { suggestion });
  }
  if (service.enabled && !target.enabled && !target.broken.has('enabled')) {
    const message = `\`${service.name}\` will not start: it depends on \`${target.name}\`, which is not enabled`;
    complaints.warn(path, 'depends-on-disabled', message);
  }
}

/** The order of the stages: that of `groups`, else of first use. */
function stageOrder(config: Config, complaints: Complaints): readonly string[] {
  const used = new Map<string, string>();
  for (const { name, group } of config.services) if (group !== null && !used.has(group)) used.set(group, name);
  const { groups } = config;
  if (groups === null) return [...used.keys()];
  const named = new Set(groups);
  const listed = new Set<string>();
  groups.forEach((group, index) => {
    if (listed.has(group)) {
      complaints.error(['groups', index], 'named-twice', `\`groups\` names \`${group}\` twice`);
    } else if (!used.has(group) && !config.services.some(({ broken }) => broken.has('group'))) {
      const suggestion = complaints.suggest(group, () => [...used.keys()].filter((name) => !named.has(name)));
      complaints.warn(['groups', index], 'unused-group', `no service is in the group \`${group}\``, { suggestion });
    }
    listed.add(group);
  });
  for (const { name, group } of config.services) {
    if (group === null || named.has(group)) continue;
    const related = [complaints.place(['groups'], 'the list is here', true)];
    const message = `the group \`${group}\` is not in the list \`groups\``;
    complaints.error(['services', name, 'group'], 'unknown-group', message, {
      suggestion: complaints.suggest(group, () => groups),
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

function reportBackward(service: ServiceConfig, target: ServiceConfig, complaints: Complaints): void {
  const message =
    `\`${service.name}\` depends on \`${target.name}\`, which is in a later stage: ` +
    `\`${target.group}\` waits for all of \`${service.group}\``;
  const suggestion = 'move one of them to another `group`, or change the order in `groups`';
  complaints.error(['services', service.name, 'depends_on', target.name], 'cycle', message, { suggestion });
}

function without(backward: ReadonlySet<string>, name: string, edges: readonly Edge[]): readonly Edge[] {
  return backward.size === 0 ? edges : edges.filter(({ on }) => !backward.has(`${name}\0${on}`));
}

function reportCycles(
  config: Config,
  edges: ReadonlyMap<string, readonly Edge[]>,
  backward: ReadonlySet<string>,
  complaints: Complaints,
): void {
  const vertices = config.services.map(({ name }) => ({
    name,
    edges: without(backward, name, edges.get(name) ?? []),
  }));
  for (const cycle of cycles(vertices)) {
    const steps = cycle.map((name, index) => ({ name, on: cycle[(index + 1) % cycle.length] ?? name }));
    const declared = steps.filter(({ name, on }) =>
      edges.get(name)?.some((e) => e.on === on && e.origin === 'declared'),
    );
    const staged = steps.find((step) => !declared.includes(step));
    const [at = steps[0], next] = declared;
    const stage =
      staged === undefined ? '' : ` (\`${staged.name}\` waits for \`${staged.on}\` because its stage comes later)`;
    const related =
      next === undefined
        ? []
        : [
            complaints.place(
              ['services', next.name, 'depends_on', next.on],
              `\`${next.name}\` waits for \`${next.on}\` here`,
            ),
          ];
    complaints.error(
      ['services', at?.name ?? '', 'depends_on', at?.on ?? ''],
      'cycle',
      `these services wait for each other: ${renderCycle(cycle)}${stage}`,
      { related },
    );
  }
}
