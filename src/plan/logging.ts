// The `log` settings of each service in the plan, and the check that no two services write the same file.
import type { ServiceConfig } from '../config/config.ts';
import { complete } from '../config/field.ts';
import { LOG_FILE } from '../config/schema.ts';
import { resolve } from '../paths.ts';
import type { LogPlan, ServicePlan } from './plan.ts';
import type { Problems } from './problems.ts';

/** `folder`: the folder of services.yaml, where relative paths start. */
export function toLogPlan({ log }: Pick<ServiceConfig, 'log'>, folder: string): LogPlan {
  return {
    prefix: log.prefix,
    format: log.format,
    time: log.time,
    whenFull: log.when_full,
    ansi: log.ansi,
    merge: log.merge,
    drop: log.drop ?? [],
    file: toLogFile(log.file, folder),
    stderrFile: toLogFile(log.stderr_file, folder),
  };
}

function toLogFile(given: ServiceConfig['log']['file'], folder: string): LogPlan['file'] {
  if (given === null) return null;
  const { path, max_size: maxSize, keep, compress } = complete(LOG_FILE, given);
  return path === null ? null : { path: resolve(folder, path), maxSize, keep, compress };
}

/** The log files of a service, by their fields. */
export function logFilesOf({ file, stderrFile }: LogPlan): readonly (readonly ['file' | 'stderr_file', string])[] {
  return [
    ...(file === null ? [] : [['file', file.path] as const]),
    ...(stderrFile === null ? [] : [['stderr_file', stderrFile.path] as const]),
  ];
}

/**
 * Two writers of one file would mix partial lines, and rotate the file while the other writes to it. Services may share one unless
 * both are in `starting`: they are often alternatives.
 */
export function reportSharedFiles(
  services: readonly ServicePlan[],
  starting: ReadonlySet<string>,
  problems: Problems,
): void {
  const owners = new Map<string, ServicePlan>();
  for (const service of services) {
    if (!service.enabled) continue;
    // Another one is compared with itself: its own two files.
    const known = starting.has(service.name) ? owners : new Map<string, ServicePlan>();
    for (const [field, path] of logFilesOf(service.log)) {
      const owner = known.get(path);
      if (owner === undefined) known.set(path, service);
      else reportShared(service, owner, field, path, problems);
    }
  }
}

function reportShared(
  { name, replica }: ServicePlan,
  owner: ServicePlan,
  field: 'file' | 'stderr_file',
  path: string,
  problems: Problems,
): void {
  const at = ['services', name, 'log', field, 'path'];
  if (owner.name === name) {
    const message = `\`file\` and \`stderr_file\` of \`${name}\` are the same log file ${path}`;
    const suggestion = 'leave `stderr_file` out: `file` then receives both streams';
    problems.error(at, 'shared-log-file', message, { suggestion });
    return;
  }
  const isCopy = replica !== null && replica.of === owner.replica?.of;
  problems.error(at, 'shared-log-file', `\`${name}\` and \`${owner.name}\` write the same log file ${path}`, {
    suggestion: isCopy
      ? `put the replica's number in the path: \`\${SVC_REPLICA}\``
      : 'give each service its own file; a path in `defaults` applies to all of them',
  });
}
