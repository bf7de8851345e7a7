// Gives the supervisor access to the GPUs: their memory, their load, and the services whose processes use them. Loads the modules
// that query the driver at the first use. Decides nothing.
import type { GpuReader } from '../linux/gpu-memory.ts';
import type { Children } from '../pid1/children.ts';
import type { Run } from '../pid1/run.ts';
import type { GpuUses } from '../plan/gpu-reading.ts';
import type { Clock } from '../ports.ts';

/** Requests within this time share one reading of the load, milliseconds. */
const USE_FRESH = 2_000;

interface GpuAccessParts {
  readonly clock: Clock;
  /** The environment of the container. */
  readonly environment: Readonly<Record<string, string>>;
  readonly children: Children;
}

/** One for each supervisor. */
export class GpuAccess {
  readonly #parts: GpuAccessParts;
  #reader: Promise<GpuReader> | undefined;
  #useReader: Promise<() => Promise<GpuUses>> | undefined;
  #use: { readonly at: number; readonly uses: Promise<GpuUses> } | null = null;
  /** The services that have a run, each with the handle of its run. Set by `makeCore`, which is called later. */
  runs: () => readonly (readonly [string, Run])[] = () => [];

  constructor(parts: GpuAccessParts) {
    this.#parts = parts;
  }

  /** The service of each process of a run, by PID. */
  readonly owners = (): ReadonlyMap<number, string> => ownersOf(this.#parts.children, this.runs());

  /** The function that reads the memory of GPUs. All callers share one, and its limit of queries. */
  reader(): Promise<GpuReader> {
    const { clock, environment } = this.#parts;
    this.#reader ??= import('./gpus.ts').then(({ makeGpuReader }) =>
      makeGpuReader({ clock, environment, owners: this.owners }),
    );
    return this.#reader;
  }

  /** The load and the memory in use of all GPUs of the container, at most USE_FRESH old. */
  use(): Promise<GpuUses> {
    const at = this.#parts.clock.now();
    if (this.#use === null || at - this.#use.at >= USE_FRESH) this.#use = { at, uses: this.#readUse() };
    return this.#use.uses;
  }

  async #readUse(): Promise<GpuUses> {
    const { clock, environment } = this.#parts;
    this.#useReader ??= import('./gpus.ts').then(({ makeGpuUseReader }) => makeGpuUseReader({ clock, environment }));
    return (await this.#useReader)();
  }
}

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
