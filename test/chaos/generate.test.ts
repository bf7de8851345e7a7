// Generated scenarios: reproducible, always accepted by the supervisor, and over many seeds covering everything.
// Runs no round.
import { expect, test } from 'bun:test';
import { configure, isWrong, reloadText } from '../../chaos/configure.ts';
import { generate } from '../../chaos/generate.ts';
import type { Scenario } from '../../chaos/scenario.ts';
import { realFiles } from '../../src/linux/files.ts';
import { loadPlan } from '../../src/plan/expand.ts';
import type { Files } from '../../src/ports.ts';

const SEEDS = Array.from({ length: 500 }, (_, seed) => seed);
/** Loading one takes some milliseconds. */
const LOADED = SEEDS.slice(0, 60);
const PLACES = { folder: '/round', program: '/round/program.pl' };

/** The supervisor's output for a text; null: none. */
function complaint(text: string | Uint8Array): string | null {
  const bytes = Buffer.from(text as string);
  const files: Files = {
    read: () => bytes,
    list: () => null,
    stat: (path) =>
      path === '/services.yaml' ? { size: bytes.length, isDirectory: false, isFile: true } : realFiles.stat(path),
  };
  const result = loadPlan({
    path: '/services.yaml',
    files: files as typeof realFiles,
    environment: { PATH: '/usr/bin:/bin' },
  });
  return result.ok ? null : result.error.diagnostics.map(({ message }) => message).join('; ');
}

test('a seed gives the same scenario every time, and another seed gives another one', () => {
  for (const seed of SEEDS.slice(0, 50)) expect(generate(seed)).toEqual(generate(seed));
  expect(new Set(SEEDS.map((seed) => JSON.stringify({ ...generate(seed), seed: 0 }))).size).toBe(SEEDS.length);
});

test('the supervisor accepts every generated configuration', () => {
  for (const seed of LOADED) {
    expect(`${seed}: ${complaint(JSON.stringify(configure(generate(seed), PLACES)))}`).toBe(`${seed}: null`);
  }
});

test('it accepts valid files of reloads, and rejects invalid ones', () => {
  for (const seed of LOADED) {
    const scenario = generate(seed);
    for (const fault of scenario.faults) {
      if (fault.kind !== 'reload') continue;
      const text = reloadText(scenario, PLACES, fault.file, 1);
      const refused = text === null || complaint(text) !== null;
      expect(`${seed} ${fault.file.text}: ${refused}`).toBe(`${seed} ${fault.file.text}: ${isWrong(fault.file)}`);
    }
  }
});

test('a file without some services has at least one, and no edge to the removed ones', () => {
  const scenario = generate(7);
  const picks = scenario.services.map((_, at) => at);
  const text = reloadText(scenario, PLACES, { text: 'fewer', picks }, 1);
  expect(complaint(text as string)).toBeNull();
  expect(Object.keys(JSON.parse(text as string).services)).toHaveLength(1);
});

test('many seeds cover every kind of fault, probe, fork and exit', () => {
  const all = SEEDS.map((seed) => generate(seed));
  const seen = (of: (scenario: Scenario) => readonly string[]) => [...new Set(all.flatMap(of))].sort();
  expect(seen(({ faults }) => faults.map(({ kind }) => kind))).toEqual([
    'end-supervisor',
    'exec',
    'fill-disk',
    'followers',
    'freeze',
    'freeze-all',
    'freeze-supervisor',
    'hold-connections',
    'kill',
    'noise',
    'operate',
    'reload',
    'slow-client',
    'squeeze-processes',
    'stall-reader',
    'swap-log',
    'term-tree',
  ]);
  expect(seen(({ faults }) => faults.flatMap((one) => (one.kind === 'swap-log' ? [one.what] : [])))).toHaveLength(6);
  expect(seen(({ groups }) => [`${groups.length}`])).toEqual(['0', '2', '3']);
  const services = (of: (spec: Scenario['services'][number]) => readonly string[]) =>
    seen((scenario) => scenario.services.flatMap(of));
  expect(services(({ ready }) => (ready === null ? [] : [ready.probe]))).toHaveLength(6);
  expect(services(({ program }) => program.forks.map(({ how }) => how))).toHaveLength(4);
  expect(services(({ program }) => program.ends.map(({ how }) => Object.keys(how)[0] ?? ''))).toEqual([
    'code',
    'signal',
  ]);
  expect(services(({ replicas }) => [`${replicas}`])).toHaveLength(3);
  expect(seen(({ exit }) => [exit])).toHaveLength(3);
});

test('some absences of the supervisor are longer than deadlines of the same plan', () => {
  const all = SEEDS.map((seed) => generate(seed));
  for (const kind of ['freeze-supervisor', 'freeze-all'] as const) {
    const longer = all.filter(({ faults, services, length }) => {
      const absences = faults.flatMap((one) => (one.kind === kind ? [Math.min(one.for, length - one.at)] : []));
      const deadlines = services.flatMap(({ ready, stop }) =>
        [ready?.timeout, stop.timeout].map((one) => one ?? 10_000),
      );
      return Math.max(0, ...absences) > Math.max(2_000, Math.min(...deadlines));
    });
    expect(longer.length).toBeGreaterThan(20);
  }
});

test('a service of another user writes a log file, and prints', () => {
  const owners = SEEDS.flatMap((seed) => generate(seed).services.filter(({ user }) => user));
  expect(owners.length).toBeGreaterThan(50);
  expect(owners.filter(({ log, program }) => !log.file || program.output === null)).toEqual([]);
});
