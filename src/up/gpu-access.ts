// The memory and the use of the machine's GPUs, and the service of each process that uses it. Loads the modules for that at the first use.
import type { GpuReader } from '../linux/gpu-memory.ts';
import type { GpuUses } from '../linux/gpu-use.ts';
import type { Children } from '../pid1/children.ts';
import type { Run } from '../pid1/run.ts';
import type { Clock } from '../ports.ts';

/** A reading of the use of GPUs is shared for this long, milliseconds. */
const USE_FRESH = 2_000;

interface GpuAccessParts {
  readonly clock: Clock;
  /** The environment of the container. */
  readonly environment: Readonly<Record<string, string>>;
  readonly children: Children;
}

export class GpuAccess {
  readonly #parts: GpuAccessParts;
  #reader: GpuReader | undefined;
  #useReader: (() => Promise<GpuUses>) | undefined;
  #use: { readonly at: number; readonly uses: Promise<GpuUses> } | null = null;
  /** The services that have a run, each with the handle of its run. Set by the core, which has them. */
  runs: () => readonly (readonly [string, Run])[] = () => [];

  constructor(parts: GpuAccessParts) {
    this.#parts = parts;
  }

  readonly owners = (): ReadonlyMap<number, string> => ownersOf(this.#parts.children, this.runs());

  async reader(): Promise<GpuReader> {
    const { clock, environment } = this.#parts;
    this.#reader ??= (await import('./gpus.ts')).makeGpuReader({ clock, environment, owners: this.owners });
    return this.#reader;
  }

  /** The use of all GPUs of the container. */
  use(): Promise<GpuUses> {
    const at = this.#parts.clock.now();
    if (this.#use === null || at - this.#use.at >= USE_FRESH) this.#use = { at, uses: this.#readUse() };
    return this.#use.uses;
  }

  async #readUse(): Promise<GpuUses> {
    const { clock, environment } = this.#parts;
    this.#useReader ??= (await import('./gpus.ts')).makeGpuUseReader({ clock, environment });
    return this.#useReader();
  }
}

/** The service of every process of a run, by PID. `runs`: the services that have a run, each with the handle of its run. */
function ownersOf(
  children: Children,
  runs: Iterable<readonly [service: string, run: Run]>,
): ReadonlyMap<number, string> {
  const owners = new Map<number, string>();
  for (const [service, run] of runs) {
    for (const { pid } of children.processesOf(run)) owners.set(pid, service);
  }
  return owners;
}
