// supervisord in the foreground, with the event listener of its documentation that ends it with a program. The listener is a
// shell script, because another Python process would only make it slower.
import { join } from 'node:path';
import type { Contestant, Scenario } from '../scenario.ts';
import { debianPackage, shellWords, write } from './writing.ts';

const LISTENER = join(import.meta.dir, 'supervisord-end.sh');

function configuration({ services, whenOneEnds, labels }: Scenario, folder: string): string {
  const programs = services.flatMap(({ name, argv }) => [
    `[program:${name}]`,
    `command=${shellWords(argv).replaceAll('%', '%%')}`,
    'startsecs=0',
    `autorestart=${whenOneEnds === 'restart'}`,
    ...(labels ? ['stdout_logfile=/dev/fd/1', 'stdout_logfile_maxbytes=0'] : ['stdout_logfile=NONE']),
    'redirect_stderr=true',
    '',
  ]);
  const listener = [
    '[eventlistener:end]',
    `command=/bin/sh ${LISTENER}`,
    'events=PROCESS_STATE_EXITED,PROCESS_STATE_FATAL',
    '',
  ];
  return [
    '[supervisord]',
    'nodaemon=true',
    'user=root',
    'logfile=/dev/null',
    'logfile_maxbytes=0',
    `pidfile=${folder}/pid`,
    // Its limit of programs is that of descriptors.
    'minfds=8192',
    '',
    ...(whenOneEnds === 'end' && !labels && services.length < 100 ? listener : []),
    ...programs,
  ].join('\n');
}

export const supervisord: Contestant = {
  name: 'supervisord',
  source: { from: 'debian', packages: ['supervisor'] },
  gates: false,
  lacks: { gate: 'no readiness gate' },
  remarks: { throughput: 'no labels', end: 'by an event listener' },
  installed() {
    const python = [
      'python3-minimal',
      'python3.*-minimal',
      'libpython3.*-minimal',
      'libpython3.*-stdlib',
      'python3-pkg-resources',
    ];
    const found = debianPackage('supervisor', python);
    return found && { program: '/usr/bin/supervisord', version: found.version, bytes: found.bytes };
  },
  configure(scenario, folder, { program }) {
    const file = write(join(folder, 'supervisord.conf'), configuration(scenario, folder));
    return { cmd: [program, '-c', file] };
  },
};
