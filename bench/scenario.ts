// What every contestant is asked to run, in words that belong to none of them, and what a contestant has to tell about
// itself. Types alone: configurations are written in rivals/, measurements made in rows/.

export interface Service {
  readonly name: string;
  readonly argv: readonly string[];
  /** It is ready when this port of 127.0.0.1 answers GET / with 200. */
  readonly port?: number;
  /** It starts when that service is ready. */
  readonly after?: string;
  /** Its stage; only in trials of svc-super alone. */
  readonly group?: string;
  /** A task: a service after it waits for its success. Only in trials of svc-super alone. */
  readonly isTask?: boolean;
}

export interface Scenario {
  readonly services: readonly Service[];
  /** When a service ends: the container ends with its code, or the service starts again as soon as can be. */
  readonly whenOneEnds: 'end' | 'restart';
  /** Output goes through the supervisor, each line behind the service's name where it can do that. */
  readonly labels: boolean;
}

/** What a scenario may need that not everybody has. */
export type Ability = 'gate' | 'end' | 'restart' | 'output';

/** How to execute it, once its configuration is in a folder. */
export interface Command {
  readonly cmd: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Where to get it: Debian's packages, an npm package, or a Go module of which the newest version to be had is built. */
export type Source =
  | { readonly from: 'debian'; readonly packages: readonly string[] }
  | { readonly from: 'npm'; readonly package: string; readonly version: string }
  | { readonly from: 'go'; readonly module: string; readonly main: string; readonly versions: readonly string[] }
  | { readonly from: 'here' };

/** A contestant that is installed: where its programs are, and which version. */
export interface Installed {
  readonly program: string;
  readonly version: string;
  /** Bytes that it adds to an image that has a C library and a shell. */
  readonly bytes: number;
}

export interface Contestant {
  readonly name: string;
  readonly source: Source;
  /** Whether a dependent can be made to wait until a dependency answers. */
  readonly gates: boolean;
  /** Ability -> why it has not got it, in the words that the table prints. */
  readonly lacks: Partial<Readonly<Record<Ability, string>>>;
  /** What a reader should know of a figure: row -> words. */
  readonly remarks: Readonly<Record<string, string>>;
  installed(cache: string): Installed | null;
  /** Writes the configuration that its own documentation advises into the folder. */
  configure(scenario: Scenario, folder: string, installed: Installed): Command;
}
