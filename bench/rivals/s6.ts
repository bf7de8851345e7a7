// s6 as PID 1: s6-svscan over service directories, readiness by s6-notifyoncheck, dependents by s6-svwait, the exit code by a
// file. Debian has no s6-rc, which would add its own start.
import { join } from 'node:path';
import type { Contestant, Scenario, Service } from '../scenario.ts';
import { debianPackage, shellWords, write, writeScript } from './writing.ts';

function writeService(scan: string, { whenOneEnds }: Scenario, { name, argv, port, after }: Service): void {
  const folder = join(scan, name);
  const gate = after === undefined ? '' : `foreground { s6-svwait -U ${join(scan, after)} }\n`;
  const checked = port === undefined ? '' : 's6-notifyoncheck -d -n 0 -w 100\n';
  writeScript(join(folder, 'run'), `#!/usr/bin/execlineb -P\n${gate}${checked}${shellWords(argv)}\n`);
  if (port !== undefined) {
    write(join(folder, 'notification-fd'), '3\n');
    writeScript(join(folder, 'data/check'), `#!/bin/sh\nexec curl -sf -o /dev/null http://127.0.0.1:${port}/\n`);
  }
  if (whenOneEnds === 'end') {
    // 256 means a signal, whose number is the second argument.
    const code = 'if [ "$1" -eq 256 ]; then echo $((128 + $2)); else echo "$1"; fi';
    const first = `[ -e ${scan}/.code ] || { ${code} > ${scan}/.code; s6-svscanctl -t ${scan}; }`;
    writeScript(join(folder, 'finish'), `#!/bin/sh\n${first}\n`);
  }
}

export const s6: Contestant = {
  name: 's6',
  source: { from: 'debian', packages: ['s6', 'execline'] },
  gates: true,
  lacks: { output: 'services write for themselves' },
  remarks: {
    'gate-1s': 's6-notifyoncheck with curl, every 0.1 s',
    end: 'finish scripts',
    restart: 's6-supervise waits a second between starts',
  },
  installed() {
    const found = debianPackage('s6', ['execline', 'libs6-*', 'libexecline*', 'libskarnet*']);
    return found && { program: '/usr/bin/s6-svscan', version: found.version, bytes: found.bytes };
  },
  configure(scenario, folder, { program }) {
    const scan = join(folder, 'scan');
    for (const service of scenario.services) writeService(scan, scenario, service);
    writeScript(
      join(scan, '.s6-svscan/finish'),
      `#!/bin/sh\nread -r code 2>/dev/null < ${scan}/.code || code=0\nexit "$code"\n`,
    );
    return { cmd: [program, '-c', String(scenario.services.length + 10), scan] };
  },
};
