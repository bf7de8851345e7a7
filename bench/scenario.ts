// What every contestant has to run, in neutral terms, and the description of a contestant. Types only: rivals/ writes
// configurations, rows/ measures.

export interface Service {
  readonly name: string;
  readonly argv: readonly string[];
  /** The service is ready when this port of 127.0.0.1 responds to GET / with 200. */
  readonly port?: number;
  /** The service starts when that service is ready. */
  readonly after?: string;
  /** Its stage; only in trials of svc-super itself. */
  readonly group?: string;
  /** A task: a service after it waits for its success. Only in trials of svc-super itself. */
  readonly isTask?: boolean;
}

export interface Scenario {
  readonly services: readonly Service[];
  /** When a service exits: the container exits with its code, or the service restarts as soon as possible. */
  readonly whenOneEnds: 'end' | 'restart';
  /** Output goes through the supervisor, with the service's name before each line if the contestant can do that. */
  readonly labels: boolean;
}

/** Abilities that a scenario may need and that not every contestant has. */
export type Ability = 'gate' | 'end' | 'restart' | 'output';

/** How to execute it with the configuration in a folder. */
export interface Command {
  readonly cmd: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Its source: Debian packages, an npm package, or a Go module, of which the newest available version is built. */
export type Source =
  | { readonly from: 'debian'; readonly packages: readonly string[] }
  | { readonly from: 'npm'; readonly package: string; readonly version: string }
  | { readonly from: 'go'; readonly module: string; readonly main: string; readonly versions: readonly string[] }
  | { readonly from: 'here' };

/** An installed contestant: its programs and its version. */
export interface Installed {
  readonly program: string;
  readonly version: string;
  /** Bytes that it adds to an image with a C library and a shell. */
  readonly bytes: number;
}

export interface Contestant {
  readonly name: string;
  readonly source: Source;
  /** Whether a dependent can wait until a dependency responds. */
  readonly gates: boolean;
  /** Ability -> why the contestant lacks it, as printed in the table. */
  readonly lacks: Partial<Readonly<Record<Ability, string>>>;
  /** Remarks on its figures: row -> text. */
  readonly remarks: Readonly<Record<string, string>>;
  installed(cache: string): Installed | null;
  /** Writes the configuration that its documentation recommends into the folder. */
  configure(scenario: Scenario, folder: string, installed: Installed): Command;
}
