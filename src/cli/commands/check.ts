// `check`: finds every mistake in the configuration, and on request inspects the machine too. Starts nothing.
import type { PreflightFinding } from '../../check/finding.ts';
import type { CheckKind } from '../../check/static.ts';
import { render, renderDiagnostics, toJson } from '../../config/diagnostic.ts';
import type { StatusBody } from '../../control/api.ts';
import { resolve } from '../../paths.ts';
import type { Plan } from '../../plan/plan.ts';
import { printable } from '../../text.ts';
import { type Command, type CommandContext, type ConfigurationFiles, EXIT, type GivenFlags } from '../command.ts';
import { requireConfiguration } from '../config-file.ts';
import { FILE_FLAG, JSON_FLAG, PROFILE_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';

export default {
  summary: 'find every mistake in the configuration without starting anything',
  usage:
    'svc-super check [-f FILE]... [FILE...] [--profile NAME] [--static | --build | --runtime] [--resolved] [--json]',
  example: 'RUN svc-super check --build   # in a Dockerfile',
  completes: 'files',
  flags: {
    file: FILE_FLAG,
    profile: PROFILE_FLAG,
    static: {
      type: 'boolean',
      summary:
        'the file alone, for editors, commits and CI: variables, env files, secrets, users and virtual environments that this machine lacks are only warned of',
    },
    build: {
      type: 'boolean',
      summary:
        'for an image that is being built: missing variables, env files and secrets are warnings; a program that is in no folder of PATH is an error, unless a task or a hook that runs before may install it',
    },
    runtime: {
      type: 'boolean',
      summary: 'for a running container: also check users, commands, folders, ports, /dev/shm, GPUs and their memory',
    },
    resolved: {
      type: 'boolean',
      summary:
        'print the configuration of all files as one services.yaml that gives the same plan, each value with its place; secrets stay in their files and variables',
    },
    json: JSON_FLAG,
  },
  run: check,
} satisfies Command;

async function check(context: CommandContext, flags: GivenFlags): Promise<number> {
  const { values, positionals } = flags;
  const [kind = 'start', ...others] = (['static', 'build', 'runtime'] as const).filter((one) => values[one] === true);
  if (others.length > 0) {
    context.err(
      'svc-super: --static is for the file alone, --build for an image that is being built, --runtime for a running container: use one of them\n',
    );
    return EXIT.usage;
  }
  const isNamed = flags.lists?.file !== undefined || positionals.length === 0;
  const found = isNamed ? requireConfiguration(context, flags) : null;
  if (isNamed && found === null) return EXIT.config;
  // Each argument is a configuration of its own: a commit hook passes all changed files. The exit code is that of the first invalid one.
  const each = positionals.map((path) => ({ path: resolve(context.cwd, path), more: [] }));
  let code: number = EXIT.ok;
  const profiles = flags.lists?.profile ?? [];
  for (const files of found === null ? each : [found, ...each]) {
    const own = await checkFile(context, { ...files, profiles }, kind, values);
    if (code === EXIT.ok) code = own;
  }
  return code;
}

async function checkFile(
  context: CommandContext,
  files: ConfigurationFiles & { readonly profiles: readonly string[] },
  kind: CheckKind,
  { json, resolved: isResolved }: GivenFlags['values'],
): Promise<number> {
  const { checkConfiguration } = await import('../../check/static.ts');
  const input = { ...files, files: context.files, environment: context.environment };
  const { result, plan, inspected } = checkConfiguration(input, kind, () => context.gpus());
  const each = [
    ...(plan?.lateFiles === undefined ? [] : (await import('../../check/late-files.ts')).findLateFiles(plan)),
    ...(inspected === null ? [] : await inspect(context, inspected, kind)),
  ];
  const whole = plan ?? inspected;
  const findings =
    whole === null || each.length === 0 ? each : (await import('../../check/replicas.ts')).mergeReplicas(each, whole);
  const ok = result.ok && findings.every(({ verdict }) => verdict !== 'wrong');
  const resolved = isResolved === true && result.ok ? await renderResolved(context, files) : null;
  const { path } = files;
  if (json === true) {
    const { sources } = result.ok ? result.value : result.error;
    const diagnostics = result.ok ? result.value.warnings : result.error.diagnostics;
    const found = kind === 'runtime' || findings.length > 0 ? { findings } : {};
    const text = resolved === null ? {} : { resolved };
    const body = { ok, file: path, files: [...sources.keys()], diagnostics: diagnostics.map(toJson) };
    context.out(renderJson({ ...body, ...found, ...text }, 2));
    return ok ? EXIT.ok : EXIT.config;
  }
  context.err(result.ok ? render(result.value.warnings, result.value.sources) : renderDiagnostics(result.error));
  // The configuration alone goes to standard output, so that it can be written to a file.
  const print = resolved === null ? context.out : context.err;
  print(renderFindings(findings, context.colour));
  if (resolved !== null) context.out(resolved);
  if (!result.ok || !ok) return EXIT.config;
  const count = result.value.warnings.length;
  const warned = count === 0 ? '' : `; ${count} ${count === 1 ? 'warning' : 'warnings'}`;
  const read = result.value.sources.size === 1 ? '' : `, ${result.value.sources.size} files`;
  print(`${printable(path)}: ok${read}${plan === null ? '' : countServices(plan)}${warned}\n`);
  return EXIT.ok;
}

/** The configuration of all files as the text of one; null: it cannot be read. */
async function renderResolved(context: CommandContext, { path, more }: ConfigurationFiles): Promise<string | null> {
  const { environment, files } = context;
  const [{ loadDraft }, { writeResolved }, { nameOf }] = await Promise.all([
    import('../../config/load.ts'),
    import('../../convert/resolved.ts'),
    import('../../plan/expand.ts'),
  ]);
  const { config, root } = loadDraft([path, ...more], files, environment);
  if (config === null || root === undefined) return null;
  return writeResolved({ root, config, environment, how: 'values' }, nameOf(config)).text;
}

async function inspect(context: CommandContext, plan: Plan, kind: CheckKind): Promise<readonly PreflightFinding[]> {
  if (kind === 'build') return context.inspectBuild(plan);
  return kind === 'runtime' ? context.inspect(plan, await runningServices(context, plan)) : [];
}

/** The services of this container's supervisor, so that a port which one of them holds is not reported as taken by another process. */
async function runningServices(context: CommandContext, { services }: Plan): Promise<StatusBody['services']> {
  if (services.every(({ ports }) => ports.length === 0)) return [];
  const { callSupervisor } = await import('../request.ts');
  const response = await callSupervisor(context, { path: '/v1/status' });
  return response.ok && response.status === 200 ? (response.body as StatusBody).services : [];
}

/** The end of the line about a valid configuration: how many services are enabled. */
function countServices({ services }: Plan): string {
  const enabled = services.filter((service) => service.enabled);
  const count = enabled.length;
  const manual = enabled.filter(({ start }) => start === 'manual').length;
  const off = enabled.filter(({ start }) => start === 'profile-off').length;
  const rest = [
    ...(manual === 0 ? [] : [`, ${manual} to start by hand`]),
    ...(off === 0 ? [] : [`, ${off} of profiles that are off`]),
    ...(count === services.length ? [] : [`, ${services.length - count} not enabled`]),
  ];
  return `, ${count} ${count === 1 ? 'service' : 'services'}${rest.join('')}`;
}

const MARKS = {
  ok: { sign: '✓', colour: 32 },
  doubtful: { sign: '!', colour: 33 },
  wrong: { sign: '✗', colour: 31 },
} as const;

function renderFindings(findings: readonly PreflightFinding[], colour: boolean): string {
  const width = Math.max(0, ...findings.map(({ service }) => service?.length ?? 0));
  return findings
    .map(({ service, verdict, text, help }) => {
      const { sign, colour: code } = MARKS[verdict];
      const mark = colour ? `\x1b[${code}m${sign}\x1b[0m` : sign;
      const advice = help === undefined ? '' : `  ${' '.repeat(width)}  help: ${printable(help)}\n`;
      return `${mark} ${(service ?? '').padEnd(width)}  ${printable(text)}\n${advice}`;
    })
    .join('');
}
