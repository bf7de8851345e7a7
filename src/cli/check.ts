// `svc-super check`: reads the configuration as `up` does, and on request inspects the machine too. Starts nothing.
import { type Failure, type Result, render, renderDiagnostics, toJson } from '../config/diagnostic.ts';
import type { StatusBody } from '../control/api.ts';
import { resolve } from '../paths.ts';
import { type LoadInput, loadPlan, type Planned } from '../plan/expand.ts';
import type { Plan } from '../plan/plan.ts';
import { printable } from '../text.ts';
import { type CommandContext, EXIT, type GivenFlags } from './command.ts';
import { renderJson } from './json.ts';

/** Diagnostics about things that an image lacks while it is built but has when it runs. */
const ABSENT: ReadonlySet<string> = new Set(['unset-variable', 'file-missing', 'file-unreadable']);

type Checked = Result<Pick<Planned, 'warnings' | 'sources'>, Failure>;

/** Turns these errors into warnings; without other errors the result is a success. */
function downgradeAbsence(loaded: Checked): Checked {
  if (loaded.ok) return loaded;
  const diagnostics = loaded.error.diagnostics.map((diagnostic) =>
    ABSENT.has(diagnostic.code) ? { ...diagnostic, severity: 'warning' as const } : diagnostic,
  );
  const { sources } = loaded.error;
  return diagnostics.every(({ severity }) => severity === 'warning')
    ? { ok: true, value: { warnings: diagnostics, sources } }
    : { ok: false, error: { diagnostics, sources } };
}

/** Checks each file, as a hook for commits names them. Returns the code of the first one that is wrong. */
export async function checkFiles(
  context: CommandContext,
  paths: readonly string[],
  values: GivenFlags['values'],
): Promise<number> {
  let code: number = EXIT.ok;
  for (const path of paths) {
    const own = await checkFile(context, resolve(context.cwd, path), values);
    if (code === EXIT.ok) code = own;
    if (own === EXIT.usage) break;
  }
  return code;
}

async function checkFile(context: CommandContext, path: string, values: GivenFlags['values']): Promise<number> {
  const isForgiving = values.build === true || values.static === true;
  if ([values.static, values.build, values.runtime].filter((value) => value === true).length > 1) {
    context.err(
      'svc-super: --static is for the file alone, --build for an image that is being built, --runtime for a running container: use one of them\n',
    );
    return EXIT.usage;
  }
  const input = { path, files: context.files, environment: context.environment };
  // There is no GPU where an image is built, and that is not an error.
  const result = loadPlan(isForgiving ? input : { ...input, gpus: () => context.gpus() });
  const loaded = isForgiving && context.files.stat(path) !== null ? downgradeAbsence(result) : result;
  const plan = result.ok ? result.value.plan : values.runtime === true ? planWithoutGpus(result.error, input) : null;
  const findings =
    plan === null
      ? []
      : values.runtime === true
        ? await context.inspect(plan, await runningServices(context, plan))
        : values.build === true
          ? await context.inspectBuild(plan)
          : [];
  const ok = loaded.ok && findings.every(({ verdict }) => verdict !== 'wrong');
  if (values.json === true) {
    const diagnostics = loaded.ok ? loaded.value.warnings : loaded.error.diagnostics;
    const found = values.runtime === true || findings.length > 0 ? { findings } : {};
    context.out(renderJson({ ok, file: path, diagnostics: diagnostics.map(toJson), ...found }, 2));
    return ok ? EXIT.ok : EXIT.config;
  }
  context.err(loaded.ok ? render(loaded.value.warnings, loaded.value.sources) : renderDiagnostics(loaded.error));
  if (findings.length > 0) {
    const { renderPreflight } = await import('./preflight.ts');
    context.out(renderPreflight(findings, context.colour));
  }
  if (!loaded.ok || !ok) return EXIT.config;
  const count = loaded.value.warnings.length;
  const warned = count === 0 ? '' : `; ${count} ${count === 1 ? 'warning' : 'warnings'}`;
  context.out(`${printable(path)}: ok${result.ok ? countServices(result.value) : ''}${warned}\n`);
  return EXIT.ok;
}

/** The services of this container's supervisor: a port that one of them holds is not taken by a foreign process. */
async function runningServices(context: CommandContext, { services }: Plan): Promise<StatusBody['services']> {
  if (services.every(({ ports }) => ports.length === 0)) return [];
  const { callSupervisor } = await import('./request.ts');
  const response = await callSupervisor(context, { path: '/v1/status' });
  return response.ok && response.status === 200 ? (response.body as StatusBody).services : [];
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

function countServices({ plan: { services } }: Planned): string {
  const enabled = services.filter((service) => service.enabled).length;
  const rest = enabled === services.length ? '' : `, ${services.length - enabled} not enabled`;
  return `, ${enabled} ${enabled === 1 ? 'service' : 'services'}${rest}`;
}
