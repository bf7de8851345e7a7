// A typical start.sh: `&`, `until curl`, `wait -n`, with a trap so that `docker stop` works.
import { join } from 'node:path';
import type { Contestant, Scenario, Service } from '../scenario.ts';
import { debianPackage, shellWords, writeScript } from './writing.ts';

function start({ whenOneEnds, labels }: Scenario, { name, argv }: Service): string {
  const command = shellWords(argv);
  if (labels) return `${command} | sed 's/^/${name} | /' &`;
  // Without a pause, so that bash is as fast as possible.
  return whenOneEnds === 'restart' ? `while :; do ${command}; done &` : `${command} &`;
}

function script(scenario: Scenario): string {
  const { services } = scenario;
  const lines = services.flatMap((service) => {
    const gate = services.find(({ name }) => name === service.after);
    const wait =
      gate === undefined ? [] : [`until curl -sf -o /dev/null http://127.0.0.1:${gate.port}/; do sleep 0.1; done`];
    return [...wait, start(scenario, service)];
  });
  return ['#!/bin/bash', "trap 'kill $(jobs -p); wait; exit 0' TERM INT", ...lines, 'wait -n', 'exit $?', ''].join(
    '\n',
  );
}

export const bash: Contestant = {
  name: 'start.sh',
  source: { from: 'debian', packages: ['bash', 'curl'] },
  gates: false,
  lacks: {},
  remarks: {
    'gate-1s': 'a loop of curl, every 0.1 s',
    throughput: '`| sed`',
    size: 'in most images already',
    restart: 'a loop without a pause',
  },
  installed() {
    const found = debianPackage('bash');
    return found && { program: '/bin/bash', version: `bash ${found.version}`, bytes: found.bytes };
  },
  configure(scenario, folder, { program }) {
    return { cmd: [program, writeScript(join(folder, 'start.sh'), script(scenario))] };
  },
};
