// Which services of a plan start with the supervisor. A file of its own, so that a successor, which has its plan from the checkpoint, does
// not load what makes plans. Pure.
import type { ServicePlan } from './plan.ts';

/** The names of the services that start with the supervisor: by themselves, or because one that does needs them. */
export function startingServices(services: readonly ServicePlan[]): ReadonlySet<string> {
  const plans = new Map(services.filter(({ enabled }) => enabled).map((service) => [service.name, service]));
  const names = new Set([...plans.values()].filter(({ start }) => start === 'auto').map(({ name }) => name));
  if (names.size === plans.size) return names;
  // The iteration of a Set includes elements that are added meanwhile.
  for (const name of names) for (const { on } of plans.get(name)?.edges ?? []) if (plans.has(on)) names.add(on);
  return names;
}
