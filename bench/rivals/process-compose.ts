// process-compose without its screen and its server, each program executed directly (`entrypoint`).
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant, Scenario } from '../scenario.ts';
import { write } from './writing.ts';

function configuration({ services, whenOneEnds }: Scenario): string {
  const processes = services.flatMap(({ name, argv, port, after }) => [
    `  ${name}:`,
    `    entrypoint: ${JSON.stringify(argv)}`,
    // One second is both the default and the minimum.
    whenOneEnds === 'end'
      ? '    availability: { restart: exit_on_failure }'
      : '    availability: { restart: always, backoff_seconds: 1 }',
    ...(port === undefined
      ? []
      : [
          '    readiness_probe:',
          `      http_get: { host: 127.0.0.1, scheme: http, path: /, port: ${port} }`,
          // The minimum; a program that still loads must not be killed.
          '      period_seconds: 1',
          '      failure_threshold: 1000000',
        ]),
    ...(after === undefined ? [] : [`    depends_on: { ${after}: { condition: process_healthy } }`]),
  ]);
  return ['version: "0.5"', 'log_level: error', 'processes:', ...processes, ''].join('\n');
}

export const processCompose: Contestant = {
  name: 'process-compose',
  source: {
    from: 'go',
    module: 'github.com/f1bonacc1/process-compose',
    main: 'github.com/f1bonacc1/process-compose',
    versions: ['v1.122.0', 'v1.120.0', 'v1.87.0'],
  },
  gates: true,
  lacks: {},
  remarks: {
    restart: 'a second is the configurable minimum',
    'gate-1s': 'a second is the configurable minimum',
  },
  installed(cache) {
    const program = join(cache, 'process-compose');
    if (!existsSync(program)) return null;
    return { program, version: readFileSync(`${program}.version`, 'utf8').trim(), bytes: statSync(program).size };
  },
  configure(scenario, folder, { program }) {
    const file = write(join(folder, 'process-compose.yaml'), configuration(scenario));
    return {
      cmd: [program, '--no-server', '-L', join(folder, 'log'), '-f', file, '-t=false', '--disable-dotenv', 'up'],
    };
  },
};
