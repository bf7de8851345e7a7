// Shared by the rows: a folder, a program whose standard output is a pipe to a shell that consumes it, the resources that the
// program used, and the tables.
import { closeSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPipe } from '../../test/helpers/libc.ts';
import { supervisorOf } from '../../test/helpers/namespaces.ts';

export const binary = process.env.SVC_SUPER_BINARY ?? join(import.meta.dir, '../../dist/svc-super');
/** An older release in one file, measured in the same run. */
export const old = process.env.SVC_SUPER_OLD || null;
export const folder = mkdtempSync(join(tmpdir(), 'svc-super-bench-'));
export const socket = join(folder, 'control.sock');
export const say = (text: string): void => void process.stdout.write(`${text}\n`);

export function removeFolder(): void {
  rmSync(folder, { recursive: true, force: true });
}

export const MiB = 1024 * 1024;

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Columns of the required widths; the first row is the heading. */
export function table(title: string, rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  say(title);
  for (const row of rows) say(`  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd());
  say('');
}

export const outcome = (good: boolean): string => (good ? 'yes' : 'NO');

/** Of the program without its children; svc-super and its supervisor count as one program. */
export interface Usage {
  /** Processor seconds. */
  cpu: number;
  /** The highest memory in bytes: all resident pages, including those of the program file; and private memory. */
  resident: number;
  anonymous: number;
}

function look(pids: readonly number[], usage: Usage): void {
  try {
    const now: Usage = { cpu: 0, resident: 0, anonymous: 0 };
    for (const pid of pids) {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const field = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      now.cpu += (Number(field[11]) + Number(field[12])) / 100;
      const status = readFileSync(`/proc/${pid}/status`, 'latin1');
      const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) * 1024;
      now.resident += of('VmHWM');
      now.anonymous += of('RssAnon');
    }
    usage.cpu = Math.max(usage.cpu, now.cpu);
    usage.resident = Math.max(usage.resident, now.resident);
    usage.anonymous = Math.max(usage.anonymous, now.anonymous);
  } catch {
    // One of them has ended.
  }
}

export interface Running {
  readonly pid: number;
  readonly usage: Usage;
  /** The output of the consumer, after its end. */
  readonly said: Promise<string>;
  /** The program's exit code. */
  readonly exited: Promise<number | null>;
  /** The standard error of the program, after its end. */
  readonly errors: Promise<string>;
  kill(signal: NodeJS.Signals): void;
}

/** Runs `cmd` with its standard output in a pipe to `consumer`, a line of bash. */
export function run(cmd: readonly string[], consumer: string): Running {
  const env = { ...process.env, LC_ALL: 'C', SVC_SUPER_SOCKET: socket };
  const { read, write } = openPipe();
  const errors = join(folder, 'errors');
  const reader = Bun.spawn({ cmd: ['bash', '-c', consumer], stdin: read, stdout: 'pipe', stderr: 'inherit', env });
  const child = Bun.spawn({ cmd: [...cmd], stdin: 'ignore', stdout: write, stderr: Bun.file(errors), env });
  closeSync(read);
  closeSync(write);
  const usage: Usage = { cpu: 0, resident: 0, anonymous: 0 };
  let supervisor: number | undefined;
  const timer = setInterval(() => {
    if (cmd.includes(binary)) supervisor ??= supervisorOf(child.pid);
    look(supervisor === undefined ? [child.pid] : [child.pid, supervisor], usage);
  }, 10);
  const exited = child.exited.finally(() => clearInterval(timer));
  return {
    pid: child.pid,
    usage,
    said: reader.stdout.text(),
    exited,
    errors: exited.then(() => readFileSync(errors, 'utf8')),
    kill: (signal) => child.kill(signal),
  };
}

/** Runs a configuration with the binary, or with the arguments `before` in front of it. */
export function up(config: object, consumer: string, before: readonly string[] = []): Running {
  const file = join(folder, 'services.yaml');
  writeFileSync(file, JSON.stringify({ exit: 'all', ...config }));
  return run([...before, binary, 'up', '-f', file], consumer);
}

/** Waits for a condition; fails if the program has ended. */
export async function until(running: Running, what: string, isSo: () => boolean): Promise<void> {
  let over = false;
  void running.exited.then(() => {
    over = true;
  });
  while (!isSo()) {
    if (over) throw new Error(`it ended before ${what}: ${await running.errors}`);
    await Bun.sleep(2);
  }
}

/** The output of a line of bash, without its last newline. */
export async function shell(script: string): Promise<string> {
  const child = Bun.spawn({
    cmd: ['bash', '-c', script],
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, LC_ALL: 'C' },
  });
  const text = await child.stdout.text();
  await child.exited;
  return text.trimEnd();
}

/** A file of the given MB with lines of a realistic length: 160 bytes each, 6,250 per MB. */
export async function makeLines(megabytes: number): Promise<string> {
  const path = join(folder, `lines-${megabytes}`);
  const line = (n: number) =>
    `INFO 12-01 01:48:42 [launcher.py:100] 127.0.0.1:${n} - "POST /v1/chat/completions HTTP/1.1" 200 OK`.padEnd(159);
  const block = Array.from({ length: 6_250 }, (_, n) => `${line(10_000 + n)}\n`).join('');
  const writer = Bun.file(path).writer();
  for (let n = 0; n < megabytes; n += 1) {
    writer.write(block);
    await writer.flush();
  }
  await writer.end();
  return path;
}

export const megabytesOf = (bytes: number): string => `${(bytes / MiB).toFixed(1)} MiB`;
