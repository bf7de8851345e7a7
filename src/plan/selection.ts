// `up NAME…`: those services and what they need, as a Plan of its own. Knows nothing of the file they came from.
import type { Result } from '../config/diagnostic.ts';
import { nearest } from '../config/nearest.ts';
import type { Plan, ServicePlan } from './plan.ts';
import { stageEdges } from './stages.ts';

export interface UnknownService {
  readonly name: string;
  /** The existing name that is nearest. */
  readonly suggestion: string | null;
}

/**
 * The Plan restricted to `names` and whatever they need by `depends_on`, transitively. Stages are orders, not needs: no
 * service comes along for its stage, and the stage edges are made anew among those that remain.
 */
export function selectServices(plan: Plan, names: readonly string[]): Result<Plan, readonly UnknownService[]> {
  const byName = new Map(plan.services.map((service) => [service.name, service]));
  const unknown = [...new Set(names)].filter((name) => !byName.has(name));
  if (unknown.length > 0) {
    const error = unknown.map((name) => ({ name, suggestion: nearest(name, byName.keys()) }));
    return { ok: false, error };
  }
  const wanted = new Set(names);
  // A Set that grows while it is walked goes on to what was added.
  for (const name of wanted) {
    for (const { on, origin } of byName.get(name)?.edges ?? []) if (origin === 'declared') wanted.add(on);
  }
  const kept = plan.services.filter(({ name }) => wanted.has(name));
  const stages = stageEdges(kept, plan.groups ?? []);
  const services = kept.map((service): ServicePlan => {
    const declared = service.edges.filter(({ origin }) => origin === 'declared');
    const known = new Set(declared.map(({ on, condition }) => `${on}\0${condition}`));
    const stage = (stages.get(service.name) ?? []).filter(({ on, condition }) => !known.has(`${on}\0${condition}`));
    return Object.freeze({ ...service, edges: Object.freeze([...declared, ...stage]) });
  });
  return { ok: true, value: Object.freeze({ ...plan, services: Object.freeze(services) }) };
}
