// pm2-runtime with an ecosystem file; programs are executed directly (`interpreter: none`).
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant, Scenario } from '../scenario.ts';
import { folderSize, write } from './writing.ts';

function ecosystem({ services, whenOneEnds }: Scenario): string {
  const apps = services.map(({ name, argv: [script, ...args] }) => ({
    name,
    script,
    args,
    interpreter: 'none',
    exec_mode: 'fork',
    autorestart: whenOneEnds === 'restart',
    restart_delay: 0,
    pmx: false,
  }));
  return `${JSON.stringify({ apps }, null, 2)}\n`;
}

export const pm2: Contestant = {
  name: 'pm2-runtime',
  source: { from: 'npm', package: 'pm2', version: '7.0.4' },
  gates: false,
  lacks: { gate: 'no readiness gate', end: 'continues until all have ended' },
  remarks: { throughput: 'no labels', size: 'with node' },
  installed(cache) {
    const program = join(cache, 'npm/node_modules/pm2/bin/pm2-runtime');
    if (!existsSync(program)) return null;
    const { version } = JSON.parse(readFileSync(join(cache, 'npm/node_modules/pm2/package.json'), 'utf8')) as {
      version: string;
    };
    const node = Bun.which('node');
    return {
      program,
      version,
      bytes: folderSize(join(cache, 'npm/node_modules')) + (node === null ? 0 : statSync(node).size),
    };
  },
  configure(scenario, folder, { program }) {
    const file = write(join(folder, 'ecosystem.config.json'), ecosystem(scenario));
    return { cmd: ['node', program, 'start', file], env: { PM2_HOME: join(folder, 'pm2') } };
  },
};
