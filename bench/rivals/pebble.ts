// Pebble with one layer, started as in its images (`pebble run`); `--verbose` copies the output of services.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant, Scenario } from '../scenario.ts';
import { shellWords, write } from './writing.ts';

function layer({ services, whenOneEnds }: Scenario): string {
  const lines = services.flatMap(({ name, argv }) => [
    `  ${name}:`,
    '    override: replace',
    `    command: ${JSON.stringify(shellWords(argv))}`,
    '    startup: enabled',
    ...(whenOneEnds === 'end'
      ? ['    on-success: shutdown', '    on-failure: shutdown']
      : ['    on-success: restart', '    on-failure: restart', '    backoff-delay: 1ms']),
  ]);
  return ['services:', ...lines, ''].join('\n');
}

export const pebble: Contestant = {
  name: 'Pebble',
  source: {
    from: 'go',
    module: 'github.com/canonical/pebble',
    main: 'github.com/canonical/pebble/cmd/pebble',
    versions: ['v1.32.2', 'v1.32.1'],
  },
  gates: false,
  lacks: { gate: 'no readiness gate' },
  remarks: { throughput: '`--verbose`; lines that come too fast are lost', end: '10 is its code for a failed service' },
  installed(cache) {
    const program = join(cache, 'pebble');
    if (!existsSync(program)) return null;
    return { program, version: readFileSync(`${program}.version`, 'utf8').trim(), bytes: statSync(program).size };
  },
  configure(scenario, folder, { program }) {
    write(join(folder, 'pebble/layers/001-bench.yaml'), layer(scenario));
    return {
      cmd: [program, 'run', ...(scenario.labels ? ['--verbose'] : [])],
      env: { PEBBLE: join(folder, 'pebble'), PEBBLE_SOCKET: join(folder, 'pebble/socket') },
    };
  },
};
