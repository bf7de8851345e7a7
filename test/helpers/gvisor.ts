// Runs the built files under gVisor, with Debian's `runsc do`: a sandbox with gVisor's kernel sees this machine's files, and its
// writes go to a file system in memory. Reports why no sandbox can be made.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary, until } from './rig.ts';
import { skipWhen } from './skip.ts';

/** Platform `ptrace` needs no virtualization; without cgroups it works in containers too. */
const RUNSC = ['runsc', '--network=none', '--platform=ptrace', '--ignore-cgroups', 'do', '--'];
/** Time limit of one run, milliseconds. */
const LIMIT = 30_000;

/** An empty line in a pipe: runsc gives its standard streams to user nobody, which would change the machine's /dev/null. */
const INPUT = Buffer.from('\n');

/** Why no sandbox can be made here; null if it can. */
function whyNoGvisor(): string | null {
  if (process.getuid?.() !== 0) return 'it needs root';
  if (Bun.which('runsc') === null) return 'runsc is not installed';
  const { exitCode, stdout, stderr } = Bun.spawnSync([...RUNSC, 'echo', 'works'], { stdin: INPUT, timeout: LIMIT });
  return exitCode === 0 && stdout.toString() === 'works\n' ? null : `runsc does not work here: ${stderr}`;
}

/** For `describe.skipIf`. On a CI machine a skip is a failure. */
export function skipGvisor(): boolean {
  return skipWhen([whyNoGvisor()], 'the tests under gVisor');
}

/** A command of the built svc-super as PID 1 of a sandbox; `await using` ends it. */
export class Sandbox implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'svc-super-gvisor-'));
  readonly #child: Bun.Subprocess<Uint8Array, 'pipe', 'pipe'>;
  readonly #drained: Promise<unknown>;
  stdout = '';
  stderr = '';

  /** `services`: a services.yaml as an object, for `up`. `shell`: the line that executes the binary, "$0", with "$@". */
  constructor(what: { readonly services: object } | { readonly args: readonly string[] }, shell = 'exec "$0" "$@"') {
    const config = join(this.#folder, 'services.yaml');
    if ('services' in what) writeFileSync(config, JSON.stringify({ services: what.services }));
    const args = 'services' in what ? ['up', '-f', config] : what.args;
    this.#child = Bun.spawn([...RUNSC, '/bin/sh', '-c', shell, binary, ...args], {
      // runsc leaves files in its working directory.
      cwd: this.#folder,
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', SVC_SUPER_SOCKET: '/tmp/svc-super-gvisor.sock' },
      stdio: [INPUT, 'pipe', 'pipe'],
      timeout: LIMIT,
    });
    this.#drained = Promise.all([this.#drain('stdout'), this.#drain('stderr')]);
  }

  async #drain(stream: 'stdout' | 'stderr'): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#child[stream]) this[stream] += decoder.decode(chunk, { stream: true });
  }

  /** Waits until standard output and standard error together match. */
  async says(pattern: RegExp): Promise<void> {
    await until(
      `${pattern}`,
      () => {
        if (this.#child.exitCode !== null) throw new Error(`it has ended\n${this.stdout}${this.stderr}`);
        return pattern.test(this.stdout) || pattern.test(this.stderr);
      },
      () => `${this.stdout}${this.stderr}`,
    );
  }

  /** Sends a signal to runsc, which passes it on to PID 1. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The exit code, when all output has been read. */
  async ended(): Promise<number> {
    const code = await this.#child.exited;
    await this.#drained;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#child.exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Runs to the end. */
export async function runInSandbox(
  ...given: ConstructorParameters<typeof Sandbox>
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  await using sandbox = new Sandbox(...given);
  const code = await sandbox.ended();
  return { code, stdout: sandbox.stdout, stderr: sandbox.stderr };
}
