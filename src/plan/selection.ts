// `up NAME…`: those services and what they need, as a Plan of its own. Knows nothing of the file they came from.
import type { Result } from '../config/diagnostic.ts';
import { nearest } from '../config/nearest.ts';
import { meantBy, names as namesOf } from './names.ts';
import type { Plan, ServicePlan } from './plan.ts';
import { stageEdges } from './stages.ts';

export interface UnknownService {
  readonly name: string;
  /** The existing name that is nearest. */
  readonly suggestion: string | null;
}

/**
 * The Plan restricted to `names`, or what globs among them match, and whatever they need by `depends_on`, transitively.
 * Stages are orders, not needs: no service comes along for its stage, and the stage edges are made anew among those that remain.
 */
export function selectServices(plan: Plan, names: readonly string[]): Result<Plan, readonly UnknownService[]> {
  const byName = new Map(plan.services.map((service) => [service.name, service]));
  const meant = new Map(names.map((name) => [name, meantBy(name, plan.services)]));
  const unknown = [...meant].flatMap(([name, found]) => (found.length === 0 ? [name] : []));
  if (unknown.length > 0) {
    const error = unknown.map((name) => ({ name, suggestion: nearest(name, namesOf(plan.services)) }));
    return { ok: false, error };
  }
  const wanted = new Set([...meant.values()].flat().map(({ name }) => name));
  // A Set that grows while it is walked goes on to what was added.
  for (const name of wanted) {
    for (const { on } of byName.get(name)?.edges ?? []) wanted.add(on);
  }
  const kept = plan.services.filter(({ name }) => wanted.has(name));
  const stages = stageEdges(kept, plan.groups ?? []);
  const services = kept.map((service): ServicePlan => {
    const edges = Object.freeze(stages.get(service.name) ?? []);
    return Object.freeze({ ...service, stageEdges: edges });
  });
  return { ok: true, value: Object.freeze({ ...plan, services: Object.freeze(services) }) };
}
