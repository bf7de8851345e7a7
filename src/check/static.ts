// `check` of the configuration itself: reads it as `up` does. With `--static` and `--build`, an error about something that exists only
// where the services run becomes a warning. Pure: files, variables and GPUs arrive as arguments.
import type { Failure, Result } from '../config/diagnostic.ts';
import { type LoadFailure, type LoadInput, loadPlan, type Planned } from '../plan/expand.ts';
import type { Plan } from '../plan/plan.ts';

/** `start`: all that `up` needs; the others are the flags of `check`. */
export type CheckKind = 'start' | 'static' | 'build' | 'runtime';

type Checked = Result<Pick<Planned, 'warnings' | 'sources'>, Failure>;

/** The result of a check. */
export interface CheckedConfiguration {
  readonly result: Checked;
  /** The plan of a configuration without errors. */
  readonly plan: Plan | null;
  /** The plan for `--build` and `--runtime` to inspect, even if variables, files or GPUs are missing; null: other errors. */
  readonly inspected: Plan | null;
}

/** Reads the configuration. `gpus` is not used with `--static` and `--build`: there may be no GPU where an image is built. */
export function checkConfiguration(
  input: Omit<LoadInput, 'gpus'>,
  kind: CheckKind,
  gpus: LoadInput['gpus'],
): CheckedConfiguration {
  const isElsewhere = kind === 'build' || kind === 'static';
  const loaded = loadPlan(isElsewhere || gpus === undefined ? input : { ...input, gpus });
  // A configuration that does not exist itself is an error in any case.
  const result = isElsewhere && input.files.stat(input.path) !== null ? downgradeErrors(loaded, kind) : loaded;
  const plan = loaded.ok ? loaded.value.plan : null;
  return { result, plan, inspected: loaded.ok ? plan : planToInspect(loaded.error, input, kind, result.ok) };
}

/** What can be inspected in spite of the errors. `isEnough`: they are only warnings for this kind of check. */
function planToInspect(failure: LoadFailure, input: LoadInput, kind: CheckKind, isEnough: boolean): Plan | null {
  if (kind === 'runtime') return planWithoutGpus(failure, input);
  return kind === 'build' && isEnough ? (failure.partial ?? null) : null;
}

/** Diagnostics about what an image lacks while it is built but has when it runs: variables may enable a service. */
const ABSENT = ['unset-variable', 'file-missing', 'file-unreadable', 'nothing-enabled', 'nothing-starts'] as const;

/** The codes of errors that become warnings. With `--static` this machine is not the image, and may lack its users and folders. */
const DOWNGRADED: Readonly<Record<'static' | 'build', ReadonlySet<string>>> = {
  build: new Set(ABSENT),
  static: new Set([...ABSENT, 'unknown-user', 'no-venv']),
};

/** Turns these errors into warnings; without other errors the result is a success. */
function downgradeErrors(loaded: Checked, kind: keyof typeof DOWNGRADED): Checked {
  if (loaded.ok) return loaded;
  const diagnostics = loaded.error.diagnostics.map((diagnostic) =>
    DOWNGRADED[kind].has(diagnostic.code) ? { ...diagnostic, severity: 'warning' as const } : diagnostic,
  );
  const { sources } = loaded.error;
  return diagnostics.every(({ severity }) => severity === 'warning')
    ? { ok: true, value: { warnings: diagnostics, sources } }
    : { ok: false, error: { diagnostics, sources } };
}

/** Codes of the diagnostics of plan/gpus.ts. */
const GPU_SHORTAGES: ReadonlySet<string> = new Set(['no-such-gpu', 'too-few-gpus', 'gpu-taken']);

/** The plan without GPUs if missing GPUs are the only errors, so that the rest can be inspected. */
function planWithoutGpus({ diagnostics }: Failure, input: LoadInput): Plan | null {
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.some(({ code }) => !GPU_SHORTAGES.has(code))) return null;
  const loaded = loadPlan(input);
  return loaded.ok ? loaded.value.plan : null;
}
