// The type of the findings of `check --build` and `check --runtime`.

/** The result of one check. */
export interface PreflightFinding {
  /** null: the whole machine. */
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
  readonly text: string;
  /** What to do. */
  readonly help?: string;
}
