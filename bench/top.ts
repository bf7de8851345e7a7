// The cost of looking at 50 services: of `svc-super top`, beside `status --watch` and `status` once a second, in one run on the built
// binary. A proxy before the control socket counts requests and bytes; the terminal is a pseudo-terminal. Prints figures only, as
// ratios to `status` once a second too. `bun bench/top.ts [SECONDS]`: of each measurement, 30 by default.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { supervisorOf } from '../test/helpers/namespaces.ts';

const SECONDS = Number(process.argv[2] ?? 30);
const SERVICES = 50;
/** Ticks of /proc/PID/stat in a second (proc(5)). */
const TICKS = 100;

const binary = process.env.SVC_SUPER_BINARY ?? join(import.meta.dir, '../dist/svc-super');
const folder = mkdtempSync(join(tmpdir(), 'svc-super-bench-'));
const [socket, proxy] = [join(folder, 'control.sock'), join(folder, 'proxy.sock')];
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const counted = { requests: 0, bytes: 0 };
const server = createServer((client) => {
  counted.requests += 1;
  const supervisor = connect({ path: socket });
  for (const [from, to] of [
    [client, supervisor],
    [supervisor, client],
  ] as const) {
    from.on('data', (bytes) => {
      counted.bytes += bytes.length;
      to.write(bytes);
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }
});

/** Processor time of a process, seconds. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

interface Cost {
  /** Seconds of processor time in a minute. */
  readonly supervisor: number;
  readonly viewer: number;
  /** In a second. */
  readonly terminal: number;
  readonly socket: number;
  readonly requests: number;
}

/** Runs a command on a terminal for SECONDS; `quit` ends it. Null: no command looks. */
async function measure(pid: number, command: readonly string[] | null, size = [80, 24], quit = '\x03'): Promise<Cost> {
  let written = 0;
  const count = (bytes: number) => {
    written += bytes;
  };
  const [cols = 80, rows = 24] = size;
  const child =
    command === null
      ? null
      : Bun.spawn([...command], {
          env: { PATH: process.env.PATH ?? '', SVC_SUPER_SOCKET: proxy, TERM: 'xterm-256color' },
          terminal: { cols, rows, data: (_terminal, bytes) => count(bytes.length) },
        });
  // The first screen and the history are no cost of looking on.
  await Bun.sleep(3_000);
  const before = { cpu: cpuOf(pid), written, ...counted };
  await Bun.sleep(SECONDS * 1_000);
  const supervisor = cpuOf(pid) - before.cpu;
  const terminal = written - before.written;
  const [requests, bytes] = [counted.requests - before.requests, counted.bytes - before.bytes];
  child?.terminal?.write(quit);
  await child?.exited;
  const use = child?.resourceUsage()?.cpuTime.total ?? 0n;
  const viewer = Number(use) / 1e6 / (SECONDS + 3);
  return {
    supervisor: (supervisor / SECONDS) * 60,
    viewer: viewer * 60,
    terminal: terminal / SECONDS,
    socket: bytes / SECONDS,
    requests: requests / SECONDS,
  };
}

const line = 'i=0; while :; do i=$((i+1)); echo "line $i of this service"; sleep 1; done';
const services = Object.fromEntries(
  Array.from({ length: SERVICES }, (_, index) => [
    `service-${index}`,
    { command: index % 2 === 0 ? line : 'sleep 100000' },
  ]),
);
writeFileSync(join(folder, 'services.yaml'), JSON.stringify({ services }));
const environment = { PATH: process.env.PATH ?? '', SVC_SUPER_SOCKET: socket };
const child = Bun.spawn([binary, 'up', '-f', join(folder, 'services.yaml')], {
  env: environment,
  stdio: ['ignore', 'ignore', 'ignore'],
});
try {
  server.listen(proxy);
  while (Bun.spawnSync([binary, 'wait'], { env: environment }).exitCode !== 0) await Bun.sleep(50);
  const pid = supervisorOf(child.pid);
  if (pid === undefined) throw new Error('no supervisor runs');
  const idle = await measure(pid, null);
  const loop = `while :; do printf '\\033[H\\033[2J'; ${binary} status; sleep 1; done`;
  const base = await measure(pid, ['/bin/sh', '-c', loop]);
  const rows: readonly (readonly [string, Cost])[] = [
    ['`status` once a second', base],
    ['`status --watch`', await measure(pid, [binary, 'status', '--watch'])],
    ['`top`, 80×24', await measure(pid, [binary, 'top'], [80, 24], 'q')],
    ['`top`, 200×50', await measure(pid, [binary, 'top'], [200, 50], 'q')],
  ];
  say(
    `${SERVICES} services, ${SECONDS} s each; no command looks: supervisor ${idle.supervisor.toFixed(2)} s of CPU a minute\n`,
  );
  say('| | supervisor, CPU s/min | command, CPU s/min | terminal, B/s | socket, B/s | requests/s |');
  say('| --- | --- | --- | --- | --- | --- |');
  const ratio = (value: number, to: number) => (to === 0 ? '' : ` (${(value / to).toFixed(2)}×)`);
  for (const [name, cost] of rows) {
    const own = (key: 'viewer' | 'terminal' | 'socket', digits: number) =>
      `${cost[key].toFixed(digits)}${ratio(cost[key], base[key])}`;
    const more = cost.supervisor - idle.supervisor;
    const cells = [
      `${more.toFixed(2)}${ratio(more, base.supervisor - idle.supervisor)}`,
      own('viewer', 2),
      own('terminal', 0),
      own('socket', 0),
      cost.requests.toFixed(2),
    ];
    say(`| ${name} | ${cells.join(' | ')} |`);
  }
} finally {
  child.kill('SIGTERM');
  await child.exited;
  server.close();
  rmSync(folder, { recursive: true, force: true });
}
