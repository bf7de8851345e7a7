// The text of /etc/hosts with and without the services' names: one block, and no other change.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { hostNames, withHosts, withoutHosts } from '../../src/plan/hosts.ts';
import { planOf } from '../config/rig.ts';

const DOCKER = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n172.17.0.2\t6f1d2c8a9b10\n';
const block = (...names: string[]) =>
  `# svc-super: these names are services of this container\n${names.map((name) => `127.0.0.1\t${name}\n`).join('')}# svc-super: end\n`;

describe('the names of a plan', () => {
  test('are those of its enabled services, and the common names of replicas', () => {
    const text = `
services:
  db: { command: run }
  model: { command: run, replicas: 2 }
  off: { command: run, enabled: false }
`;
    expect(hostNames(planOf(text))).toEqual(['db', 'model', 'model.0', 'model.1']);
  });
});

describe('withHosts', () => {
  test('adds one block at the end', () => {
    expect(withHosts(DOCKER, ['db', 'web'])).toEqual({ text: DOCKER + block('db', 'web'), skipped: [] });
    expect(withHosts('127.0.0.1 localhost', ['db']).text).toBe(`127.0.0.1 localhost\n${block('db')}`);
    expect(withHosts('', ['db']).text).toBe(block('db'));
  });

  test('replaces the block of a killed supervisor, and keeps lines after it', () => {
    const stale = `${DOCKER}${block('old', 'db')}10.0.0.9\tadded\n`;
    expect(withHosts(stale, ['db'])).toEqual({ text: `${DOCKER}10.0.0.9\tadded\n${block('db')}`, skipped: [] });
  });

  test('leaves out existing names and names that look like addresses, with the reasons', () => {
    const { text, skipped } = withHosts(DOCKER, [
      'LocalHost',
      '6f1d2c8a9b10',
      '10',
      '1.2',
      '0x7f',
      'a..b',
      'web.',
      'web',
    ]);
    expect(text).toBe(DOCKER + block('web'));
    expect(skipped.map(({ name, why }) => `${name}: ${why}`)).toEqual([
      'LocalHost: it exists already, as 127.0.0.1',
      '6f1d2c8a9b10: it exists already, as 172.17.0.2',
      '10: resolvers would read it as an address',
      '1.2: resolvers would read it as an address',
      '0x7f: resolvers would read it as an address',
      'a..b: it is not a valid host name',
      'web.: it is not a valid host name',
    ]);
  });

  test('ignores comments', () => {
    expect(withHosts('10.0.0.1 other # db web\n', ['db']).skipped).toEqual([]);
  });

  test('without any name there is no block', () => {
    expect(withHosts(DOCKER, ['localhost']).text).toBe(DOCKER);
  });
});

describe('withoutHosts', () => {
  test('removes only the block, even if its end is missing', () => {
    expect(withoutHosts(DOCKER + block('a', 'b'))).toBe(DOCKER);
    const cut = `${DOCKER}${block('a')}`.replace('# svc-super: end\n', '10.0.0.9\tadded\n');
    expect(withoutHosts(cut)).toBe(`${DOCKER}10.0.0.9\tadded\n`);
    const cutBefore = `${DOCKER}${block('a')}`.replace('# svc-super: end\n', '127.0.0.1\tmine also\n');
    expect(withoutHosts(cutBefore)).toBe(`${DOCKER}127.0.0.1\tmine also\n`);
  });

  test('undoes withHosts for any text, except a missing last newline', () => {
    const line = fc.constantFrom(
      '127.0.0.1\tlocalhost\n',
      '\n',
      '# a comment\n',
      '10.0.0.1 a b\r\n',
      '127.0.0.1\tx\n',
      '\xff\n',
    );
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.constantFrom('a', 'b', 'c', '10')), (lines, names) => {
        expect(withoutHosts(withHosts(lines.join(''), names).text)).toBe(lines.join(''));
      }),
    );
  });
});
