// The URL and the token of `--url`: which are accepted, and what is said of the others.
import { expect, test } from 'bun:test';
import type { CommandContext } from '../../src/cli/command.ts';
import { reachRemote } from '../../src/cli/remote.ts';
import { memoryFiles } from '../config/rig.ts';

function reach(values: Readonly<Record<string, string>>, environment: Readonly<Record<string, string>> = {}) {
  const context: Partial<CommandContext> = {
    environment,
    files: memoryFiles({ '/key.pem': '-----BEGIN PRIVATE KEY-----\n' }),
    get execStdin(): string {
      throw new Error('a getter was called');
    },
    version: '1.2.3',
  };
  const reached = reachRemote(context as CommandContext, values);
  if (!reached.ok) return reached.why;
  const dial = reached.context.dial();
  expect([reached.context.version, reached.context.execStdin]).toEqual(['1.2.3', null]);
  return dial.ok ? `${dial.path} ${dial.remote?.authority} ${dial.remote?.prefix} ${dial.remote?.token}` : '';
}

test('the URL of a listener, of an IPv6 address, and of a proxy', () => {
  expect(reach({ url: 'http://10.0.0.5:9100' })).toBe('http://10.0.0.5:9100 10.0.0.5:9100  null');
  expect(reach({ url: 'http://[::1]:9100/' })).toBe('http://[::1]:9100 [::1]:9100  null');
  expect(reach({ url: 'HTTPS://gpu.example/box/', token: 't' })).toBe('https://gpu.example/box gpu.example /box t');
});

test('variables stand for flags, and a flag wins', () => {
  const variables = { SVC_SUPER_URL: 'http://a:1', SVC_SUPER_TOKEN: 'one' };
  expect(reach({}, variables)).toBe('http://a:1 a:1  one');
  expect(reach({ url: 'http://b:2', token: 'two' }, variables)).toBe('http://b:2 b:2  two');
});

test.each([
  ['10.0.0.5:9100', '--url is not the URL of a supervisor: write http://HOST:PORT'],
  ['gpu:9100', '--url is not the URL of a supervisor'],
  ['ftp://gpu', '--url is not the URL of a supervisor'],
  ['http://', '--url is not the URL of a supervisor'],
  ['', '--url is empty'],
  ['http://me:secret@gpu:9100', '--url contains a user: give the token with --token or $SVC_SUPER_TOKEN'],
  ['http://gpu:9100/?token=secret', '--url has more than a path'],
])('%p is refused, without the secret in it', (url, why) => {
  expect(reach({ url })).toStartWith(why);
  expect(reach({ url })).not.toContain('secret');
});

test('a token that cannot be sent, one without a URL, and two supervisors', () => {
  expect(reach({ url: 'http://a:1', token: 'a b' })).toStartWith('--token has a character that no token has');
  expect(reach({}, { SVC_SUPER_URL: 'http://a:1', SVC_SUPER_TOKEN: 'x\n' })).toStartWith('$SVC_SUPER_TOKEN has');
  expect(reach({ token: 'x' })).toBe('--token is for a supervisor at --url or $SVC_SUPER_URL');
  expect(reach({ url: 'http://a:1', socket: '/s' })).toBe('--url and --socket name two supervisors: use one of them');
  expect(reach({ url: 'https://a' }, { SSL_CERT_FILE: '/none.pem' })).toStartWith('$SSL_CERT_FILE cannot be read');
  expect(reach({ url: 'https://a' }, { SSL_CERT_FILE: '/key.pem' })).toBe(
    '$SSL_CERT_FILE names a file without a certificate in the form of PEM',
  );
  // Without TLS there is no certificate to check.
  expect(reach({ url: 'http://a:1' }, { SSL_CERT_FILE: '/none.pem' })).toBe('http://a:1 a:1  null');
});
