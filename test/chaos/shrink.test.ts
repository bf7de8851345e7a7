// Shrinking, with a predicate in place of a run: the result contains what the predicate needs, and little else.
import { expect, test } from 'bun:test';
import { generate } from '../../chaos/generate.ts';
import type { Scenario } from '../../chaos/scenario.ts';
import { shrink } from '../../chaos/shrink.ts';

/** A scenario with at least that many services and faults. */
function large(): Scenario {
  for (let seed = 0; ; seed += 1) {
    const scenario = generate(seed);
    if (scenario.services.length >= 5 && scenario.faults.length >= 8) return scenario;
  }
}

test('only the two relevant faults and the relevant service remain', async () => {
  const scenario = large();
  const [first, last] = [scenario.faults.at(1), scenario.faults.at(-2)];
  const service = scenario.services.at(3)?.name;
  const asked: Scenario[] = [];
  const small = await shrink(scenario, async (candidate) => {
    asked.push(candidate);
    const { faults, services } = candidate;
    return (
      faults.some((one) => one === first) &&
      faults.some((one) => one === last) &&
      services.some(({ name }) => name === service)
    );
  });
  expect(small.faults).toEqual([first, last] as Scenario['faults']);
  expect(small.services.map(({ name }) => name)).toEqual([service ?? '']);
  expect(small.services[0]).toMatchObject({
    ready: null,
    live: false,
    dependsOn: [],
    program: { forks: [], output: null },
  });
  expect(small.groups).toEqual([]);
  expect(small.surroundings).toMatchObject({ pid1: true, files: null, uptime: null });
  expect(asked.length).toBeLessThan(80);
});

test('a scenario that fails only as a whole is unchanged', async () => {
  const scenario = large();
  expect(await shrink(scenario, async (candidate) => Bun.deepEquals(candidate, scenario))).toEqual(scenario);
});

test('at the time limit the best scenario so far is returned', async () => {
  const scenario = large();
  let asked = 0;
  const small = await shrink(scenario, async () => {
    asked += 1;
    return asked <= 1 ? true : null;
  });
  expect(asked).toBe(2);
  expect(small.faults).toEqual([]);
  expect(small.services).toEqual(scenario.services);
});

test('edges to removed services are removed', async () => {
  const scenario = large();
  const [first] = scenario.services;
  const joined = {
    ...scenario,
    services: scenario.services.map((spec, at) =>
      at === 0 ? spec : { ...spec, dependsOn: [{ on: first?.name ?? '', condition: 'started' as const }] },
    ),
  };
  const small = await shrink(joined, async ({ services }) =>
    services.some(({ name }) => name === joined.services[2]?.name),
  );
  expect(small.services).toHaveLength(1);
  expect(small.services[0]?.dependsOn).toEqual([]);
});
