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

  test('a watchdog: what no longer answers is stopped, and the script ends', async () => {
    const port = await freePort();
    const script = ended(
      `p-model --port ${port} &`,
      'MODEL=$!',
      `until curl -sf localhost:${port}/; do sleep 0.1; done`,
      `while sleep 1; do curl -sf localhost:${port}/ || kill $MODEL; done &`,
      'p-page &',
      'wait -n $MODEL',
      'exit 3',
    );
    // After two seconds the program still runs and listens no more.
    const does = { 'p-model': `timeout 2 python3 "$STUBS/server.py" ${port}; sleep 60 & wait`, 'p-page': 'sleep 60' };
    const stage = new Stage({ does }, ['p-model', 'p-page']);
    const path = stage.write('start.sh', script, 0o755);
    const { code, started } = await stage.run('import', [binary, 'up', '-f', stage.import('start.sh', path)]);
    expect([...started].sort()).toEqual([`p-model --port ${port}`, 'p-page']);
    expect(code).not.toBe(0);
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
  // supervisord removes its pidfile when it ends, whatever that file is.
  const head = ['[supervisord]', 'nodaemon=true', 'logfile=/dev/null', 'pidfile=%(here)s/supervisord.pid', 'user=root'];
  const config = (...programs: readonly string[]) => [...head, ...programs, ''].join('\n');

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

const noS6 =
  existsSync('/usr/bin/s6-svscan') && Bun.which('execlineb') !== null ? null : 'Debian’s s6 is not installed';

describe.skipIf(skipWhen([noS6], 's6 beside its import'))('a tree of s6 and its import', () => {
  test('a tree of services.d: the same programs; one that ends is started again', async () => {
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

  // s6-rc is no package of Debian: its oneshots are run by execline, its longruns by s6-svscan, in the order of the dependencies.
  test('a tree of s6-rc.d: oneshots, longruns and readiness on a descriptor', async () => {
    const does = {
      'p-init': 'true',
      'p-web': 'sleep 0.3; echo >&3; exec sleep 60',
      'p-page': 'exec sleep 60',
      'p-off': 'true',
    };
    const stage = new Stage({ does }, []);
    const base = 'etc/s6-overlay/s6-rc.d';
    const define = (name: string, type: string, files: Readonly<Record<string, string>>): void => {
      stage.write(`${base}/${name}/type`, `${type}\n`);
      for (const [file, text] of Object.entries(files)) stage.write(`${base}/${name}/${file}`, text, 0o755);
    };
    define('init', 'oneshot', { up: 'p-init "a b"\n', 'dependencies.d/base': '' });
    const run = (line: string) => `#!/bin/sh\nexport NOTE=s6\nexec ${line}\n`;
    define('web', 'longrun', { run: run('p-web --x'), 'notification-fd': '3\n', 'dependencies.d/init': '' });
    define('page', 'longrun', { run: run('p-page'), 'dependencies.d/web': '' });
    define('off', 'longrun', { run: run('p-off') });
    for (const name of ['init', 'web', 'page']) stage.write(`${base}/user/contents.d/${name}`, '');
    stage.write(`${base}/user/type`, 'bundle\n');
    const imported = await stage.run('import', [binary, 'up', '-f', stage.import('s6', '.')], 3_000);
    // s6-svwait -U waits for the line on descriptor 3.
    const driver = [
      `cd ${base}`,
      'execlineb -P init/up',
      'mkdir live && cp -r web live',
      's6-svscan live &',
      'sleep 0.5',
      's6-svwait -U -t 5000 live/web && cp -r page live && s6-svscanctl -a live',
      'sleep 1',
      's6-svscanctl -t live',
      'wait',
    ].join('\n');
    const original = await stage.run('s6', ['/bin/sh', '-c', driver]);
    expect(imported.started).toEqual(original.started);
    expect(imported.started).toEqual(['p-init a b', 'p-web --x NOTE=s6', 'p-page NOTE=s6']);
  });
});
