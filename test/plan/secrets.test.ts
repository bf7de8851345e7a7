// What is recognized as a secret in a text that is shown, and where it ends.
import { expect, test } from 'bun:test';
import { hideInArguments, hidePasswords } from '../../src/plan/secrets.ts';

test.each([
  ['postgres://u:p/w@host/db', 'postgres://u:***@host/db'],
  ['postgres://u:p@w@host/db', 'postgres://u:***@host/db'],
  ['postgres://u:p@w/x@host', 'postgres://u:***@w/x@host'],
  ['redis://:p?w#x@host:6379/0?mail=a@b', 'redis://:***@host:6379/0?mail=a@b'],
  ['amqp://u:x1@h1,amqp://u:x2/3@h2', 'amqp://u:***@h1,amqp://u:***@h2'],
  ['http://host:80/@scope/a@b http://host:80', 'http://host:80/@scope/a@b http://host:80'],
])('the password of an address ends at the host: %s', (text, shown) => expect(hidePasswords(text)).toBe(shown));

test.each([
  ['password="a b" n=1', 'password="***" n=1'],
  ["password='a b' n=1", "password='***' n=1"],
  [String.raw`{"password": "a \" b", "n": 1}`, '{"password": "***", "n": 1}'],
  ['token="" n=1', 'token="" n=1'],
  ['password="a b', 'password="***'],
  ['Authorization: ApiKey x1', 'Authorization: ApiKey ***'],
])('the value of a field is hidden to its end: %s', (text, shown) => expect(hidePasswords(text)).toBe(shown));

test.each([
  ['serve --api-key x1 --port 80', 'serve --api-key *** --port 80'],
  ["serve --token 'a b' -n 1", 'serve --token *** -n 1'],
  ['serve --password "a \\" b"; next', 'serve --password ***; next'],
  ['serve --api-key \\\n  x1 && next', 'serve --api-key \\\n  *** && next'],
  ['serve --max-tokens 5', 'serve --max-tokens 5'],
])('an option and its value in a command for a shell: %s', (text, shown) => {
  expect(hideInArguments(['/bin/sh', '-c', text])).toEqual(['/bin/sh', '-c', shown]);
});

test('an option with its value in one argument has no other words', () =>
  expect(hideInArguments(['--password=a b', '--url=http://h/?token=x&n=1', 'TOKEN=a exec run'])).toEqual([
    '--password=***',
    '--url=http://h/?token=***&n=1',
    'TOKEN=*** exec run',
  ]));
