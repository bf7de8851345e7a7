// Runs the native program, by its own name or that of another init, and the genuine inits beside it, each in a PID
// namespace of its own. Compiles native/ when it has changed. Every wait is for a condition and fails with the output so far.
//
//   useNative();                             // once in each file, before its tests
//   await using run = await start(program, ['--', ...listener], { pid1: false });
//   await run.line(/^ready/);
//   await run.signal(15);                    // to the init, from outside its namespace
//   expect(await run.code).toBe(143);
import { afterAll, setDefaultTimeout } from 'bun:test';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import { childrenOf } from './namespaces.ts';

export { childrenOf as children } from './namespaces.ts';

const REPOSITORY = join(import.meta.dir, '../..');
const SOURCES = join(REPOSITORY, 'native');
const CACHE = join(REPOSITORY, 'node_modules/.cache/svc-super-native');
const LIMIT_MS = 10_000;

/** Once in each test file: its time limit, and the removal of its folder. */
export function useNative(): void {
  setDefaultTimeout(2 * LIMIT_MS);
  afterAll(() => {
    if (made !== undefined) rmSync(made, { recursive: true, force: true });
    made = undefined;
  });
}

let built: string | undefined;

/** The file that SVC_SUPER_NATIVE names; else native/ compiled, where gcc is installed; else the file that is shipped. */
export function nativeBinary(): string {
  built ??= process.env.SVC_SUPER_NATIVE || compile() || join(SOURCES, `prebuilt/svc-super-${arch()}`);
  return built;
}

/** Whether it was compiled with sanitizers, which need memory and threads. */
export function isSanitized(): boolean {
  return readFileSync(nativeBinary()).includes('libasan');
}

/** Compiles the sources as they are now, or finds them compiled by an earlier run. */
function compile(): string | undefined {
  const compiler = arch() === 'x64' ? 'gcc' : 'aarch64-linux-gnu-gcc';
  if (Bun.which(compiler) === null) return undefined;
  const digest = new Bun.CryptoHasher('sha256');
  for (const name of readdirSync(SOURCES).sort()) {
    if (/\.(c|h|sh)$/.test(name)) digest.update(readFileSync(join(SOURCES, name)));
  }
  const output = join(CACHE, digest.digest('hex').slice(0, 16));
  if (existsSync(output)) return output;
  mkdirSync(CACHE, { recursive: true });
  const { exitCode, stderr } = Bun.spawnSync([join(SOURCES, 'compile.sh'), arch(), `${output}.${process.pid}`]);
  if (exitCode !== 0) throw new Error(`native/compile.sh failed:\n${stderr}`);
  renameSync(`${output}.${process.pid}`, output);
  return output;
}

let made: string | undefined;

/** A folder of the test file, removed at its end. */
export function folder(): string {
  made ??= mkdtempSync(join(tmpdir(), 'svc-native-'));
  return made;
}

/** The native program under another name. */
export function named(name: string): string {
  const link = join(folder(), name);
  if (!existsSync(link)) symlinkSync(nativeBinary(), link);
  return link;
}

export type Contender = readonly [label: string, program: string];

/** Ours under that name, and the genuine one where it is installed; CI must have it. */
export function contenders(name: string): readonly Contender[] {
  const genuine = `/usr/bin/${name}`;
  return [['ours', named(name)], ...(existsSync(genuine) || process.env.CI ? [['genuine', genuine] as const] : [])];
}

export interface StartOptions {
  /** Whether the program is PID 1 of its namespace (default), or a child of a shell that is. */
  readonly pid1?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** Lines of shell that run before the program, in the same process or as its parent. */
  readonly before?: string;
  /** Lines of shell that run after the program, where it is not PID 1; `$code` is its exit code. */
  readonly after?: string;
  /** Runs it in a terminal of its own, as the foreground job; `type` is the keyboard. */
  readonly terminal?: boolean;
}

/** A program, waited for and watched. */
export class Started implements AsyncDisposable {
  readonly code: Promise<number>;
  readonly #child: Bun.Subprocess<'pipe', 'pipe', 'pipe'>;
  readonly #depth: number;
  readonly #reading: Promise<unknown>;
  #output = '';
  #pid = 0;

  constructor(command: readonly string[], env: Readonly<Record<string, string>>, depth: number) {
    this.#depth = depth;
    this.#child = Bun.spawn([...command], {
      env: { PATH: '/usr/bin:/bin', ...env },
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    this.#reading = Promise.all([this.#read(this.#child.stdout), this.#read(this.#child.stderr)]);
    this.code = Promise.all([this.#child.exited, this.#reading]).then(([code]) => code);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    // Without what a terminal adds: carriage returns, and the echo of Ctrl-C and Ctrl-Z.
    for await (const chunk of stream)
      this.#output += Buffer.from(chunk)
        .toString('latin1')
        .replace(/\r|\^[CZ]/g, '');
  }

  /** Both streams so far, as latin1. */
  get output(): string {
    return this.#output;
  }

  /** The whole output, after the end. */
  async text(): Promise<string> {
    await this.code;
    return this.#output;
  }

  async until<T>(what: string, look: () => T | undefined | false): Promise<T> {
    const deadline = performance.now() + LIMIT_MS;
    for (let pause = 1; ; pause = Math.min(10, pause * 2)) {
      const found = look();
      if (found !== undefined && found !== false) return found;
      if (performance.now() > deadline) throw new Error(`waited for ${what}; output:\n${this.#output}`);
      await Bun.sleep(pause);
    }
  }

  /** The first match in any line, past or to come. */
  line(pattern: RegExp): Promise<RegExpExecArray> {
    const multiline = new RegExp(pattern.source, `${pattern.flags}m`);
    return this.until(`${pattern}`, () => multiline.exec(this.#output) ?? undefined);
  }

  /** All numbers of the lines `signal N` that the listener wrote. */
  get signals(): readonly number[] {
    return [...this.#output.matchAll(/^(?:\^C)?signal (\d+)$/gm)].map(([, number]) => Number(number));
  }

  /** The init's number here, outside its namespace. */
  async pid(): Promise<number> {
    if (this.#pid === 0) {
      this.#pid = await this.until('the process', () => {
        let pid: number | undefined = this.#child.pid;
        for (let depth = 0; depth < this.#depth && pid !== undefined; depth += 1) pid = childrenOf(pid)[0];
        return pid;
      });
    }
    return this.#pid;
  }

  async signal(...numbers: readonly number[]): Promise<void> {
    const pid = await this.pid();
    for (const number of numbers) sendSignal(pid, number);
  }

  type(keys: string): void {
    this.#child.stdin.write(keys);
    this.#child.stdin.flush();
  }

  /** With all descendants: one that has left the terminal's session does not end with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of descendants(this.#child.pid)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone meanwhile.
      }
    }
    this.#child.kill('SIGKILL');
    await this.#child.exited;
  }
}

function descendants(pid: number): readonly number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendants(child)]);
}

export function sendSignal(pid: number, number: number): void {
  const { exitCode, stderr } = Bun.spawnSync(['/bin/kill', `-${number}`, `${pid}`]);
  if (exitCode !== 0) throw new Error(`${stderr}`);
}

/** Without the superuser's rights each run has a user namespace too. */
const USER = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];

/** Where a test can run the program: as PID 1 or not. */
export const PLACES = [
  ['as PID 1', true],
  ['below another init', false],
] as const;

const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

export function start(program: string, args: readonly string[], options: StartOptions = {}): Started {
  const { pid1 = true, env = {}, before = ':', after = ':', terminal = false } = options;
  const words = [program, ...args].map(quote).join(' ');
  const shell = [
    '/bin/sh',
    '-c',
    pid1 ? `${before}\nexec ${words}` : `${before}\n${words}\ncode=$?\n${after}\nexit $code`,
  ];
  const command = ['unshare', ...USER, '--pid', '--fork', '--mount-proc', '--kill-child', ...shell];
  if (!terminal) return new Started(command, env, pid1 ? 1 : 2);
  const typed = ['script', '-qefc', `exec ${command.map(quote).join(' ')}`, '/dev/null'];
  return new Started(typed, { ...env, SHELL: '/bin/sh' }, pid1 ? 2 : 3);
}

/** Runs a program to its end and returns its exit code. */
export async function codeOf(program: string, args: readonly string[], options: StartOptions = {}): Promise<number> {
  await using run = start(program, args, options);
  return await run.code;
}

/** Runs a program to its end and returns its output. */
export async function textOf(program: string, args: readonly string[], options: StartOptions = {}): Promise<string> {
  await using run = start(program, args, options);
  return await run.text();
}

/** Every signal that a process can have sent to it and survive; 32 and 33 are libc's own. */
export const SIGNALS = Array.from({ length: 64 }, (_, at) => at + 1).filter((n) => ![9, 17, 19, 32, 33].includes(n));

/** A command that writes `ready PID`, then `signal N` for each signal it gets. */
export const listener: readonly string[] = [
  'perl',
  '-e',
  `use POSIX; $| = 1;
   for my $n (grep { $_ != 9 && $_ != 17 && $_ != 19 && $_ != 32 && $_ != 33 } 1 .. 64) {
     POSIX::sigaction($n, POSIX::SigAction->new(sub { syswrite(STDOUT, "signal $n\\n") })) or die "$n: $!";
   }
   syswrite(STDOUT, "ready $$\\n");
   select(undef, undef, undef, 60) for 1 .. 1000;`,
];

/** A shell command. */
export const shell = (text: string): readonly string[] => ['/bin/sh', '-c', text];
