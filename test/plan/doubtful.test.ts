// Values that are valid and rarely meant: which are warned of, and which are not.
import { expect, test } from 'bun:test';
import { load } from '../config/rig.ts';

/** Each warning as `LINE: MESSAGE -> HELP`, with `<NAME>` for a variable in braces. */
function warnings(text: string): readonly string[] {
  const loaded = load(text);
  const found = loaded.ok ? loaded.value.warnings : loaded.error.diagnostics;
  const lines = found.map(({ range, message, suggestion }) => `${range.line}: ${message} -> ${suggestion}`);
  return lines.map((line) => line.replaceAll(/\$\{(\w+)\}/g, '<$1>'));
}

const command = (line: string) => warnings(`services: { a: { command: ${JSON.stringify(line)} } }`);

test('a word of bash in a command, and an exit code that tee hides', () => {
  for (const line of ['source v/bin/activate && exec x', 'exec x\n source y', 'if [[ -n "$X" ]]; then exec x; fi'])
    expect(command(line).join()).toContain('is of bash, and `a` runs under /bin/sh');
  for (const line of ['x | tee log', 'x 2>&1 | tee -a "$LOG"', 'x |& tee log'])
    expect(command(line)).toEqual([
      '1: the exit code of `a` is that of `tee`: a failure of the program before it counts as success -> write `log: {file: {path: FILE}}` in place of `tee`',
    ]);
  for (const line of [
    'exec x --source y',
    "bash -c 'source y'",
    'exec tee x',
    'x || tee y',
    'exec data-source run',
    '. y && exec x',
  ])
    expect([line, command(line)]).toEqual([line, []]);
});

test('a variable without braces where no shell replaces it', () => {
  expect(
    warnings(`
env: { HF_TOKEN: $HF_TOKEN }
defaults: { env: { PATH: "/opt/x/bin:$PATH" } }
services:
  a: { command: [serve, --model=$MODEL] }
  b: { command: serve, env: { URL: "http://$HOST:80/" } }
`),
  ).toEqual([
    '2: `$HF_TOKEN` in the value of `HF_TOKEN` is not replaced -> remove the line: a service inherits the variables of the container',
    '3: `$PATH` in the value of `PATH` is not replaced -> write `<PATH>` for a variable of the container',
    '5: a list is executed without a shell: `$MODEL` is passed to `serve` as it is written -> write the command as one text, or `<MODEL>` for a variable of the container',
    '6: `$HOST` in the value of `URL` is not replaced -> write `<HOST>` for a variable of the container',
  ]);
  expect(
    warnings(`
services:
  a: { command: [bash, -c, 'exec "$0"', $MODEL] }
  b: { command: 'serve $MODEL', env: { PASSWORD: 'a$Bc', FORMAT: '$remote_addr', COST: '$5', AWK: '{print $NF}' } }
`),
  ).toEqual([]);
});

test('a home folder and a variable in `cwd` and in a list', () => {
  expect(
    warnings(`
services:
  a: { command: [python3, ~/app.py], cwd: ~/work }
  b: { command: 'python3 ~/app.py', cwd: $HOME/work }
  c: { command: [x, a~b, '--backup=~'], cwd: /~/x }
`),
  ).toEqual([
    '3: a list is executed without a shell: `~` is passed to `python3` as it is written -> write the command as one text',
    '3: `~` in `cwd` of `a` is not replaced -> write the whole path',
    '4: `$HOME` in `cwd` of `b` is not replaced -> write `<HOME>` for a variable of the container',
    '5: a list is executed without a shell: `~` is passed to `x` as it is written -> write the command as one text',
  ]);
});

test('the name of a service as a host, unless `hosts` is set or the port is of another', () => {
  const file = (url: string, top = '') =>
    warnings(
      `${top}services: { db: { command: x, port: 5432 }, web: { command: x, env: { URL: ${JSON.stringify(url)} } } }`,
    );
  expect(file('postgres://user:secret@db:5432/x')).toEqual([
    '1: `URL` has the host `db`: the name of a service is not the name of a host -> write 127.0.0.1, or `hosts: true` at the top level',
  ]);
  expect(file('postgres://db:5432/x', 'hosts: true\n')).toEqual([]);
  for (const url of ['postgres://db:6000/x', 'http://127.0.0.1:5432', 'http://db.example:5432', 'db:5432'])
    expect([url, file(url)]).toEqual([url, []]);
});

test('a URL without a port in a probe of a service that has another one', () => {
  const probe = (http: string, port = 8080) =>
    warnings(`services: { a: { command: x, port: ${port}, ready: { http: ${http} } } }`);
  expect(probe('http://localhost/health')).toEqual([
    '1: this probe connects to port 80, and `a` listens on 8080 -> write the path alone, `http: /health`: the port is then that of the service',
  ]);
  for (const [http, port] of [
    ['/health'],
    ['http://localhost/', 80],
    ['http://localhost:9090/'],
    ['http://10.0.0.1/'],
  ] as const)
    expect([http, probe(http, port)]).toEqual([http, []]);
});

test('an interval has the words to write', () => {
  const advice = (field: string) =>
    warnings(`services: { a: { type: task, command: x, ${field} } }`).join().split(' -> ')[1];
  expect(advice('every: 60')).toBe('write `60s`');
  expect(advice('schedule: every 10 minutes')).toBe('write `every: 10m`');
  expect(advice("schedule: '@every 1h'")).toBe('write `every: 1h`');
});

test('a port as Compose or a shell writes it has the number to write', () => {
  const advice = (port: string) =>
    warnings(`services: { a: { command: x, port: ${JSON.stringify(port)} } }`)
      .join()
      .split(' -> ')[1];
  expect(advice('8000:8080')).toBe('write `8080`: `docker run -p 8000:8080` publishes it');
  expect(advice('127.0.0.1:80:8000/tcp')).toBe('write `8000`: `docker run -p 127.0.0.1:80:8000/tcp` publishes it');
  expect(advice('$PORT')).toBe('write `<PORT>`');
});
