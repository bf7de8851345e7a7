// `npm run bench`: compares svc-super with its alternatives, row by row. Parses the command line, schedules the contestants,
// stores the measurements, and prints or writes the report. Measurements are in rows/, contestants in rivals/.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CONTESTANTS, cache } from './contestants.ts';
import { buildInstruments, install } from './install.ts';
import { renderPicture } from './picture.ts';
import { REASONS } from './reasons.ts';
import { type Results, renderMarkdown, renderTerminal } from './report.ts';
import { GATE } from './rows/gate.ts';
import { LIFE } from './rows/life.ts';
import { LOAD } from './rows/load.ts';
import { MANY } from './rows/many.ts';
import { REST } from './rows/rest.ts';
import { START } from './rows/start.ts';
import { lock, type Trial } from './rows/trial.ts';
import { type Entrant, Stage } from './stage.ts';

const TRIALS: readonly Trial[] = [...START, ...GATE, ...LIFE, ...LOAD, ...MANY, ...REST];
/** This release and the previous one. */
const OURS = ['svc-super', 'old svc-super'];
/** After this many runs without a figure a contestant is skipped in the rest of the trial. */
const PATIENCE = 2;

const USAGE = `npm run bench -- [OPTIONS]

  (none)         all rows, all contestants that are installed; writes bench/RESULTS.md and bench/results.svg
  --install      installs the contestants (apt-get, go, npm) and ends
  --quick        svc-super and start.sh, a few runs of each row; writes nothing
  --runs N       at most N runs of each row
  --save         writes the report although there were fewer runs
  --row ID       only trials with this row, or of this name; may be repeated
  --rival NAME   only svc-super and this contestant; may be repeated
  --render       writes the report again from the figures of the last whole run
  --list         names rows and contestants

SVC_SUPER_OLD=FILE names an older svc-super in one file, which is measured beside the present one as \`old svc-super\`.
`;

const say = (text: string): void => void process.stdout.write(text);
const log = (text: string): void => void process.stderr.write(text);

type Readings = Map<string, Map<string, (number | string)[]>>;

function record(readings: Readings, rows: Readonly<Record<string, number | string>>, name: string): void {
  for (const [id, reading] of Object.entries(rows)) {
    const row = readings.get(id) ?? new Map<string, (number | string)[]>();
    row.set(name, [...(row.get(name) ?? []), reading]);
    readings.set(id, row);
  }
}

interface Choice {
  readonly quick: boolean;
  readonly runs: number;
}

async function compete(
  trial: Trial,
  entrants: readonly Entrant[],
  readings: Readings,
  { quick, runs }: Choice,
): Promise<void> {
  const of = Math.min(runs, quick ? trial.runs.quick : trial.runs.full);
  const able = entrants.filter(({ contestant }) => {
    if (trial.isOwn === true && !OURS.includes(contestant.name)) return false;
    const missing = trial.needs.find((ability) => contestant.lacks[ability] !== undefined);
    if (missing !== undefined)
      for (const { id } of trial.rows) record(readings, { [id]: contestant.lacks[missing] ?? '' }, contestant.name);
    return missing === undefined;
  });
  const alone = lock();
  const failures = new Map<string, number>();
  const turn = async (entrant: Entrant, number: number): Promise<void> => {
    const { name } = entrant.contestant;
    if ((failures.get(name) ?? 0) >= PATIENCE) return;
    const stage = (who: Entrant, play: ConstructorParameters<typeof Stage>[1], lines = 0) =>
      new Stage(who, play, { cache, lines });
    const got = await trial.turn(entrant, { number, of, quick, stage, alone });
    if (trial.rows[0] !== undefined && typeof got[trial.rows[0].id] === 'string')
      failures.set(name, (failures.get(name) ?? 0) + 1);
    record(readings, got, name);
  };
  const rotated = (number: number) =>
    able.map((_, index) => able[(index + number) % able.length]).filter((each) => each !== undefined);
  const rounds = Array.from({ length: of }, (_, number) => number);
  if (trial.pace === 'all at once') {
    await Promise.all(rounds.flatMap((number) => rotated(number).map((entrant) => turn(entrant, number))));
    return;
  }
  for (const number of rounds) {
    const round = rotated(number);
    if (trial.pace === 'round by round') await Promise.all(round.map((entrant) => turn(entrant, number)));
    else for (const entrant of round) await turn(entrant, number);
  }
}

async function measure(trials: readonly Trial[], entrants: readonly Entrant[], choice: Choice): Promise<Results> {
  const readings: Readings = new Map();
  const from = performance.now();
  const load = loadavg()[0] ?? 0;
  for (const trial of trials) {
    const before = performance.now();
    log(`${trial.name} ...`);
    await compete(trial, entrants, readings, choice);
    log(` ${((performance.now() - before) / 1_000).toFixed(0)} s\n`);
  }
  return {
    machine: `${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB of memory, Linux ${release().replace(/^(\d+\.\d+).*/, '$1')}, load ${load.toFixed(1)} at its beginning`,
    minutes: (performance.now() - from) / 60_000,
    entrants: CONTESTANTS.map(({ name, gates, remarks }) => {
      const found = entrants.find(({ contestant }) => contestant.name === name);
      return { name, gates, remarks, version: found?.installed.version ?? null };
    }),
    rows: trials.flatMap(({ rows }) =>
      rows.map((row) => ({ row, readings: Object.fromEntries(readings.get(row.id) ?? []) })),
    ),
  };
}

const LAST = join(cache, 'last.json');

function publish(results: Results): void {
  writeFileSync(join(import.meta.dir, 'RESULTS.md'), renderMarkdown(results, REASONS));
  writeFileSync(join(import.meta.dir, 'results.svg'), renderPicture(results));
  log('written: bench/RESULTS.md, bench/results.svg\n');
}

/** The installed contestants with one of these names; null: all. */
function installedAmong(names: readonly string[] | null) {
  return CONTESTANTS.flatMap((contestant) => {
    const installed = names === null || names.includes(contestant.name) ? contestant.installed(cache) : null;
    return installed === null ? [] : [{ contestant, installed }];
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      install: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      render: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      runs: { type: 'string' },
      row: { type: 'string', multiple: true, default: [] },
      rival: { type: 'string', multiple: true, default: [] },
    },
  });
  if (values.help) {
    say(USAGE);
    return 0;
  }
  if (values.list) {
    for (const { name, rows } of TRIALS) say(`${name}: ${rows.map(({ id }) => id).join(', ')}\n`);
    for (const { name, installed } of CONTESTANTS) say(`${name} ${installed(cache)?.version ?? '(not installed)'}\n`);
    return 0;
  }
  mkdirSync(cache, { recursive: true });
  if (values.install) {
    const failed = [...install(CONTESTANTS, cache, log).values()].filter((outcome) => outcome !== null);
    return failed.length === 0 ? 0 : 1;
  }
  if (values.render) {
    if (!existsSync(LAST)) {
      log('there has been no complete run here yet: npm run bench\n');
      return 1;
    }
    publish(JSON.parse(readFileSync(LAST, 'utf8')) as Results);
    return 0;
  }
  const broken = buildInstruments(cache);
  if (broken !== null || process.getuid?.() !== 0) {
    log(`${broken ?? 'PID namespaces need root'}\n`);
    return 1;
  }
  // The old release is always included: it is given in order to be compared.
  const names = values.rival.length > 0 ? [...OURS, ...values.rival] : values.quick ? [...OURS, 'start.sh'] : null;
  const entrants = installedAmong(names);
  const wanted = (trial: Trial) =>
    values.row.some((id) => trial.name === id || trial.rows.some((row) => row.id === id));
  const trials = values.row.length > 0 ? TRIALS.filter(wanted) : TRIALS;
  const runs = values.runs === undefined ? Number.POSITIVE_INFINITY : Number(values.runs);
  const results = await measure(trials, entrants, { quick: values.quick, runs });
  const shown =
    names === null ? results : { ...results, entrants: results.entrants.filter(({ version }) => version !== null) };
  say(renderTerminal(shown, process.stdout.columns ?? 200));
  if (names === null && trials === TRIALS && (values.runs === undefined || values.save)) {
    writeFileSync(LAST, JSON.stringify(results));
    publish(results);
  }
  return 0;
}

process.exit(await main());
