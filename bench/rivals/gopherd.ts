// gopherd with the reference configuration of its documentation. Output is captured only if a row requires labels; otherwise
// services write directly, which is its default.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant, Scenario } from '../scenario.ts';
import { write } from './writing.ts';

function configuration({ services, whenOneEnds, labels }: Scenario, folder: string): string {
  const processes = services.flatMap(({ name, argv: [program, ...args], port, after }) => [
    `  - name: ${name}`,
    `    command: ${program}`,
    `    args: ${JSON.stringify(args)}`,
    ...(port === undefined ? [] : [`    ready-check: ${name}-http`, '    ready-timeout: 10m']),
    ...(after === undefined ? [] : [`    after: [${after}]`]),
    ...(whenOneEnds === 'end'
      ? ['    on-success: shutdown', '    on-failure: shutdown']
      : ['    on-success: restart', '    on-failure: restart', '    backoff-delay: 1ms']),
  ]);
  const checks = services.flatMap(({ name, port }) =>
    port === undefined
      ? []
      : [
          `  ${name}-http:`,
          '    http:',
          `      url: http://127.0.0.1:${port}/`,
          '    period: 100ms',
          '    timeout: 90ms',
          '    initial-delay: 10ms',
        ],
  );
  return [
    'no-logo: true',
    ...(labels ? ['log-capture: true', 'prefix: "service"'] : []),
    'control:',
    `  socket: ${folder}/gopherd.sock`,
    'processes:',
    ...processes,
    ...(checks.length === 0 ? [] : ['checks:', ...checks]),
    '',
  ].join('\n');
}

export const gopherd: Contestant = {
  name: 'gopherd',
  source: {
    from: 'go',
    module: 'github.com/haproxytech/gopherd',
    main: 'github.com/haproxytech/gopherd',
    versions: ['v1.2.3', 'v1.1.0'],
  },
  gates: true,
  lacks: {},
  remarks: {},
  installed(cache) {
    const program = join(cache, 'gopherd');
    if (!existsSync(program)) return null;
    return { program, version: readFileSync(`${program}.version`, 'utf8').trim(), bytes: statSync(program).size };
  },
  configure(scenario, folder, { program }) {
    const file = write(join(folder, 'gopherd.yml'), configuration(scenario, folder));
    return { cmd: [program], env: { GOPHERD_CONFIG: file } };
  },
};
