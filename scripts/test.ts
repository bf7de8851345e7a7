// Runs the test suite, or what the command line names: a part (`e2e`), a folder of test/ (`core`, `test/up`) or a file.
// Without arguments: types, lint, build, then all tests, folder by folder. Prints the output as it comes, and at the end the
// failures, a table and one line of totals. With CI=true a skipped test is a failure. Arguments from the first that begins
// with a dash go to `bun test`: `npm test -- e2e -t 'a title'`. CONTRIBUTING.md explains all of it.
import { existsSync, rmSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { whyNoChaos } from '../chaos/obstacle.ts';
import { whyNoContainers } from '../test/helpers/container-tools.ts';
import { installMusl, whyNoMusl, withMusl } from '../test/helpers/musl.ts';
import { findNode, installBundle, whyNoNode } from '../test/helpers/node.ts';
import { Leftovers } from './leftovers.ts';

const ROOT = join(import.meta.dir, '..');
const BUN = process.execPath;
const IS_CI = process.env.CI === 'true';
/** Time limit of one test, milliseconds. */
const TEST_TIMEOUT = 120_000;
/** Time limit of one part, milliseconds; after that, the part and its processes are killed. */
const PART_TIMEOUT = 30 * 60_000;
/** How long to wait for output that another process holds open after a part has ended, milliseconds. */
const DRAIN = 1_000;
/** Lines of each failure that are repeated at the end. */
const LINES_KEPT = 60;

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Outcome extends Counts {
  readonly part: string;
  readonly seconds: number;
  /** Each failure, as it was printed. */
  readonly failures: readonly string[];
  /** One sentence for each skipped test: which, and why. */
  readonly skips: readonly string[];
}

interface Part {
  readonly about: string;
  /** Why the part cannot run on this machine; null if it can. */
  why?(): string | null;
  readonly command: () => readonly string[];
  /** Added to the environment. `folder` is for the part's files, and is removed after it. */
  readonly env?: (folder: string) => Readonly<Record<string, string>>;
  readonly read: (run: Run) => Omit<Outcome, 'part' | 'seconds'>;
}

interface Run {
  readonly code: number;
  readonly output: string;
}

const APART = ['native', 'e2e', 'examples', 'containers', 'release', 'packages', 'platforms', 'hooks'];
/** Parts that take minutes and seldom find what a small change broke: always in CI, elsewhere only by name. */
const LONG: readonly string[] = ['soak', 'fuzz'];
/** Takes less than a minute. */
const SHORT_SOAK = ['--restarts', '2000', '--lines', '300000', '--probes', '6000', '--calls', '2000'];
/** The built files, which some parts run. */
const FILES = ['dist/svc-super', 'dist/svc-super-supervisor'];
/** Parts that run only by name. */
const ON_DEMAND: readonly string[] = ['node-all', 'bun-some', 'bun-all', 'release-all', 'platforms', 'hooks', 'musl'];
const NEEDS_BUILD = [...APART, ...LONG, ...ON_DEMAND, 'chaos', 'node'];
/** End-to-end tests of what differs most between Bun and Node: pipes, sockets, signals, start and end. */
const ON_NODE = ['control-operations', 'node', 'output', 'probe-http', 'signals', 'start', 'stop'];
/** There, sh adds PWD to the supervisor's environment, which these files compare exactly; and /dev/null must exist. */
const NOT_ON_BUN: readonly string[] = ['trap-environment', 'unchanged'];
/** How long chaos rounds are started, and how long a failure is reduced, minutes. */
const CHAOS_MINUTES = 2;

/** Random sequences and random inputs: they take a minute and more, and run apart from the quick tests. */
const PROPERTY = /(?:^|-)property\.test\.ts$/;
const isProperty = (file: string) => PROPERTY.test(basename(file));

/** The folder of test/ that a test file is in; its own name if it is in none. */
const roomOf = (file: string) => file.split('/')[1] ?? '';

function testFiles(wanted: (file: string) => boolean): string[] {
  const files = [...new Bun.Glob('test/**/*.test.ts').scanSync({ cwd: ROOT })];
  return files.filter((file) => !file.includes('/node_modules/') && wanted(file)).sort();
}

const bunTest = (files: readonly string[]): string[] => [
  BUN,
  'test',
  '--timeout',
  String(TEST_TIMEOUT),
  ...bunOptions,
  ...files.map((file) => `./${file}`),
];

const tests = (about: string, wanted: (file: string) => boolean, why?: () => string | null): Part => ({
  about,
  why: () => (testFiles(wanted).length === 0 ? 'no test file matches' : (why?.() ?? null)),
  command: () => bunTest(testFiles(wanted)),
  read: readTests,
});

const endToEnd = (wanted: (name: string) => boolean): string[] =>
  bunTest(testFiles((file) => roomOf(file) === 'e2e' && wanted(basename(file, '.test.ts'))));

/** End-to-end tests with the bundle for Node in place of dist/svc-super-supervisor. */
const onNode = (about: string, wanted: (name: string) => boolean): Part => ({
  about,
  why: whyNoNode,
  command: () => endToEnd(wanted),
  env: (folder) => ({ SVC_SUPER_BINARY: installBundle(folder, findNode() ?? '') }),
  read: readTests,
});

/** The same, with Bun. */
const onBun = (about: string, wanted: (name: string) => boolean): Part => ({
  about,
  command: () => endToEnd(wanted),
  env: (folder) => ({ SVC_SUPER_BINARY: installBundle(folder, BUN, 'bun') }),
  read: readTests,
});

/** The same, with the build for musl: its C library is visible in a mount namespace of the tests. */
const onMusl = (about: string): Part => ({
  about,
  why: whyNoMusl,
  command: () => withMusl(endToEnd((name) => name !== 'gvisor')), // a sandbox of gVisor shows this machine's libraries
  env: (folder) => ({ SVC_SUPER_BINARY: installMusl(folder) }),
  read: readTests,
});

const tool = (about: string, ...command: string[]): Part => ({
  about,
  command: () => [BUN, ...command],
  read: ({ code, output }) => ({
    passed: code === 0 ? 1 : 0,
    failed: code === 0 ? 0 : 1,
    skipped: 0,
    failures: code === 0 ? [] : [output],
    skips: [],
  }),
});

const rounds = (about: string): Part => ({
  about,
  why: whyNoChaos,
  command: () => [BUN, 'chaos/main.ts', '--minutes', `${CHAOS_MINUTES}`, '--shrink', `${CHAOS_MINUTES}`],
  read: readRounds,
});

/** A command whose last line is `N passed, N failed`, and that prints a line for each failure. */
const counted = (about: string, ...command: string[]): Part => ({
  about,
  command: () => [BUN, ...command],
  read: ({ code, output }) => {
    const lines = output.trimEnd().split('\n');
    const [, passed, failed] = /^(\d+) passed, (\d+) failed$/.exec(lines.at(-1) ?? '') ?? [];
    const isFine = code === 0 && failed === '0';
    return {
      passed: Number(passed ?? 0),
      failed: isFine ? 0 : Math.max(1, Number(failed ?? 1)),
      skipped: 0,
      failures: isFine ? [] : [lines.slice(-LINES_KEPT).join('\n')],
      skips: [],
    };
  },
});

const room = (about: string, name: string, why?: () => string | null) =>
  tests(about, (file) => roomOf(file) === name, why);

const PARTS = {
  types: tool('types (tsc)', 'node_modules/.bin/tsc', '--noEmit'),
  'types-page': tool('types of the dashboard (tsc)', 'node_modules/.bin/tsc', '--noEmit', '--project', 'src/dashboard'),
  lint: tool('lint and format (biome)', 'node_modules/.bin/biome', 'check', '.'),
  build: tool('both files in dist/', 'scripts/build.ts', '--if-stale'),
  native: room('the native program alone, and compared with the inits that it replaces', 'native'),
  unit: tests(
    'each folder of src/ alone, in virtual time where possible',
    (file) => !APART.includes(roomOf(file)) && !isProperty(file),
  ),
  property: tests(
    'random events against the core, and random inputs',
    (file) => !APART.includes(roomOf(file)) && isProperty(file),
  ),
  e2e: room('svc-super as PID 1 of its own namespace', 'e2e'),
  node: onNode('the same supervisor on Node: some of the end-to-end tests', (name) => ON_NODE.includes(name)),
  'node-all': onNode('the same supervisor on Node: all end-to-end tests', () => true),
  'bun-some': onBun('the bundle on an installed Bun: some of the end-to-end tests', (name) => ON_NODE.includes(name)),
  'bun-all': onBun('the bundle on an installed Bun: nearly all end-to-end tests', (name) => !NOT_ON_BUN.includes(name)),
  examples: room('the examples, with real services', 'examples'),
  containers: room('svc-super in real containers', 'containers', whyNoContainers),
  packages: room('the packages for npm and Python, installed', 'packages'),
  release: room('the files of a release, for this platform', 'release'),
  'release-all': {
    ...room('the files of a release, for every platform', 'release'),
    env: () => ({ SVC_SUPER_TEST_RELEASE: 'full' }),
  },
  platforms: room('each build on its platform: musl in a root, arm64 emulated', 'platforms'),
  hooks: room('the hook for commits, and the workflows', 'hooks'),
  musl: onMusl('the supervisor with musl on this machine: all end-to-end tests'),
  chaos: rounds('random services under random faults; the seed is that of the day'),
  soak: counted('nothing grows (a short soak)', 'soak/soak.ts', ...SHORT_SOAK, '--results', 'none'),
  fuzz: counted(
    'fuzzing, a minute for each target, two at a time',
    'fuzz/fuzz.ts',
    '--seconds',
    '60',
    '--at-once',
    '2',
  ),
} as const satisfies Readonly<Record<string, Part>>;

type PartName = keyof typeof PARTS;

/** A part by name, and whether it needs the files in dist/. */
interface Wanted {
  readonly name: string;
  readonly part: Part;
  readonly needsBuild: boolean;
}

const firstOption = process.argv.findIndex((word, index) => index >= 2 && word.startsWith('-'));
const words = process.argv.slice(2, firstOption < 0 ? undefined : firstOption);
const bunOptions = firstOption < 0 ? [] : process.argv.slice(firstOption);

function partOf(name: PartName): Wanted {
  return { name, part: PARTS[name], needsBuild: NEEDS_BUILD.includes(name) };
}

/** What an argument selects: a part, else a test file, else a folder of test/ without its property tests; or null. */
function find(word: string): Wanted | null {
  if (Object.hasOwn(PARTS, word)) return partOf(word as PartName);
  const path = relative(ROOT, resolve(word));
  const inTest = path.startsWith('test/') ? path : join('test', word);
  const isFolder = statSync(join(ROOT, inTest), { throwIfNoEntry: false })?.isDirectory() === true;
  const matches = (file: string) =>
    isFolder ? file.startsWith(`${inTest}/`) && !isProperty(file) : file === inTest || file === `${inTest}.test.ts`;
  const [first] = testFiles(matches);
  if (first === undefined) return null;
  return { name: inTest, part: tests('as named', matches), needsBuild: APART.includes(roomOf(first)) };
}

/** The last block of counts that `bun test` printed; null if it printed none. */
function readSummary(lines: readonly string[]): Counts | null {
  const end = lines.findLastIndex((line) => /^Ran \d+ tests? across /.test(line));
  if (end < 0) return null;
  const counts = new Map<string, number>();
  for (let index = end - 1; index >= 0; index -= 1) {
    const found = /^ *(\d+) (\S.*)$/.exec(lines[index] ?? '');
    if (found === null) break;
    counts.set(found[2] ?? '', Number(found[1]));
  }
  const count = (name: string) => counts.get(name) ?? 0;
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') };
}

function readTests({ code, output }: Run): Omit<Outcome, 'part' | 'seconds'> {
  const lines = output.split('\n');
  const failures = readFailures(lines);
  const skips = [...new Set(lines.filter((line) => /^\((?:skip|todo)\) |^SKIPPED /.test(line)))];
  const summary = readSummary(lines);
  if (summary === null) {
    const reason = `bun test printed no totals (exit code ${code})`;
    return {
      passed: 0,
      failed: 1,
      skipped: 0,
      failures: [...failures, [...lines.slice(-LINES_KEPT), reason].join('\n')],
      skips,
    };
  }
  if (code === 0 || summary.failed > 0) return { ...summary, failures, skips };
  return { ...summary, failed: 1, failures: [...failures, `bun test ended with exit code ${code}`], skips };
}

/** Each round counts as one test. */
function readRounds({ output }: Run): Omit<Outcome, 'part' | 'seconds'> {
  const found = /^(\d+) rounds passed, (\d+) failed$/m.exec(output);
  const [passed, failed] = [Number(found?.[1] ?? 0), Number(found?.[2] ?? 0)];
  if (passed + failed === 0) return { passed, failed: 1, skipped: 0, failures: [output.slice(-4_000)], skips: [] };
  const stories = [...output.matchAll(/^--- seed (\d+) breaks:$[\s\S]*?^--- end of seed \1$/gm)];
  return { passed, failed, skipped: 0, failures: stories.map(([story]) => story), skips: [] };
}

/** For each failed test, the lines since the result of the test before it; and errors between tests. */
function readFailures(lines: readonly string[]): string[] {
  const failures: string[] = [];
  let from = 0;
  for (const [index, line] of lines.entries()) {
    if (/^\d+ tests? failed:$/.test(line)) break; // bun repeats the titles
    if (line === '# Unhandled error between tests') from = index;
    const failed =
      line.startsWith('(fail) ') ||
      (/^-{20,}$/.test(line) && index > from + 1 && lines[from]?.startsWith('# Unhandled'));
    if (failed) failures.push(lines.slice(Math.max(from, index + 1 - LINES_KEPT), index + 1).join('\n'));
    if (failed || /^\((?:pass|skip|todo)\) |^\S+\.test\.ts:$/.test(line)) from = index + 1;
  }
  return failures;
}

/** Runs a command until it exits. Prints its output at once, and returns it. */
async function run({ command, env }: Part, leftovers: Leftovers): Promise<Run> {
  let output = '';
  const files = join(leftovers.folder, 'part');
  const child = Bun.spawn([...command()], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: leftovers.folder, ...env?.(files) },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const pass = async (from: ReadableStream<Uint8Array>, to: NodeJS.WriteStream) => {
    const decoder = new TextDecoder();
    for await (const chunk of from) {
      output += decoder.decode(chunk, { stream: true });
      to.write(chunk);
    }
  };
  const drained = Promise.all([pass(child.stdout, process.stdout), pass(child.stderr, process.stderr)]);
  const stopReaping = leftovers.reapBeside(child.pid);
  const timeout = setTimeout(() => {
    output += `\nkilled after ${PART_TIMEOUT / 60_000} minutes\n`;
    child.kill('SIGKILL');
  }, PART_TIMEOUT);
  const code = await child.exited;
  clearTimeout(timeout);
  stopReaping();
  rmSync(files, { recursive: true, force: true });
  await Promise.race([drained, Bun.sleep(DRAIN)]);
  return { code, output };
}

async function runPart({ name, part, needsBuild }: Wanted, leftovers: Leftovers): Promise<Outcome> {
  process.stdout.write(`\n=== ${name}: ${part.about}\n`);
  const isBuilt = FILES.every((file) => existsSync(join(ROOT, file)));
  const why = needsBuild && !isBuilt ? `${FILES.join(' and ')} could not be built` : (part.why?.() ?? null);
  const none = { part: name, seconds: 0, passed: 0, failed: 0, skipped: 0, failures: [], skips: [] };
  if (why !== null) return { ...none, skipped: 1, skips: [`skipped, ${why}`] };
  const from = performance.now();
  const outcome = part.read(await run(part, leftovers));
  return { part: name, seconds: (performance.now() - from) / 1_000, ...outcome };
}

function render(outcomes: readonly Outcome[]): string {
  const width = Math.max(...outcomes.map(({ part }) => part.length));
  const row = (cells: readonly (string | number)[]) =>
    cells.map((cell, index) => (index === 0 ? String(cell).padEnd(width) : String(cell).padStart(8))).join('  ');
  const table = outcomes.map(({ part, passed, failed, skipped, seconds }) =>
    row([part, passed, failed, skipped, `${seconds.toFixed(1)} s`]),
  );
  return [row(['part', 'passed', 'failed', 'skipped', 'time']), ...table].join('\n');
}

/** What the command line selects, in order and each once; a part that needs the built files brings the build along. */
function select(): readonly Wanted[] | { readonly unknown: readonly string[] } {
  if (words.length === 0) {
    const usual = (name: PartName) => (LONG.includes(name) ? IS_CI : !ON_DEMAND.includes(name));
    return (Object.keys(PARTS) as PartName[]).filter(usual).map(partOf);
  }
  const unknown = words.filter((word) => find(word) === null);
  if (unknown.length > 0) return { unknown };
  const named = words.flatMap((word) => find(word) ?? []);
  const all = named.some(({ needsBuild }) => needsBuild) ? [partOf('build'), ...named] : named;
  return [...new Map(all.map((one) => [one.name, one])).values()];
}

/** Runs the parts one after another. The last outcome is about what they left behind: processes, files, containers. */
async function runAll(wanted: readonly Wanted[], leftovers: Leftovers): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const left: string[] = [];
  for (const one of wanted) {
    outcomes.push(await runPart(one, leftovers));
    left.push(...(await leftovers.take()).map((what) => `${one.name} left behind ${what}`));
  }
  const isClean = left.length === 0;
  const counts = { passed: isClean ? 1 : 0, failed: isClean ? 0 : 1, skipped: 0 };
  return [
    ...outcomes,
    { part: 'nothing left', seconds: 0, ...counts, failures: isClean ? [] : [left.join('\n')], skips: [] },
  ];
}

/** Prints failures, table and totals; returns the exit code. */
function report(outcomes: readonly Outcome[], seconds: number): number {
  const write = (text: string) => process.stdout.write(`${text}\n`);
  for (const { part, failures } of outcomes)
    for (const failure of failures) write(`\n--- ${part} failed:\n${failure.trimEnd()}`);
  write(`\n${render(outcomes)}\n`);
  for (const { part, skips } of outcomes) for (const skip of skips) write(`${part}: ${skip}`);
  const sum = (count: keyof Counts) => outcomes.reduce((total, outcome) => total + outcome[count], 0);
  const [passed, skipped] = [sum('passed'), IS_CI ? 0 : sum('skipped')];
  const failed = sum('failed') + (IS_CI ? sum('skipped') : 0);
  if (IS_CI && sum('skipped') > 0) write('CI=true: skipped tests count as failed');
  write(`total time ${seconds.toFixed(0)} s`);
  write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return failed === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const wanted = select();
  if ('unknown' in wanted) {
    const parts = Object.keys(PARTS).join(', ');
    process.stderr.write(
      `no part, folder of test/ or test file: ${wanted.unknown.join(', ')}. The parts are ${parts}.\n`,
    );
    return 64;
  }
  const leftovers = new Leftovers();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      Leftovers.killAll();
      leftovers.close();
      process.exit(130);
    });
  }
  const from = performance.now();
  const outcomes = await runAll(wanted, leftovers);
  leftovers.close();
  return report(outcomes, (performance.now() - from) / 1_000);
}

process.exitCode = await main();
