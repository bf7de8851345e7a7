// svc-super itself, as its README advises.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant, Scenario } from '../scenario.ts';
import { firstLine, write } from './writing.ts';

const binary = process.env.SVC_SUPER_BINARY ?? join(import.meta.dir, '../../dist/svc-super');

function services({ services, whenOneEnds }: Scenario): string {
  return services
    .map(({ name, argv, port, after }) => {
      const lines = [`  ${name}:`, `    command: ${JSON.stringify(argv)}`];
      if (port !== undefined) lines.push(`    ready: { http: "http://127.0.0.1:${port}/" }`);
      if (after !== undefined) lines.push(`    depends_on: { ${after}: ready }`);
      if (whenOneEnds === 'restart') lines.push('    restart: { policy: always, backoff: { initial: 1ms } }');
      return lines.join('\n');
    })
    .join('\n');
}

export const svcSuper: Contestant = {
  name: 'svc-super',
  source: { from: 'here' },
  gates: true,
  lacks: {},
  remarks: {},
  installed() {
    if (!existsSync(binary)) return null;
    const version = (firstLine([binary, 'version']) ?? '').replace(/^svc-super /, '');
    return { program: binary, version, bytes: statSync(binary).size };
  },
  configure(scenario, folder, { program }) {
    const file = write(join(folder, 'services.yaml'), `services:\n${services(scenario)}\n`);
    return { cmd: [program, 'up', '-f', file], env: { SVC_SUPER_SOCKET: join(folder, 'svc-super.sock') } };
  },
};
