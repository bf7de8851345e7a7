// Where a program is looked for, and the words and exit codes for one that cannot be executed.
import { expect, test } from 'bun:test';
import { candidates, describeExecFailure } from '../../src/linux/launch.ts';

test('a program is looked for where execvp does', () => {
  expect(candidates('sh', { PATH: '/a:/b::/c' })).toEqual(['/a/sh', '/b/sh', './sh', '/c/sh']);
  expect(candidates('./sh', { PATH: '/a' })).toEqual(['./sh']);
  expect(candidates('sh', {})).toContain('/usr/bin/sh');
});

test('an exec that fails is explained, and has the code that a shell would give', () => {
  expect(describeExecFailure('vlm', 'ENOENT', '').code).toBe(127);
  expect(describeExecFailure('vlm', 'ENOENT', '').message).toContain('it is in no folder of PATH');
  expect(describeExecFailure('/x/vlm', 'ENOENT', '').message).toContain('no such file');
  expect(describeExecFailure('/etc/passwd', 'EACCES', '').code).toBe(126);
  expect(describeExecFailure('/x', 'E2BIG', 'argument list too long')).toMatchObject({ step: 'exec', code: 126 });
});
