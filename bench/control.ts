// The control API under load, on the built binary: status requests during a loop of restarts, followers of a flood of lines,
// the duration of `svc-super status`, and the cost of the dashboard. `bun bench/control.ts [requests|followers|command|dashboard]...`;
// prints figures only.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Page } from '../test/helpers/chromium.ts';
import { freePort } from '../test/helpers/free-port.ts';
import { supervisorOf } from '../test/helpers/namespaces.ts';

const binary = process.env.SVC_SUPER_BINARY ?? join(import.meta.dir, '../dist/svc-super');
const folder = mkdtempSync(join(tmpdir(), 'svc-super-bench-'));
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const ms = (value: number): string => `${value.toFixed(1)} ms`;

interface Supervisor {
  readonly pid: number;
  readonly socket: string;
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<{ readonly code: number; readonly took: number }>;
}

async function begin(name: string, services: object, more: object = {}): Promise<Supervisor> {
  const file = join(folder, `${name}.yaml`);
  const socket = join(folder, `${name}.sock`);
  writeFileSync(file, JSON.stringify({ ...more, services }));
  const env = { PATH: process.env.PATH ?? '', SVC_SUPER_SOCKET: socket };
  const child = Bun.spawn([binary, 'up', '-f', file], { env, stdio: ['ignore', 'ignore', 'ignore'] });
  for (;;) {
    try {
      await get(socket, '/v1/status');
      break;
    } catch {
      await Bun.sleep(10);
    }
  }
  Bun.spawnSync([binary, 'wait'], { env });
  const stop = async () => {
    const from = performance.now();
    child.kill('SIGTERM');
    const code = await child.exited;
    return { code, took: performance.now() - from };
  };
  return { pid: child.pid, socket, env, stop };
}

async function get(socket: string, path: string, method = 'GET'): Promise<number> {
  const response = await fetch(`http://svc-super${path}`, { unix: socket, method } as RequestInit);
  await response.arrayBuffer();
  return response.status;
}

/** Of svc-super and its supervisor together: resident MiB and number of descriptors. */
function sizeOf(pid1: number): { readonly memory: number; readonly files: number } {
  const pids = [pid1, supervisorOf(pid1)].filter((pid) => pid !== undefined);
  const memory = (pid: number) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
  return {
    memory: pids.reduce((sum, pid) => sum + memory(pid), 0) / 1_024,
    files: pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0),
  };
}

function spread(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number) => ms(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
  return `median ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)}`;
}

const describe = ({ memory, files }: ReturnType<typeof sizeOf>) =>
  `both processes: ${memory.toFixed(1)} MiB, ${files} descriptors`;

async function requests(): Promise<void> {
  const names = Array.from({ length: 10 }, (_, at) => `s${at}`);
  const supervisor = await begin(
    'requests',
    Object.fromEntries(names.map((name) => [name, { command: ['sleep', '1000'] }])),
  );
  const { socket, pid } = supervisor;
  let over = false;
  let restarts = 0;
  const restarting = (async () => {
    while (!over) {
      await get(socket, `/v1/services/${names[restarts % names.length]}/restart`, 'POST');
      restarts += 1;
      await Bun.sleep(5);
    }
  })();
  // The runtime allocates its memory in the first seconds; only growth after that matters.
  for (let at = 0; at < 2_000; at += 1) await get(socket, '/v1/status');
  const before = sizeOf(pid);
  const times: number[] = [];
  let wrong = 0;
  const rounds = Number(process.env.BENCH_REQUESTS ?? 10_000);
  for (let at = 0; at < rounds; at += 1) {
    const from = performance.now();
    if ((await get(socket, '/v1/status')) !== 200) wrong += 1;
    times.push(performance.now() - from);
  }
  const after = sizeOf(pid);
  over = true;
  await restarting;
  say(`${rounds} status requests, 10 services, ${restarts} restarts requested meanwhile`);
  say(`  ${spread(times)}; not 200: ${wrong}`);
  say(`  before: ${describe(before)}; after: ${describe(after)}`);
  const { code, took } = await supervisor.stop();
  say(`  SIGTERM: code ${code} after ${ms(took)}`);
}

async function followers(): Promise<void> {
  const line = 'x'.repeat(159);
  const supervisor = await begin('followers', {
    flood: { command: ['yes', line] },
    quiet: { command: ['sleep', '1000'] },
  });
  const { socket, pid } = supervisor;
  const before = sizeOf(pid);
  const look = async (time: number): Promise<number[]> => {
    const times: number[] = [];
    for (const from = performance.now(); performance.now() - from < time; await Bun.sleep(20)) {
      const asked = performance.now();
      await get(socket, '/v1/status');
      times.push(performance.now() - asked);
    }
    return times;
  };
  say(`a flood without followers: status ${spread(await look(5_000))}`);
  const seen = { bytes: 0, gaps: 0 };
  const sockets = await Promise.all(
    Array.from({ length: 200 }, (_, at) => {
      return new Promise<Socket>((resolve) => {
        const reader = connect({ path: socket });
        reader.once('connect', () => {
          reader.write('GET /v1/logs?service=flood&follow=1&lines=0 HTTP/1.1\r\nHost: x\r\n\r\n');
          // One half reads as fast as possible, the other half reads nothing.
          if (at % 2 === 0) {
            reader.on('data', (bytes: Buffer) => {
              seen.bytes += bytes.length;
              if (bytes.includes('reader too slow')) seen.gaps += 1;
            });
          }
          resolve(reader);
        });
      });
    }),
  );
  const counted = (): number => {
    const text = Bun.spawnSync([binary, 'logs', '-n', '1', 'quiet'], { env: supervisor.env });
    return text.exitCode ?? 1;
  };
  const from = performance.now();
  const times = await look(10_000);
  const seconds = (performance.now() - from) / 1_000;
  const after = sizeOf(pid);
  say(
    `200 followers of a flood, ${seconds.toFixed(0)} s; 100 of them read nothing; another command meanwhile: code ${counted()}`,
  );
  say(`  status: ${spread(times)} over ${times.length} requests`);
  say(`  to the readers: ${(seen.bytes / seconds / 1e6).toFixed(0)} MB/s in all, ${seen.gaps} gaps reported`);
  say(`  before: ${describe(before)}; with them: ${describe(after)}`);
  const { code, took } = await supervisor.stop();
  say(`  SIGTERM meanwhile: code ${code} after ${ms(took)}`);
  for (const reader of sockets) reader.destroy();
}

async function command(): Promise<void> {
  const names = Array.from({ length: 50 }, (_, at) => `service-${at}`);
  const supervisor = await begin(
    'command',
    Object.fromEntries(names.map((name) => [name, { command: ['sleep', '1000'] }])),
  );
  const times: number[] = [];
  for (let at = 0; at < 60; at += 1) {
    const from = performance.now();
    const { exitCode } = Bun.spawnSync([binary, 'status'], {
      env: supervisor.env,
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    if (exitCode !== 0) throw new Error(`status ended with ${exitCode}`);
    times.push(performance.now() - from);
  }
  say(`svc-super status as a process, 50 services: ${spread(times)}`);
  await supervisor.stop();
}

/** Seconds of each measurement of `dashboard`. */
const SECONDS = Number(process.env.BENCH_SECONDS ?? 30);
/** USER_HZ, in which /proc counts (proc_pid_stat(5)). */
const TICKS = 100;

/** Processor time of the supervisor so far, seconds. */
function processorTime(pid1: number): number {
  const text = readFileSync(`/proc/${supervisorOf(pid1)}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Processor time of the supervisor for a minute of this, seconds. */
async function costOf(pid1: number, work: () => Promise<void> = () => Bun.sleep(SECONDS * 1_000)): Promise<number> {
  const [from, began] = [processorTime(pid1), performance.now()];
  await work();
  return ((processorTime(pid1) - from) / (performance.now() - began)) * 60_000;
}

/** The dashboard beside an idle supervisor, and beside a client that requests the state once a second. */
async function dashboard(): Promise<void> {
  const names = Array.from({ length: 50 }, (_, at) => `service-${at}`);
  const services = Object.fromEntries(names.map((name) => [name, { command: ['sleep', '1000'] }]));
  const settled = () => Bun.sleep(8_000);
  const plain = await begin('plain', services);
  await settled();
  const without = { memory: sizeOf(plain.pid).memory, cost: await costOf(plain.pid) };
  await plain.stop();
  const port = await freePort();
  const { pid, socket, stop } = await begin('dashboard', services, { control: { http: { listen: port } } });
  await settled();
  const idle = { memory: sizeOf(pid).memory, cost: await costOf(pid) };
  let bytes = 0;
  const polled = await costOf(pid, async () => {
    for (let at = 0; at < SECONDS; at += 1) {
      const response = await fetch('http://svc-super/v1/status', { unix: socket } as RequestInit);
      bytes += (await response.arrayBuffer()).byteLength;
      await Bun.sleep(1_000);
    }
  });
  const polledMemory = sizeOf(pid).memory;
  await using page = await Page.open();
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.sees('the services', "document.querySelectorAll('#services tr[data-service]').length === 50");
  await Bun.sleep(5_000);
  const before = page.received;
  const open = await costOf(pid);
  const received = page.received - before;
  const seconds = (value: number) => `${value.toFixed(2)} s/min`;
  const times = (value: number, of: number) => `${(value / of).toFixed(2)} times`;
  say(`50 services, ${SECONDS} s each; processor time is that of the supervisor, memory that of both processes`);
  say(`  without control.http: ${seconds(without.cost)}, ${without.memory.toFixed(1)} MiB`);
  say(
    `  with it, no page open: ${seconds(idle.cost)}, ${idle.memory.toFixed(1)} MiB (${times(idle.memory, without.memory)})`,
  );
  say(
    `  a client that requests the state once a second: ${seconds(polled)}, ${(bytes / SECONDS / 1_024).toFixed(1)} KiB/s, ${polledMemory.toFixed(1)} MiB`,
  );
  say(
    `  the dashboard open: ${seconds(open)} (${times(open, polled)} that client), ${(received / SECONDS / 1_024).toFixed(1)} KiB/s ` +
      `(${times(received, bytes)}), ${sizeOf(pid).memory.toFixed(1)} MiB`,
  );
  await stop();
}

const ALL = { requests, followers, command, dashboard };
const wanted = process.argv.slice(2).filter((name): name is keyof typeof ALL => Object.hasOwn(ALL, name));
try {
  for (const name of wanted.length > 0 ? wanted : (Object.keys(ALL) as (keyof typeof ALL)[])) await ALL[name]();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
