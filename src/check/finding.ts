// The type of the findings of `check --build` and `check --runtime`, which the command prints and `--json` has. Types only.

/** The result of one check. */
export interface PreflightFinding {
  /** The name of the service, without a number if it is true of all its replicas; null: the finding is about the whole machine. */
  readonly service: string | null;
  readonly check:
    | 'file'
    | 'user'
    | 'limit'
    | 'command'
    | 'folder'
    | 'port'
    | 'gpu'
    | 'driver'
    | 'memory'
    | 'shared-memory';
  readonly verdict: 'ok' | 'doubtful' | 'wrong';
  /** What was found, without the name of the service. */
  readonly text: string;
  /** What to do. */
  readonly help?: string;
}
