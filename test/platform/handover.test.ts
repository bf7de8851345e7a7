// The handover as bytes: lines, arguments, environment. In test/native/handover.test.ts the native program writes it.
import { expect, test } from 'bun:test';
import { parseHandover } from '../../src/platform/handover.ts';

const LINES = ['role=supervise', 'protocol=1', 'pid=1', 'now=5', 'page=4096', 'soft_files=1024', 'hard_files=-1'];

function bytes(lines: readonly string[], argv: readonly string[], environment: readonly string[]): Buffer {
  const counts = [`arguments=${argv.length}`, `variables=${environment.length}`];
  return Buffer.from([...lines, ...counts, '', ...argv, ...environment].map((text) => `${text}\0`).join(''), 'latin1');
}

test('lines, arguments and environment are read, empty ones too', () => {
  const found = parseHandover(
    bytes([...LINES, 'socket=/run/x', 'marks=1'], ['svc-super', '', 'up'], ['A=1', 'B=', 'C==']),
  );
  expect(found).toMatchObject({
    role: 'supervise',
    pid1: 1,
    page: 4096,
    files: { soft: 1024, hard: Number.POSITIVE_INFINITY },
    hasMarks: true,
    socket: '/run/x',
    argv: ['svc-super', '', 'up'],
    environment: { A: '1', B: '', C: '=' },
  });
});

test('bytes that are not UTF-8 are kept in names and values', () => {
  const found = parseHandover(bytes(LINES, ['\xff'], ['N\xfe=\xfd']));
  expect([found?.argv, found?.environment]).toEqual([['\udcff'], { 'N\udcfe': '\udcfd' }]);
});

test('a name that occurs twice has its first value, and texts that are not variables are skipped', () => {
  expect(parseHandover(bytes(LINES, [], ['A=1', 'A=2', 'none', '=x', '__proto__=y']))?.environment).toEqual(
    Object.fromEntries([
      ['A', '1'],
      ['__proto__', 'y'],
    ]),
  );
});

test('paths of the control socket that could not be used have a reason', () => {
  const found = parseHandover(bytes([...LINES, 'looked=2 /run/a b', 'looked=1004 /tmp/x'], [], []));
  expect(found?.looked).toEqual([
    { why: 2, path: '/run/a b' },
    { why: 1004, path: '/tmp/x' },
  ]);
});

test('bytes of another release, or other bytes, are not a handover', () => {
  expect(parseHandover(bytes(['protocol=2'], [], []))).toBeNull();
  expect(parseHandover(Buffer.from('hello'))).toBeNull();
  expect(parseHandover(Buffer.alloc(0))).toBeNull();
});
