// Runs the built files for end-to-end tests, each run in its own PID namespace: dist/svc-super as real PID 1, or
// (`pid1: false`) below another init, and its supervisor as its child. Writes services.yaml into a new folder, collects the
// output, reads the namespace's processes from outside, and sends requests to the control socket. Every wait is for a condition
// and fails with the whole output.
//
//   useRig();                                // once in each file, before its tests
//   await using run = await up({ services: { a: { command: puppetCommand } } });
//   const a = await run.puppet('a');         // see puppet.ts for its commands
//   await run.line(/a \| hello/);
//   await a.exit(3);
//   await run.ends(3);                       // fails with the output if the code is another
//
// The end of `await using` kills what still runs and fails if a process, or a file in the run's folder, is left over.
// SVC_SUPER_BINARY names another svc-super, which looks for its supervisor's file in its own folder. Ports are the host's: take
// them from freePort().
import { afterAll, setDefaultTimeout, test } from 'bun:test';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import treeKill from 'tree-kill';
import type { StatusBody } from '../../src/control/api.ts';
import { childOf, type Hold, hasNamespace, holdNamespace, inNamespace, isSupervisor, type Seen } from './namespaces.ts';
import { Output, type Printed, type StandardOutput } from './output.ts';
import { closeSwitchboard, LIMIT, type Puppet, puppetScript, puppetSocket, switchboard } from './puppet.ts';

export { freePort } from './free-port.ts';
export type { Puppet } from './puppet.ts';

/** Once in each test file: time limits, and a clean-up at its end that fails if a run was not disposed of. */
export function useRig(): void {
  setDefaultTimeout(3 * LIMIT);
  afterAll(async () => {
    const forgotten = [...alive];
    for (const run of forgotten) await run[Symbol.asyncDispose]();
    closeSwitchboard();
    if (forgotten.length > 0) throw new Error(`${forgotten.length} runs were not disposed of: use \`await using\``);
  });
}

const alive = new Set<Run>();

/** The native program under test. */
export const binary = process.env.SVC_SUPER_BINARY || join(import.meta.dir, '../../dist/svc-super');

/** The supervisor's file, which the native program executes. */
export const supervisorFile = join(dirname(binary), 'svc-super-supervisor');

/** Whether it is the bundle for Node, a script. Figures of memory and threads are those of the runtime. */
export const isNode = existsSync(supervisorFile) && readBeginning(supervisorFile, 2) === '#!';

/** `test` for what only the file with a runtime of its own does: not registered for the variants for Node and Bun. */
export const testWithRuntime: (title: string, body: () => Promise<void>) => void = isNode ? () => undefined : test;

function readBeginning(file: string, size: number): string {
  const fd = openSync(file, 'r');
  const bytes = Buffer.alloc(size);
  readSync(fd, bytes);
  closeSync(fd);
  return bytes.toString('latin1');
}

/** Without root a run has a user namespace too, and tests of other users are skipped. */
export const isRoot = process.getuid?.() === 0;

export interface UpOptions {
  /** Whether svc-super is PID 1 of its namespace (default), or runs below a puppet that is. */
  readonly pid1?: boolean;
  /** The binary's arguments; default: none, SVC_SUPER_CONFIG names the file. */
  readonly args?: readonly string[];
  /** Added to a small environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: the run's folder. */
  readonly cwd?: string;
  /** Lines of shell that run inside the namespaces before the binary is executed: `ulimit -Sn 256`, a bind mount. */
  readonly before?: string;
  /** The reader of standard output and error: `collect` (default), `stall` until resume(), `gone`, or a `terminal`. */
  readonly stdout?: StandardOutput;
  /** Files written beside services.yaml first. */
  readonly files?: Readonly<Record<string, string>>;
  /** Additional namespaces for unshare, such as `--net`. */
  readonly unshare?: readonly string[];
  /** Names of files that may be left in its folder. */
  readonly leaves?: readonly string[];
}

export interface End {
  readonly code: number | null;
  /** The signal that ended svc-super itself. */
  readonly signal: string | null;
}

export type Service = StatusBody['services'][number];

/** The command of a service that is a puppet. */
export const puppetCommand: readonly string[] = ['/usr/bin/perl', puppetScript, puppetSocket];

/** `${text}` in the notation of services.yaml. */
export function variable(text: string): string {
  return `\${${text}}`;
}

/** A service played by a puppet. */
export function played(fields: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return { command: puppetCommand, ...fields };
}

/** The same command as a string, for `/bin/sh -c` commands: `exec ${puppetShell}`. */
export const puppetShell = puppetCommand.join(' ');

/** Starts the binary on that configuration: YAML as text, or an object. Resolves as soon as the process exists. */
export async function up(config: string | object | null, options: UpOptions = {}): Promise<Run> {
  const run = new Run(config, options);
  alive.add(run);
  await run.begin();
  return run;
}

/** Starts any command line of the binary, without a configuration. */
export function start(args: readonly string[], options: Omit<UpOptions, 'args'> = {}): Promise<Run> {
  return up(null, { ...options, args });
}

/** Calls `look` repeatedly until it returns a result; fails after LIMIT with the text of `explain`. */
export async function until<T>(
  what: string,
  look: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  explain: () => string = () => '',
): Promise<T> {
  const deadline = performance.now() + LIMIT;
  for (let pause = 1; ; pause = Math.min(20, pause * 2)) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited ${LIMIT / 1_000} s for ${what}\n${explain()}`);
    await Bun.sleep(pause);
  }
}

export class Run {
  /** The run's own folder: services.yaml, the control socket, TMPDIR. */
  readonly folder: string;
  readonly socket: string;
  readonly ended: Promise<End>;
  readonly output: Output;
  readonly #options: UpOptions;
  readonly #end = Promise.withResolvers<End>();
  readonly #expected: Set<string>;
  #end_: End | undefined;
  /** The host pid of unshare. */
  #outer = 0;
  /** The host pid of the native program. */
  #pid1 = 0;
  #ns = '';
  #hold: Hold | undefined;
  #failed = false;
  #init: Puppet | undefined;

  constructor(config: string | object | null, options: UpOptions) {
    this.#options = options;
    this.folder = mkdtempSync(join(switchboard().folder, 'runs', 'r-'));
    // Puppets of other users work here too.
    Bun.spawnSync(['chmod', '755', this.folder]);
    this.socket = join(this.folder, 'control.sock');
    mkdirSync(join(this.folder, 'tmp'));
    if (config !== null) {
      const text = typeof config === 'string' ? config : JSON.stringify(config, null, 2);
      writeFileSync(join(this.folder, 'services.yaml'), text);
    }
    for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(this.folder, name), text);
    this.#expected = new Set([...readdirSync(this.folder), ...(options.leaves ?? [])]);
    this.output = new Output(options.stdout ?? 'collect');
    this.ended = this.#end.promise;
  }

  /** Reads the process tree from outside; called by up(). */
  async begin(): Promise<void> {
    const { args = [], env = {}, before, unshare = [], pid1 = true, cwd = this.folder } = this.#options;
    const shell = before === undefined ? [] : ['/bin/sh', '-c', `${before}\nexec "$0" "$@"`];
    const command = [...shell, binary, ...args];
    const environment = this.#environment(env);
    const child = Bun.spawn({
      cmd: [
        'unshare',
        ...(isRoot ? [] : ['--user', '--map-root-user']),
        ...['--pid', '--fork', '--mount-proc', '--kill-child'],
        ...unshare,
        ...(pid1 ? command : [...puppetCommand, 'init']),
      ],
      cwd,
      env: environment,
      stdio: ['ignore', ...this.output.descriptors],
      onExit: (_child, code, signal) => {
        const named = typeof signal === 'number' ? (NAMES.get(signal) ?? `${signal}`) : signal;
        if (pid1) this.#finish({ code: named === null ? code : null, signal: named });
      },
    });
    this.#outer = child.pid;
    this.output.begin(!pid1);
    await until(
      'the namespace',
      () => {
        this.#pid1 = childOf(child.pid) ?? 0;
        this.#hold ??= this.#pid1 === 0 ? undefined : holdNamespace(this.#pid1);
        this.#ns = this.#hold?.ns ?? '';
        return this.#ns !== '' || child.exitCode !== null || child.signalCode !== null;
      },
      () => this.output.text(),
    );
    if (pid1) return;
    const init = await this.puppet('init');
    this.#init = init;
    const pid = await init.launch(command, environment);
    await init.close(1, 2);
    void init
      .when((report) => report.event === 'child' && report.pid === pid)
      .then((report) => {
        if (report.event !== 'child') return;
        const signal = report.signal === 0 ? null : (NAMES.get(report.signal) ?? `${report.signal}`);
        this.#finish({ code: signal === null ? report.code : null, signal });
      })
      .catch(() => this.#finish({ code: null, signal: 'lost' }));
    this.#pid1 = this.find(pid)?.outer ?? 0;
  }

  #environment(more: UpOptions['env'] = {}): Record<string, string> {
    const all = {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      HOME: '/root',
      TMPDIR: join(this.folder, 'tmp'),
      SVC_SUPER_SOCKET: this.socket,
      SVC_SUPER_CONFIG: join(this.folder, 'services.yaml'),
      ...more,
    };
    return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
  }

  #finish(end: End): void {
    if (this.#end_ !== undefined) return;
    this.#end_ = end;
    void this.output.finished().then(() => this.#end.resolve(end));
  }

  get isOver(): boolean {
    return this.#end_ !== undefined;
  }

  /** The end of svc-super with all output read; fails if the code is another. A name: killed by that signal. */
  async ends(expected: number | string): Promise<void> {
    const end = await this.#guarded(this.ended, 'the supervisor to end');
    const found = end.code ?? end.signal;
    this.#failed ||= found !== expected;
    if (found !== expected) throw new Error(`ended with ${found}, not with ${expected}\n${this.output.text()}`);
  }

  #guarded<T>(promise: Promise<T>, what: string): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const left = this.ps().map((seen) => JSON.stringify(seen));
      late.reject(new Error(`waited ${LIMIT / 1_000} s for ${what}\n${this.output.text()}\n${left.join('\n')}`));
    }, LIMIT);
    return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
  }

  /** The next process (a service's main process by its name) that connects; `number` is its SVC_RUN. */
  async puppet(role: string, number: number | null = null): Promise<Puppet> {
    const { found, forget } = switchboard().claim(this.#ns, role, number);
    const over = this.ended.then(() => {
      forget();
      throw new Error(`the supervisor ended before puppet ${role}${number === null ? '' : ` #${number}`} came`);
    });
    over.catch(() => undefined);
    return this.#guarded(Promise.race([found, over]), `puppet ${role}`).catch((error: Error) => {
      this.#failed = true;
      throw new Error(`${error.message}\n${this.output.text()}`);
    });
  }

  /** The puppet that is PID 1 of the namespace, if svc-super is not. */
  get init(): Puppet {
    if (this.#init === undefined) throw new Error('svc-super is PID 1');
    return this.#init;
  }

  /** Whether a puppet of that role has connected that was not requested. */
  hasCalled(role: string): boolean {
    return switchboard()
      .unclaimed(this.#ns)
      .some(({ hello }) => hello.role === role);
  }

  /** The first matching line, past or future. Lines are as printed, including the prefix. */
  async line(
    pattern: RegExp,
    options: { readonly after?: Printed; readonly stream?: 'stdout' | 'stderr' } = {},
  ): Promise<Printed> {
    try {
      return await this.output.find(pattern, options, this.ended);
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  get lines(): readonly string[] {
    return this.output.lines.map(({ text }) => text);
  }

  /** Sends svc-super (the native process) a signal, by name or number, from outside. */
  signal(signal: NodeJS.Signals | number): void {
    if (this.#pid1 === 0 || this.isOver) throw new Error(`svc-super is gone\n${this.output.text()}`);
    process.kill(this.#pid1, signal);
  }

  /** Sends a process of the namespace a signal from outside; `pid` is its number inside. */
  kill(pid: number, signal: NodeJS.Signals | number = 'SIGKILL'): void {
    const seen = this.find(pid);
    if (seen === undefined) throw new Error(`there is no process ${pid} to signal\n${this.output.text()}`);
    process.kill(seen.outer, signal);
  }

  /** Processes of the namespace, including zombies, without svc-super, its supervisor and the init above them. */
  ps(): readonly Seen[] {
    return inNamespace(this.#ns).filter(
      (seen) => seen.outer !== this.#pid1 && seen.pid !== 1 && !this.#supervises(seen),
    );
  }

  #supervises(seen: Seen): boolean {
    return seen.outerParent === this.#pid1 && isSupervisor(seen);
  }

  find(pid: number): Seen | undefined {
    return inNamespace(this.#ns).find((seen) => seen.pid === pid);
  }

  /** The native process: PID 1 or, with `pid1: false`, a child of the init. Parent of services and of orphans. */
  get pid1(): Seen {
    const seen = inNamespace(this.#ns).find(({ outer }) => outer === this.#pid1);
    if (seen === undefined) throw new Error(`svc-super is gone\n${this.output.text()}`);
    return seen;
  }

  /** The pid of the native process here, outside. */
  get outerPid(): number {
    return this.#pid1;
  }

  /** The supervisor, a child of the native process. Exists once a service runs or the socket responds. */
  get supervisor(): Seen {
    const seen = inNamespace(this.#ns).find((one) => this.#supervises(one));
    if (seen === undefined) throw new Error(`there is no supervisor\n${this.output.text()}`);
    return seen;
  }

  /** Descriptors that svc-super and its supervisor have open, together. */
  descriptors(): number {
    return this.#both().reduce((sum, { outer }) => sum + readdirSync(`/proc/${outer}/fd`).length, 0);
  }

  /** A field of /proc/PID/status in bytes (`RssAnon`, `VmRSS`), svc-super and its supervisor together. */
  memory(field: 'RssAnon' | 'VmRSS'): number {
    const pattern = new RegExp(`^${field}:\\s+(\\d+)`, 'm');
    return this.#both().reduce((sum, { outer }) => {
      return sum + Number(pattern.exec(readFileSync(`/proc/${outer}/status`, 'latin1'))?.[1] ?? 0) * 1_024;
    }, 0);
  }

  #both(): readonly Seen[] {
    return [this.pid1, this.supervisor];
  }

  /** Waits until a process of the namespace has ended and has been reaped. */
  async reaped(pid: number): Promise<void> {
    await until(
      `process ${pid} to be gone`,
      () => this.find(pid) === undefined,
      () => this.output.text(),
    );
  }

  /** Sends a request to the control socket; waits for it while the supervisor starts. */
  async ask(path: string): Promise<{ readonly status: number; readonly body: unknown }> {
    return until(
      'the control socket',
      async () => {
        if (this.isOver) throw new Error(`the supervisor has ended\n${this.output.text()}`);
        try {
          const response = await fetch(`http://svc-super${path}`, { unix: this.socket } as RequestInit);
          return { status: response.status, body: await response.json() };
        } catch {
          return undefined;
        }
      },
      () => this.output.text(),
    );
  }

  async status(): Promise<StatusBody> {
    return (await this.ask('/v1/status')).body as StatusBody;
  }

  async service(name: string): Promise<Service> {
    const found = (await this.status()).services.find((service) => service.name === name);
    if (found === undefined) throw new Error(`there is no service ${name}`);
    return found;
  }

  /** Waits until a service is in that state. */
  async state(name: string, ...states: readonly Service['state'][]): Promise<Service> {
    let last: Service | undefined;
    return until(
      `${name} to be ${states.join(' or ')}`,
      async () => {
        last = await this.service(name);
        return states.includes(last.state) ? last : undefined;
      },
      () => `${JSON.stringify(last)}\n${this.output.text()}`,
    );
  }

  /** Runs another command of the binary during this run, from outside the namespace. */
  async command(
    ...args: readonly string[]
  ): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
    return command(args, { SVC_SUPER_SOCKET: this.socket, SVC_SUPER_CONFIG: join(this.folder, 'services.yaml') });
  }

  /** SIGKILLs remaining processes, and fails if there was one that should not exist. */
  async [Symbol.asyncDispose](): Promise<void> {
    alive.delete(this);
    const endedByItself = this.#end_ !== undefined;
    const left = endedByItself ? this.ps() : [];
    const files = endedByItself ? this.#leftFiles() : [];
    // The end of PID 1 ends all processes: unshare, its parent, ends with it.
    const first = this.#ns === '' ? undefined : this.find(1);
    try {
      if (first !== undefined) process.kill(first.outer, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
    try {
      await until('the namespace to be empty', () => this.#ns === '' || !hasNamespace(this.#ns));
    } catch {
      await new Promise((resolve) => treeKill(this.#outer, 'SIGKILL', resolve));
    }
    this.output.close();
    switchboard().forget(this.#ns);
    this.#hold?.release();
    rmSync(this.folder, { recursive: true, force: true });
    const what = [...left.map((seen) => JSON.stringify(seen)), ...files];
    // An error here would hide the error of the test.
    if (what.length > 0 && !this.#failed) throw new Error(`left behind:\n${what.join('\n')}\n${this.output.text()}`);
  }

  #leftFiles(): readonly string[] {
    const found = readdirSync(this.folder, { recursive: true }) as string[];
    const isExpected = (name: string) =>
      this.#expected.has(name) || (this.#expected.has(name.split('/')[0] ?? name) && !name.startsWith('tmp/'));
    return found.filter((name) => !isExpected(name));
  }
}

/** Runs a command of the binary to its end, outside any namespace. */
export async function command(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = Bun.spawn([binary, ...args], {
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd !== undefined && { cwd }),
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

const NAMES = new Map(
  Object.entries(constants.signals)
    .reverse()
    .map(([name, number]) => [number, name]),
);
