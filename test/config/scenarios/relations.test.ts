// Mistakes between services, in dependencies, stages and ports, with the whole printed text.
import { describe, expect, test } from 'bun:test';
import { type Mistake, printed } from '../rig.ts';

const MISTAKES: readonly Mistake[] = [
  {
    title: 'an unknown dependency suggests the closest service',
    file: `
services:
  web: { command: run, depends_on: { databse: ready } }
  database: { command: run }
`,
    says: `
services.yaml:2:38: error: \`web\` depends on \`databse\`, which does not exist
   2 |   web: { command: run, depends_on: { databse: ready } }
     |                                      ~~~~~~~
     help: did you mean \`database\`?
`,
  },
  {
    title: 'a cycle is reported once, with a second place',
    file: `
services:
  a: { command: run, depends_on: [b] }
  b: { command: run, depends_on: [c] }
  c: { command: run, depends_on: [a] }
`,
    says: `
services.yaml:2:35: error: these services wait for each other: a -> b -> c -> a
   2 |   a: { command: run, depends_on: [b] }
     |                                   ~
services.yaml:3:35: note: \`b\` waits for \`c\` here
   3 |   b: { command: run, depends_on: [c] }
     |                                   ~
`,
  },
  {
    title: 'a dependency on a later stage is reported as such',
    file: `
groups: [first, second]
services:
  a: { command: run, group: first, depends_on: [b] }
  b: { command: run, group: second }
`,
    says: `
services.yaml:3:49: error: \`a\` depends on \`b\`, which is in a later stage: \`second\` waits for all of \`first\`
   3 |   a: { command: run, group: first, depends_on: [b] }
     |                                                 ~
     help: move one of them to another \`group\`, or change the order in \`groups\`
`,
  },
  {
    title: 'two services on one port are shown together',
    file: `
services:
  a: { command: run, port: 8000 }
  b: { command: run, ports: [9000, 8000] }
`,
    says: `
services.yaml:3:36: error: \`b\` and \`a\` both listen on port 8000
   3 |   b: { command: run, ports: [9000, 8000] }
     |                                    ~~~~
services.yaml:2:28: note: \`a\` has it here
   2 |   a: { command: run, port: 8000 }
     |                            ~~~~
`,
  },
  {
    title: 'two streams of one service in one log file are an error with the fix',
    file: `
services:
  a: { command: run, log: { file: { path: logs/a.log }, stderr_file: { path: ./logs/a.log } } }
`,
    says: `
services.yaml:2:78: error: \`file\` and \`stderr_file\` of \`a\` are the same log file logs/a.log
   2 |   a: { command: run, log: { file: { path: logs/a.log }, stderr_file: { path: ./logs/a.log } } }
     |                                                                              ~~~~~~~~~~~~
     help: leave \`stderr_file\` out: \`file\` then receives both streams
`,
  },
  {
    title: "fields of a service's log are not fields of the supervisor's",
    file: `
log: { format: json, level: loud }
services:
  a: { command: run }
`,
    says: `
services.yaml:1:8: error: unknown key \`format\` in \`log\`
   1 | log: { format: json, level: loud }
     |        ~~~~~~
     help: it is about the output of services: write it under \`defaults.log\`, or in each service
services.yaml:1:29: error: \`level\` must be \`debug\`, \`info\`, \`warn\` or \`error\`, not "loud"
   1 | log: { format: json, level: loud }
     |                             ~~~~
`,
  },
  {
    title: "Compose's form of a dependency is translated",
    file: `
services:
  web:
    command: run
    depends_on:
      db: { condition: service_healthy }
  db: { command: run }
`,
    says: `
services.yaml:5:24: error: \`condition\` must be \`started\`, \`ready\`, \`completed\` or \`exited\`, not "service_healthy"
   5 |       db: { condition: service_healthy }
     |                        ~~~~~~~~~~~~~~~
     help: did you mean \`ready\`?
`,
  },
  {
    title: 'a dependency on a disabled service causes a warning',
    file: `
services:
  web: { command: run, depends_on: [db] }
  db: { command: run, enabled: false }
`,
    says: `
services.yaml:2:37: warning: \`web\` will not start: it depends on \`db\`, which is not enabled
   2 |   web: { command: run, depends_on: [db] }
     |                                     ~~
     help: disable it too, or write \`essential: false\`: the container fails if an essential service never starts
`,
  },
];

describe('the printed text about several services', () => {
  for (const { title, file, says } of MISTAKES) {
    test(title, () => expect(printed(file.slice(1))).toBe(says.slice(1)));
  }
});
