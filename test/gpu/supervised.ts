// One run of the built binary for the GPU test: a folder, a services.yaml, the lines that come, its end. As a child of the
// test and not in a namespace, so that a real driver finds what it expects; with a stand-in, in a mount namespace with
// device files of its own.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StatusBody } from '../../src/control/api.ts';
import { devices } from '../helpers/gpus.ts';

const BINARY = join(import.meta.dir, '../../dist/svc-super');
/** No wait is longer; a model server's memory can take half a minute to come back. */
const PATIENCE = 120_000;

/** What stands in for a GPU where there is none: a folder in which programs write down what they would have taken. */
export interface StandIn {
  readonly ledger: string;
}

export interface Options {
  readonly standIn: StandIn | null;
  /** An nvidia-smi that comes before the real one on PATH. */
  readonly shadow?: string;
  readonly args?: readonly string[];
}

export class Supervised {
  readonly folder = mkdtempSync(join(tmpdir(), 'svc-gpu-'));
  readonly lines: string[] = [];
  readonly #child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>;
  readonly #environment: Record<string, string>;
  readonly #isStandIn: boolean;
  #seen = 0;

  constructor(services: object, { standIn, shadow, args = ['up'] }: Options) {
    this.#isStandIn = standIn !== null;
    // A real device is empty again by now.
    if (standIn !== null) for (const name of readdirSync(standIn.ledger)) rmSync(join(standIn.ledger, name));
    const bin = join(this.folder, 'bin');
    mkdirSync(bin);
    const file = join(this.folder, 'services.yaml');
    writeFileSync(file, JSON.stringify({ services }));
    const smi = shadow ?? (standIn === null ? null : standInSmi(standIn));
    if (smi !== null) writeFileSync(join(bin, 'nvidia-smi'), smi, { mode: 0o755 });
    this.#environment = {
      ...(process.env as Record<string, string>),
      PATH: `${bin}:${process.env.PATH}`,
      SVC_SUPER_SOCKET: join(this.folder, 'control.sock'),
      ...(standIn !== null && { STAND_IN: standIn.ledger }),
    };
    const command = [BINARY, ...args, '-f', file];
    const wrapped = ['unshare', '--mount', '/bin/sh', '-c', `${devices(1)}\nexec "$0" "$@"`, ...command];
    this.#child = Bun.spawn({
      cmd: standIn === null ? command : wrapped,
      cwd: this.folder,
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) void this.#read(stream);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of stream) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = parts.pop() ?? '';
      this.lines.push(...parts);
    }
    if (rest !== '') this.lines.push(rest);
  }

  /** The next line that matches, behind the last one that was found; fails when it ends or takes too long. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#until(`a line like ${pattern}`, () => {
      for (; this.#seen < this.lines.length; this.#seen += 1) {
        const found = pattern.exec(this.lines[this.#seen] ?? '');
        if (found === null) continue;
        this.#seen += 1;
        return found;
      }
      if (this.#child.exitCode !== null) throw new Error(`it ended with ${this.#child.exitCode}\n${this.text()}`);
      return undefined;
    });
  }

  /** The code that it ends with, all output read. */
  async end(): Promise<number> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`it did not end\n${this.text()}`)), PATIENCE);
    const code = await Promise.race([this.#child.exited, late.promise]).finally(() => clearTimeout(timer));
    await Bun.sleep(0);
    return code;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** A process that is none of its services, where it is; `taken` when it has said its first word. */
  beside(command: readonly string[]): { readonly pid: number; readonly taken: Promise<unknown>; end(): void } {
    const there = this.#isStandIn ? ['nsenter', `--mount=/proc/${this.#child.pid}/ns/mnt`, ...command] : [...command];
    const child = Bun.spawn({ cmd: there, env: this.#environment, stdio: ['ignore', 'pipe', 'inherit'] });
    return { pid: child.pid, taken: child.stdout.getReader().read(), end: () => child.kill('SIGKILL') };
  }

  /** The pid of a service's main process. */
  async pid(name: string): Promise<number> {
    return this.#until(`the pid of ${name}`, async () => {
      const { stdout } = await this.command('status', '--json');
      if (stdout === '') return undefined;
      return (JSON.parse(stdout) as StatusBody).services.find((service) => service.name === name)?.pid ?? undefined;
    });
  }

  /** Another command of the binary, asked of this run. */
  async command(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> {
    const child = Bun.spawn([BINARY, ...args], { env: this.#environment, stdio: ['ignore', 'pipe', 'ignore'] });
    return { stdout: await child.stdout.text(), code: await child.exited };
  }

  text(): string {
    return this.lines.slice(-30).join('\n');
  }

  /** Stops it as docker would, and clears up. */
  async close(): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGTERM');
    await this.end().catch(() => this.#child.kill('SIGKILL'));
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() > deadline) throw new Error(`waited ${PATIENCE / 1_000} s for ${what}\n${this.text()}`);
      await Bun.sleep(5);
    }
  }
}

/**
 * One device of 80 GiB; in use is what programs that live have written down, and what dead ones have for three looks more:
 * a driver needs some time too. Without the wait for it the test would fail.
 */
function standInSmi({ ledger }: StandIn): string {
  return `#!/bin/sh
    used=1
    for file in ${ledger}/*; do
      [ -e "$file" ] || continue
      pid=\${file##*/}
      looks=$(cat "$0.$pid" 2>/dev/null || echo 0)
      [ -d "/proc/$pid" ] || { looks=$((looks + 1)); echo $looks >"$0.$pid"; }
      [ $looks -gt 3 ] || used=$((used + $(cat "$file")))
    done
    case "$1" in *index*) echo "0, GPU-0, $used, 81920" ;; *total*) echo "$used, 81920" ;; *) echo "$used" ;; esac\n`;
}
