// Commands with `--url`: the same as over the unix socket, against a listener with a token; and what each way to miss it is
// answered with.
import { afterAll, expect, test } from 'bun:test';
import { command, freePort, played, up, useRig } from '../helpers/rig.ts';

useRig();

const TOKEN = 'the-right-token';

async function listening() {
  const port = await freePort();
  const run = await up({
    control: { http: { listen: `127.0.0.1:${port}`, token: TOKEN } },
    services: { a: played({ group: 'backend' }), b: played({ group: 'backend' }) },
  });
  await run.line(/the control API and the dashboard are at/);
  return { run, url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => run[Symbol.asyncDispose]() };
}

test('status, logs, exec, an operation with --wait, signal and completion', async () => {
  await using at = await listening();
  const a = await at.run.puppet('a');
  await a.print('hello');
  await at.run.line(/a +\| hello/);
  const variables = { SVC_SUPER_URL: at.url, SVC_SUPER_TOKEN: TOKEN, SVC_SUPER_SOCKET: '/nowhere' };
  const remote = (...args: readonly string[]) => command(args, variables);
  const status = await remote('status', '--json');
  expect(JSON.parse(status.stdout)).toMatchObject({ services: [{ name: 'a' }, { name: 'b' }] });
  expect(await remote('logs', 'a')).toMatchObject({ code: 0, stdout: 'hello\n' });
  expect(await remote('exec', 'a', '--', '/bin/sh', '-c', 'echo out; exit 7')).toMatchObject({
    code: 7,
    stdout: 'out\n',
  });
  expect(await remote('stop', '--group', 'backend', '--wait')).toMatchObject({ code: 0, stdout: 'stopped: a, b\n' });
  expect(await remote('signal', 'HUB', 'a')).toMatchObject({
    code: 1,
    stderr: 'svc-super: there is no signal `HUB`; did you mean `HUP`?\n',
  });
  expect((await remote('completion', 'groups')).stdout).toBe('backend\n');
  // The flags win over the variables.
  const flags = ['health', '--url', at.url, '--token', TOKEN];
  expect((await command(flags, { SVC_SUPER_URL: 'http://127.0.0.1:1' })).stdout).toContain('a is stopped');
});

/** A server that is no supervisor, and whose response looks like one. */
const other = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => Response.json({ services: [] }) });
afterAll(() => other.stop(true));

test('a missing and a wrong token, a host name that is not known there, no host, no listener, another server', async () => {
  await using at = await listening();
  const port = await freePort();
  const status = (url: string, env = {}) => command(['status', '--url', url], env);
  const missing = await status(at.url);
  expect([missing.code, missing.stderr]).toEqual([
    77,
    `svc-super: ${at.url}: it requires a token: give that of \`control.http.token\` in its configuration, with --token or $SVC_SUPER_TOKEN\n`,
  ]);
  expect((await status(at.url, { SVC_SUPER_TOKEN: 'wrong' })).stderr).toContain('it refuses the token');
  const cases = [
    [`http://127.0.0.1:${port}`, 'no process listens there: check the URL, `control.http.listen`'],
    ['http://no-such-host.invalid:9100', 'there is no host of that name\n'],
    [`http://127.0.0.1:${other.port}`, 'not a supervisor (HTTP 200): check scheme, host, port and path'],
    [at.url.replace('http:', 'https:'), 'it does not speak TLS there: write http://\n'],
  ] as const;
  for (const [url, says] of cases) {
    const { code, stderr } = await status(url, { SVC_SUPER_TOKEN: TOKEN });
    expect(stderr).toContain(says);
    expect(code).toBe(69);
  }
  expect(await command(['logs', '--url', 'gpu:9100'])).toMatchObject({ code: 64 });
});
