// Round trips: what is exported and imported again is what it was, except for what the report of the export names. For every
// format that both sides have, every example, and generated files with every field.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { toLabels } from '../../../src/convert/export/names.ts';
import { literalEnvironment, wrappedCommand } from '../../../src/convert/export/shell.ts';
import { type ExportService, type ExportSource, readSource } from '../../../src/convert/export/source.ts';
import type { Finding } from '../../../src/convert/findings.ts';
import { importSource } from '../../../src/convert/import/import.ts';
import type { Probe } from '../../../src/plan/plan.ts';
import { file } from '../export/plans.ts';
import { EXAMPLES, exported } from '../export/rig.ts';
import { inputOf } from '../import/rig.ts';

function read(text: string): ExportSource {
  const source = readSource('services.yaml', text);
  if (!source.ok) throw new Error(`${JSON.stringify(source.error.diagnostics, null, 1)}\n${text}`);
  return source.value;
}

function probeFacts(probe: Probe): unknown {
  const { kind } = probe;
  if (kind === 'http') return [kind, probe.scheme, probe.host, probe.port, probe.path, probe.method];
  if (kind === 'tcp') return [kind, probe.host, probe.port, probe.socket];
  // Docker asks the same by a command.
  if (kind === 'file') return ['exec', ['/bin/sh', '-c', `test -e ${probe.path}`]];
  return kind === 'exec' ? [kind, probe.argv] : kind;
}

/** Edges by the name that an output uses. A service without `ready` is ready once it has started. */
function dependenciesOf(source: ExportSource, { edges }: ExportService, hasStages: boolean): object {
  const labels = toLabels(source.services.map(({ name }) => name));
  const all = edges.flatMap(({ on, condition, origin }): [string, string][] => {
    const target = source.services.find(({ name }) => name === on);
    const isAlike = condition === 'ready' && target?.ready.length === 0;
    if (hasStages && origin === 'stage') return [];
    return [[labels.get(on) ?? on, isAlike ? 'started' : condition]];
  });
  return Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What is compared of a service, by the field that the report would name. `hasStages`: so has the format. */
function factsOf(source: ExportSource, service: ExportService, hasStages: boolean): Readonly<Record<string, unknown>> {
  const { config, ready, live, isStarted, hooks } = service;
  const { PORT = null, SVC_REPLICA: _replica, ...env } = literalEnvironment(source, service);
  const { restart, stop, gpus } = config;
  return {
    command: wrappedCommand(source, service),
    enabled: isStarted,
    env,
    env_file: [...source.config.env_file, ...config.env_file],
    cwd: config.cwd,
    user: config.user,
    cpus: config.cpus,
    oom_score_adj: config.oom_score_adj,
    limits: Object.fromEntries(config.limits),
    // What publishes the ports of a Compose file is the container of the network; PORT is left of them.
    port: PORT,
    gpus: gpus === null || gpus.wish === 0 ? null : gpus.wish,
    restart: [restart.policy, restart.policy === 'on-failure' ? restart.max : null],
    'stop.signal': stop.signal,
    'stop.timeout': stop.timeout ?? source.config.stop_timeout,
    'stop.command': stop.command === null ? hooks.beforeStop : [stop.command, hooks.beforeStop],
    start_timeout: config.start_timeout,
    depends_on: dependenciesOf(source, service, hasStages),
    ready: ready.map(probeFacts),
    live: live.map(probeFacts),
    log: config.log,
  };
}

/** Names under which a report has a field, besides its own. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  'stop.command': ['hooks.before_stop'],
};

/** Whether the report of the export names a field of a service. */
function isNamed(findings: readonly Finding[], field: string, key: string): boolean {
  const names = [field, ...(ALIASES[field] ?? [])];
  const isRewritten = (what: string): boolean =>
    (field === 'env' || field === 'command') && /^port \d+ in /.test(what) && what.endsWith(` in ${key}`);
  return findings.some(
    ({ what }) =>
      isRewritten(what) ||
      (field === 'stop.timeout' && what === '`stop_timeout`') ||
      names.some((name) => what.startsWith(`\`${name}`) && what.endsWith(` of ${key}`)),
  );
}

/** Whether two values of a field have the same meaning for the target. `interval`: the longest of the probes of the service. */
function isSame(field: string, was: unknown, is: unknown, interval: number): boolean {
  if (Bun.deepEquals(was, is)) return true;
  // Docker counts the first failure one interval after the start period.
  if (field === 'start_timeout') return Number(is) === Number(was) + interval;
  // Docker has one health check: several probes are one command.
  if (field !== 'ready' || !Array.isArray(was) || !Array.isArray(is)) return false;
  return was.length > 1 && is.length === 1 && is[0][0] === 'exec';
}

interface Difference {
  readonly service: string;
  readonly field: string;
  readonly was: unknown;
  readonly is: unknown;
}

const FORMATS = [
  ['compose', { format: 'compose' }],
  ['nosana', { format: 'nosana', perService: true }],
] as const;
type Options = (typeof FORMATS)[number][1];

/** What differs between a file and itself after a round trip, without what the report of the export names. */
async function differences(text: string, options: Options): Promise<readonly Difference[]> {
  const { files, findings } = await exported(text, options);
  const [made] = files;
  const outside = { more: [], imageConfigs: [], read: () => null, list: () => null };
  const back = await importSource(options.format, { path: made?.name ?? '', text: made?.text ?? '', ...outside });
  if (!back.ok) throw new Error(`${back.message}\n${made?.text}`);
  const [before, after] = [read(text), read(back.text)];
  const labels = toLabels(before.services.map(({ name }) => name));
  const hasStages = options.format === 'nosana';
  return before.services.flatMap((service): readonly Difference[] => {
    const { name, key } = service;
    const other = after.services.find((one) => one.name === labels.get(name));
    if (other === undefined) {
      const isReported = findings.some(({ what }) => what === `the service ${key}`);
      return isReported ? [] : [{ service: name, field: 'all', was: 'there', is: 'gone' }];
    }
    const [was, is] = [factsOf(before, service, hasStages), factsOf(after, other, hasStages)];
    const interval = Math.max(0, ...service.ready.map((probe) => probe.interval));
    return Object.keys(was)
      .filter((field) => !isSame(field, was[field], is[field], interval) && !isNamed(findings, field, key))
      .map((field) => ({ service: name, field, was: was[field], is: is[field] }));
  });
}

/** Files that `check` accepts, and that have something to export. */
const good = file.filter((text) => {
  const source = readSource('services.yaml', text);
  return source.ok && source.value.services.some(({ isStarted }) => isStarted);
});

describe.each(FORMATS)('import(export %s) is the file minus what was reported', (_title, options) => {
  test.each(EXAMPLES)('%s', async (_name, text) => {
    expect(await differences(text, options)).toEqual([]);
  });

  test('generated files', async () => {
    await fc.assert(
      fc.asyncProperty(good, async (text) => {
        expect({ found: await differences(text, options), text }).toEqual({ found: [], text });
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

test.each(EXAMPLES)(
  'import(export nosana) of %s is one service with the ports that the job exposes',
  async (_name, text) => {
    const { files } = await exported(text, { format: 'nosana' });
    const outside = { more: [], imageConfigs: [], read: () => null, list: () => null };
    const back = await importSource('nosana', { path: 'job.json', text: files[0]?.text ?? '', ...outside });
    if (!back.ok) throw new Error(back.message);
    const { services } = read(back.text);
    const ports = read(text).services.flatMap(({ isStarted, isConditional, config }) =>
      isStarted || isConditional ? config.ports : [],
    );
    expect(services.map(({ config }) => [...config.ports].sort())).toEqual([[...new Set(ports)].sort()]);
  },
);

test('export slurm of an imported recipe asks for what the recipe asks for', async () => {
  const back = await importSource('recipe', inputOf('recipe/chat.yaml'));
  if (!back.ok) throw new Error(back.message);
  const { files, findings } = await exported(back.text, { format: 'slurm' });
  for (const line of [
    'gres=gpu:a100:2',
    'partition=gpu',
    'account=project-1',
    'mem=64G',
    'time=24:00:00',
    'cpus-per-task=8',
  ])
    expect(files[0]?.text).toContain(`\n#SBATCH --${line}\n`);
  expect(findings.filter(({ what }) => /resources|slurm/.test(what))).toEqual([]);
});
