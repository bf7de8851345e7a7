// One container of the test image: started with the flags and services of a test, observed from outside (podman and /proc), and
// removed with everything that belongs to it after the test.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { haveImage } from './container-image.ts';
import { LABEL, limitOptions, must, podman, RUN_OPTIONS, run, until } from './container-tools.ts';
import { namespaceOf } from './namespaces.ts';
import type { Ran } from './ran.ts';

export interface Wanted {
  /** A services.yaml that replaces the image's own. */
  readonly services?: string;
  /** Additional arguments of `podman run`, before the image. */
  readonly flags?: readonly string[];
  /** Arguments after the image. */
  readonly args?: readonly string[];
}

/** The pid on the host. */
interface HostProcess {
  readonly pid: number;
  readonly start: string;
  readonly state: string;
  readonly args: string;
}

let count = 0;

export class Container implements AsyncDisposable {
  readonly name = `svc-super-test-${process.pid}-${++count}`;
  /** Shared with the container as /tell: the channel between a test and a service. */
  readonly tell: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'svc-super-container-'));

  private constructor() {
    chmodSync(this.#folder, 0o755);
    this.tell = join(this.#folder, 'tell');
    mkdirSync(this.tell);
    chmodSync(this.tell, 0o777);
  }

  /** `podman run --detach`. */
  static async start(wanted: Wanted = {}): Promise<Container> {
    const container = new Container();
    try {
      await must(await container.#command(['--detach'], wanted));
    } catch (error) {
      await container[Symbol.asyncDispose]();
      throw error;
    }
    return container;
  }

  /** `podman run` in the foreground, to its end. */
  static async run(wanted: Wanted = {}): Promise<Ran> {
    await using container = new Container();
    return await run(await container.#command(['--no-healthcheck'], wanted));
  }

  async #command(mode: readonly string[], { services, flags = [], args = [] }: Wanted): Promise<readonly string[]> {
    const config = join(this.#folder, 'config');
    if (services !== undefined) {
      mkdirSync(config);
      writeFileSync(join(config, 'services.yaml'), services);
    }
    return podman(
      'run',
      ...RUN_OPTIONS,
      ...limitOptions(flags),
      ...mode,
      ...['--name', this.name, '--label', `${LABEL}=`, '--volume', `${this.tell}:/tell`],
      ...(services === undefined ? [] : ['--volume', `${config}:/etc/svc-super:ro`]),
      ...flags,
      await haveImage(),
      ...args,
    );
  }

  /** Creates a file in /tell, which the services of these tests wait for. */
  say(word: string): void {
    writeFileSync(join(this.tell, word), '');
  }

  unsay(word: string): void {
    rmSync(join(this.tell, word));
  }

  async logs(): Promise<{ readonly stdout: string; readonly stderr: string }> {
    const { stdout, stderr } = await run(podman('logs', this.name));
    return { stdout, stderr };
  }

  /** Waits for a matching line of output on either stream; returns the match. */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return until(`${this.name} to print ${pattern}`, async () => {
      const { stdout, stderr } = await this.logs();
      const found = pattern.exec(`${stdout}${stderr}`);
      if (found === null) throw new Error(`it printed\n${stdout}${stderr}`);
      return found;
    });
  }

  exec(...command: string[]): Promise<Ran> {
    return run(podman('exec', this.name, ...command));
  }

  /** Waits until `svc-super health` succeeds, executed by podman. */
  async healthy(): Promise<void> {
    await until(`${this.name} to be healthy`, async () => (await this.healthcheck()).code === 0);
  }

  healthcheck(): Promise<Ran> {
    return run(podman('healthcheck', 'run', this.name));
  }

  podman(verb: string, ...args: string[]): Promise<string> {
    return must(podman(verb, ...args, this.name));
  }

  /** Waits for the end; returns the exit code. */
  async ended(): Promise<number> {
    return Number(await this.podman('wait'));
  }

  async inspect(format: string): Promise<string> {
    return this.podman('inspect', '--format', format);
  }

  /** All processes in the container's PID namespace, PID 1 first. */
  async processes(): Promise<HostProcess[]> {
    const first = Number(await this.inspect('{{.State.Pid}}'));
    const namespace = namespaceOf(first);
    if (namespace === undefined) return [];
    const pids = readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0 && namespaceOf(pid) === namespace);
    return pids
      .flatMap((pid) => readHostProcess(pid) ?? [])
      .sort((a, b) => Number(b.pid === first) - Number(a.pid === first));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(podman('rm', '--force', '--time', '0', '--ignore', this.name));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function readHostProcess(pid: number): HostProcess | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { pid, state: fields[0] ?? '?', start: fields[19] ?? '', args };
  } catch {
    return null;
  }
}

/** Those that still run, as the same process and not as a zombie. */
export function stillAlive(processes: readonly HostProcess[]): HostProcess[] {
  return processes.filter(({ pid, start }) => {
    const now = readHostProcess(pid);
    return now !== null && now.start === start && now.state !== 'Z';
  });
}
