// The test's end of the puppets (puppet.pl): one unix socket for the whole test process, to which every puppet of every run
// connects. The PID namespace identifies the run. Commands are methods; each resolves when it has been carried out. Waits have
// one generous limit and fail with the known state; nothing here sleeps.
import { chmodSync, copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Time limit of any wait of a test, milliseconds. */
export const LIMIT = 60_000;

export interface Hello {
  /** Its name: SVC_NAME for a service's main process, otherwise the name that its parent gave it. */
  readonly role: string;
  /** `pid:[4026532...]`: its PID namespace. */
  readonly ns: string;
  readonly pid: number;
  readonly ppid: number;
  readonly service: string;
  /** SVC_RUN as text; empty if it is not set. */
  readonly run: string;
}

export interface Facts {
  readonly pid: number;
  readonly ppid: number;
  readonly pgid: number;
  readonly sid: number;
  /** Real, effective, saved, file system; as in /proc/self/status, separated by tabs. */
  readonly uids: string;
  readonly gids: string;
  readonly groups: readonly string[];
  readonly cwd: string;
  /** Four octal digits. */
  readonly umask: string;
  /** By the kernel's names (`open files`, `locked memory`): soft and hard, `unlimited` unchanged. */
  readonly limits: Readonly<Record<string, readonly [string, string]>>;
  readonly nice: number;
  readonly oomScoreAdj: number;
  readonly cpus: string;
  /** At its exec. */
  readonly env: Readonly<Record<string, string>>;
  /** Signal masks in hexadecimal, as in /proc/self/status. */
  readonly blocked: string;
  readonly ignored: string;
  /** Descriptors that were open at its exec: number -> target. */
  readonly descriptors: Readonly<Record<string, string>>;
  readonly stdin: string;
}

export type Report =
  | { readonly event: 'signal'; readonly name: string }
  | { readonly event: 'child'; readonly pid: number; readonly code: number; readonly signal: number };

export interface ChildKind {
  /** In its own session. */
  readonly session?: boolean;
  /** Double fork: an orphan in its own session. */
  readonly daemon?: boolean;
  /** Executed again with an empty environment. */
  readonly wiped?: boolean;
  /** Under another user. */
  readonly uid?: number;
  /** Changes its title, in argv and in comm. */
  readonly title?: string;
}

/** Waits for a promise for at most LIMIT; `explain` adds the known state to the error. */
export async function within<T>(promise: Promise<T>, what: string, explain: () => string = () => ''): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`waited ${LIMIT / 1_000} s for ${what}\n${explain()}`)), LIMIT);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One puppet process, for the time of its connection. */
export class Puppet {
  readonly hello: Hello;
  /** Resolves when its connection has ended: the process has exited, or has executed something else. */
  readonly gone: Promise<void>;
  readonly #socket: Socket;
  readonly #answers = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #reports: Report[] = [];
  readonly #waiting = new Set<() => void>();
  #orders = 0;
  #isGone = false;

  constructor(socket: Socket, hello: Hello) {
    this.#socket = socket;
    this.hello = hello;
    this.gone = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isGone = true;
        for (const { reject } of this.#answers.values()) reject(new Error(`puppet ${hello.role} is gone`));
        this.#answers.clear();
        resolve();
      });
    });
  }

  get pid(): number {
    return this.hello.pid;
  }

  /** The number of its run: 1, 2, ... */
  get run(): number {
    return Number(this.hello.run);
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** A line from it; called by the switchboard. */
  take(line: { readonly id?: number; readonly value?: unknown; readonly error?: string } & Partial<Report>): void {
    if (line.id === undefined) {
      this.#reports.push(line as Report);
      for (const look of [...this.#waiting]) look();
      return;
    }
    const answer = this.#answers.get(line.id);
    this.#answers.delete(line.id);
    if (line.error === undefined) answer?.resolve(line.value);
    else answer?.reject(new Error(`puppet ${this.hello.role}: ${line.error.trim()}`));
  }

  async #order(name: string, ...args: readonly (string | number)[]): Promise<unknown> {
    if (this.#isGone) throw new Error(`puppet ${this.hello.role} is gone and cannot ${name}`);
    this.#orders += 1;
    const answer = Promise.withResolvers<unknown>();
    this.#answers.set(this.#orders, answer);
    const encoded = args.map((arg) => Buffer.from(String(arg)).reduce((text, byte) => text + encodeByte(byte), ''));
    this.#socket.write(`${[this.#orders, name, ...encoded].join(' ')}\n`);
    return within(answer.promise, `puppet ${this.hello.role} to ${name}`);
  }

  /** A command after which it cannot respond; resolves when the connection has ended. */
  async #lastOrder(name: string, ...args: readonly (string | number)[]): Promise<void> {
    const refused = this.#order(name, ...args).then(
      () => undefined,
      (error) => (this.#isGone ? undefined : Promise.reject(error)),
    );
    await Promise.race([this.gone, refused.then(() => this.gone)]);
  }

  /** Exits with this code. */
  exit(code = 0): Promise<void> {
    return this.#lastOrder('exit', code);
  }

  /** Kills itself with this signal (a number; real-time signals too). */
  die(signal: number): Promise<void> {
    return this.#lastOrder('die', signal);
  }

  /** Reports these signals (`TERM`) as events from now on, and ignores them otherwise. */
  async trap(...names: readonly string[]): Promise<void> {
    await this.#order('trap', ...names);
  }

  async ignore(...names: readonly string[]): Promise<void> {
    await this.#order('ignore', ...names);
  }

  /** Sends a signal (`TERM`) to another process of its namespace; false if that failed. */
  async kill(name: string, pid: number): Promise<boolean> {
    return (await this.#order('kill', name, pid)) === 1;
  }

  /** Writes text to one of its descriptors, unchanged. */
  async write(fd: number, text: string): Promise<void> {
    await this.#order('write', fd, text);
  }

  async print(line: string): Promise<void> {
    await this.write(1, `${line}\n`);
  }

  async close(...fds: readonly number[]): Promise<void> {
    await this.#order('close', ...fds);
  }

  /** Opens a file for writing (`/dev/stdout`), writes, closes. */
  async reopen(file: string, text: string): Promise<void> {
    await this.#order('reopen', file, text);
  }

  /** Writes numbered lines (`floodLine`), to each of the given descriptors in turn. */
  async flood(lines: number, width: number, ...fds: readonly number[]): Promise<void> {
    await this.#order('flood', lines, width, ...fds);
  }

  async facts(): Promise<Facts> {
    return (await this.#order('facts')) as Facts;
  }

  /** All pids that it can see, including its own. */
  async processes(): Promise<readonly number[]> {
    return (await this.#order('processes')) as readonly number[];
  }

  async rename(title: string): Promise<void> {
    await this.#order('rename', title);
  }

  /** Evaluates a piece of Perl, for what no command exists. */
  eval(perl: string): Promise<unknown> {
    return this.#order('eval', perl);
  }

  /** Forks a puppet that connects under `name`: request it from the run. */
  async spawn(name: string, { session, daemon, wiped, uid, title }: ChildKind = {}): Promise<void> {
    const flags = [
      ...(session ? ['session'] : []),
      ...(daemon ? ['daemon'] : []),
      ...(wiped ? ['wiped'] : []),
      ...(uid === undefined ? [] : [`uid=${uid}`]),
      ...(title === undefined ? [] : [`title=${title}`]),
    ];
    await this.#order('spawn', name, ...flags);
  }

  /** Starts a program with its own descriptors; its exit is an event. Without `env` it inherits the environment. */
  async launch(argv: readonly string[], env?: Readonly<Record<string, string>>): Promise<number> {
    const set = Object.entries(env ?? {}).map(([key, value]) => `${key}=${value}`);
    return (await this.#order('launch', set.join('\0'), ...argv)) as number;
  }

  /** Executes another program; resolves when it has. */
  exec(...argv: readonly string[]): Promise<void> {
    return this.#lastOrder('exec', ...argv);
  }

  /** Creates `count` orphans that exit at once with `code`. */
  async orphans(count: number, code = 0): Promise<void> {
    await this.#order('orphans', count, code);
  }

  /** Listens on a port of 127.0.0.1 (0: any free one), or at a path, and responds to HTTP; returns the port or path. */
  listen(where: number | string = 0): Promise<unknown> {
    return this.#order('listen', where);
  }

  /** Sets the response to HTTP. */
  async respond(status: number, body: string): Promise<void> {
    await this.#order('respond', status, body);
  }

  /** One sd_notify datagram. */
  async notify(text = 'READY=1'): Promise<void> {
    await this.#order('notify', text);
  }

  /** All events so far. */
  get reports(): readonly Report[] {
    return this.#reports;
  }

  /** The names of the trapped signals that arrived so far. */
  get signals(): readonly string[] {
    return this.#reports.flatMap((report) => (report.event === 'signal' ? [report.name] : []));
  }

  /** The same, after all signals that were sent before this call have arrived. */
  async caught(): Promise<readonly string[]> {
    await this.#order('eval', 'undef');
    return this.signals;
  }

  /** The first event for which `wanted` holds, past or future. */
  async when<T extends Report>(wanted: (report: Report) => report is T): Promise<T>;
  async when(wanted: (report: Report) => boolean): Promise<Report>;
  async when(wanted: (report: Report) => boolean): Promise<Report> {
    const found = Promise.withResolvers<Report>();
    const look = () => {
      const report = this.#reports.find(wanted);
      if (report !== undefined) found.resolve(report);
    };
    this.#waiting.add(look);
    look();
    void this.gone.then(() => found.reject(new Error(`puppet ${this.hello.role} is gone; report: ${this.#text()}`)));
    try {
      return await within(found.promise, `a report of puppet ${this.hello.role}`, () => this.#text());
    } finally {
      this.#waiting.delete(look);
    }
  }

  /** Waits for a trapped signal. */
  async signalled(name: string): Promise<void> {
    await this.when((report) => report.event === 'signal' && report.name === name);
  }

  #text(): string {
    return JSON.stringify(this.#reports);
  }
}

const PLAIN = /[A-Za-z0-9_./:=,@-]/;

function encodeByte(byte: number): string {
  const char = String.fromCharCode(byte);
  return PLAIN.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Line `number` of a flood of that width, without its newline. */
export function floodLine(number: number, width: number): string {
  return `${String(number).padStart(8, '0')} `.padEnd(width - 1, 'x');
}

interface Waiting {
  readonly role: string;
  readonly run: number | null;
  readonly found: PromiseWithResolvers<Puppet>;
}

/** The folder for files of runs, accessible to every user. One for the whole test process. */
const folder = join(tmpdir(), `svc-e2e-${process.pid}`);
export const puppetSocket = join(folder, 'puppets.sock');
export const puppetScript = join(folder, 'puppet.pl');

/** The socket of the puppets. Created at the first use, removed at the end of each test file. */
class Switchboard {
  readonly folder = folder;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  readonly #unclaimed = new Map<string, Puppet[]>();
  readonly #waiting = new Map<string, Set<Waiting>>();

  constructor() {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, 'runs'), { recursive: true });
    // Puppets run as other users, who may not be able to read the repository.
    copyFileSync(join(import.meta.dir, 'puppet.pl'), puppetScript);
    for (const path of [folder, join(folder, 'runs'), puppetScript]) chmodSync(path, 0o755);
    this.#server = createServer((socket) => this.#answer(socket));
    this.#server.listen({ path: puppetSocket, backlog: 511 }, () => chmodSync(puppetSocket, 0o777));
    this.#server.unref();
  }

  #answer(socket: Socket): void {
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
    socket.on('error', () => undefined);
    let held = '';
    let puppet: Puppet | undefined;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      held += text;
      for (let end = held.indexOf('\n'); end >= 0; end = held.indexOf('\n')) {
        const line = JSON.parse(held.slice(0, end));
        held = held.slice(end + 1);
        if (puppet !== undefined) puppet.take(line);
        else {
          puppet = new Puppet(socket, line as Hello);
          this.#introduce(puppet);
        }
      }
    });
  }

  #introduce(puppet: Puppet): void {
    const { ns } = puppet.hello;
    for (const waiting of this.#waiting.get(ns) ?? []) {
      if (!suits(puppet, waiting)) continue;
      this.#waiting.get(ns)?.delete(waiting);
      waiting.found.resolve(puppet);
      return;
    }
    const unclaimed = this.#unclaimed.get(ns) ?? [];
    unclaimed.push(puppet);
    this.#unclaimed.set(ns, unclaimed);
  }

  /** The next puppet of that role (and run) in that PID namespace that has not been requested yet. */
  claim(
    ns: string,
    role: string,
    run: number | null,
  ): { readonly found: Promise<Puppet>; readonly forget: () => void } {
    const waiting: Waiting = { role, run, found: Promise.withResolvers<Puppet>() };
    const unclaimed = this.#unclaimed.get(ns) ?? [];
    const at = unclaimed.findIndex((puppet) => suits(puppet, waiting));
    const [there] = at < 0 ? [] : unclaimed.splice(at, 1);
    if (there !== undefined) return { found: Promise.resolve(there), forget: () => undefined };
    const all = this.#waiting.get(ns) ?? new Set();
    all.add(waiting);
    this.#waiting.set(ns, all);
    return { found: waiting.found.promise, forget: () => void all.delete(waiting) };
  }

  /** Puppets of a namespace that have not been requested. */
  unclaimed(ns: string): readonly Puppet[] {
    return this.#unclaimed.get(ns) ?? [];
  }

  forget(ns: string): void {
    this.#unclaimed.delete(ns);
    this.#waiting.delete(ns);
  }

  /** Number of connected puppets. */
  get size(): number {
    return this.#connections.size;
  }

  close(): void {
    for (const socket of this.#connections) socket.destroy();
    this.#server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function suits({ hello, run }: Puppet, wanted: Waiting): boolean {
  return hello.role === wanted.role && (wanted.run === null || run === wanted.run);
}

let made: Switchboard | undefined;

export function switchboard(): Switchboard {
  made ??= new Switchboard();
  return made;
}

export function closeSwitchboard(): void {
  made?.close();
  made = undefined;
}
