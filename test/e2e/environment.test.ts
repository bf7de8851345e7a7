// The environment of a service: the layers and their precedence, interpolation, secrets from files, env_inherit, and the
// supervisor's variables. Read from inside the program.
import { expect, test } from 'bun:test';
import {
  freePort,
  isRoot,
  played,
  puppetCommand,
  type Run,
  type UpOptions,
  up,
  useRig,
  variable,
} from '../helpers/rig.ts';

useRig();

type Env = Readonly<Record<string, string>>;

async function envOf(run: Run, name = 'a'): Promise<Env> {
  return (await (await run.puppet(name)).facts()).env;
}

/** The environment of a service with these fields, in a file with those fields. */
async function envWith(fields: object, top: object = {}, options: UpOptions = {}): Promise<Env> {
  await using run = await up({ ...top, services: { a: played({ ...fields }) } }, options);
  return await envOf(run);
}

test('precedence: service env, service env_file, top env, top env_file, the container', async () => {
  const env = await envWith(
    { env: { A: 'service env' }, env_file: 'service.env' },
    { env: { A: 'x', B: 'x', C: 'top env' }, env_file: ['top.env'] },
    {
      env: { A: 'container', B: 'container', C: 'container', D: 'container', E: 'container' },
      files: {
        'service.env': 'A=service file\nB=service file\n',
        'top.env': 'A=top file\nB=top file\nC=top file\nD=top file\n',
      },
    },
  );
  expect(env).toMatchObject({ A: 'service env', B: 'service file', C: 'top env', D: 'top file', E: 'container' });
});

test('of several env files the later one wins', async () => {
  const env = await envWith(
    { env_file: ['one.env', 'two.env'] },
    {},
    {
      files: { 'one.env': 'A=1\nB=1\n', 'two.env': 'B=2\n' },
    },
  );
  expect(env).toMatchObject({ A: '1', B: '2' });
});

test('env files support comments, quotes and export', async () => {
  const env = await envWith(
    { env_file: 'a.env' },
    {},
    {
      files: { 'a.env': '# comment\n\nexport A=plain\nB="with spaces # and more"\nC=\'$HOME stays\'\nD=\nE=x=y\n' },
    },
  );
  expect(env).toMatchObject({ A: 'plain', B: 'with spaces # and more', C: '$HOME stays', D: '', E: 'x=y' });
});

test('an env file that is not required may be missing', async () => {
  expect(await envWith({ env_file: [{ path: 'none.env', required: false }], env: { A: '1' } })).toMatchObject({
    A: '1',
  });
});

test('an env file that is missing is an error, and nothing is started', async () => {
  await using run = await up({ services: { a: played({ env_file: 'none.env' }), b: played() } });
  await run.ends(78);
  await run.line(/none\.env/);
  expect(run.hasCalled('b')).toBe(false);
});

test('numbers and booleans arrive as text', async () => {
  expect(await envWith({ env: { N: 8000, T: true, F: 1.5, E: '' } })).toMatchObject({
    N: '8000',
    T: 'true',
    F: '1.5',
    E: '',
  });
});

test('interpolation in values: a variable, a default, itself', async () => {
  const env = await envWith(
    {
      env: {
        A: `<${variable('WHO')}>`,
        B: variable('NONE:-fallback'),
        C: variable('EMPTY:-fallback'),
        D: `$${variable('WHO')}`,
        E: '$WHO costs 5$',
      },
    },
    {},
    { env: { WHO: 'me', EMPTY: '' } },
  );
  expect(env).toMatchObject({ A: '<me>', B: 'fallback', C: 'fallback', D: variable('WHO'), E: '$WHO costs 5$' });
});

test('a required variable that is missing ends everything with 78 and the reason', async () => {
  await using run = await up({ services: { a: played({ env: { A: variable('TOKEN:?set it with -e TOKEN') } }) } });
  await run.ends(78);
  await run.line(/TOKEN.*set it with -e TOKEN/);
  expect(run.hasCalled('a')).toBe(false);
});

test('a secret is the text of a file without its last newline', async () => {
  const env = await envWith(
    { env: { A: { file: 'one' }, B: { file: 'two' }, C: { file: 'three' } } },
    {},
    {
      files: { one: 's3cret\n', two: 'two lines\nand more\n\n', three: 'no newline' },
    },
  );
  expect(env).toMatchObject({ A: 's3cret', B: 'two lines\nand more\n', C: 'no newline' });
});

test('a secret is shown nowhere: not in the log, status, check or a failure', async () => {
  const secret = 'hunter2-0a8f';
  await using run = await up(
    {
      services: {
        a: played({ env: { TOKEN: { file: 'token' } }, ready: { exec: 'echo "$SVC_NAME"; false' } }),
        b: played({ env: { TOKEN: { file: 'token' } }, port: await freePort() }),
      },
    },
    { files: { token: `${secret}\n` } },
  );
  const [a, b] = [await run.puppet('a'), await run.puppet('b')];
  expect((await a.facts()).env.TOKEN).toBe(secret);
  const shown = [];
  for (const args of [['status'], ['status', '--json'], ['health', '--json'], ['check', '--json'], ['check']]) {
    const { stdout, stderr } = await run.command(...args);
    shown.push(stdout, stderr);
  }
  await b.die(6);
  await run.ends(134);
  shown.push(...run.lines);
  expect(shown.filter((text) => text.includes(secret))).toEqual([]);
  expect(shown.length).toBeGreaterThan(10);
});

test('a secret that cannot be read ends everything with 78 before any spawn', async () => {
  await using run = await up({ services: { a: played({ env: { A: { file: '/no/such/secret' } } }), b: played() } });
  await run.ends(78);
  await run.line(/\/no\/such\/secret/);
  expect(run.hasCalled('b')).toBe(false);
});

const OURS = {
  SVC_NAME: 'a',
  SVC_RUN: '1',
  SPT_NOENV: '1',
  SVC_SUPER_SOCKET: expect.stringMatching(/\/control\.sock$/),
};

test('env_inherit: all is the default', async () => {
  expect(await envWith({}, {}, { env: { RAY_X: '1' } })).toMatchObject({ RAY_X: '1', ...OURS });
});

test("env_inherit: none leaves only configured variables and the supervisor's", async () => {
  const env = await envWith({ env_inherit: 'none', env: { A: '1' } }, { env: { B: '2' } });
  expect(env).toEqual({ A: '1', B: '2', ...OURS });
});

test('env_inherit: patterns', async () => {
  const env = await envWith(
    { env_inherit: ['PATH', 'RAY_*', 'X?'] },
    {},
    {
      env: { RAY_A: '1', RAY_: '2', XRAY_B: '3', X1: '4', X12: '5', PATH: '/usr/bin:/bin' },
    },
  );
  expect(env).toEqual({ PATH: '/usr/bin:/bin', RAY_A: '1', RAY_: '2', X1: '4', ...OURS });
});

test('the first port is exported as PORT', async () => {
  const ports = [await freePort(), await freePort()];
  expect(await envWith({ ports })).toMatchObject({ PORT: String(ports[0]) });
});

test("PORT of the service's env wins, that of the container does not", async () => {
  const port = await freePort();
  expect(await envWith({ port, env: { PORT: 'mine' } })).toMatchObject({ PORT: 'mine' });
  expect(await envWith({ port }, {}, { env: { PORT: 'container' } })).toMatchObject({ PORT: String(port) });
});

test('without a port there is no PORT', async () => {
  expect((await envWith({})).PORT).toBeUndefined();
});

test('SVC_NAME, SVC_RUN and SPT_NOENV come from the supervisor, whatever the container has', async () => {
  expect(await envWith({}, {}, { env: { SVC_NAME: 'x', SVC_RUN: '9', SPT_NOENV: '0' } })).toMatchObject(OURS);
});

test('variables of the supervisor and its runtime do not reach a service', async () => {
  const env = await envWith({ env_inherit: 'all' }, {}, { env: { HOME: '/root', NOTIFY_SOCKET: '@somebody' } });
  const known = ['PATH', 'HOME', 'TMPDIR', 'SVC_SUPER_SOCKET', 'SVC_SUPER_CONFIG', ...Object.keys(OURS)];
  expect(Object.keys(env).filter((name) => !known.includes(name))).toEqual([]);
});

test('variables for the runtime reach the services as in the container', async () => {
  const given = {
    NODE_OPTIONS: '--max-old-space-size=100',
    BUN_OPTIONS: '--smol',
    BUN_JSC_useConcurrentGC: '1',
    MALLOC_ARENA_MAX: '2',
    UV_THREADPOOL_SIZE: '64',
    LD_PRELOAD: '',
  };
  expect(await envWith({}, {}, { env: given })).toMatchObject(given);
});

test.skipIf(!isRoot)('HOME, USER and LOGNAME are those of the user', async () => {
  const passwd = 'root:x:0:0::/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n';
  const env = await envWith(
    { user: 'postgres' },
    {},
    {
      files: { passwd },
      before: 'mount --bind passwd /etc/passwd',
      env: { HOME: '/root', USER: 'root' },
    },
  );
  expect(env).toMatchObject({ HOME: '/var/lib/postgresql', USER: 'postgres', LOGNAME: 'postgres' });
});

test('unusual names and values arrive unchanged: spaces, quotes, newlines, =, UTF-8', async () => {
  const given = { 'WITH.DOT': '1', A: 'a=b=c', B: 'x\ny', C: '"q" \'s\' `t` \\', D: '' };
  expect(await envWith({ env: given })).toMatchObject(given);
});

test('a variable of 100 kB reaches the program', async () => {
  const long = 'x'.repeat(100_000);
  expect((await envWith({ env: { LONG: long } })).LONG).toBe(long);
});

test('an env without PATH: the program is searched in the default folders', async () => {
  await using run = await up({
    services: { a: { command: ['perl', ...puppetCommand.slice(1)], env_inherit: 'none' } },
  });
  expect(await envOf(run)).toEqual(OURS);
});

test('with process attributes the environment is the same as without', async () => {
  await using run = await up(
    { services: { a: played({ env: { X: '1' } }), b: played({ env: { X: '1' }, umask: '022' }) } },
    { env: { NODE_OPTIONS: '--x', BUN_OPTIONS: '--smol', BUN_JSC_useConcurrentGC: '1', LC_ALL: 'C' } },
  );
  const [a, b] = [await envOf(run, 'a'), await envOf(run, 'b')];
  expect({ ...b, SVC_NAME: 'a' } as Env).toEqual(a);
});
