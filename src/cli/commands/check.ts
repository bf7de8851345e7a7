// `check`: finds every mistake in the configuration, and on request inspects the machine too. Starts nothing.

import type { PreflightFinding } from '../../check/finding.ts';
import type { CheckKind } from '../../check/static.ts';
import { render, renderDiagnostics, toJson } from '../../config/diagnostic.ts';
import type { StatusBody } from '../../control/api.ts';
import { resolve } from '../../paths.ts';
import type { Plan } from '../../plan/plan.ts';
import { printable } from '../../text.ts';
import { type Command, type CommandContext, EXIT, type GivenFlags } from '../command.ts';
import { requireConfiguration } from '../config-file.ts';
import { FILE_FLAG, JSON_FLAG } from '../flags.ts';
import { renderJson } from '../json.ts';

export default {
  summary: 'find every mistake in the configuration without starting anything',
  usage: 'svc-super check [-f FILE | FILE...] [--static | --build | --runtime] [--json]',
  example: 'RUN svc-super check --build   # in a Dockerfile',
  completes: 'files',
  flags: {
    file: FILE_FLAG,
    static: {
      type: 'boolean',
      summary:
        'the file alone, for editors, commits and CI: variables, env files and secrets that come at run time are only warned of',
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
    json: JSON_FLAG,
  },
  run: check,
} satisfies Command;

async function check(context: CommandContext, { values, positionals }: GivenFlags): Promise<number> {
  const [kind = 'start', ...others] = (['static', 'build', 'runtime'] as const).filter((one) => values[one] === true);
  if (others.length > 0) {
    context.err(
      'svc-super: --static is for the file alone, --build for an image that is being built, --runtime for a running container: use one of them\n',
    );
    return EXIT.usage;
  }
  const given = typeof values.file === 'string' ? [values.file, ...positionals] : positionals;
  const found = given.length > 0 ? null : requireConfiguration(context, undefined);
  if (given.length === 0 && found === null) return EXIT.config;
  let code: number = EXIT.ok;
  // Several files: a hook for commits names them. The code of the first one that is wrong counts.
  for (const path of found === null ? given.map((one) => resolve(context.cwd, one)) : [found]) {
    const own = await checkFile(context, path, kind, values.json === true);
    if (code === EXIT.ok) code = own;
  }
  return code;
}

async function checkFile(context: CommandContext, path: string, kind: CheckKind, isJson: boolean): Promise<number> {
  const { checkConfiguration } = await import('../../check/static.ts');
  const input = { path, files: context.files, environment: context.environment };
  const { result, plan, inspected } = checkConfiguration(input, kind, () => context.gpus());
  const findings = inspected === null ? [] : await inspect(context, inspected, kind);
  const ok = result.ok && findings.every(({ verdict }) => verdict !== 'wrong');
  if (isJson) {
    const diagnostics = result.ok ? result.value.warnings : result.error.diagnostics;
    const found = kind === 'runtime' || findings.length > 0 ? { findings } : {};
    context.out(renderJson({ ok, file: path, diagnostics: diagnostics.map(toJson), ...found }, 2));
    return ok ? EXIT.ok : EXIT.config;
  }
  context.err(result.ok ? render(result.value.warnings, result.value.sources) : renderDiagnostics(result.error));
  context.out(renderFindings(findings, context.colour));
  if (!result.ok || !ok) return EXIT.config;
  const count = result.value.warnings.length;
  const warned = count === 0 ? '' : `; ${count} ${count === 1 ? 'warning' : 'warnings'}`;
  context.out(`${printable(path)}: ok${plan === null ? '' : countServices(plan)}${warned}\n`);
  return EXIT.ok;
}

async function inspect(context: CommandContext, plan: Plan, kind: CheckKind): Promise<readonly PreflightFinding[]> {
  if (kind === 'build') return context.inspectBuild(plan);
  return kind === 'runtime' ? context.inspect(plan, await runningServices(context, plan)) : [];
}

/** The services of this container's supervisor: a port that one of them holds is not taken by a foreign process. */
async function runningServices(context: CommandContext, { services }: Plan): Promise<StatusBody['services']> {
  if (services.every(({ ports }) => ports.length === 0)) return [];
  const { callSupervisor } = await import('../request.ts');
  const response = await callSupervisor(context, { path: '/v1/status' });
  return response.ok && response.status === 200 ? (response.body as StatusBody).services : [];
}

function countServices({ services }: Plan): string {
  const enabled = services.filter((service) => service.enabled).length;
  const rest = enabled === services.length ? '' : `, ${services.length - enabled} not enabled`;
  return `, ${enabled} ${enabled === 1 ? 'service' : 'services'}${rest}`;
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
