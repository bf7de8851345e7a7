// The figures that the README and the issues ask for, measured on the built binary beside bash in the same run:
// start-up, gate latency, memory and wake-ups when idle, orphans. Prints medians and ratios; asserts nothing.
// `bun bench/quick.ts [startup|gate|idle|orphans]...`; all of them take some three minutes.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const binary = join(import.meta.dir, '../dist/svc-super');
const folder = mkdtempSync(join(tmpdir(), 'svc-super-bench-'));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function spread(values: readonly number[], unit = 'ms'): string {
  const show = (value: number) => value.toFixed(1);
  return `median ${show(median(values))} ${unit} (${show(Math.min(...values))} to ${show(Math.max(...values))}, n=${values.length})`;
}

function configure(name: string, text: string): string {
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, text);
  return file;
}

/** Real PID 1, in its own PID namespace. */
const asInit = ['unshare', '-p', '-f', '--mount-proc', '--kill-child'];
const environment = (name: string) => ({ ...process.env, SVC_SUPER_SOCKET: join(folder, `${name}.sock`) });

/** Wall time in nanoseconds, the clock that `date +%s%N` prints. */
const wall = (): bigint => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));

/** Milliseconds from here to the moment that the command's output names in nanoseconds. */
async function untilPrinted(cmd: readonly string[], name: string): Promise<number> {
  const from = wall();
  const child = Bun.spawn({ cmd: [...cmd], stdout: 'pipe', stderr: 'ignore', env: environment(name) });
  const text = await new Response(child.stdout).text();
  await child.exited;
  const stamp = /\d{19}/.exec(text)?.[0];
  if (stamp === undefined) throw new Error(`${cmd.join(' ')} printed no time: ${text}`);
  return Number(BigInt(stamp) - from) / 1e6;
}

async function startup(): Promise<void> {
  const task = '{ type: task, command: [/bin/date, "+%s%N"] }';
  const file = configure('startup', `services:\n  one: ${task}\n  two: { type: task, command: [sleep, "0"] }\n`);
  const cases = {
    'date alone': ['/bin/date', '+%s%N'],
    'bash -c date': ['bash', '-c', 'date +%s%N; true'],
    'svc-super, first of two services': [binary, 'up', '-f', file],
  };
  const times = new Map<string, number[]>();
  for (let round = 0; round < 40; round += 1) {
    for (const [name, cmd] of Object.entries(cases)) {
      times.set(name, [...(times.get(name) ?? []), await untilPrinted(cmd, 'startup')]);
    }
  }
  say('start-up: from exec to what the first program prints');
  for (const [name, values] of times) say(`  ${name.padEnd(34)} ${spread(values)}`);
  const of = (name: string) => median(times.get(name) ?? []);
  const own = of('svc-super, first of two services') - of('date alone');
  const bash = of('bash -c date') - of('date alone');
  say(`  exec to exec: svc-super ${own.toFixed(1)} ms, bash ${bash.toFixed(1)} ms, ratio ${(own / bash).toFixed(1)}`);
}

/** A dependency that becomes good at a random moment of the first ten seconds, and a dependent that says when it runs. */
async function gate(): Promise<void> {
  const lateness: number[] = [];
  const answered: number[] = [];
  const rounds = 24;
  const one = async (round: number): Promise<void> => {
    const goodAt = wall() + BigInt(Math.round((400 + (9_600 * round) / rounds) * 1e6));
    let flipped = 0n;
    let firstGood = 0n;
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () => {
        const now = wall();
        if (now < goodAt) return new Response('loading', { status: 503 });
        if (firstGood === 0n) firstGood = now;
        return new Response('ok');
      },
    });
    flipped = goodAt;
    const name = `gate${round}`;
    const file = configure(
      name,
      `services:
  model: { command: [sleep, "1000"], ready: { http: "http://127.0.0.1:${server.port}/" } }
  page: { command: [/bin/date, "+%s%N"], depends_on: { model: ready } }
`,
    );
    const child = Bun.spawn({
      cmd: [binary, 'up', '-f', file],
      stdout: 'pipe',
      stderr: 'ignore',
      env: environment(name),
    });
    const text = await new Response(child.stdout).text();
    await child.exited;
    server.stop(true);
    const ran = BigInt(/\d{19}/.exec(text)?.[0] ?? 0);
    lateness.push(Number(ran - flipped) / 1e6);
    answered.push(Number(ran - firstGood) / 1e6);
  };
  for (let round = 0; round < rounds; round += 4) await Promise.all([0, 1, 2, 3].map((lane) => one(round + lane)));
  say('gate: to the dependent, over the first ten seconds of a start (four stacks at a time)');
  say(`  from the moment the dependency would have answered well: ${spread(lateness)}`);
  say(`  from its first good answer:                              ${spread(answered)}`);
}

async function idle(): Promise<void> {
  const file = configure(
    'idle',
    'services:\n  one: { command: [sleep, "10000"] }\n  two: { command: [sleep, "10000"] }\n',
  );
  const child = Bun.spawn({
    cmd: [...asInit, binary, 'up', '-f', file],
    stdout: 'ignore',
    stderr: 'ignore',
    env: environment('idle'),
  });
  await Bun.sleep(60_000);
  const pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim());
  const wakes = (): number => {
    let sum = 0;
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const text = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8');
      sum += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(text)?.[1] ?? 0);
    }
    return sum;
  };
  const before = wakes();
  await Bun.sleep(30_000);
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const size = (field: string) =>
    `${(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024).toFixed(1)} MiB`;
  say('idle: two services, nothing probed, after a minute');
  say(
    `  own (anonymous) memory ${size('RssAnon')}, resident ${size('VmRSS')}, threads ${/Threads:\s+(\d+)/.exec(status)?.[1]}`,
  );
  say(`  wake-ups in 30 s: ${wakes() - before}`);
  child.kill('SIGKILL');
  await child.exited;
}

/** 2,000 orphans a second for ten seconds, beside 50 services that end with known codes. */
async function orphans(): Promise<void> {
  const known = Array.from({ length: 50 }, (_, index) => index + 1);
  const lines = known.map(
    (code) => `  s${code}: { command: [perl, -e, "select undef, undef, undef, ${(code % 10) + 0.5}; exit ${code}"] }`,
  );
  // Each turn makes 40 and then rests as long as 700 a second leave; four of them make the 2,000.
  const storm = `use Time::HiRes qw(time sleep); my ($from, $n) = (time, 0); while (time < $from + 10) { for (1 .. 40) { if (!fork) { exit 0 if fork; exit 0 } $n++; } wait for 1 .. 40; my $early = $from + $n / 700 - time; sleep $early if $early > 0; } print "made $n orphans\\n";`;
  const storms = [1, 2, 3, 4].map((n) => `  storm${n}: { type: task, command: [perl, -e, ${JSON.stringify(storm)}] }`);
  const file = configure('orphans', `exit: all\nservices:\n${[...storms, ...lines].join('\n')}\n`);
  const child = Bun.spawn({
    cmd: [...asInit, binary, 'up', '-f', file],
    stdout: 'pipe',
    stderr: 'pipe',
    env: environment('orphans'),
  });
  let oldest = 0;
  const seen = new Map<string, number>();
  const timer = setInterval(() => {
    const now = performance.now();
    const zombies = new Set(zombiesBelow(child.pid));
    for (const pid of seen.keys()) if (!zombies.has(pid)) seen.delete(pid);
    for (const pid of zombies) {
      if (!seen.has(pid)) seen.set(pid, now);
      oldest = Math.max(oldest, now - (seen.get(pid) ?? now));
    }
  }, 100);
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  clearInterval(timer);
  const wrong = known.filter((code) => !new RegExp(`s${code} exited with code ${code} `).test(err));
  say('orphans: a storm for ten seconds beside 50 services');
  const made = [...out.matchAll(/made (\d+) orphans/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  say(
    `  made ${made} orphans in 10 s; oldest zombie seen ${oldest.toFixed(0)} ms; wrong or missing exit codes: ${wrong.length}`,
  );
}

/** Zombies whose parent is the PID 1 below `unshare`, by pid and start time: the storm goes round all pids in seconds. */
function zombiesBelow(unshare: number): string[] {
  let init: string;
  try {
    init = readFileSync(`/proc/${unshare}/task/${unshare}/children`, 'utf8').trim();
  } catch {
    return [];
  }
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const field = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return field[0] === 'Z' && field[1] === init ? [`${pid}:${field[19]}`] : [];
    } catch {
      return [];
    }
  });
}

const ALL = { startup, gate, idle, orphans };
const wanted = process.argv.slice(2).filter((name): name is keyof typeof ALL => Object.hasOwn(ALL, name));
try {
  for (const name of wanted.length > 0 ? wanted : (Object.keys(ALL) as (keyof typeof ALL)[])) await ALL[name]();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
