// Common mistakes in one service or the file, with the whole printed text. Mistakes between services: relations.test.ts.
// Each begins with an empty line.
import { describe, expect, test } from 'bun:test';
import { type Mistake, printed } from '../rig.ts';

const MISTAKES: readonly (Mistake & { readonly environment?: Readonly<Record<string, string>> })[] = [
  {
    title: 'a misspelt field suggests the known one',
    file: `
services:
  web:
    command: run
    dependson: [db]
  db: { command: run }
`,
    says: `
services.yaml:4:5: error: unknown key \`dependson\` in a service
   4 |     dependson: [db]
     |     ~~~~~~~~~
     help: did you mean \`depends_on\`?
`,
  },
  {
    title: 'a misspelt required field is one error, not two',
    file: `
services:
  web:
    comand: run
`,
    says: `
services.yaml:3:5: error: unknown key \`comand\` in a service
   3 |     comand: run
     |     ~~~~~~
     help: did you mean \`command\`?
`,
  },
  {
    title: 'a key of Compose suggests the key of svc-super',
    file: `
version: "3"
services:
  web:
    command: run
    image: nginx
    environment: { A: b }
    healthcheck: { test: curl }
`,
    says: `
services.yaml:1:1: error: unknown key \`version\` in the file
   1 | version: "3"
     | ~~~~~~~
     help: remove it: the file has no version
services.yaml:5:5: error: unknown key \`image\` in a service
   5 |     image: nginx
     |     ~~~~~
     help: services run in this image: install the program into it
services.yaml:6:5: error: unknown key \`environment\` in a service
   6 |     environment: { A: b }
     |     ~~~~~~~~~~~
     help: it is called \`env\`
services.yaml:7:5: error: unknown key \`healthcheck\` in a service
   7 |     healthcheck: { test: curl }
     |     ~~~~~~~~~~~
     help: it is called \`ready\` (and \`live\`)
`,
  },
  {
    title: 'a bare number for a duration suggests a unit',
    file: `
stop_timeout: 10
services:
  web: { command: run, start_timeout: 5 minutes }
`,
    says: `
services.yaml:1:15: error: \`stop_timeout\` must be a duration, not 10
   1 | stop_timeout: 10
     |               ~~
     help: write \`10s\` or \`10ms\`
services.yaml:3:39: error: \`start_timeout\` must be a duration above zero, not "5 minutes"
   3 |   web: { command: run, start_timeout: 5 minutes }
     |                                       ~~~~~~~~~
     help: write \`5m\`
`,
  },
  {
    title: 'yes and no are text in YAML 1.2',
    file: `
services:
  web:
    command: run
    essential: yes
    log: { prefix: "off" }
`,
    says: `
services.yaml:4:16: error: \`essential\` must be \`true\` or \`false\`, not "yes"
   4 |     essential: yes
     |                ~~~
     help: YAML 1.2 reads \`yes\` as text: write \`true\`
services.yaml:5:20: error: \`prefix\` must be \`true\` or \`false\`, not "off"
   5 |     log: { prefix: "off" }
     |                    ~~~~~
     help: write \`false\`
`,
  },
  {
    title: 'a duplicate key shows both places',
    file: `
services:
  web:
    command: run
    port: 80
    port: 81
`,
    says: `
services.yaml:5:5: error: the key \`port\` is declared twice
   5 |     port: 81
     |     ~~~~
services.yaml:4:5: note: also declared here
   4 |     port: 80
     |     ~~~~
`,
  },
  {
    title: 'an unset variable is shown at its position',
    file: `
services:
  web:
    command: [run, "--token=\${TOKEN}"]
    port: \${PORT:?give the port}
`,
    says: `
services.yaml:3:29: error: TOKEN is not set
   3 |     command: [run, "--token=\${TOKEN}"]
     |                             ~~~~~~~~
     help: write \`\${TOKEN:-}\` if it may be empty
services.yaml:4:11: error: PORT is not set: give the port
   4 |     port: \${PORT:?give the port}
     |           ~~~~~~~~~~~~~~~~~~~~~~
`,
  },
  {
    title: 'a value from a variable names the variable',
    environment: { PORT: 'http' },
    file: `
services:
  web: { command: run, port: "\${PORT}" }
`,
    says: `
services.yaml:2:30: error: \`port\` must be a port from 1 to 65535, not "http" (from \${PORT})
   2 |   web: { command: run, port: "\${PORT}" }
     |                              ~~~~~~~~~
`,
  },
  {
    title: 'a number in quotes that is impossible anyway does not suggest to remove the quotes',
    file: `
services:
  web: { command: run, port: "99999" }
`,
    says: `
services.yaml:2:30: error: \`port\` must be a port from 1 to 65535, not "99999"
   2 |   web: { command: run, port: "99999" }
     |                              ~~~~~~~
`,
  },
  {
    title: 'a value from a secret is not shown',
    environment: { API_TOKEN: 'hunter2' },
    file: `
services:
  web: { command: run, port: "\${API_TOKEN}" }
`,
    says: `
services.yaml:2:30: error: \`port\` must be a port from 1 to 65535, not the value of \${API_TOKEN}
   2 |   web: { command: run, port: "\${API_TOKEN}" }
     |                              ~~~~~~~~~~~~~~
`,
  },
  {
    title: 'a probe to a host name is refused with the reason',
    file: `
services:
  web:
    command: run
    ready: { http: "http://backend:8000/health" }
`,
    says: `
services.yaml:4:20: error: \`http\` names the host "backend": a probe takes only a literal IP address
   4 |     ready: { http: "http://backend:8000/health" }
     |                    ~~~~~~~~~~~~~~~~~~~~~~~~~~~~
     help: a name lookup can hang when the process limit is used up; write the address, such as \`127.0.0.1\` or \`[::1]\`
`,
  },
  {
    title: 'a probe without any port needs one',
    file: `
services:
  web: { command: run, ready: { http: /health } }
`,
    says: `
services.yaml:2:33: error: this probe has no port, and \`web\` has no \`port\`
   2 |   web: { command: run, ready: { http: /health } }
     |                                 ~~~~
     help: add \`port\` to the probe or to the service
`,
  },
  {
    title: 'a `tcp` probe without a port is its port',
    file: `
services:
  web: { command: run, ready: { tcp: true } }
`,
    says: `
services.yaml:2:33: error: this probe has no port, and \`web\` has no \`port\`
   2 |   web: { command: run, ready: { tcp: true } }
     |                                 ~~~
     help: write the port in the probe, such as \`tcp: 8080\`, or add \`port\` to the service
`,
  },
  {
    title: 'a task cannot have `restart: always` or a `live` probe',
    file: `
services:
  load:
    type: task
    command: run
    restart: always
    live: { exec: check }
`,
    says: `
services.yaml:5:14: error: \`load\` is a task: it is meant to finish, so it cannot restart always
   5 |     restart: always
     |              ~~~~~~
     help: write \`restart: on-failure\`
services.yaml:6:5: error: \`load\` is a task: it is meant to finish, so it has no \`live\` probe
   6 |     live: { exec: check }
     |     ~~~~
     help: \`start_timeout\` limits how long it may take
`,
  },
  {
    title: 'a umask without quotes suggests quotes',
    file: `
services:
  web: { command: run, umask: 022 }
`,
    says: `
services.yaml:2:31: error: \`umask\` must be three or four octal digits in quotes (\`"022"\`), not 022
   2 |   web: { command: run, umask: 022 }
     |                               ~~~
     help: write \`"022"\`
`,
  },
  {
    title: 'a signal that cannot be forwarded is refused with the reason',
    file: `
services:
  web: { command: run, forward: [HUP, TERM, KILL, CHLD, PWR, HPU] }
`,
    says: `
services.yaml:2:39: error: SIGTERM cannot be forwarded: it tells svc-super to stop everything; use \`stop.signal\` for the stop signal of a service
   2 |   web: { command: run, forward: [HUP, TERM, KILL, CHLD, PWR, HPU] }
     |                                       ~~~~
services.yaml:2:45: error: SIGKILL cannot be forwarded: no program can catch it
   2 |   web: { command: run, forward: [HUP, TERM, KILL, CHLD, PWR, HPU] }
     |                                             ~~~~
services.yaml:2:51: error: SIGCHLD cannot be forwarded: svc-super needs it itself
   2 |   web: { command: run, forward: [HUP, TERM, KILL, CHLD, PWR, HPU] }
     |                                                   ~~~~
services.yaml:2:57: error: SIGPWR cannot be forwarded: it tells svc-super to stop everything; use \`stop.signal\` for the stop signal of a service
   2 |   web: { command: run, forward: [HUP, TERM, KILL, CHLD, PWR, HPU] }
     |                                                         ~~~
services.yaml:2:62: error: there is no signal \`HPU\`
   2 |   web: { command: run, forward: [HUP, TERM, KILL, CHLD, PWR, HPU] }
     |                                                              ~~~
     help: did you mean \`HUP\`?
`,
  },
  {
    title: 'a NUL that would reach exec is refused, and never printed raw',
    file: `
services:
  web: { command: [run, "a\\0b"], env: { A: "\\0" } }
`,
    says: `
services.yaml:2:25: error: an item of \`command\` contains a NUL character, which cannot be passed to a program
   2 |   web: { command: [run, "a\\0b"], env: { A: "\\0" } }
     |                         ~~~~~~
services.yaml:2:44: error: \`env.A\` contains a NUL character, which cannot be passed to a program
   2 |   web: { command: [run, "a\\0b"], env: { A: "\\0" } }
     |                                            ~~~~
`,
  },
  {
    title: 'a stop longer than the whole shutdown is refused',
    file: `
services:
  web: { command: run, stop: { timeout: 20s } }
`,
    says: `
services.yaml:2:41: error: \`stop.timeout\` (20s) is longer than \`stop_timeout\` (9s), the limit for the whole shutdown
   2 |   web: { command: run, stop: { timeout: 20s } }
     |                                         ~~~
     help: shorten it, or increase \`stop_timeout\` at the top level
`,
  },
  {
    title: 'an invalid default is shown at its position',
    file: `
defaults: { stop: { timeout: 1m } }
services:
  web: { command: run }
`,
    says: `
services.yaml:1:30: error: \`stop.timeout\` (1m) is longer than \`stop_timeout\` (9s), the limit for the whole shutdown
   1 | defaults: { stop: { timeout: 1m } }
     |                              ~~
     help: shorten it, or increase \`stop_timeout\` at the top level
`,
  },
  {
    title: 'a regular expression that does not compile is shown',
    file: `
services:
  web: { command: run, ready: { log: "ready (" } }
`,
    says: `
services.yaml:2:38: error: \`log\` is not a valid regular expression: missing closing ): \`ready (\`
   2 |   web: { command: run, ready: { log: "ready (" } }
     |                                      ~~~~~~~~~
`,
  },
  {
    title: 'an unknown user suggests an existing one',
    file: `
services:
  web: { command: run, user: ngnix }
`,
    says: `
services.yaml:2:30: error: there is no user \`ngnix\`
   2 |   web: { command: run, user: ngnix }
     |                              ~~~~~
     help: did you mean \`nginx\`?
`,
  },
  {
    title: 'an empty service has no command',
    file: `
services:
  web:
`,
    says: `
services.yaml:2:3: error: the service \`web\` has no \`command\`
   2 |   web:
     |   ~~~
     help: add \`command: …\` to it
`,
  },
  {
    title: 'shell syntax in a list causes a warning',
    file: `
services:
  web: { command: [cd, /app, "&&", run] }
`,
    says: `
services.yaml:2:10: warning: a list is executed without a shell: \`&&\` is passed to \`cd\` as an argument
   2 |   web: { command: [cd, /app, "&&", run] }
     |          ~~~~~~~
     help: write the command as one text
`,
  },
  {
    title: 'a command that ends with `&` causes a warning',
    file: `
services:
  web: { command: nginx & }
`,
    says: `
services.yaml:2:19: warning: \`web\` ends with \`&\`: the shell starts the program in the background and exits at once
   2 |   web: { command: nginx & }
     |                   ~~~~~~~
     help: remove the \`&\`
`,
  },
  {
    title: 'a program that the shell hides from the stop signal causes a warning, unless the signal goes to the group',
    file: `
services:
  web: { command: cd /x && python3 app.py }
  group: { command: cd /x && python3 app.py, stop: { to: group } }
  asked: { command: cd /x && python3 app.py, stop: { command: quit } }
  task: { command: cd /x && python3 setup.py, type: task }
`,
    says: `
services.yaml:2:19: warning: the stop signal of \`web\` reaches the shell instead of \`python3\`, which runs as its child
   2 |   web: { command: cd /x && python3 app.py }
     |                   ~~~~~~~~~~~~~~~~~~~~~~~
     help: write \`exec python3 …\`: the program then replaces the shell
`,
  },
  {
    title: 'a word instead of a map suggests the map',
    file: `
services:
  a: { command: run, log: { file: /var/log/d.log }, hooks: sleep 3 }
  b: { command: run, log: json, hooks: [sleep, "3"] }
  c: { command: run, log: "/log/a, b.log" }
  d: { command: run, log: loud, hooks: }
  e: { command: run, log: { file: true } }
`,
    says: `
services.yaml:2:35: error: \`file\` must be a map, not "/var/log/d.log"
   2 |   a: { command: run, log: { file: /var/log/d.log }, hooks: sleep 3 }
     |                                   ~~~~~~~~~~~~~~
     help: write \`{path: /var/log/d.log}\`
services.yaml:2:60: error: \`hooks\` must be a map, not "sleep 3"
   2 |   a: { command: run, log: { file: /var/log/d.log }, hooks: sleep 3 }
     |                                                            ~~~~~~~
     help: say when it runs: \`before_start\`, \`after_ready\`, \`before_stop\` or \`after_exit\`, such as \`{before_start: sleep 3}\`
services.yaml:3:27: error: \`log\` must be a map, not "json"
   3 |   b: { command: run, log: json, hooks: [sleep, "3"] }
     |                           ~~~~
     help: write \`{format: json}\`
services.yaml:3:40: error: \`hooks\` must be a map, not a list
   3 |   b: { command: run, log: json, hooks: [sleep, "3"] }
     |                                        ~~~~~~~~~~~~
     help: say when it runs: \`before_start\`, \`after_ready\`, \`before_stop\` or \`after_exit\`
services.yaml:4:27: error: \`log\` must be a map, not "/log/a, b.log"
   4 |   c: { command: run, log: "/log/a, b.log" }
     |                           ~~~~~~~~~~~~~~~
     help: write \`{file: {path: "/log/a, b.log"}}\`
services.yaml:5:27: error: \`log\` must be a map, not "loud"
   5 |   d: { command: run, log: loud, hooks: }
     |                           ~~~~
     help: known here: prefix, format, time, when_full, ansi, merge, drop, file, stderr_file
services.yaml:5:40: error: \`hooks\` is empty: it must be a map
   5 |   d: { command: run, log: loud, hooks: }
     |                                        ~
     help: give it a value, or remove the key
services.yaml:6:35: error: \`file\` must be a map, not true
   6 |   e: { command: run, log: { file: true } }
     |                                   ~~~~
`,
  },
];

describe('the printed text', () => {
  for (const { title, file, says, environment } of MISTAKES) {
    test(title, () => {
      const files = { '/etc/passwd': 'root:x:0:0::/root:/bin/sh\nnginx:x:101:101::/nonexistent:/bin/false\n' };
      expect(printed(file.slice(1), { files, environment: environment ?? {} })).toBe(says.slice(1));
    });
  }

  test('all mistakes of a file are reported together and in order, whichever room finds them', () => {
    const lines = printed(
      'nam: x\nservices:\n  a: { command: run, user: nobodi, depends_on: [b, x] }\n  b: { command: "", nice: 40 }\n',
      { files: { '/etc/passwd': 'nobody:x:65534:65534::/:/bin/false\n' } },
    )
      .split('\n')
      .filter((line) => line.startsWith('services.yaml:'));
    expect(lines).toEqual([
      'services.yaml:1:1: error: unknown key `nam` in the file',
      'services.yaml:3:28: error: there is no user `nobodi`',
      'services.yaml:3:52: error: `a` depends on `x`, which does not exist',
      'services.yaml:4:17: error: `command` is empty: it must be a command line, or a list of a program and its arguments',
      'services.yaml:4:27: error: `nice` must be a whole number from -20 to 19, not 40',
    ]);
  });
});
