// `npm run kills -- --count N`: 20 services run, exit, restart and print while their supervisor is killed N times, which must
// not affect any service. Compares the services' own records with the supervisors' reports: every run, every exit code, every
// line except those of marked cuts. Prints how long `status` does not respond after a kill, compared with the start of a first
// service; the last line counts the survived kills.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { StatusBody } from '../src/control/api.ts';
import { childrenOf, supervisorOf } from '../test/helpers/namespaces.ts';
import { Dice } from '../test/helpers/nonsense.ts';
import { BINARY } from './room.ts';

const { values } = parseArgs({ options: { count: { type: 'string', default: '1000' }, seed: { type: 'string' } } });
const COUNT = Number(values.count);
const PROGRAM = join(import.meta.dir, 'kills.pl');
const [ENDING, STAYING] = [12, 8];
const STARTS = 15;
/** Pauses between two kills, milliseconds. */
const [LEAST, MOST] = [5, 250];

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const folder = mkdtempSync(join(tmpdir(), 'svc-kills-'));
const ledger = join(folder, 'ledger');
const socket = join(folder, 'control.sock');

/** The same pauses for the same seed. */
const dice = new Dice(Number(values.seed ?? 1));

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;

/** svc-super as PID 1 of a namespace of its own. */
function start(config: object, name: string) {
  writeFileSync(join(folder, `${name}.yaml`), JSON.stringify(config));
  const args = ['--pid', '--fork', '--mount-proc', '--kill-child', BINARY, 'up', '-f', join(folder, `${name}.yaml`)];
  const env = { PATH: process.env.PATH ?? '', SVC_SUPER_SOCKET: socket };
  const child = spawn('unshare', args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output: string[] = [];
  child.stdout.on('data', (bytes) => output.push(String(bytes)));
  child.stderr.on('data', (bytes) => output.push(String(bytes)));
  const code = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { pid: child.pid ?? 0, output, code };
}

/** Milliseconds from the start of svc-super to the first instruction of its first service. */
async function measureStart(): Promise<number> {
  const place = join(folder, 'began');
  const command = ['perl', '-MTime::HiRes=time', '-e', `open my $f, '>', '${place}'; printf $f '%.6f', time`];
  const from = (performance.timeOrigin + performance.now()) / 1_000;
  await start({ services: { a: { command } } }, 'start').code;
  return (Number(readFileSync(place, 'utf8')) - from) * 1_000;
}

/** The response to a request, which is repeated until a supervisor sends one. */
async function ask<T>(path: string, read: (text: string) => T = JSON.parse): Promise<T> {
  for (;;) {
    try {
      return read(await (await fetch(`http://svc-super${path}`, { unix: socket } as RequestInit)).text());
    } catch {
      // The connection was to the killed supervisor.
      await Bun.sleep(1);
    }
  }
}

interface EventEntry {
  readonly seq: number;
  readonly service: string | null;
  readonly event: string;
  readonly text: string;
}

const events = new Map<number, EventEntry>();

async function readEvents(): Promise<void> {
  const read = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as EventEntry);
  const found = await ask('/v1/events?lines=1000', read);
  for (const entry of found) events.set(entry.seq, entry);
}

/** Kills the supervisor; returns the milliseconds until its successor responds. */
async function kill(pid1: number): Promise<number> {
  let supervisor = supervisorOf(pid1);
  for (; supervisor === undefined; supervisor = supervisorOf(pid1)) await Bun.sleep(1);
  const from = performance.now();
  process.kill(supervisor, 'SIGKILL');
  await ask('/v1/status');
  return performance.now() - from;
}

const faults: string[] = [];
const fault = (text: string): void => void (faults.length < 30 && faults.push(text));

/** Compares the starts and exits that a service noted with those that were reported. Returns the number of exits. */
function checkRuns(
  name: string,
  notes: readonly (readonly string[])[],
  status: StatusBody['services'][number],
): number {
  const starts = notes.filter(([, , what]) => what === 'start').map(([, run]) => Number(run));
  const expected = starts.map((_, at) => at + 1);
  if (starts.join() !== expected.join()) fault(`${name}: runs ${starts.join()}`);
  const exits = notes.filter(([, , what]) => what === 'exit').map(([, , , code]) => Number(code));
  const reported = [...events.values()]
    .sort((a, b) => a.seq - b.seq)
    .filter(({ service, event }) => service === name && event === 'restarting')
    .map(({ text }) => Number(/exited with code (\d+)/.exec(text)?.[1] ?? -1));
  // The last exit may have happened after the last request.
  if (reported.join() !== exits.slice(0, reported.length).join() || reported.length < exits.length - 1)
    fault(`${name}: exits ${exits.join()} were reported as ${reported.join()}`);
  const { run, restarts } = status;
  const began = [...events.values()].filter(({ service, event }) => service === name && event === 'started').length;
  if (began !== run && began !== run + 1) fault(`${name}: ${began} starts were recorded for ${run} runs`);
  // The stop may have killed the last run before its first instruction.
  if (run !== restarts + 1 || reported.length < restarts || starts.length < run - 1 || starts.length > run + 1)
    fault(`${name}: run ${run} and ${restarts} restarts, of ${starts.length} runs and ${reported.length} exits`);
  return exits.length;
}

/** Number of missing lines and of marked cuts; a gap without a mark is a fault. */
function checkLines(name: string, lines: readonly string[]): { lost: number; marks: number } {
  let [run, number, isMarked, lost, marks] = [1, 0, false, 0, 0];
  for (const line of lines) {
    if (line.startsWith('[svc-super was restarted here')) {
      isMarked = true;
      marks += 1;
      continue;
    }
    const [, itsRun = '', its = ''] = /^run (\d+) line (\d+)$/.exec(line) ?? [];
    const isNext = Number(itsRun) === run ? Number(its) === number + 1 : its === '1';
    if (!isNext && its !== '') {
      lost += Number(itsRun) === run ? Number(its) - number - 1 : Number(its) - 1;
      if (!isMarked) fault(`${name}: ${line} after run ${run} line ${number}, without a mark`);
    }
    if (its === '' && !isMarked) fault(`${name}: ${line}`);
    if (its === '') continue;
    [run, number, isMarked] = [Number(itsRun), Number(its), false];
  }
  return { lost, marks };
}

/** The configuration: services that exit repeatedly, and services that keep running. */
function makeConfig(): object {
  const ending = {
    command: ['perl', PROGRAM, ledger, 'ends'],
    restart: { policy: 'always', backoff: { initial: '50ms', max: '50ms' } },
  };
  const staying = { command: ['perl', PROGRAM, ledger, 'stays'], ready: { log: 'line 1$' } };
  const services = Object.fromEntries(
    Array.from({ length: ENDING + STAYING }, (_, at) => [
      `s${at}`,
      { ...(at < ENDING ? ending : staying), essential: false },
    ]),
  );
  const supervisor = { deaths_young: 1_000_000, deaths_starting: 1_000, longest_pause: '0s' };
  return { supervisor, services };
}

async function main(): Promise<void> {
  const starts: number[] = [];
  for (let at = 0; at < STARTS; at += 1) starts.push(await measureStart());
  const run = start(makeConfig(), 'services');
  let first = await ask<StatusBody>('/v1/status');
  while (!first.healthy || first.services.some(({ pid }) => pid === null)) first = await ask<StatusBody>('/v1/status');
  const [pid1 = 0] = childrenOf(run.pid);
  const before = new Map(first.services.map(({ name, pid }) => [name, pid]));
  const absences: number[] = [];
  for (let at = 0; at < COUNT; at += 1) {
    await Bun.sleep(LEAST + dice.below(MOST - LEAST));
    absences.push(await kill(pid1));
    await readEvents();
    if ((at + 1) % 100 === 0) say(`${at + 1} kills, ${faults.length} faults`);
  }
  const status = await ask<StatusBody & { readonly supervisor?: { readonly restarts: number } }>('/v1/status');
  // A service may have started again since the last events were read.
  await readEvents();
  process.kill(pid1, 'SIGTERM');
  const code = await run.code;
  if (code !== 0) fault(`ended with ${code}`);
  const notes = readFileSync(ledger, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  const lines = run.output.join('').split('\n');
  let [exits, lost, marks] = [0, 0, 0];
  for (const service of status.services) {
    const { name } = service;
    const own = notes.filter(([of]) => of === name);
    if (Number(name.slice(1)) >= ENDING && service.pid !== before.get(name)) fault(`${name}: another process`);
    exits += checkRuns(name, own, service);
    const prefix = new RegExp(`^${name} +\\| `);
    const found = checkLines(
      name,
      lines.filter((line) => prefix.test(line)).map((line) => line.replace(prefix, '')),
    );
    lost += found.lost;
    marks += found.marks;
  }
  const seqs = [...events.keys()].sort((a, b) => a - b);
  if (seqs.some((seq, at) => seq !== at + 1)) fault(`events are missing: ${seqs.length} up to ${seqs.at(-1)}`);
  const [begin, gone] = [median(starts), median(absences)];
  say(
    `${exits} exits and restarts, ${lines.length} lines, ${lost} lost at ${marks} marked cuts, ${seqs.length} events`,
  );
  say(
    `first service: median ${begin.toFixed(1)} ms of ${STARTS}; kill to status: median ${gone.toFixed(1)}, most ${Math.max(...absences).toFixed(1)} ms: ${(gone / begin).toFixed(2)} times`,
  );
  for (const text of faults) say(`FAULT ${text}`);
  say(faults.length === 0 ? `${COUNT} of ${COUNT} passed, 0 failed` : `0 passed, ${COUNT} failed`);
  if (faults.length > 0) {
    writeFileSync('/tmp/kills.out', lines.join('\n'));
    writeFileSync('/tmp/kills.ledger', readFileSync(ledger));
  }
  process.exitCode = faults.length === 0 ? 0 : 1;
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
