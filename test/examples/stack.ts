// Runs dist/svc-super with one of the examples, as PID 1 of a PID namespace of its own or as a plain process, and shows
// what a user would see: output, exit code, processes. It waits on conditions only, and leaves nothing behind.
// box.ts runs it in the likeness of a container, with stand-ins for the programs that are not here.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSupervisor, namespaceOf } from '../helpers/namespaces.ts';

export { freePorts } from '../helpers/free-port.ts';

export { skipWhen } from '../helpers/skip.ts';

export const ROOT = join(import.meta.dir, '../..');
export const BINARY = join(ROOT, 'dist/svc-super');
export const SUPERVISOR = join(ROOT, 'dist/svc-super-supervisor');

// A namespace of processes, and of shared memory: a PostgreSQL that was killed leaves its segments behind.
const AS_PID_1 = ['unshare', '--pid', '--fork', '--ipc', '--mount-proc', '--kill-child', 'sh', '-c'];
AS_PID_1.push('mount -t tmpfs none /dev/shm && exec "$0" "$@"');

/** A process as seen from outside of the stack. */
export interface Process {
  readonly pid: number;
  readonly name: string;
  readonly parent: number;
  readonly args: readonly string[];
}

export interface Stack {
  /** svc-super itself, the native process, as numbered out here. */
  readonly pid: number;
  readonly exitCode: Promise<number>;
  /** Everything it and its services have written so far, both streams. */
  output(): string;
  /** Alive processes of the stack without svc-super and its supervisor: all of its namespace, or its descendants. */
  processes(): Process[];
  /** The one process whose arguments contain `text`. */
  find(text: string): Process;
  /** `svc-super ARGS` beside it: what `docker exec` would run. */
  command(...args: string[]): Promise<{ code: number; output: string }>;
  [Symbol.asyncDispose](): Promise<void>;
}

export const notRoot = process.getuid?.() === 0 ? null : 'this needs root, for a PID namespace and for users';
export const missing = (program: string): string | null => (Bun.which(program) ? null : `${program} is not installed`);

/** Polls until `probe` returns something else than undefined, null or false; what it throws counts as "not yet". */
export async function until<T>(what: string, probe: () => T | Promise<T>, seconds = 30): Promise<NonNullable<T>> {
  const deadline = Date.now() + seconds * 1000;
  let last: unknown = 'never true';
  while (Date.now() < deadline) {
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false) return value;
    } catch (error) {
      last = error;
    }
    await Bun.sleep(10);
  }
  throw new Error(`waited ${seconds} s for: ${what} (${String(last)})`);
}

/** Each of these stands in the text, and in this order. */
export function expectInOrder(text: string, parts: readonly string[]): void {
  let from = 0;
  for (const part of parts) {
    const at = text.indexOf(part, from);
    if (at < 0) throw new Error(`"${part}" is missing, or out of order, in:\n${text}`);
    from = at + part.length;
  }
}

/** A temporary folder that every user may enter. */
export async function openFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'svc-super-test-'));
  await Bun.$`chmod 755 ${folder}`;
  return folder;
}

function readProcess(pid: number): Process | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const close = stat.lastIndexOf(')');
    const [state, parent] = stat.slice(close + 2).split(' ');
    if (state === 'Z' || state === 'X') return null;
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    return { pid, name: stat.slice(stat.indexOf('(') + 1, close), parent: Number(parent), args };
  } catch {
    return null; // gone meanwhile
  }
}

function allProcesses(): Process[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => readProcess(Number(pid))).filter((found) => found !== null);
}

function descendants(of: number): Process[] {
  const all = allProcesses();
  const found: Process[] = [];
  let parents = [of];
  while (parents.length > 0) {
    const children = all.filter((one) => parents.includes(one.parent));
    found.push(...children);
    parents = children.map((one) => one.pid);
  }
  return found;
}

/** Starts `svc-super up -f FILE`; `init` makes it PID 1 of its own namespace. */
export async function startStack(
  file: string,
  env: Readonly<Record<string, string>>,
  { init = true }: { init?: boolean } = {},
): Promise<Stack> {
  const folder = await openFolder();
  const command = [BINARY, 'up', '-f', join(ROOT, file)];
  return launch(init ? [...AS_PID_1, ...command] : command, {
    env: { ...process.env, SVC_SUPER_SOCKET: join(folder, 'control.sock'), ...env },
    init,
    dispose: () => rm(folder, { recursive: true, force: true }),
  });
}

export interface Launch {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether the command makes a PID namespace: its child is then the first process there. */
  readonly init: boolean;
  /** How `svc-super ARGS` is run beside it. */
  readonly beside?: (pid: number) => readonly string[];
  readonly dispose: () => Promise<void>;
}

/** Starts a command that becomes svc-super, or whose child does. */
export async function launch(command: readonly string[], { env, init, beside, dispose }: Launch): Promise<Stack> {
  for (const file of [BINARY, SUPERVISOR])
    if (!existsSync(file)) throw new Error(`${file} is not there: run npm run build`);
  const child = Bun.spawn([...command], { cwd: ROOT, env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
  let text = '';
  const read = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  };
  const drained = Promise.all([read(child.stdout), read(child.stderr)]);
  const exitCode = Promise.all([child.exited, drained]).then(([code]) => code);
  // `unshare` forks: its child is the one.
  const pid = init
    ? await until(`${command[0]} to fork`, () => allProcesses().find((one) => one.parent === child.pid)?.pid)
    : child.pid;
  const namespace = namespaceOf(pid);

  const all = (): Process[] =>
    init ? allProcesses().filter((one) => one.pid !== pid && namespaceOf(one.pid) === namespace) : descendants(pid);
  const isOfSupervisor = ({ parent, args, name }: Process) =>
    parent === pid && isSupervisor({ command: args.join(' '), name });
  const processes = (): Process[] => all().filter((one) => !isOfSupervisor(one));
  return {
    pid,
    exitCode,
    output: () => text,
    processes,
    find(part) {
      const found = processes().filter((one) => one.args.join(' ').includes(part));
      if (found.length !== 1)
        throw new Error(`${found.length} processes with ${part}:\n${JSON.stringify(processes())}`);
      return found[0] as Process;
    },
    async command(...args) {
      const run = Bun.spawn([...(beside?.(pid) ?? []), BINARY, ...args], {
        env,
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'pipe',
      });
      const [out, err] = await Promise.all([run.stdout.text(), run.stderr.text()]);
      return { code: await run.exited, output: out + err };
    },
    async [Symbol.asyncDispose]() {
      // After a test that failed half-way; `--kill-child` and the end of the namespace do it where there is one.
      if (child.exitCode === null && child.signalCode === null) {
        const left = init ? [] : all();
        child.kill('SIGKILL');
        for (const one of left)
          if (readProcess(one.pid)?.args.join() === one.args.join()) process.kill(one.pid, 'SIGKILL');
      }
      await child.exited;
      await dispose();
    },
  };
}
