// What a command is: its words, its flags, what runs; and what it may touch. Nothing here runs anything.
import type { Dial, Question } from '../control/client.ts';
import type { LoadInput } from '../plan/expand.ts';
import type { Inventory } from '../plan/gpu-inventory.ts';
import type { Plan } from '../plan/plan.ts';
import type { Finding } from './preflight.ts';

/** Exit codes of the command line itself (SPEC section 4, sysexits.h). */
export const EXIT = {
  ok: 0,
  unhealthy: 1,
  failed: 1,
  notReady: 3,
  usage: 64,
  noSupervisor: 69,
  bug: 70,
  config: 78,
  timeout: 124,
} as const;

/** What `version --json` prints. */
export interface Build {
  readonly version: string;
  /** Hash of the commit, with `-dirty` if files differed from it; null if the build had no git repository. */
  readonly commit: string | null;
  readonly runtime: { readonly name: 'bun' | 'node'; readonly version: string };
  /** The C library of the runtime; null if /proc does not show it. */
  readonly libc: 'glibc' | 'musl' | null;
  /** As in the names of the packages: `x64`, `arm64`. */
  readonly architecture: string;
}

export interface CommandContext {
  readonly environment: Readonly<Record<string, string>>;
  readonly files: LoadInput['files'];
  /** The way to connect to the supervisor. */
  dial(): Dial;
  /** For `exec`: paths of the terminal that the native program has opened, and of standard input; null: none. */
  readonly execTerminal: string | null;
  readonly execStdin: string | null;
  /** Target of the link /proc/self/ns/pid. */
  readonly pidNamespace: string;
  /** What relative file names are relative to. */
  readonly cwd: string;
  /** The names in a folder, sorted, folders with a `/` behind them; null: there is no such folder, or it cannot be read. */
  list(path: string): readonly string[] | null;
  readonly version: string;
  describeBuild(): Build;
  readonly colour: boolean;
  /** How wide the terminal is that standard output or error goes to; null where that is none. */
  readonly terminal: { readonly out: number | null; readonly err: number | null };
  out(text: string | Uint8Array): void;
  err(text: string | Uint8Array): void;
  /** Writes a file that the user has named; makes its folder. */
  save(path: string, text: string): void;
  /** Wall time, milliseconds. */
  wall(): number;
  /** Calls `fn` once after `ms` milliseconds; returns what cancels it. */
  after(ms: number, fn: () => void): () => void;
  /** A name that no other process makes up. */
  randomName(): string;
  /** Looks for GPUs. */
  gpus(): Inventory;
  /** Looks at everything on this machine that a plan needs. `running`: services of a supervisor that runs here already. */
  inspect(
    plan: Plan,
    running: readonly { readonly name: string; readonly pid: number | null }[],
  ): Promise<readonly Finding[]>;
  /** What is wrong with the programs of an image that is being built. */
  inspectBuild(plan: Plan): Promise<readonly Finding[]>;
  /** Reads what is to be supervised; that begins when the command is over. */
  up(file: string, names: readonly string[], debug: boolean): Promise<number>;
}

export interface Flag {
  readonly type: 'boolean' | 'string';
  readonly short?: string;
  /** It may be given several times; its values are in `GivenFlags.lists`. */
  readonly multiple?: true;
  /** What the value is called in help: `N`, `FILE`. */
  readonly value?: string;
  readonly summary: string;
}

export interface Command {
  readonly summary: string;
  readonly usage: string;
  readonly example: string;
  readonly flags: Readonly<Record<string, Flag>>;
  /** What its arguments are, for completion. */
  readonly completes?: 'services';
  run(context: CommandContext, given: GivenFlags): Promise<number> | number;
}

export interface GivenFlags {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
  /** Values of the flags that may be given several times. */
  readonly lists?: Readonly<Record<string, readonly string[] | undefined>>;
}

export type { Question };

export const JSON_FLAG = { type: 'boolean', summary: 'print JSON instead of text' } as const satisfies Flag;
