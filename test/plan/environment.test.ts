// biome-ignore-all lint/suspicious/noTemplateCurlyInString: such texts are what is tested
// The environment of each service, and the user that it runs as.
import { describe, expect, test } from 'bun:test';
import { loadPlan } from '../../src/plan/expand.ts';
import type { User } from '../../src/plan/process.ts';
import { readAccounts, resolveUser } from '../../src/plan/users.ts';
import { memoryFiles, messages, oneService, PATH, planOf, printed, serviceOf } from '../config/rig.ts';

const OURS = { SVC_NAME: 'a', SPT_NOENV: '1' };

describe('an environment', () => {
  test('has five layers in order of precedence', () => {
    const text = `
env: { C: top, D: top, E: top }
env_file: top.env
services:
  a:
    command: run
    env: { E: own }
    env_file: own.env
`;
    const files = {
      '/app/top.env': 'B=topfile\nC=topfile\nD=topfile\nE=topfile\n',
      '/app/own.env': 'D=ownfile\nE=ownfile\n',
    };
    const environment = { A: 'container', B: 'container', C: 'container', D: 'container', E: 'container' };
    expect(serviceOf(text, { files, environment }).env as unknown).toEqual({
      A: 'container',
      B: 'topfile',
      C: 'top',
      D: 'ownfile',
      E: 'own',
      ...OURS,
    });
  });

  test('accepts numbers and switches as written', () => {
    const service = serviceOf(
      oneService('command: run', 'env: { A: 1.10, B: 0x1f, C: true, D: "", E: 1e3, F: -0, G: 010 }'),
    );
    expect(service.env).toMatchObject({ A: '1.10', B: '0x1f', C: 'true', D: '', E: '1e3', F: '-0', G: '010' });
  });

  test('expands variables of the container only', () => {
    const text = `env: { A: file }\n${oneService('command: run', 'env: { B: "${A:-none}", C: "x${D}y" }')}`;
    expect(serviceOf(text, { environment: { D: 'd' } }).env).toMatchObject({ A: 'file', B: 'none', C: 'xdy' });
  });

  test('inherits the selected variables of the container', () => {
    const environment = { PATH: '/bin', RAY_A: '1', RAY_B: '2', XRAY_A: '3', 'R.Y_A': '4' };
    const inherit = (written: string): readonly string[] =>
      Object.keys(serviceOf(oneService('command: run', `env_inherit: ${written}`), { environment }).env);
    expect(inherit('all')).toEqual(['PATH', 'RAY_A', 'RAY_B', 'XRAY_A', 'R.Y_A', 'SVC_NAME', 'SPT_NOENV']);
    expect(inherit('none')).toEqual(['SVC_NAME', 'SPT_NOENV']);
    expect(inherit('[PATH, "RAY_*"]')).toEqual(['PATH', 'RAY_A', 'RAY_B', 'SVC_NAME', 'SPT_NOENV']);
    expect(inherit('["R.Y_?"]')).toEqual(['R.Y_A', 'SVC_NAME', 'SPT_NOENV']);
    expect(inherit('["*"]').length).toBe(7);
    expect(inherit('[]')).toEqual(['SVC_NAME', 'SPT_NOENV']);
  });

  test('does not contain the variables of an outer supervisor', () => {
    const environment = { NOTIFY_SOCKET: '/run/s', SVC_RUN: '7', SVC_NAME: 'outer', SPT_NOENV: 'x' };
    const files = { '/app/x.env': 'SVC_RUN=1\nNOTIFY_SOCKET=2\nA=3\n' };
    const service = serviceOf(oneService('command: run', 'env_file: x.env'), { environment, files });
    expect(service.env as unknown).toEqual({ A: '3', ...OURS });
  });

  test('has the first port as PORT, unless the file sets it', () => {
    const port = (...lines: readonly string[]): string | undefined =>
      serviceOf(oneService('command: run', ...lines), {
        environment: { PORT: '1' },
        files: { '/app/x.env': 'PORT=3\n' },
      }).env.PORT;
    expect(port()).toBe('1');
    expect(port('port: 8000')).toBe('8000');
    expect(port('ports: [8001, 8002]')).toBe('8001');
    expect(port('port: 8000', 'env: { PORT: 2 }')).toBe('2');
    expect(port('port: 8000', 'env_file: x.env')).toBe('3');
  });

  test('longer than Linux can execute is refused', () => {
    const environment = { BIG: 'x'.repeat(131_072) };
    expect(messages(oneService('command: run'), { environment })).toEqual([
      '`BIG` is 128 KiB or longer in the environment of `a`, which Linux cannot execute',
    ]);
    expect(messages(oneService('command: run', 'env_inherit: none'), { environment })).toEqual([]);
  });
});

describe('a secret', () => {
  const text = oneService('command: run', 'env: { TOKEN: { file: /run/secrets/token }, X: y }');

  test("is its file's text without the last newline, and is marked as a secret", () => {
    const secret = (contents: string) => serviceOf(text, { files: { '/run/secrets/token': contents } });
    expect(secret('abc\n').env.TOKEN).toBe('abc');
    expect(secret('abc').env.TOKEN).toBe('abc');
    expect(secret('abc\r\n').env.TOKEN).toBe('abc');
    expect(secret('abc\n\n').env.TOKEN).toBe('abc\n');
    expect(secret('').env.TOKEN).toBe('');
    expect(secret('abc').secrets).toEqual(['TOKEN']);
  });

  test('at the top level is a secret of every service that does not override it', () => {
    const both = `env: { TOKEN: { file: token } }\nservices:\n  a: { command: run }\n  b: { command: run, env: { TOKEN: open } }\n`;
    const { services } = planOf(both, { files: { '/app/token': 'abc\n' } });
    expect(services.map(({ secrets, env }) => [secrets, env.TOKEN])).toEqual([
      [['TOKEN'], 'abc'],
      [[], 'open'],
    ]);
  });

  test('that cannot be read is reported at its position', () => {
    const denied = Object.assign(new Error('EACCES'), { code: 'EACCES' });
    expect(printed(text, { files: { '/run/secrets/token': denied } })).toBe(
      `services.yaml:4:27: error: cannot read /run/secrets/token: permission denied
   4 |     env: { TOKEN: { file: /run/secrets/token }, X: y }
     |                           ~~~~~~~~~~~~~~~~~~
`,
    );
    expect(messages(text)).toEqual(['cannot read /run/secrets/token: there is no such file']);
    expect(messages(text, { files: { '/run/secrets/token': null } })).toEqual([
      'cannot read /run/secrets/token: it is a folder',
    ]);
  });

  test('that contains a NUL is refused', () => {
    expect(messages(text, { files: { '/run/secrets/token': 'a\0b' } })).toEqual([
      'cannot read /run/secrets/token: it contains a NUL character, which a variable cannot contain',
    ]);
  });

  test('is never shown in messages about other values', () => {
    const wrong = text.replace('X: y', 'X: [y]');
    expect(printed(wrong, { files: { '/run/secrets/token': 'hunter2\n' } })).not.toContain('hunter2');
  });
});

describe('an environment file', () => {
  test('that is missing is an error, unless it is not required', () => {
    expect(printed(oneService('command: run', 'env_file: [x.env]'))).toBe(
      `services.yaml:4:16: error: cannot read x.env: there is no such file
   4 |     env_file: [x.env]
     |                ~~~~~
     help: write \`{path: …, required: false}\` if it may be missing
`,
    );
    expect(messages(oneService('command: run', 'env_file: { path: x.env, required: false }'))).toEqual([]);
  });

  test('that cannot be read is an error even then', () => {
    const denied = Object.assign(new Error('EACCES'), { code: 'EACCES' });
    const text = oneService('command: run', 'env_file: [{ path: x.env, required: false }]');
    expect(messages(text, { files: { '/app/x.env': denied } })).toEqual(['cannot read /app/x.env: permission denied']);
  });

  test('with an invalid line is reported with the position, without the line itself', () => {
    const files = { '/app/x.env': 'A=1\nhunter2\n' };
    expect(printed(oneService('command: run', 'env_file: x.env'), { files })).toBe(
      'x.env:2:1: error: this line is not `KEY=VALUE`\n     help: write `KEY=VALUE`, a comment that begins with `#`, or nothing\n',
    );
  });

  test('is read and reported once, however many services use it', () => {
    const text =
      'env_file: x.env\nservices:\n  a: { command: run, env_file: x.env }\n  b: { command: run, env_file: ./x.env }\n';
    expect(messages(text, { files: { '/app/x.env': 'bad\n' } })).toEqual(['this line is not `KEY=VALUE`']);
    const files = memoryFiles({ '/app/x.env': 'A=1\n', [PATH]: text });
    let reads = 0;
    const read = (path: string): Uint8Array => {
      if (path === '/app/x.env') reads += 1;
      return files.read(path);
    };
    expect(loadPlan({ path: PATH, files: { ...files, read }, environment: {} }).ok).toBe(true);
    expect(reads).toBe(1);
  });

  test('is relative to the folder of services.yaml', () => {
    const files = { '/app/x.env': 'A=1\n', '/shared/y.env': 'B=2\n', '/abs.env': 'C=3\n' };
    const service = serviceOf(oneService('command: run', 'env_file: [x.env, ../shared/y.env, /abs.env]'), { files });
    expect(service.env).toMatchObject({ A: '1', B: '2', C: '3' });
  });

  test('of several files the later one wins', () => {
    const files = { '/app/x.env': 'A=1\nB=1\n', '/app/y.env': 'B=2\n' };
    expect(serviceOf(oneService('command: run', 'env_file: [x.env, y.env]'), { files }).env).toMatchObject({
      A: '1',
      B: '2',
    });
  });
});

const PASSWD = `root:x:0:0:root:/root:/bin/sh
# a comment
nonsense
www:x:33:33::/var/www:/bin/false
app:x:1000:1000:App:/home/app:/bin/sh
homeless:x:1001:1000:::
www:x:99:99::/second:/bin/false
`;
const GROUP = 'root:x:0:\nwww:x:33:\napp:x:1000:\nvideo:x:44:app,www\nrender:x:45:www,app\nbad\n';
const ACCOUNTS = readAccounts(memoryFiles({ '/etc/passwd': PASSWD, '/etc/group': GROUP }));

describe('a user', () => {
  const right: Readonly<Record<string, User>> = {
    root: { uid: 0, gid: 0, groups: [0], name: 'root', home: '/root' },
    '0': { uid: 0, gid: 0, groups: [0], name: 'root', home: '/root' },
    app: { uid: 1000, gid: 1000, groups: [1000, 44, 45], name: 'app', home: '/home/app' },
    '1000': { uid: 1000, gid: 1000, groups: [1000, 44, 45], name: 'app', home: '/home/app' },
    homeless: { uid: 1001, gid: 1000, groups: [1000], name: 'homeless', home: '/' },
    '4242': { uid: 4242, gid: 0, groups: [0], name: null, home: null },
    'app:video': { uid: 1000, gid: 44, groups: [44], name: 'app', home: '/home/app' },
    '4242:4343': { uid: 4242, gid: 4343, groups: [4343], name: null, home: null },
    'www:0': { uid: 33, gid: 0, groups: [0], name: 'www', home: '/var/www' },
  };
  for (const [written, user] of Object.entries(right)) {
    test(`${written} is ${user.uid} of ${user.groups.join(' and ')}`, () => {
      const [name = '', group = null] = written.split(':');
      expect(resolveUser({ user: name, group }, ACCOUNTS)).toEqual({ ok: true, user });
    });
  }

  const wrong: Readonly<Record<string, string>> = {
    nobodi: 'there is no user `nobodi`',
    'app:vidoe': 'there is no group `vidoe`',
    '99999999999': 'there is no user `99999999999`',
    '4294967295': 'there is no user `4294967295`',
  };
  for (const [written, message] of Object.entries(wrong)) {
    test(`${written}: ${message}`, () => {
      const text = oneService('command: run', `user: "${written}"`);
      expect(messages(text, { files: { '/etc/passwd': PASSWD, '/etc/group': GROUP } })).toEqual([message]);
    });
  }

  test('by name needs a password file; by number it works without', () => {
    expect(messages(oneService('command: run', 'user: app'))).toEqual([
      'there is no user `app` (cannot read /etc/passwd: there is no such file)',
    ]);
    expect(serviceOf(oneService('command: run', 'user: 1000')).attributes.user).toMatchObject({ uid: 1000, gid: 0 });
  });

  test('sets HOME and USER, unless the file sets them', () => {
    const environment = { HOME: '/root', USER: 'root', LOGNAME: 'root' };
    const files = { '/etc/passwd': PASSWD };
    const env = (...lines: readonly string[]) => {
      const found = serviceOf(oneService('command: run', ...lines), { environment, files }).env;
      return [found.HOME, found.USER, found.LOGNAME];
    };
    expect(env()).toEqual(['/root', 'root', 'root']);
    expect(env('user: app')).toEqual(['/home/app', 'app', 'app']);
    expect(env('user: app', 'env: { HOME: /data }')).toEqual(['/data', 'app', 'app']);
    expect(env('user: 4242')).toEqual(['/', 'root', 'root']);
  });
});
