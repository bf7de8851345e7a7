// `up NAME…`: a Plan of these services and their dependencies. Reads no file.
import type { Result } from '../config/diagnostic.ts';
import { nearest } from '../config/nearest.ts';
import { matchServices, names as namesOf } from './names.ts';
import type { Plan, ServicePlan } from './plan.ts';
import { stageEdges } from './stages.ts';

interface UnknownService {
  readonly name: string;
  /** The closest existing name. */
  readonly suggestion: string | null;
}

/**
 * The Plan restricted to `names`, the matches of globs among them, and their dependencies by `depends_on`, transitively.
 * Stages only order: no service is included because of its stage, and the stage edges are computed again for the rest.
 */
export function selectServices(plan: Plan, names: readonly string[]): Result<Plan, readonly UnknownService[]> {
  const byName = new Map(plan.services.map((service) => [service.name, service]));
  const meant = new Map(names.map((name) => [name, matchServices(name, plan.services)]));
  const unknown = [...meant].flatMap(([name, found]) => (found.length === 0 ? [name] : []));
  if (unknown.length > 0) {
    const error = unknown.map((name) => ({ name, suggestion: nearest(name, namesOf(plan.services)) }));
    return { ok: false, error };
  }
  const wanted = new Set([...meant.values()].flat().map(({ name }) => name));
  // Iterating over a Set includes elements that are added during the iteration.
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
