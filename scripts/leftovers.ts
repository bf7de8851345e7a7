// Finds what a test run leaves behind: processes, files, sockets, containers, and devices that are gone. The run becomes a subreaper, so every process
// that a test starts remains its descendant; each run has its own temporary folder. Reports leftovers and removes them.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { readProcesses } from '../src/linux/processes.ts';
import { becomeSubreaper, peekEndedChild, reapChild } from '../test/helpers/libc.ts';

/** Time for exiting processes to disappear, milliseconds. */
const GRACE = 3_000;
const REAP_EVERY = 50;
/** Files of svc-super and the examples in their default places. */
const PLACES = ['/run', '/dev/shm', '/tmp'];
const OURS = /^svc-super(?:\.sock|-\d+|-pipeline)$/;
const LABEL = 'label=svc-super.test';
/** Devices that a program run as root can replace by a file: it removes what it takes for a file of its own. */
const DEVICES = ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom', '/dev/tty', '/dev/ptmx'];

export class Leftovers {
  /** The TMPDIR of all processes of the run. */
  readonly folder: string;
  readonly #known: ReadonlySet<string>;
  readonly #devices = DEVICES.filter(isDevice);

  constructor() {
    becomeSubreaper();
    this.folder = mkdtempSync('/tmp/svc-super-run-');
    // Services run as other users also need access.
    chmodSync(this.folder, 0o1777);
    this.#known = new Set(places());
  }

  /** Reaps orphans while `child`, which the runtime waits for, runs. Returns a function that stops it. */
  reapBeside(child: number): () => void {
    const timer = setInterval(() => reapAllBut(child), REAP_EVERY);
    return () => clearInterval(timer);
  }

  /** Returns a line for each leftover, and removes them; a device stays gone. Must be called without a running child. */
  async take(): Promise<string[]> {
    const gone = this.#devices.filter((path) => !isDevice(path)).map((path) => `${path}, which is no device any more`);
    return [...(await takeProcesses()), ...(await takeContainers()), ...(await this.#takeFiles()), ...gone];
  }

  async #takeFiles(): Promise<string[]> {
    const found = readdirSync(this.folder).map((name) => join(this.folder, name));
    for (const path of places()) {
      // All supervisors of this run have ended, so a socket with a supervisor belongs to another run.
      if (!this.#known.has(path) && !(await isInUse(path))) found.push(path);
    }
    for (const path of found) rmSync(path, { recursive: true, force: true });
    return found.map((path) => `a file: ${path}`);
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Sends SIGKILL to every descendant. */
  static killAll(): void {
    for (const { pid } of descendants()) kill(pid);
  }
}

function reapAllBut(child: number): void {
  for (let pid = peekEndedChild(); pid !== 0 && pid !== child; pid = peekEndedChild()) reapChild(pid);
}

function descendants(): { readonly pid: number; readonly name: string }[] {
  const all = [...readProcesses(process.pid).all.values()];
  const ours = new Set([process.pid]);
  for (let before = 0; before < ours.size; ) {
    before = ours.size;
    for (const { pid, parent } of all) if (ours.has(parent)) ours.add(pid);
  }
  return all.filter(({ pid, state }) => pid !== process.pid && ours.has(pid) && state !== 'Z');
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

async function takeProcesses(): Promise<string[]> {
  const deadline = performance.now() + GRACE;
  do {
    reapAllBut(0);
    if (descendants().length === 0) return [];
    await Bun.sleep(REAP_EVERY);
  } while (performance.now() < deadline);
  const left: string[] = [];
  for (let found = descendants(); found.length > 0; found = descendants()) {
    for (const { pid, name } of found) {
      left.push(`process ${pid}: ${commandLine(pid) || name}`);
      kill(pid);
    }
    await Bun.sleep(REAP_EVERY);
    reapAllBut(0);
  }
  return [...new Set(left)];
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim().slice(0, 200);
  } catch {
    return '';
  }
}

/** Containers and images of test processes that have ended. Those of another running test run are left alone. */
async function takeContainers(): Promise<string[]> {
  if (Bun.which('podman') === null || process.getuid?.() !== 0) return [];
  const podman = async (...args: string[]) => {
    const child = Bun.spawn(['podman', '--cgroup-manager=cgroupfs', ...args], { stderr: 'ignore' });
    const [text] = await Promise.all([child.stdout.text(), child.exited]);
    return text.split('\n').filter((line) => line !== '');
  };
  const isDead = (name: string) => commandLine(Number(/(\d+)/.exec(name)?.[1])) === '';
  const containers = await podman('ps', '--all', '--filter', LABEL, '--format', '{{.Names}}');
  const images = await podman('images', '--filter', LABEL, '--format', '{{.Repository}}:{{.Tag}}');
  const [left, built] = [containers.filter(isDead), images.filter(isDead)];
  for (const name of left) await podman('rm', '--force', '--time', '0', name);
  for (const name of built) await podman('rmi', '--force', name);
  return [...left.map((name) => `container ${name}`), ...built.map((name) => `image ${name}`)];
}

function isDevice(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isCharacterDevice() === true;
}

function places(): string[] {
  return PLACES.flatMap((folder) => {
    try {
      return readdirSync(folder).flatMap((name) => (OURS.test(name) ? [join(folder, name)] : []));
    } catch {
      return [];
    }
  });
}

function isInUse(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path: path.endsWith('.sock') ? path : join(path, 'svc-super.sock') });
    const finish = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}
