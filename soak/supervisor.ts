// Runs the built files with svc-super as PID 1 of its own PID namespace, for runs that are too long, too loud or too rough for the
// test rig: output is passed on and never stored, figures are read from outside. Starts, requests, stops; checks nothing.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  childOf,
  hasNamespace,
  holdNamespace,
  inNamespace,
  type Seen,
  supervisorOf,
} from '../test/helpers/namespaces.ts';

export const binary = process.env.SVC_SUPER_BINARY || join(import.meta.dir, '../dist/svc-super');

/** Time limit of one wait for a condition, milliseconds. */
const PATIENCE = 60_000;

export interface Listener {
  /** The memory belongs to the reader: use it at once or copy it. */
  stdout(chunk: Uint8Array): void;
  stderr(chunk: Uint8Array): void;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Calls `look` repeatedly until it returns a result. */
export async function until<T>(what: string, look: () => T | null | false | Promise<T | null | false>): Promise<T> {
  const deadline = performance.now() + PATIENCE;
  for (let pause = 1; ; pause = Math.min(50, pause * 2)) {
    const found = await look();
    if (found !== null && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited ${PATIENCE / 1_000} s for ${what}`);
    await Bun.sleep(pause);
  }
}

/** Running instances: they are killed when this process exits. */
const running = new Set<Supervisor>();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    void Promise.all([...running].map((supervisor) => supervisor.close())).finally(() => process.exit(130));
  });
}

export class Supervisor {
  /** The host pids of svc-super and of its supervisor. */
  readonly pid1: number;
  readonly pid: number;
  readonly socket: string;
  readonly folder: string;
  readonly ended: Promise<number>;
  readonly #child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>;
  readonly #hold: { readonly ns: string; release(): void };
  #code: number | null = null;

  private constructor(
    folder: string,
    child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>,
    [pid1, pid]: readonly [pid1: number, supervisor: number],
    read: Promise<unknown>,
  ) {
    this.folder = folder;
    this.socket = join(folder, 'control.sock');
    this.pid1 = pid1;
    this.pid = pid;
    this.#child = child;
    const hold = holdNamespace(pid1);
    if (hold === undefined) throw new Error('svc-super ended at once');
    this.#hold = hold;
    this.ended = child.exited.then(async (code) => {
      this.#code = code;
      await read;
      return code;
    });
  }

  /** A folder for a run; removed when the run is closed. */
  static folder(): string {
    return mkdtempSync(join(tmpdir(), 'svc-super-soak-'));
  }

  /** Starts it with a configuration; resolves when it responds on its socket. */
  static async begin(folder: string, config: object, listener: Listener): Promise<Supervisor> {
    const file = join(folder, 'services.yaml');
    writeFileSync(file, JSON.stringify(config, null, 2));
    const asUser = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
    const child = Bun.spawn({
      cmd: ['unshare', ...asUser, '--pid', '--fork', '--mount-proc', '--kill-child', binary, 'up', '-f', file],
      cwd: folder,
      env: {
        PATH: process.env.PATH ?? '/usr/bin:/bin',
        TMPDIR: folder,
        SVC_SUPER_SOCKET: join(folder, 'control.sock'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const pass = async (from: ReadableStream<Uint8Array>, to: (chunk: Uint8Array) => void) => {
      for await (const chunk of from) to(chunk);
    };
    const read = Promise.all([pass(child.stdout, listener.stdout), pass(child.stderr, listener.stderr)]);
    const pids = await until('the supervisor', () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
      const pid1 = childOf(child.pid);
      const pid = pid1 === undefined ? undefined : supervisorOf(pid1);
      return pid1 === undefined || pid === undefined ? null : ([pid1, pid] as const);
    });
    const supervisor = new Supervisor(folder, child, pids, read);
    running.add(supervisor);
    await until('the control socket', async () => {
      if (supervisor.isOver) throw new Error(`it ended with ${supervisor.#code}`);
      return (await supervisor.ask('/v1/status').catch(() => null)) !== null;
    });
    return supervisor;
  }

  get isOver(): boolean {
    return this.#code !== null;
  }

  /** One request over the unix socket. */
  async ask(path: string, method: 'GET' | 'POST' = 'GET', body?: object): Promise<Answer> {
    const response = await fetch(`http://svc-super${path}`, {
      unix: this.socket,
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    } as RequestInit);
    return { status: response.status, text: await response.text() };
  }

  async order(path: string, body: object): Promise<void> {
    const { status, text } = await this.ask(path, 'POST', body);
    if (status >= 300) throw new Error(`${path} was answered ${status}: ${text}`);
  }

  /** One file of both processes' folders in /proc. */
  read(name: string): readonly string[] {
    return this.pids.map((pid) => readFileSync(`/proc/${pid}/${name}`, 'latin1'));
  }

  get pids(): readonly number[] {
    return [this.pid1, this.pid];
  }

  /** The processes of the namespace without svc-super and its supervisor. */
  others(): readonly Seen[] {
    return inNamespace(this.#hold.ns).filter(({ outer }) => !this.pids.includes(outer));
  }

  /** Sends SIGTERM; returns the exit code when all output has been read. */
  async stop(): Promise<number> {
    process.kill(this.pid1, 'SIGTERM');
    return this.ended;
  }

  /** Kills remaining processes, and removes the folder. */
  async close(): Promise<void> {
    running.delete(this);
    if (!this.isOver) {
      try {
        process.kill(this.pid1, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
      this.#child.kill('SIGKILL');
    }
    await until('the namespace to be empty', () => !hasNamespace(this.#hold.ns));
    this.#hold.release();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
