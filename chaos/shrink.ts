// Shrinks a failing scenario to a smaller one that still fails: removes faults, services and their special settings as long as
// `fails` returns true (delta debugging). Runs nothing itself.
import { withoutEdgesTo } from './configure.ts';
import type { Scenario, ServiceSpec } from './scenario.ts';

/** Whether that scenario still fails; null: there is no time left to test it. */
export type Fails = (scenario: Scenario) => Promise<boolean | null>;

/** The smallest failing scenario that was found; the given one if no smaller one fails. */
export async function shrink(scenario: Scenario, fails: Fails): Promise<Scenario> {
  let best = scenario;
  let isTime = true;
  const attempt = async (candidate: Scenario): Promise<boolean> => {
    const answer = isTime ? await fails(candidate) : null;
    isTime = answer !== null;
    if (answer === true) best = candidate;
    return answer === true;
  };
  await fewer(best.faults, (faults) => attempt({ ...best, faults }));
  await fewer(best.services, (kept) =>
    kept.length === 0 ? Promise.resolve(false) : attempt({ ...best, services: withoutEdgesTo(kept) }),
  );
  if (best.groups.length > 0) await attempt(withoutStages(best));
  for (const simpler of SURROUNDINGS) {
    const candidate = simpler(best);
    if (!Bun.deepEquals(candidate, best)) await attempt(candidate);
  }
  for (const { name } of best.services) {
    for (const simpler of SIMPLER) {
      const candidate = {
        ...best,
        services: best.services.map((spec) => (spec.name === name ? simpler(spec) : spec)),
      };
      if (!Bun.deepEquals(candidate, best)) await attempt(candidate);
    }
  }
  return best;
}

/** ddmin: removes ever smaller parts of a list while `keeps` reports that the rest still fails. */
async function fewer<T>(all: readonly T[], keeps: (some: readonly T[]) => Promise<boolean>): Promise<void> {
  let list = all;
  for (let size = list.length; size >= 1; ) {
    let found = false;
    for (let from = 0; from < list.length; ) {
      const rest = [...list.slice(0, from), ...list.slice(from + size)];
      if (await keeps(rest)) {
        list = rest;
        found = true;
      } else from += size;
    }
    // A part that was needed before may be removable now.
    size = found && size === 1 && list.length > 0 ? 1 : Math.floor(size / 2);
  }
}

const SURROUNDINGS: readonly ((scenario: Scenario) => Scenario)[] = [
  (scenario) => ({ ...scenario, surroundings: { ...scenario.surroundings, uptime: null } }),
  (scenario) => ({ ...scenario, surroundings: { ...scenario.surroundings, files: null } }),
  (scenario) => ({ ...scenario, surroundings: { ...scenario.surroundings, pid1: true } }),
];

const withoutStages = (scenario: Scenario): Scenario => ({
  ...scenario,
  groups: [],
  services: scenario.services.map((spec) => ({ ...spec, group: null })),
});

const program = (spec: ServiceSpec, change: Partial<ServiceSpec['program']>): ServiceSpec => ({
  ...spec,
  program: { ...spec.program, ...change },
});

const SIMPLER: readonly ((spec: ServiceSpec) => ServiceSpec)[] = [
  (spec) => ({ ...spec, replicas: 1 }),
  (spec) => ({ ...spec, hooks: [] }),
  (spec) => program(spec, { storm: null }),
  (spec) => program(spec, { output: null }),
  (spec) => program(spec, { forks: [] }),
  (spec) => program(spec, { sick: null }),
  (spec) => program(spec, { onStop: { kind: 'default' } }),
  (spec) => ({ ...spec, ready: null }),
  (spec) => ({ ...spec, live: false }),
  (spec) => ({ ...spec, prepared: false }),
  (spec) => ({ ...spec, user: false }),
  (spec) => ({ ...spec, log: { format: 'text', whenFull: 'block', file: false } }),
  (spec) => ({ ...spec, stop: { signal: 'TERM', timeout: null, to: 'main', command: 'none', drain: 'none' } }),
  (spec) => ({ ...spec, dependsOn: [] }),
];
