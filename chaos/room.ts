// The environment of a round: a folder, its own namespaces (processes, mounts, network, sometimes time), a small file system,
// limits, and the built files. Starts svc-super, provides its pid and its supervisor's, ends both, removes everything. Injects
// no faults.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { childrenOf, namespaceOf, supervisorOf } from '../test/helpers/namespaces.ts';
import { configure, logNamesOf, OTHER_USER, ownFolderOf, type Places } from './configure.ts';
import { limitProcesses, type ProcessLimit } from './limits.ts';
import { WORDS_OF_A_BUG } from './observation.ts';
import { StallablePipe } from './output.ts';
import { programOf } from './proc.ts';
import type { Scenario } from './scenario.ts';

export const BINARY = process.env.SVC_SUPER_BINARY || join(import.meta.dir, '../dist/svc-super');
/** svc-super looks for its supervisor in its own folder. */
export const SUPERVISOR = join(dirname(BINARY), 'svc-super-supervisor');
const PROGRAM = join(import.meta.dir, 'program.pl');
const INIT = join(import.meta.dir, 'init.pl');
/** Time limit for svc-super and its supervisor to appear, milliseconds. */
const PATIENCE = 20_000;

/** Brings the loopback interface of the new network namespace up (SIOCSIFFLAGS, IFF_UP | IFF_RUNNING). */
const LOOPBACK = `perl -MSocket -e 'socket(S, AF_INET, SOCK_DGRAM, 0); my $up = pack("a16 s x14", "lo", 0x41); ioctl(S, 0x8914, $up) or die "lo: $!\\n"'`;
const FOLDERS = ['locks', 'flags', 'disk', 'tmp', 'vault'] as const;
/** The folder's initial contents, and what programs create. */
const EXPECTED: ReadonlySet<string> = new Set([...FOLDERS, 'services.yaml', 'program.pl', 'journal', 'left']);

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export class Room {
  readonly scenario: Scenario;
  readonly places: Places;
  readonly socket: string;
  readonly stdout = new StallablePipe(() => false);
  readonly stderr = new StallablePipe((line) => line.includes('"service":"svc-super"') || WORDS_OF_A_BUG.test(line));
  /** Null: there is no pids cgroup. */
  readonly limit: ProcessLimit | null = limitProcesses();
  readonly #vaultBefore: ReadonlyMap<string, string>;
  #child: Bun.Subprocess | undefined;
  #exit: Exit | null = null;
  /** The host pid of svc-super: PID 1, or a child of the init. It is the parent of all services and orphans. */
  pid1 = 0;
  #supervisor = 0;
  ns = '';

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    const folder = mkdtempSync(join(tmpdir(), 'svc-super-chaos-'));
    this.places = { folder, program: join(folder, 'program.pl') };
    copyFileSync(PROGRAM, this.places.program);
    this.socket = join(folder, 'control.sock');
    for (const name of FOLDERS) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'journal'), '');
    // Services of other users write here, whatever the umask is. Only root can read the vault.
    chmodSync(folder, 0o755);
    chmodSync(this.places.program, 0o644);
    chmodSync(join(folder, 'journal'), 0o666);
    for (const name of ['locks', 'flags'] as const) chmodSync(join(folder, name), 0o777);
    chmodSync(this.vault, 0o700);
    for (const name of this.#logNames()) {
      for (const end of ['', '.1', '.2'])
        writeFileSync(join(this.vault, `${name}${end}`), `root only ${end}\n`, { mode: 0o600 });
    }
    this.#vaultBefore = this.#readVault();
    this.writeFile(JSON.stringify(configure(scenario, this.places), null, 1));
  }

  /** A folder of root, with files that have the names of the log files of other users. No service may change them. */
  get vault(): string {
    return join(this.places.folder, 'vault');
  }

  #logNames(): string[] {
    return this.scenario.services.filter(({ user }) => user).flatMap(logNamesOf);
  }

  /** Name -> mode, owner and content. */
  #readVault(): ReadonlyMap<string, string> {
    const read = (name: string) => {
      const path = join(this.vault, name);
      const found = lstatSync(path);
      return `mode ${found.mode.toString(8)}, uid ${found.uid}, ${found.isFile() ? readFileSync(path, 'latin1') : 'no file'}`;
    };
    return new Map(readdirSync(this.vault).map((name) => [name, read(name)]));
  }

  /** Changes in the vault since the start. */
  get outside(): string[] {
    const now = this.#readVault();
    const names = new Set([...this.#vaultBefore.keys(), ...now.keys()]);
    return [...names].flatMap((name) => {
      const [before, after] = [this.#vaultBefore.get(name), now.get(name)];
      if (before === after) return [];
      if (before === undefined) return [`${name} was created`];
      return [after === undefined ? `${name} was removed` : `${name} was changed: ${after.slice(0, 200)}`];
    });
  }

  /** The current supervisor; while there is none, the previous one. */
  get supervisor(): number {
    if (!this.isOver) this.#supervisor = supervisorOf(this.pid1) ?? this.#supervisor;
    return this.#supervisor;
  }

  get file(): string {
    return join(this.places.folder, 'services.yaml');
  }

  writeFile(text: string | Uint8Array | null): void {
    if (text === null) rmSync(this.file, { force: true });
    else writeFileSync(this.file, text);
  }

  /** The small file system, through the mounts of svc-super. */
  get disk(): string {
    return join(`/proc/${this.pid1}/root`, this.places.folder, 'disk');
  }

  async begin(): Promise<void> {
    const { pid1, files, disk, uptime } = this.scenario.surroundings;
    const { folder } = this.places;
    const nofile = files === null ? '' : `prlimit --nofile=${files}:${files} `;
    const shell = [
      ...(this.limit === null ? [] : [this.limit.enter]),
      `mount -t tmpfs -o size=${disk}k chaos ${folder}/disk`,
      ...this.scenario.services
        .filter(({ user }) => user)
        .map((spec) => {
          const own = join(folder, 'disk', ownFolderOf(spec));
          return `mkdir -p ${own}/logs && chown -R ${OTHER_USER} ${own}`;
        }),
      LOOPBACK,
      pid1 ? `exec ${nofile}"$0"` : `exec ${nofile}/usr/bin/perl ${INIT} ${folder}/left "$0"`,
    ].join(' && ');
    const time = uptime === null ? [] : ['--time', '--monotonic', `${uptime}`, '--boottime', `${uptime}`];
    const child = Bun.spawn({
      cmd: [
        ...['unshare', '--pid', '--fork', '--mount-proc', '--kill-child', '--mount', '--net', ...time],
        ...['/bin/sh', '-c', shell, BINARY],
      ],
      cwd: folder,
      env: {
        PATH: process.env.PATH ?? '/usr/bin:/bin',
        HOME: '/root',
        TMPDIR: join(folder, 'tmp'),
        SVC_SUPER_SOCKET: this.socket,
        SVC_SUPER_CONFIG: this.file,
      },
      stdio: ['ignore', this.stdout.write, this.stderr.write],
      onExit: (_child, code, signal) => {
        this.#exit = { code, signal: signal === null ? null : signalName(signal as unknown as string | number) };
      },
    });
    this.#child = child;
    this.stdout.begin();
    this.stderr.begin();
    for (const until = performance.now() + PATIENCE; performance.now() < until && this.#exit === null; ) {
      if (this.#find(child.pid)) return;
      await Bun.sleep(5);
    }
    if (this.#exit === null) throw new Error(`no supervisor started within ${PATIENCE / 1_000} s`);
  }

  /** The child of unshare is PID 1: svc-super, or an init whose child is svc-super. Its child is the supervisor. */
  #find(unshare: number): boolean {
    const [first] = childrenOf(unshare);
    if (first === undefined) return false;
    const candidates = this.scenario.surroundings.pid1 ? [first] : childrenOf(first);
    const found = candidates.find((pid) => programOf(pid) === BINARY);
    const supervisor = found === undefined ? undefined : supervisorOf(found);
    if (found === undefined || supervisor === undefined) return false;
    this.pid1 = found;
    this.#supervisor = supervisor;
    this.ns = namespaceOf(found) ?? '';
    return this.ns !== '';
  }

  /** How it ended; null while it runs. */
  get exit(): Exit | null {
    const { code, signal } = this.#exit ?? {};
    if (this.#exit === null) return null;
    if (this.scenario.surroundings.pid1) return { code: code ?? null, signal: signal ?? null };
    const status = Number(/^status (\d+)/.exec(this.#report())?.[1] ?? Number.NaN);
    if (Number.isNaN(status)) return { code: null, signal: 'lost' };
    return (status & 127) === 0
      ? { code: status >> 8, signal: null }
      : { code: null, signal: signalName(status & 127) };
  }

  /** Processes that existed after its end. */
  get left(): string[] {
    return this.#report()
      .split('\n')
      .filter((line) => line.startsWith('left '));
  }

  #report(): string {
    const path = join(this.places.folder, 'left');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /** Files that the supervisor should have removed. */
  get strays(): string[] {
    const { folder } = this.places;
    const here = readdirSync(folder).filter((name) => !EXPECTED.has(name));
    return [...here, ...readdirSync(join(folder, 'tmp')).map((name) => `tmp/${name}`)];
  }

  get journal(): string {
    return readFileSync(join(this.places.folder, 'journal'), 'latin1');
  }

  get isOver(): boolean {
    return this.#exit !== null;
  }

  /** Signals svc-super. */
  signal(signal: number): void {
    try {
      if (!this.isOver) process.kill(this.pid1, signal);
    } catch {
      // It has ended meanwhile.
    }
  }

  /** Kills all processes of the round. */
  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  /** Removes everything, and kills processes that still run. */
  async close(): Promise<void> {
    this.kill();
    this.stdout.thaw();
    this.stderr.thaw();
    await this.#child?.exited;
    await Promise.race([Promise.all([this.stdout.finished, this.stderr.finished]), Bun.sleep(5_000)]);
    await this.limit?.remove();
    rmSync(this.places.folder, { recursive: true, force: true });
  }
}

const NAMES = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

function signalName(signal: string | number): string {
  return typeof signal === 'string' ? signal : (NAMES.get(signal) ?? `signal ${signal}`);
}
