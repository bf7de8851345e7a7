// svc-super, as its README recommends; and an older release in one file if SVC_SUPER_OLD names one.
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Contestant, Scenario } from '../scenario.ts';
import { firstLine, write } from './writing.ts';

const binary = process.env.SVC_SUPER_BINARY ?? join(import.meta.dir, '../../dist/svc-super');
const old = process.env.SVC_SUPER_OLD || null;

function services({ services, whenOneEnds }: Scenario): string {
  const tasks = new Set(services.filter(({ isTask }) => isTask).map(({ name }) => name));
  return services
    .map(({ name, argv, port, after, group }) => {
      const lines = [`  ${name}:`, `    command: ${JSON.stringify(argv)}`];
      if (port !== undefined) lines.push(`    ready: { http: "http://127.0.0.1:${port}/" }`);
      if (tasks.has(name)) lines.push('    type: task');
      if (group !== undefined) lines.push(`    group: ${group}`);
      if (after !== undefined) lines.push(`    depends_on: { ${after}: ${tasks.has(after) ? 'completed' : 'ready'} }`);
      if (whenOneEnds === 'restart') lines.push('    restart: { policy: always, backoff: { initial: 1ms } }');
      return lines.join('\n');
    })
    .join('\n');
}

function contestant(name: string, files: readonly [program: string, ...more: string[]]): Contestant {
  const [program] = files;
  return {
    name,
    source: { from: 'here' },
    gates: true,
    lacks: {},
    remarks: {},
    installed() {
      if (!files.every((file) => existsSync(file))) return null;
      const version = (firstLine([program, 'version']) ?? '').replace(/^svc-super /, '');
      return { program, version, bytes: files.reduce((sum, file) => sum + statSync(file).size, 0) };
    },
    configure(scenario, folder) {
      const file = write(join(folder, 'services.yaml'), `services:\n${services(scenario)}\n`);
      return { cmd: [program, 'up', '-f', file], env: { SVC_SUPER_SOCKET: join(folder, 'svc-super.sock') } };
    },
  };
}

export const svcSuper = contestant('svc-super', [binary, join(dirname(binary), 'svc-super-supervisor')]);

/** Null: SVC_SUPER_OLD is not set. */
export const svcSuperOld = old === null ? null : contestant('old svc-super', [old]);
