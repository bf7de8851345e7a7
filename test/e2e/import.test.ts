// Runs an original and its import side by side: a start script under bash, a supervisord.conf under Debian's supervisord, a
// tree of s6 under Debian's s6-svscan, and what `svc-super import` makes of each under `svc-super up`. The programs are stubs
// that log how they were started; who started, in which order, and the exit code must agree.
import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from '../helpers/free-port.ts';
import { Dice } from '../helpers/nonsense.ts';
import { binary, isRoot } from '../helpers/rig.ts';
import { skipWhen } from '../helpers/skip.ts';

const root = mkdtempSync(join(tmpdir(), 'svc-super-import-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

setDefaultTimeout(60_000);

const RIGHTS = isRoot ? [] : ['--map-root-user'];

/** Milliseconds until a run that should have ended is killed. */
const PATIENCE = 30_000;

/** Logs its name, its arguments and the variable NOTE, then does what the test says for its name. */
const STUB = `#!/bin/bash
name=\${0##*/}
echo "$name\${*:+ $*}\${NOTE:+ NOTE=$NOTE}" >> "$LOG"
[ -f "$STUBS/$name.do" ] && . "$STUBS/$name.do"
exit 0
`;

/** Answers any request on the port that is its argument, until it is killed. */
const SERVER = `
import http.server, sys, threading, time
time.sleep(0.3)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'ok')
    def log_message(self, *_): pass
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Answer).serve_forever()
`;

interface Case {
  readonly script: string;
  /** What each program does, as source of a shell. */
  readonly does?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Programs that only have to be found, in any order. */
  readonly unordered?: true;
}

interface Outcome {
  readonly code: number;
  readonly started: readonly string[];
}

/** A folder with the stubs of a case. */
class Stage {
  readonly folder = mkdtempSync(join(root, 'case-'));
  readonly #env: Readonly<Record<string, string>>;

  constructor({ does = {}, env = {} }: Pick<Case, 'does' | 'env'>, programs: readonly string[]) {
    const bin = join(this.folder, 'bin');
    this.#env = { ...env, PATH: `${bin}:/usr/local/bin:/usr/bin:/bin`, STUBS: this.folder, HOME: this.folder };
    for (const name of [...programs, ...Object.keys(does)]) this.write(`bin/${name}`, STUB, 0o755);
    this.write('server.py', SERVER);
    for (const [name, source] of Object.entries(does)) this.write(`${name}.do`, `${source}\n`);
  }

  write(path: string, text: string, mode = 0o644): string {
    const full = join(this.folder, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
    chmodSync(full, mode);
    return full;
  }

  /** Runs a command; after `stopAfter` milliseconds it gets SIGTERM. */
  async run(kind: string, command: readonly string[], stopAfter?: number): Promise<Outcome> {
    const log = join(this.folder, `${kind}.log`);
    writeFileSync(log, '');
    const env = { ...this.#env, LOG: log, SVC_SUPER_SOCKET: join(this.folder, `${kind}.sock`) };
    const child = Bun.spawn([...command], { cwd: this.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    const stop = stopAfter === undefined ? undefined : setTimeout(() => child.kill('SIGTERM'), stopAfter);
    const code = await child.exited;
    clearTimeout(timer);
    clearTimeout(stop);
    return {
      code,
      started: readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    };
  }

  /** Imports a source with the built program; returns the services.yaml. */
  import(format: string, source: string): string {
    const output = join(this.folder, 'services.yaml');
    const { exitCode, stderr } = Bun.spawnSync([binary, 'import', format, source, '-o', output], { cwd: this.folder });
    if (exitCode !== 0) throw new Error(stderr.toString());
    return output;
  }
}

const ended = (...lines: readonly string[]) => ['#!/bin/bash', ...lines, ''].join('\n');

async function compare({ script, does, env, unordered }: Case): Promise<Outcome> {
  const programs = [...script.matchAll(/\bp-\w+/g)].map(([name]) => name);
  const stage = new Stage({ ...(does && { does }), ...(env && { env }) }, programs);
  // The loops of the scripts ask with curl; bash itself can connect.
  stage.write(
    'bin/curl',
    `#!/bin/bash\nport=$(grep -oE ":[0-9]+" <<<"$*" | tail -1)\nexec 2>/dev/null 3<>/dev/tcp/127.0.0.1/"\${port#:}"\n`,
    0o755,
  );
  const path = stage.write('start.sh', script, 0o755);
  // In a PID namespace nothing outlives the script, as in a container.
  const original = await stage.run('bash', ['unshare', ...RIGHTS, '--pid', '--fork', '--kill-child', 'bash', path]);
  const imported = await stage.run('import', [binary, 'up', '-f', stage.import('start.sh', path)]);
  const order = (one: readonly string[]) => (unordered ? [...one].sort() : one);
  expect({ ...imported, started: order(imported.started) }).toEqual({ ...original, started: order(original.started) });
  return imported;
}

describe('a start script and its import', () => {
  test('a page that waits for a model: the code of the first to end', async () => {
    const port = await freePort();
    const script = ended(
      'export NOTE=shared',
      `p-model serve "$MODEL" --port ${port} &`,
      `until curl -sf localhost:${port}/v1/models; do sleep 0.1; done`,
      'export NOTE=page',
      'p-page --verbose &',
      'wait -n',
      'exit $?',
    );
    const does = { 'p-model': `exec python3 "$STUBS/server.py" ${port}`, 'p-page': 'sleep 0.2; exit 7' };
    const { code, started } = await compare({ script, does, env: { MODEL: 'a model' } });
    expect(code).toBe(7);
    expect(started).toEqual([`p-model serve a model --port ${port} NOTE=shared`, 'p-page --verbose NOTE=page']);
  });

  test('commands before the last program: all have ended when it starts', async () => {
    const script = ended('set -e', 'cd /', 'p-first a', 'p-second "b c"', 'exec p-main --at "$PWD"');
    const { code, started } = await compare({ script, does: { 'p-first': 'sleep 0.2', 'p-main': 'exit 5' } });
    expect(code).toBe(5);
    expect(started).toEqual(['p-first a', 'p-second b c', 'p-main --at /']);
  });

  test('with set -e a command that fails ends it all, and nothing follows', async () => {
    const { code, started } = await compare({
      script: ended('set -e', 'p-migrate', 'p-server'),
      does: { 'p-migrate': 'exit 3' },
    });
    expect({ code, started }).toEqual({ code: 3, started: ['p-migrate'] });
  });

  test('without set -e the script goes on', async () => {
    const { code, started } = await compare({
      script: ended('p-migrate', 'p-server'),
      does: { 'p-migrate': 'exit 3', 'p-server': 'exit 4' },
    });
    expect({ code, started }).toEqual({ code: 4, started: ['p-migrate', 'p-server'] });
  });

  test('wait: it ends when all have ended', async () => {
    const script = ended('p-one &', 'p-two &', 'wait');
    const { code } = await compare({ script, does: { 'p-one': 'sleep 0.5' }, unordered: true });
    expect(code).toBe(0);
  });

  test('wait for one of them: the other one is stopped with it', async () => {
    const script = ended('p-one &', 'ONE=$!', 'p-two &', 'wait $ONE', 'kill %2', 'exit $?');
    const does = { 'p-one': 'sleep 0.3; exit 0', 'p-two': 'exec sleep 60' };
    expect((await compare({ script, does, unordered: true })).code).toBe(0);
  });

  test('a switch by a variable, off and on', async () => {
    const script = ended('if [ -n "$KEY" ]; then', '  p-ssh -D &', 'fi', 'p-main');
    const does = { 'p-ssh': 'sleep 0.1', 'p-main': 'sleep 0.3; exit 6' };
    expect((await compare({ script, does })).started).toEqual(['p-main']);
    const { started } = await compare({ script, does, env: { KEY: 'x' }, unordered: true });
    expect([...started].sort()).toEqual(['p-main', 'p-ssh -D']);
  });

  test('computed variables, functions and folders reach the programs', async () => {
    const script = ended(
      'NAME=$(echo computed)',
      'export NOTE="$NAME-note"',
      'serve() {',
      '  p-serve --name "$NAME" "$1"',
      '}',
      'serve one &',
      '(cd /usr && exec p-where "$PWD") &',
      'wait',
    );
    const { started } = await compare({ script, unordered: true });
    expect([...started].sort()).toEqual([
      'p-serve --name computed one NOTE=computed-note',
      'p-where /usr NOTE=computed-note',
    ]);
  });
});

/** A script of random parts, and what its programs do. Each program is named once. */
function generate(dice: Dice): Case {
  const does: Record<string, string> = {};
  const lines = dice.chance(50) ? ['set -e'] : [];
  const count = dice.below(5);
  const add = (name: string, source: string): string => {
    does[name] = source;
    return name;
  };
  for (let index = 0; index < count; index += 1) {
    const how = dice.below(8);
    // Longer than all else takes, also on a busy machine.
    const stay = () => `sleep 20; exit ${dice.one([0, 4])}`;
    if (how === 0) lines.push(`${add(`p-task${index}`, `sleep 0.3; exit ${dice.one([0, 0, 3])}`)} --n ${index}`);
    else if (how === 1) lines.push(`export NOTE=${dice.one(['a', '"b c"', '$(echo d)', `"\${NONE:-e}"`])}`);
    else if (how === 2) {
      const name = add(`p-opt${index}`, 'sleep 60');
      lines.push(`if [ -n "$${dice.one(['SET', 'NONE'])}" ]; then`, `  ${name} &`, 'fi');
    } else if (how === 3) lines.push(`${add(`p-bg${index}`, stay())} "x $NOTE" &`);
    else if (how === 4)
      lines.push(`cd ${dice.one(['/', '/usr', '/usr/bin'])}`, `${add(`p-at${index}`, 'true')} "$PWD"`);
    else if (how === 5)
      lines.push(
        `f${index}() {`,
        `  ${add(`p-fn${index}`, stay())} "$V$NOTE" "$@"`,
        '}',
        `V=${index}`,
        `f${index} 'a b' &`,
      );
    else if (how === 6) lines.push(`(cd /tmp && exec ${add(`p-in${index}`, stay())} "$PWD") &`, 'sleep 0.05');
    else lines.push(`${add(`p-ok${index}`, 'exit 1')} || ${add(`p-or${index}`, 'true')} *.none`);
  }
  lines.push(`${add('p-last', 'sleep 0.4; exit 5')} ${dice.one(['&', '>/dev/null &'])}`, 'wait -n', 'exit $?');
  if (dice.chance(30)) lines.splice(-3, 3, `${dice.one(['', 'exec '])}p-last`);
  return { script: ended(...lines), does, env: { SET: 'yes' }, unordered: true };
}

test('generated scripts start the same programs and end with the same code', async () => {
  const dice = new Dice(Number(process.env.SVC_TEST_SEED ?? 20_261_130));
  const cases = Array.from({ length: 32 }, () => generate(dice));
  for (let at = 0; at < cases.length; at += 4) await Promise.all(cases.slice(at, at + 4).map(compare));
});

const noSupervisord = existsSync('/usr/bin/supervisord') ? null : 'Debian’s supervisor is not installed';

describe.skipIf(skipWhen([noSupervisord], 'supervisord beside its import'))('supervisord.conf and its import', () => {
  const config = (...programs: readonly string[]) =>
    ['[supervisord]', 'nodaemon=true', 'logfile=/dev/null', 'pidfile=/dev/null', 'user=root', ...programs, ''].join(
      '\n',
    );

  /** What was started, and what each program got as its stop signal. */
  async function both(text: string, does: Readonly<Record<string, string>>): Promise<readonly [Outcome, Outcome]> {
    const stage = new Stage({ does }, []);
    const path = stage.write('supervisord.conf', text);
    const original = await stage.run('supervisord', ['/usr/bin/supervisord', '-c', path], 2_500);
    const imported = await stage.run('import', [binary, 'up', '-f', stage.import('supervisord', path)], 2_500);
    return [original, imported];
  }

  test('the same programs with the same arguments, variables and stop signals', async () => {
    const waits = (signal: string) =>
      `trap 'echo "$name got ${signal}" >> "$LOG"; exit 0' ${signal}; while :; do sleep 0.05; done`;
    const text = config(
      '[program:web]',
      'command=p-web --name %(program_name)s "a b" ; a comment',
      'environment=NOTE="x y"',
      'stopsignal=QUIT',
      '[program:worker]',
      'command=sh -c "p-worker $NOTE; true"',
      'environment=NOTE=shell',
      'numprocs=2',
      'startsecs=0',
      'process_name=%(program_name)s_%(process_num)02d',
      'autorestart=false',
      '[program:off]',
      'command=p-off',
      'autostart=false',
    );
    const does = { 'p-web': waits('QUIT'), 'p-worker': 'true', 'p-off': 'true' };
    const [original, imported] = await both(text, does);
    expect([...imported.started].sort()).toEqual([...original.started].sort());
    expect(imported.started).toContain('p-web got QUIT');
    expect(imported.code).toBe(0);
  });

  test('a listener that ends supervisord: both end when a program has ended', async () => {
    const listener = `printf 'READY\\n'; while read -r line; do case "$line" in *eventname:PROCESS_STATE_EXITED*) kill -QUIT $PPID ;; esac; done`;
    const text = config(
      '[program:job]',
      'command=p-job',
      'startsecs=0',
      'autorestart=false',
      '[eventlistener:quit]',
      `command=p-kill-supervisor`,
      'events=PROCESS_STATE_EXITED',
    );
    const [original, imported] = await both(text, { 'p-job': 'sleep 0.2; exit 4', 'p-kill-supervisor': listener });
    expect(original.started.filter((line) => line.startsWith('p-job'))).toEqual(['p-job']);
    expect(imported.started).toEqual(['p-job']);
    // The code is that of the program; supervisord ends with its own.
    expect([original.code, imported.code]).toEqual([0, 4]);
  });
});

const noS6 = existsSync('/usr/bin/s6-svscan') ? null : 'Debian’s s6 is not installed';

describe.skipIf(skipWhen([noS6], 's6 beside its import'))('a tree of services.d and its import', () => {
  test('the same programs; one that ends is started again', async () => {
    const does = { 'p-web': `exec sleep 60`, 'p-flaky': 'sleep 0.3; exit 1', 'p-off': 'true' };
    const stage = new Stage({ does }, []);
    stage.write('etc/services.d/web/run', `#!/bin/sh\nexport NOTE='from run'\nexec p-web --flag "a b"\n`, 0o755);
    stage.write('etc/services.d/flaky/run', '#!/bin/sh\ncd /usr\nexec p-flaky\n', 0o755);
    stage.write('etc/services.d/off/run', '#!/bin/sh\nexec p-off\n', 0o755);
    stage.write('etc/services.d/off/down', '');
    const imported = await stage.run('import', [binary, 'up', '-f', stage.import('s6', '.')], 3_000);
    const original = await stage.run('s6', ['/usr/bin/s6-svscan', join(stage.folder, 'etc/services.d')], 3_000);
    const names = ({ started }: Outcome) => [...new Set(started)].sort();
    expect(names(imported)).toEqual(names(original));
    expect(names(imported)).toEqual(['p-flaky', 'p-web --flag a b NOTE=from run']);
    for (const { started } of [original, imported]) {
      expect(started.filter((line) => line.startsWith('p-flaky')).length).toBeGreaterThan(1);
    }
  });
});
