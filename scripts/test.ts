// Runs the test suite, or the parts of it that are named: types, lint, build, then the tests, room by room, live to the
// terminal. Ends with what failed, a table, and one line that counts it all. With CI=true a skip is a failure.
// `npm test -- e2e -t 'a title'`: what begins with a dash, and all behind it, goes to `bun test`.
import { existsSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { whyNoChaos } from '../chaos/obstacle.ts';
import { whyNoContainers } from '../test/helpers/container-tools.ts';
import { installMusl, whyNoMusl, withMusl } from '../test/helpers/musl.ts';
import { findNode, installBundle, whyNoNode } from '../test/helpers/node.ts';
import { Leftovers } from './leftovers.ts';

const ROOT = join(import.meta.dir, '..');
const BUN = process.execPath;
const IS_CI = process.env.CI === 'true';
/** Of one test, milliseconds. */
const TEST_PATIENCE = 120_000;
/** Of one part: past it something hangs, and what it had started is killed. */
const PART_PATIENCE = 30 * 60_000;
/** Output that is still held open by something when a part has ended is waited for this long. */
const DRAIN = 1_000;
/** Of one failure, so much is repeated at the end. */
const LINES_KEPT = 60;

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Outcome extends Counts {
  readonly part: string;
  readonly seconds: number;
  /** What failed, as it was printed. */
  readonly failures: readonly string[];
  /** Plain sentences about what was skipped, and why. */
  readonly skips: readonly string[];
}

interface Part {
  readonly about: string;
  /** Why it cannot run here; null where it can. */
  why?(): string | null;
  readonly command: () => readonly string[];
  /** Added to the environment; `folder` is for its files and goes when the part is over. */
  readonly env?: (folder: string) => Readonly<Record<string, string>>;
  readonly read: (run: Run) => Omit<Outcome, 'part' | 'seconds'>;
}

interface Run {
  readonly code: number;
  readonly output: string;
}

const APART = ['native', 'e2e', 'examples', 'containers', 'release', 'packages', 'platforms', 'hooks'];
/** They take minutes, and find what a change of today has not made: in CI always, elsewhere when they are named. */
const LONG: readonly string[] = ['soak', 'fuzz'];
/** Under a minute. */
const SHORT_SOAK = ['--restarts', '2000', '--lines', '300000', '--probes', '6000', '--calls', '2000'];
/** What these parts run. */
const FILES = ['dist/svc-super', 'dist/svc-super-supervisor'];
/** Only when they are named. */
const ON_DEMAND: readonly string[] = ['node-all', 'bun-some', 'bun-all', 'release-all', 'platforms', 'hooks', 'musl'];
const NEEDS_BINARY = [...APART, ...LONG, ...ON_DEMAND, 'chaos', 'node'];
/** What differs most between the runtimes: pipes, sockets, signals, the first and the last steps of the supervisor. */
const ON_NODE = ['control-operations', 'node', 'output', 'probe-http', 'signals', 'start', 'stop'];
/** There, sh adds PWD to the supervisor's environment, which these files compare exactly; and /dev/null must exist. */
const NOT_ON_BUN: readonly string[] = ['trap-environment', 'unchanged'];
/** Rounds of chaos are begun for so long, minutes, and a failure is made smaller for as long. */
const CHAOS_MINUTES = 2;

function testFiles(wanted: (room: string) => boolean): string[] {
  const files = [...new Bun.Glob('test/**/*.test.ts').scanSync({ cwd: ROOT })];
  return files.filter((file) => wanted(file.split('/')[1] ?? '')).sort();
}

const bunTest = (files: readonly string[]): string[] => [
  BUN,
  'test',
  '--timeout',
  String(TEST_PATIENCE),
  ...bunOptions,
  ...files.map((file) => `./${file}`),
];

const tests = (about: string, wanted: (room: string) => boolean, why?: () => string | null): Part => ({
  about,
  why: () => (testFiles(wanted).length === 0 ? 'there are no such tests' : (why?.() ?? null)),
  command: () => bunTest(testFiles(wanted)),
  read: readTests,
});

const endToEnd = (wanted: (name: string) => boolean): string[] =>
  bunTest(testFiles((room) => room === 'e2e').filter((file) => wanted(basename(file, '.test.ts'))));

/** End-to-end tests, with the bundle for Node in place of dist/svc-super-supervisor. */
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

/** A command that ends with a line `N passed, N failed`, and prints a line for each thing that failed. */
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

const PARTS = {
  types: tool('types fit (tsc)', 'node_modules/.bin/tsc', '--noEmit'),
  lint: tool('lint and format (biome)', 'node_modules/.bin/biome', 'check', '.'),
  build: tool('both files in dist/ are built', 'scripts/build.ts', '--if-stale'),
  native: tests('the native program by itself, beside the inits that it stands in for', (room) => room === 'native'),
  unit: tests('the rooms, in virtual time or one by one', (room) => !APART.includes(room)),
  e2e: tests('svc-super as PID 1 of its own namespace', (room) => room === 'e2e'),
  node: onNode('the same supervisor on Node, some of it', (name) => ON_NODE.includes(name)),
  'node-all': onNode('the same supervisor on Node, all of it', () => true),
  'bun-some': onBun('the bundle on an installed Bun, some of it', (name) => ON_NODE.includes(name)),
  'bun-all': onBun('the bundle on an installed Bun', (name) => !NOT_ON_BUN.includes(name)),
  examples: tests('the examples, with real services', (room) => room === 'examples'),
  containers: tests('svc-super in real containers', (room) => room === 'containers', whyNoContainers),
  packages: tests('the packages for npm and Python, installed', (room) => room === 'packages'),
  release: tests('the files of a release, for this platform', (room) => room === 'release'),
  'release-all': {
    ...tests('the files of a release, for every platform', (room) => room === 'release'),
    env: () => ({ SVC_SUPER_TEST_RELEASE: 'full' }),
  },
  platforms: tests('each build on its platform: musl in a root, arm64 emulated', (room) => room === 'platforms'),
  hooks: tests('the hook for commits, and the workflows', (room) => room === 'hooks'),
  musl: onMusl('the supervisor with musl on this machine, all of it'),
  chaos: rounds('random services under random faults; the seed is the day’s'),
  soak: counted('nothing grows (a short soak)', 'soak/soak.ts', ...SHORT_SOAK, '--results', 'none'),
  fuzz: counted('a minute of fuzzing each, two at a time', 'fuzz/fuzz.ts', '--seconds', '60', '--at-once', '2'),
} as const satisfies Readonly<Record<string, Part>>;

type PartName = keyof typeof PARTS;

const firstOption = process.argv.findIndex((word, index) => index >= 2 && word.startsWith('-'));
const names = process.argv.slice(2, firstOption < 0 ? undefined : firstOption);
const bunOptions = firstOption < 0 ? [] : process.argv.slice(firstOption);

/** The last block of counts that `bun test` printed; null when it did not come so far. */
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
    const words = `bun test came to no end of its own (exit code ${code})`;
    return {
      passed: 0,
      failed: 1,
      skipped: 0,
      failures: [...failures, [...lines.slice(-LINES_KEPT), words].join('\n')],
      skips,
    };
  }
  if (code === 0 || summary.failed > 0) return { ...summary, failures, skips };
  return { ...summary, failed: 1, failures: [...failures, `bun test ended with exit code ${code}`], skips };
}

/** Each round counts as a test. */
function readRounds({ output }: Run): Omit<Outcome, 'part' | 'seconds'> {
  const found = /^(\d+) rounds passed, (\d+) failed$/m.exec(output);
  const [passed, failed] = [Number(found?.[1] ?? 0), Number(found?.[2] ?? 0)];
  if (passed + failed === 0) return { passed, failed: 1, skipped: 0, failures: [output.slice(-4_000)], skips: [] };
  const stories = [...output.matchAll(/^--- seed (\d+) breaks:$[\s\S]*?^--- end of seed \1$/gm)];
  return { passed, failed, skipped: 0, failures: stories.map(([story]) => story), skips: [] };
}

/** What stands between the line of one test and that of the next, where the next one failed; and errors between tests. */
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

/** Runs a command to its end; what it prints is printed at once and kept. */
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
  const patience = setTimeout(() => {
    output += `\nit was killed after ${PART_PATIENCE / 60_000} minutes\n`;
    child.kill('SIGKILL');
  }, PART_PATIENCE);
  const code = await child.exited;
  clearTimeout(patience);
  stopReaping();
  rmSync(files, { recursive: true, force: true });
  await Promise.race([drained, Bun.sleep(DRAIN)]);
  return { code, output };
}

async function runPart(name: PartName, leftovers: Leftovers, binaryIsThere: boolean): Promise<Outcome> {
  const part: Part = PARTS[name];
  process.stdout.write(`\n=== ${name}: ${part.about}\n`);
  const why =
    NEEDS_BINARY.includes(name) && !binaryIsThere
      ? `${FILES.join(' and ')} could not be built`
      : (part.why?.() ?? null);
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

async function main(): Promise<number> {
  const unknown = names.filter((name) => !Object.hasOwn(PARTS, name));
  if (unknown.length > 0) {
    process.stderr.write(`there is no part ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}\n`);
    return 64;
  }
  const usual = (Object.keys(PARTS) as PartName[]).filter((name) =>
    LONG.includes(name) ? IS_CI : !ON_DEMAND.includes(name),
  );
  const wanted = names.length === 0 ? usual : (['build', ...names] as PartName[]);
  const leftovers = new Leftovers();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      Leftovers.killAll();
      leftovers.close();
      process.exit(130);
    });
  }
  const from = performance.now();
  const outcomes: Outcome[] = [];
  const left: string[] = [];
  for (const name of new Set(wanted)) {
    outcomes.push(
      await runPart(
        name,
        leftovers,
        FILES.every((file) => existsSync(join(ROOT, file))),
      ),
    );
    left.push(...(await leftovers.take()).map((what) => `${name} left behind ${what}`));
  }
  leftovers.close();
  outcomes.push({
    part: 'nothing left',
    seconds: 0,
    passed: left.length === 0 ? 1 : 0,
    failed: left.length === 0 ? 0 : 1,
    skipped: 0,
    failures: left.length === 0 ? [] : [left.join('\n')],
    skips: [],
  });
  const write = (text: string) => process.stdout.write(`${text}\n`);
  for (const { part, failures } of outcomes)
    for (const failure of failures) write(`\n--- ${part} failed:\n${failure.trimEnd()}`);
  write(`\n${render(outcomes)}\n`);
  for (const { part, skips } of outcomes) for (const skip of skips) write(`${part}: ${skip}`);
  const sum = (count: keyof Counts) => outcomes.reduce((total, outcome) => total + outcome[count], 0);
  const [passed, skipped] = [sum('passed'), IS_CI ? 0 : sum('skipped')];
  const failed = sum('failed') + (IS_CI ? sum('skipped') : 0);
  if (IS_CI && sum('skipped') > 0) write('CI=true: what was skipped counts as failed');
  write(`all of it took ${((performance.now() - from) / 1_000).toFixed(0)} s`);
  write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
