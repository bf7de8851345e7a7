// A reader of standard output pauses for 30 s while four services flood it. Everything else must continue, in bounded memory,
// and afterwards no byte may be missing.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, MiB, megabytesOf, outcome, say, shell, socket, table, until, up } from './rig.ts';

const STALLED = 30_000;
const FLOODS = ['a', 'b', 'c', 'd'];
const LINES = 500_000;

const at = (name: string): string => join(folder, name);
const countOf = (name: string): number => (existsSync(at(name)) ? readFileSync(at(name)).length : 0);

/** Zombies whose parent is this process. */
function zombiesOf(pid: number): number {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return state === 'Z' && Number(parent) === pid;
    } catch {
      return false;
    }
  }).length;
}

/** Writes its numbered lines, ignores signals, and exits after them. */
const FLOOD = `$SIG{TERM} = "IGNORE"; for my $n (1 .. ${LINES}) { printf "%s %07d %s\\n", $ENV{SVC_NAME}, $n, "." x 80 }`;
/** Records the time of SIGTERM. */
const TOLD = (file: string) =>
  `use Time::HiRes; $SIG{TERM} = sub { open my $f, ">", "${file}"; printf $f "%.6f", Time::HiRes::time(); close $f; exit 0 }; sleep 1 while 1`;
/** Creates an orphan that exits at once, and writes a dot, every 100 ms. */
const ORPHANS = (file: string) =>
  `use POSIX; while (1) { if (fork == 0) { if (fork == 0) { select undef, undef, undef, 0.02; POSIX::_exit(0) } POSIX::_exit(0) } wait; open my $f, ">>", "${file}"; print $f "."; close $f; select undef, undef, undef, 0.1 }`;

/** Counts the lines of each flood, and those out of order. */
const CHECK = `awk '/^[abcd] / { if ($2 + 0 != ++n[$1]) bad++ } END { print bad + 0, n["a"], n["b"], n["c"], n["d"] }'`;

export async function stall(): Promise<void> {
  const gate = at('gate');
  await shell(`mkfifo ${gate}`);
  const perl = (script: string, fields: object = {}) => ({ command: ['perl', '-e', script], ...fields });
  const floods = FLOODS.map((name) => [name, { ...perl(FLOOD), type: 'task', log: { prefix: false } }]);
  const live = { exec: ['sh', '-c', `printf . >> ${at('probed')}`], interval: '500ms' };
  const config = {
    stop_timeout: '130s',
    services: {
      ...Object.fromEntries(floods),
      told: perl(TOLD(at('told')), { live }),
      orphans: perl(ORPHANS(at('orphans'))),
    },
  };
  const running = up(config, `cat ${gate} > /dev/null; ${CHECK}`);
  const from = performance.now();
  const times: number[] = [];
  let zombies = 0;
  let before: { probed: number; orphans: number } | null = null;
  while (performance.now() - from < STALLED) {
    await Bun.sleep(250);
    const asked = performance.now();
    const answer = await fetch('http://svc-super/v1/status', { unix: socket } as RequestInit).catch(() => null);
    await answer?.arrayBuffer();
    if (answer?.status === 200) times.push(performance.now() - asked);
    zombies = Math.max(zombies, zombiesOf(running.pid));
    // The reader has paused for two seconds: all pipes are full.
    if (before === null && performance.now() - from > 2_000) {
      before = { probed: countOf('probed'), orphans: countOf('orphans') };
    }
  }
  const probed = countOf('probed') - (before?.probed ?? 0);
  const orphans = countOf('orphans') - (before?.orphans ?? 0);
  const stalled = { ...running.usage };
  const signalled = (performance.timeOrigin + performance.now()) / 1_000;
  running.kill('SIGTERM');
  await until(running, 'a service to receive SIGTERM', () => countOf('told') > 0);
  const told = (Number(readFileSync(at('told'), 'utf8')) - signalled) * 1_000;
  writeFileSync(gate, 'go on');
  const [said, code] = await Promise.all([running.said, running.exited]);
  const whole = said.trim() === ['0', ...FLOODS.map(() => `${LINES}`)].join(' ');
  const longest = Math.max(...times);
  table(`stall: standard output not read for ${STALLED / 1_000} s, four services flood it (block)`, [
    ['', 'seen', 'as wanted'],
    [
      'status responds',
      `${times.length} times, the longest after ${longest.toFixed(1)} ms`,
      outcome(times.length > 50),
    ],
    ['a probe still runs', `${probed} times`, outcome(probed > 0)],
    ['orphans are reaped', `${orphans} ended, ${zombies} zombies at most`, outcome(zombies < 5)],
    ['SIGTERM is handled', `a service received its own after ${told.toFixed(1)} ms`, outcome(told < 100)],
    ['memory in all, both processes', megabytesOf(stalled.resident), outcome(stalled.resident < 64 * MiB)],
    ['memory of their own', megabytesOf(stalled.anonymous), outcome(stalled.anonymous < 64 * MiB)],
    ['no byte is missing', `${FLOODS.length} times ${LINES} lines in order, code ${code}`, outcome(whole)],
  ]);
  if (!whole) say(`  ${said.trim()}`);
}
