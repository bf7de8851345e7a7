// runit in a container: a shell as PID 1 that starts runsvdir and stops the services on SIGTERM, as in its images. The shell
// exits with the code that a finish script wrote. Dependents call `sv start`, which waits for `check`, as in runit's FAQ.
import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import type { Contestant, Scenario, Service } from '../scenario.ts';
import { debianPackage, shellWords, writeScript } from './writing.ts';

function writeService(
  scan: string,
  code: string,
  { whenOneEnds }: Scenario,
  { name, argv, port, after }: Service,
): void {
  const folder = join(scan, name);
  const gate =
    after === undefined ? '' : `until sv -w 3600 start ${join(scan, after)} >/dev/null; do sleep 0.1; done\n`;
  writeScript(join(folder, 'run'), `#!/bin/sh\n${gate}exec ${shellWords(argv)}\n`);
  if (port !== undefined)
    writeScript(join(folder, 'check'), `#!/bin/sh\nexec curl -sf -o /dev/null http://127.0.0.1:${port}/\n`);
  if (whenOneEnds === 'end') {
    // -1 means a signal, whose number is in the low byte of the second argument.
    const value = 'if [ "$1" -eq -1 ]; then echo $((128 + $2 % 128)); else echo "$1"; fi';
    writeScript(join(folder, 'finish'), `#!/bin/sh\n[ -e ${code} ] || { ${value} > ${code}; kill -USR1 1; }\n`);
  }
}

export const runit: Contestant = {
  name: 'runit',
  source: { from: 'debian', packages: ['runit'] },
  gates: true,
  lacks: { output: 'services write for themselves' },
  remarks: { 'gate-1s': '`sv start` with a check by curl', end: 'finish scripts' },
  installed() {
    const found = debianPackage('runit');
    return found && { program: '/usr/bin/runsvdir', version: found.version, bytes: found.bytes };
  },
  configure(scenario, folder, { program }) {
    const scan = join(folder, 'service');
    const code = join(folder, 'code');
    for (const service of scenario.services) writeService(scan, code, scenario, service);
    // As in an image: runsvdir waits for a second if the folder was changed in the last second.
    utimesSync(scan, new Date(0), new Date(0));
    const entry = [
      '#!/bin/sh',
      `stop() { sv -w 9 force-stop ${scan}/* >/dev/null 2>&1; exit 0; }`,
      'trap stop TERM',
      `trap 'read -r code < ${code}; exit "$code"' USR1`,
      `${program} -P ${scan} &`,
      'while :; do wait; done',
    ];
    return { cmd: ['/bin/sh', writeScript(join(folder, 'entry'), `${entry.join('\n')}\n`)] };
  },
};
