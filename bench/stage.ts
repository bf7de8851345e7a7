// One contestant as PID 1 of its own PID namespace, observed from outside: the events of its services and of the stage, its
// processes in /proc, signals to them. rows/ turns events into figures.
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Contestant, Installed, Scenario } from './scenario.ts';

export interface Event {
  /** Monotonic clock, milliseconds. */
  readonly at: number;
  readonly who: string;
  readonly what: string;
  readonly value: number;
}

export interface Entrant {
  readonly contestant: Contestant;
  readonly installed: Installed;
}

/** The services of the scenario: `mark` returns the arguments of a service. */
export type Play = (mark: (name: string, ...mode: (string | number)[]) => readonly string[]) => Scenario;

interface StageOptions {
  readonly cache: string;
  /** Above zero: output is read and counted up to this line. */
  readonly lines?: number;
}

/** The PATH of images. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export class Stage implements AsyncDisposable {
  readonly folder: string;
  readonly events: Event[] = [];
  private readonly child: Bun.Subprocess<'pipe', 'pipe', 'inherit'>;
  private readonly waiters = new Set<() => void>();
  private over = false;

  constructor({ contestant, installed }: Entrant, play: Play, { cache, lines = 0 }: StageOptions) {
    this.folder = mkdtempSync(join(tmpdir(), 'svc-super-bench-'));
    const pipe = join(this.folder, 'events');
    const scenario = play((name, ...mode) => [join(cache, 'mark'), pipe, name, ...mode.map(String)]);
    const { cmd, env = {} } = contestant.configure(scenario, this.folder, installed);
    this.child = Bun.spawn({
      cmd: [join(cache, 'stage'), pipe, join(this.folder, 'output'), String(lines), '--', ...cmd],
      cwd: this.folder,
      env: { PATH, HOME: this.folder, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    void this.listen();
  }

  private async listen(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of this.child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const [at, who = '', what = '', value] = line.split(' ');
        this.events.push({ at: Number(at) / 1e6, who, what, value: Number(value) });
      }
      for (const waiter of this.waiters) waiter();
    }
    this.over = true;
    for (const waiter of this.waiters) waiter();
  }

  find(what: string, who?: string): Event | undefined {
    return this.events.find((event) => event.what === what && (who === undefined || event.who === who));
  }

  findLast(what: string): Event | undefined {
    return this.events.findLast((event) => event.what === what);
  }

  /** Executions of services in the order of time, which the pipe does not preserve. */
  execs(): Event[] {
    return this.events.filter(({ what, who }) => what === 'exec' && who !== 'stage').sort((a, b) => a.at - b.at);
  }

  /** The time of the contestant's own exec. */
  get began(): number {
    return this.find('exec', 'stage')?.at ?? Number.NaN;
  }

  /** The first result of `look` that is not null; null after the time limit or at the end. */
  async until<T>(look: () => T | undefined, ms: number): Promise<T | null> {
    const limit = performance.now() + ms;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      const left = limit - performance.now();
      if (this.over || left <= 0) return null;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.waiters.add(resolve);
      const timer = setTimeout(resolve, left);
      await promise;
      clearTimeout(timer);
      this.waiters.delete(resolve);
    }
  }

  allStarted(count: number, ms: number): Promise<Event[] | null> {
    return this.until(() => {
      const execs = this.execs();
      return execs.length >= count ? execs : undefined;
    }, ms);
  }

  /** The pid in the host's namespace. */
  get init(): number {
    return this.find('init', 'stage')?.value ?? 0;
  }

  /** Host pid -> pid in the namespace, of every process of the container. */
  processes(): Map<number, number> {
    const namespace = link(`/proc/${this.init}/ns/pid`);
    const found = new Map<number, number>();
    if (namespace === null) return found;
    for (const entry of readdirSync('/proc')) {
      const pid = Number(entry);
      if (!(pid > 0) || link(`/proc/${pid}/ns/pid`) !== namespace) continue;
      const inner = /^NSpid:.*\t(\d+)$/m.exec(text(`/proc/${pid}/status`))?.[1];
      if (inner !== undefined) found.set(pid, Number(inner));
    }
    return found;
  }

  /** The contestant's own processes: all that are not services. */
  supervisors(): number[] {
    return [...this.processes().keys()].filter((pid) => text(`/proc/${pid}/comm`).trim() !== 'mark');
  }

  /** How many have ended and were not reaped. */
  zombies(): number {
    return [...this.processes().keys()].filter((pid) => /^State:\tZ/m.test(text(`/proc/${pid}/status`))).length;
  }

  signal(pid: number, signal: number): void {
    this.child.stdin.write(`${pid} ${signal}\n`);
    this.child.stdin.flush();
  }

  output(): string {
    return text(join(this.folder, 'output'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The stage then kills PID 1, and with it all processes, waits for it, and exits.
    this.child.stdin.end();
    await this.child.exited;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function link(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

export function text(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
