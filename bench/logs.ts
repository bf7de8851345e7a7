// The log path beside `sed` and supervisord, in one run: the same lines, the same kind of sink (a pipe that is read).
// Prints throughput, processor seconds per GB and ratios, and compares checksums. `bun bench/logs.ts [MEGABYTES]`.
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const binary = process.env.SVC_SUPER_BINARY ?? join(import.meta.dir, '../dist/svc-super');
const megabytes = Number(process.argv[2] ?? 500);
const folder = mkdtempSync(join(tmpdir(), 'svc-super-bench-'));
const data = join(folder, 'lines');
const say = (text: string): void => void process.stdout.write(`${text}\n`);

interface Figures {
  readonly seconds: number;
  readonly cpu: number;
  readonly md5: string;
}

function makeData(): Promise<number> {
  const line = (n: number) =>
    `INFO 12-01 01:48:42 [launcher.py:100] 127.0.0.1:${n} - "POST /v1/chat/completions HTTP/1.1" 200 OK`.padEnd(159);
  const block = Array.from({ length: 6_250 }, (_, n) => `${line(10_000 + n)}\n`).join('');
  const handle = Bun.file(data).writer();
  for (let n = 0; n < megabytes; n += 1) handle.write(block);
  return handle.end() as Promise<number>;
}

/** Processor seconds of one process, the children that it has waited for left out. */
function cpuOf(pid: number): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const field = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(field[11]) + Number(field[12])) / 100;
  } catch {
    return null;
  }
}

/** A program that does not end by itself has said all when it is silent this long, milliseconds. */
const SILENCE = 1_500;

/** Runs a pipeline's middle and reads what it prints. */
async function measure(cmd: readonly string[], summed: boolean): Promise<Figures> {
  const hash = createHash('md5');
  const from = performance.now();
  const env = { ...process.env, SVC_SUPER_SOCKET: join(folder, 's') };
  const child = Bun.spawn({ cmd: [...cmd], stdin: 'ignore', stdout: 'pipe', stderr: 'ignore', env });
  const reader = child.stdout.getReader();
  let cpu = 0;
  let last = from;
  for (;;) {
    const read = await Promise.race([reader.read(), Bun.sleep(SILENCE).then(() => null)]);
    if (read === null || read.done) break;
    last = performance.now();
    cpu = cpuOf(child.pid) ?? cpu;
    // Summing costs more than what is measured: once is enough.
    if (summed) hash.update(read.value);
  }
  child.kill('SIGKILL');
  await child.exited;
  return { seconds: (last - from) / 1_000, cpu, md5: hash.digest('hex') };
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function main(): Promise<void> {
  await makeData();
  const config = join(folder, 'services.yaml');
  writeFileSync(config, `services:\n  model: { type: task, command: [cat, ${data}] }\n`);
  const supervisor = join(folder, 'supervisord.conf');
  writeFileSync(
    supervisor,
    `[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=${folder}/pid\nuser=root
[program:model]\ncommand=cat ${data}\nautorestart=false\nstartsecs=0\nstdout_logfile=/dev/fd/1\nstdout_logfile_maxbytes=0\n`,
  );
  const cases: Record<string, (summed: boolean) => Promise<Figures>> = {
    sed: (summed) => measure(['bash', '-c', `exec sed 's/^/model     | /' < <(exec cat ${data})`], summed),
    'svc-super': (summed) => measure([binary, 'up', '-f', config], summed),
  };
  if (Bun.which('supervisord') !== null) {
    cases.supervisord = (summed) => measure(['supervisord', '-c', supervisor], summed);
  }
  const all = new Map<string, Figures[]>();
  for (let round = 0; round < 7; round += 1) {
    for (const [name, run] of Object.entries(cases)) {
      if (name === 'supervisord' && round > 1) continue;
      all.set(name, [...(all.get(name) ?? []), await run(round === 0)]);
    }
  }
  const gb = megabytes / 1_000;
  say(`log path: ${megabytes} MB of 160-byte lines, prefixed, to a pipe that is read (medians)`);
  const of = (name: string) => {
    const figures = all.get(name) ?? [];
    return {
      rate: (gb * 1_000) / median(figures.slice(1).map(({ seconds }) => seconds)),
      cpu: median(figures.map(({ cpu }) => cpu)) / gb,
    };
  };
  const sed = of('sed');
  for (const name of all.keys()) {
    const { rate, cpu } = of(name);
    say(
      `  ${name.padEnd(12)} ${rate.toFixed(0).padStart(5)} MB/s (${(rate / sed.rate).toFixed(2)} of sed's)  ${cpu.toFixed(2)} CPU s/GB (${(cpu / sed.cpu).toFixed(2)} of sed's)`,
    );
  }
  const [ours, theirs] = [all.get('svc-super')?.[0]?.md5, all.get('sed')?.[0]?.md5];
  say(`  md5 of svc-super's output ${ours === theirs ? 'equals' : 'DIFFERS FROM'} that of sed's`);
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
