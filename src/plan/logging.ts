// The `log` settings of each service in the plan, and the check that no two services write the same file.
import type { ServiceConfig } from '../config/config.ts';
import { complete } from '../config/field.ts';
import { LOG_FILE } from '../config/schema.ts';
import { resolve } from '../paths.ts';
import type { LogPlan, ServicePlan } from './plan.ts';
import type { Problems } from './problems.ts';

/** `folder` is that of services.yaml, where relative paths start. */
export function toLogPlan({ log }: Pick<ServiceConfig, 'log'>, folder: string): LogPlan {
  const file = log.file === null ? null : complete(LOG_FILE, log.file);
  return {
    prefix: log.prefix,
    format: log.format,
    whenFull: log.when_full,
    ansi: log.ansi,
    merge: log.merge,
    drop: log.drop ?? [],
    file:
      file === null || file.path === null
        ? null
        : {
            path: resolve(folder, file.path),
            maxSize: file.max_size,
            keep: file.keep,
            compress: file.compress,
          },
  };
}

/** Two writers of one file would mix partial lines, and rotate the file while the other writes to it. */
export function reportSharedFiles(services: readonly ServicePlan[], problems: Problems): void {
  const owners = new Map<string, ServicePlan>();
  for (const service of services) {
    const { name, enabled, start, log, replica } = service;
    if (!enabled || start !== 'auto' || log.file === null) continue;
    const owner = owners.get(log.file.path);
    if (owner === undefined) {
      owners.set(log.file.path, service);
      continue;
    }
    const copies = replica !== null && replica.of === owner.replica?.of;
    const message = `\`${name}\` and \`${owner.name}\` write the same log file ${log.file.path}`;
    problems.error(['services', name, 'log', 'file', 'path'], 'shared-log-file', message, {
      suggestion: copies
        ? `put the replica's number in the path: \`\${SVC_REPLICA}\``
        : 'give each service its own file; a path in `defaults` applies to all of them',
    });
  }
}
