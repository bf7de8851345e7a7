// The type of a command: its texts, its flags, its function; and the context that it runs in. Runs nothing.
import type { PreflightFinding } from '../check/finding.ts';
import type { Dial } from '../control/client.ts';
import { EXIT_CODE } from '../linux/exit-codes.ts';
import type { LoadInput } from '../plan/expand.ts';
import type { Inventory } from '../plan/gpu-inventory.ts';
import type { LogLevel, Plan } from '../plan/plan.ts';
import type { FullScreenTerminal } from './top/terminal.ts';

/** Exit codes of the commands. */
export const EXIT = {
  ok: 0,
  unhealthy: 1,
  failed: 1,
  notReady: 3,
  usage: EXIT_CODE.usage,
  noSupervisor: EXIT_CODE.unavailable,
  bug: EXIT_CODE.software,
  denied: EXIT_CODE.denied,
  config: EXIT_CODE.config,
  timeout: EXIT_CODE.timeout,
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

/** Absolute paths. */
export interface ConfigurationFiles {
  readonly path: string;
  /** Files that are merged into it, in order. */
  readonly more: readonly string[];
}

/** The options of `up`. */
export interface UpOptions {
  /** Only these services and their dependencies; empty: all. */
  readonly names: readonly string[];
  readonly profiles: readonly string[];
  readonly debug: boolean;
  /** The level of `--quiet` or `--verbose`; null: the configuration sets it. */
  readonly level: LogLevel | null;
  /** Absolute path of the file for the number of PID 1; null: none. */
  readonly pidFile: string | null;
}

export interface CommandContext {
  readonly environment: Readonly<Record<string, string>>;
  readonly files: LoadInput['files'];
  /** How to connect to the supervisor. */
  dial(): Dial;
  /** For `exec`: paths of the terminal that the native program has opened, and of standard input; null: none. */
  readonly execTerminal: string | null;
  readonly execStdin: string | null;
  /** Target of the link /proc/self/ns/pid. */
  readonly pidNamespace: string;
  /** Base of relative file names. */
  readonly cwd: string;
  /** The names in a folder, sorted, folders with a `/` behind them; null: there is no such folder, or it cannot be read. */
  list(path: string): readonly string[] | null;
  readonly version: string;
  describeBuild(): Build;
  readonly colour: boolean;
  /** Width of the terminal of standard output and standard error; null: not a terminal. */
  readonly terminal: { readonly out: number | null; readonly err: number | null };
  /** Whether standard input is a terminal. */
  readonly hasInputTerminal: boolean;
  /** Opens the terminal of standard input and output for a command that uses the whole screen. */
  openScreen(): Promise<FullScreenTerminal>;
  out(text: string | Uint8Array): void;
  err(text: string | Uint8Array): void;
  /** Writes a file that the user has named; creates its folder. */
  save(path: string, text: string): void;
  /** Wall time, milliseconds. */
  wall(): number;
  /** Calls `fn` once after `ms` milliseconds; returns a function that cancels the call. */
  after(ms: number, fn: () => void): () => void;
  /** A unique name. */
  randomName(): string;
  /** Lists the GPUs. */
  gpus(): Inventory;
  /** Inspects everything on this machine that a plan needs. `running`: services of a supervisor that already runs here. */
  inspect(
    plan: Plan,
    running: readonly { readonly name: string; readonly pid: number | null }[],
  ): Promise<readonly PreflightFinding[]>;
  /** Inspects the programs of an image that is being built. */
  inspectBuild(plan: Plan): Promise<readonly PreflightFinding[]>;
  /** Reads the configuration. Resolves to 0 if it is valid: supervision then begins after the command has returned; otherwise to an exit code. */
  up(files: ConfigurationFiles, options: UpOptions): Promise<number>;
}

/**
 * What a word on the command line is, for completion: a name that the supervisor is asked for, or one of a list. `scales`: the name of
 * a service, and `=` behind it.
 */
export type Completion =
  | 'services'
  | 'scales'
  | 'groups'
  | 'profiles'
  | 'signals'
  | 'commands'
  | 'files'
  | readonly string[];

export interface Flag {
  readonly type: 'boolean' | 'string';
  readonly short?: string;
  /** It may be given several times; its values are in `GivenFlags.lists`. */
  readonly multiple?: true;
  /** What the value is called in help: `N`, `FILE`. */
  readonly value?: string;
  readonly completes?: Completion;
  readonly summary: string;
}

export interface Command {
  readonly summary: string;
  readonly usage: string;
  readonly example: string;
  readonly flags: Readonly<Record<string, Flag>>;
  /**
   * Whether it sends requests to a supervisor: the native program makes the connection. `quietly`: it has no flags for that,
   * and reports nothing if there is no supervisor.
   */
  readonly connects?: true | 'quietly';
  /** What its arguments are; or the first one, and the others. */
  readonly completes?: Completion | { readonly first: Completion; readonly rest?: Completion };
  /** `commands`: the table of all commands, for those that describe it. */
  run(context: CommandContext, given: GivenFlags, commands: CommandTable): Promise<number> | number;
}

/** All commands, in the order of the help. Each is loaded when it is used. */
export type CommandTable = Readonly<Record<string, () => Promise<{ readonly default: Command }>>>;

export interface GivenFlags {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
  /** Values of the flags that may be given several times. */
  readonly lists?: Readonly<Record<string, readonly string[] | undefined>>;
}
