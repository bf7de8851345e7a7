// Runs the native program with the test as its supervisor: test/helpers/fake-supervisor.pl lies beside the program and relays
// frames between it and the test. Every wait is for a condition and fails with the output so far.
//
//   await using pid1 = await supervise();
//   const run = pid1.spawn({ argv: ['/bin/echo', 'hello'] });
//   expect((await pid1.exited(run)).status).toBe(0);
//   expect(pid1.read(run)).toBe('hello\n');
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
} from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  EventReader,
  encodeHello,
  encodeSignal,
  encodeSpawn,
  type Pid1Event,
  type SignalFailure,
  type SignalTarget,
  type SpawnFrame,
  type Stream,
  SUCCESSION,
} from '../../src/pid1/protocol.ts';
import type { Succession } from '../../src/plan/plan.ts';
import type { ProcessAttributes, ProcessSpec, User } from '../../src/plan/process.ts';
import { inNamespace, namespaceOf, supervisorOf } from './namespaces.ts';
import { folder, nativeBinary, type Started, type StartOptions, start } from './native.ts';
import { INHERITED } from './plans.ts';

export { childrenOf } from './namespaces.ts';

export const isRoot = process.getuid?.() === 0;
const HELPERS = import.meta.dir;
let count = 0;

/** A copy of the native program with the fake supervisor beside it, in its own folder. */
export function install(): string {
  count += 1;
  const place = join(folder(), `program.${count}`);
  mkdirSync(place);
  chmodSync(folder(), 0o755);
  copyFileSync(nativeBinary(), join(place, 'svc-super'));
  copyFileSync(join(HELPERS, 'fake-supervisor.pl'), join(place, 'svc-super-supervisor'));
  return join(place, 'svc-super');
}

let shared: string | undefined;

export interface SuperviseOptions extends StartOptions {
  readonly args?: readonly string[];
  /** Arguments before the program, such as a program that executes it. */
  readonly through?: readonly string[];
  readonly program?: string;
}

/** Starts it without a supervisor from the test. Its environment uses the test's folder. */
export function launch(options: SuperviseOptions = {}): Started {
  count += 1;
  // Each test file has another folder.
  if (shared === undefined || !existsSync(shared)) shared = install();
  const { args = [], through = [], program = shared, ...rest } = options;
  const [first, ...words] = [...through, program, ...args] as [string, ...string[]];
  return start(first, words, { ...rest, env: { SVC_SUPER_SOCKET: join(folder(), `control.${count}`), ...rest.env } });
}

/** Starts it and becomes its supervisor. */
export async function supervise(options: SuperviseOptions = {}): Promise<Supervised> {
  count += 1;
  const place = join(folder(), `fake.${count}`);
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(place, resolve));
  chmodSync(place, 0o777);
  const started = launch({ ...options, env: { FAKE_SOCKET: place, ...options.env } });
  const over = started.code.then(async (code) => {
    throw new Error(`it ended with ${code} before its supervisor connected:\n${await started.text()}`);
  });
  return Promise.race([nextSupervised(started, server, sockets), over]);
}

async function nextSupervised(started: Started, server: Server, sockets: Socket[]): Promise<Supervised> {
  const socket = await started.until('a supervisor to connect', () => sockets.shift());
  const supervised = new Supervised(started, server, socket, sockets);
  await supervised.until('the handover', () => supervised.handover.length > 0);
  return supervised;
}

/** Starts it, becomes its supervisor and takes over. */
export async function takeOver(options: SuperviseOptions = {}, stopTimeout?: number): Promise<Supervised> {
  const pid1 = await supervise(options);
  pid1.hello(stopTimeout);
  return pid1;
}

/** A command: a program of perl and its arguments. */
export const perl = (text: string, ...args: readonly string[]) => ['perl', '-e', text, ...args];

/** `user`: its name and home are not needed. */
export type SpawnOptions = Partial<Omit<SpawnFrame, 'streams' | 'spec'>> &
  Partial<Omit<ProcessSpec, 'attributes'>> &
  Partial<Omit<ProcessAttributes, 'user'>> & {
    readonly argv: readonly string[];
    readonly user?: Pick<User, 'uid' | 'gid' | 'groups'> | null;
    readonly streams?: Readonly<Record<number, Stream>>;
  };

const PIPES: Readonly<Record<number, Stream>> = {
  0: { kind: 'null' },
  1: { kind: 'pipe' },
  2: { kind: 'same', pipe: 0 },
};

type EventOf<T extends Pid1Event['type']> = Pid1Event & { readonly type: T };

export class Supervised implements AsyncDisposable {
  readonly started: Started;
  readonly events: Pid1Event[] = [];
  /** The data from descriptor 4. */
  handover: Buffer = Buffer.alloc(0);
  readonly #server: Server;
  readonly socket: Socket;
  readonly #reader = new EventReader();
  #rest = Buffer.alloc(0);
  #lastRun = 0;
  #lastSequence = 0;
  /** Events by their type and run. */
  readonly #byRun = new Map<string, Pid1Event>();
  /** The text that `line` has read, by run. */
  readonly #texts = new Map<number, string>();

  /** Connections of supervisors that the test has not used yet. */
  readonly #next: Socket[];

  constructor(started: Started, server: Server, socket: Socket, next: Socket[]) {
    this.#next = next;
    this.started = started;
    this.#server = server;
    this.socket = socket;
    socket.on('data', (bytes) => this.#receive(bytes as Buffer));
    socket.on('error', () => undefined);
  }

  #receive(bytes: Buffer): void {
    let rest = bytes;
    if (this.handover.length === 0) {
      this.#rest = Buffer.concat([this.#rest, bytes]);
      if (this.#rest.length < 4 || this.#rest.length - 4 < this.#rest.readUInt32LE(0)) return;
      this.handover = this.#rest.subarray(4, 4 + this.#rest.readUInt32LE(0));
      rest = this.#rest.subarray(4 + this.handover.length);
    }
    for (const event of this.#reader.push(rest)) {
      this.events.push(event);
      if ('run' in event) this.#byRun.set(`${event.type} ${event.run}`, event);
    }
  }

  get code(): Promise<number> {
    return this.started.code;
  }

  get output(): string {
    return this.started.output;
  }

  until<T>(what: string, look: () => T | undefined | false): Promise<T> {
    return this.started.until(what, look);
  }

  send(...frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.socket.write(frame);
  }

  /** `stopSignals` by number; default: TERM, INT, QUIT. */
  hello(stopTimeout = 5_000, stopSignals: readonly number[] = [2, 3, 15], settings: Partial<Succession> = {}): void {
    this.send(encodeHello(stopTimeout, stopSignals, { ...SUCCESSION, ...settings }));
  }

  /** Becomes the next supervisor after the end of this one. */
  successor(): Promise<Supervised> {
    return nextSupervised(this.started, this.#server, this.#next);
  }

  /** Sends the request; returns the run's number. Without `streams`, output goes to one pipe. */
  spawn(options: SpawnOptions): number {
    const run = options.run ?? ++this.#lastRun;
    this.#lastRun = Math.max(run, this.#lastRun);
    const { argv, env = { PATH: '/usr/bin:/bin' }, cwd = null, stopSignal = 15, mark = 0n, ...others } = options;
    const {
      notify = null,
      cgroup = null,
      terminal = false,
      user = null,
      run: _run,
      streams: _streams,
      ...attributes
    } = others;
    const whole = { ...INHERITED, ...attributes, user: user === null ? null : { name: null, home: null, ...user } };
    const spec = { argv, env, cwd, attributes: whole };
    const streams = new Map(Object.entries(options.streams ?? PIPES).map(([fd, stream]) => [Number(fd), stream]));
    this.send(encodeSpawn({ spec, stopSignal, mark, cgroup, notify, terminal, run, streams }));
    return run;
  }

  /** Requests a signal; returns the targets that could not be signalled. */
  async signal(signal: number, ...targets: readonly SignalTarget[]): Promise<readonly SignalFailure[]> {
    const sequence = ++this.#lastSequence;
    this.send(encodeSignal(sequence, signal, targets));
    return (await this.event('signalled', (event) => event.sequence === sequence)).failures;
  }

  /** The event of a run, past or future. */
  async #of<T extends Pid1Event['type']>(type: T, run: number): Promise<EventOf<T>> {
    return (await this.until(`${type} of run ${run}`, () => this.#byRun.get(`${type} ${run}`))) as EventOf<T>;
  }

  spawned = (run: number) => this.#of('spawned', run);
  exited = (run: number) => this.#of('exited', run);
  failed = (run: number) => this.#of('failed', run);

  /** The first event that matches, past or future. */
  event<T extends Pid1Event['type']>(
    type: T,
    matches: (event: EventOf<T>) => boolean = () => true,
  ): Promise<EventOf<T>> {
    const is = (event: Pid1Event): event is EventOf<T> => event.type === type && matches(event as EventOf<T>);
    return this.until(type, () => this.events.find(is));
  }

  all<T extends Pid1Event['type']>(type: T): readonly EventOf<T>[] {
    return this.events.filter((event): event is EventOf<T> => event.type === type);
  }

  /** All output of a run that has exited. */
  async read(run: number, pipe = 0): Promise<string> {
    const { pipes } = await this.spawned(run);
    await this.exited(run);
    return readFileSync(`/proc/${await this.started.pid()}/fd/${pipes[pipe]}`, 'latin1');
  }

  /** The first match in a line of the output of a running run. Reads no further. */
  async line(run: number, pattern: RegExp, pipe = 0): Promise<RegExpExecArray> {
    const { pipes } = await this.spawned(run);
    const fd = openSync(
      `/proc/${await this.started.pid()}/fd/${pipes[pipe]}`,
      constants.O_RDONLY | constants.O_NONBLOCK,
    );
    const multiline = new RegExp(pattern.source, `${pattern.flags}m`);
    let text = this.#texts.get(run) ?? '';
    try {
      return await this.until(`${pattern} of run ${run}`, () => {
        text += readAvailable(fd);
        this.#texts.set(run, text);
        return multiline.exec(text) ?? undefined;
      });
    } finally {
      closeSync(fd);
    }
  }

  /** Runs a program to its end and returns its output. */
  async outputOf(options: SpawnOptions): Promise<string> {
    const run = this.spawn(options);
    const failure = () => this.#byRun.get(`failed ${run}`);
    const event = await this.until('an end', () => this.#byRun.get(`exited ${run}`) ?? failure());
    if (event.type === 'failed') throw new Error(`it failed: ${JSON.stringify(event)}`);
    return await this.read(run);
  }

  /** The host pid of a process of its namespace. */
  async outer(inner: number): Promise<number> {
    const ns = namespaceOf(await this.started.pid()) ?? '';
    return this.until(`process ${inner}`, () => inNamespace(ns).find(({ pid }) => pid === inner)?.outer);
  }

  /** The host pid of the fake supervisor. */
  async supervisor(): Promise<number> {
    const pid1 = await this.started.pid();
    return this.until('the supervisor', () => supervisorOf(pid1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    this.#server.close();
    await this.started[Symbol.asyncDispose]();
  }
}

function readAvailable(fd: number): string {
  const bytes = Buffer.alloc(65_536);
  try {
    return bytes.toString('latin1', 0, readSync(fd, bytes));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
    throw error;
  }
}

/** A field of /proc/<pid>/status; empty if there is no such process. */
export function statusOf(pid: number, field: string): string {
  try {
    return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '';
  } catch {
    return '';
  }
}

/** Fields of /proc/<pid>/stat from the third on (proc_pid_stat(5)), by their numbers there. */
export function statOf(pid: number, field: number): string {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[field - 3] ?? '';
}

/** Executes a program with arguments and an environment in hexadecimal, because a shell cannot pass all bytes. */
export function throughBytes(environment: readonly string[]): readonly string[] {
  const text = `my @e = map { pack 'H*', $_ } split /,/, shift; push @e, "FAKE_SOCKET=$ENV{FAKE_SOCKET}", "SVC_SUPER_SOCKET=$ENV{SVC_SUPER_SOCKET}";
    my @a = map { pack 'H*', $_ } split /,/, shift; my $path = shift; unshift @a, $path;
    my ($argv, $envp) = map { pack('p*', @$_) . pack('Q', 0) } \\@a, \\@e;
    syscall(\`uname -m\` =~ /aarch64/ ? 221 : 59, $path, $argv, $envp); die "execve: $!\\n"`;
  return ['perl', '-e', text, ...environment];
}

/** Texts in latin1, one character per byte, for `throughBytes`. */
export const hex = (texts: readonly string[]): string =>
  texts.map((text) => Buffer.from(text, 'latin1').toString('hex')).join(',');

/** The parts of a handover, as latin1. */
export function splitHandover(bytes: Buffer): { lines: string[]; argv: string[]; env: string[] } {
  const texts = bytes.toString('latin1').split('\0').slice(0, -1);
  const end = texts.indexOf('');
  const lines = texts.slice(0, end);
  const number = (key: string) => Number(lines.find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1));
  const from = end + 1 + number('arguments');
  return { lines, argv: texts.slice(end + 1, from), env: texts.slice(from, from + number('variables')) };
}
