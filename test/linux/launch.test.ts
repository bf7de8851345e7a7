// Messages and exit codes for a program that cannot be executed, by the errno that PID 1 reports.
import { expect, test } from 'bun:test';
import { describeExecFailure, describeLaunchFailure } from '../../src/linux/launch.ts';
import { INHERITED } from '../helpers/plans.ts';

const context = { env: {}, cwd: null, attributes: { user: null } };
const [ENOENT, E2BIG, EACCES] = [2, 7, 13];

test('an exec that fails is explained, and has the exit code of a shell', () => {
  const explain = (file: string, errno: number) => describeExecFailure([file], errno, context);
  expect(explain('vlm', ENOENT)).toMatchObject({
    code: 127,
    message: 'cannot execute vlm: it is in no folder of PATH',
  });
  expect(explain('/x/vlm', ENOENT).message).toBe('cannot execute /x/vlm: there is no such file');
  expect(explain('/etc/passwd', EACCES)).toMatchObject({
    code: 126,
    message: 'cannot execute /etc/passwd: it is not executable (mode 0644, owner uid 0). Run `chmod +x /etc/passwd`',
  });
  expect(explain('/x', E2BIG)).toMatchObject({ step: 'exec', code: 126 });
});

test('an explanation that contradicts the errno is not given', () => {
  expect(describeExecFailure(['/bin/sh'], EACCES, context).message).toBe(
    'cannot execute /bin/sh: permission denied (EACCES): an access list or a security module forbids it',
  );
  expect(describeExecFailure(['/bin/sh'], ENOENT, context).message).toContain('or its interpreter is missing');
});

test('an impossible user is explained by the missing capability, or by the user namespace', () => {
  const user = { uid: 99_999, gid: 99_999, groups: [99_999], name: 'app', home: null };
  const spec = { argv: ['a'], env: {}, cwd: null, attributes: { ...INHERITED, user } };
  const about = { files: 1, resource: String };
  const explain = (errno: number) => describeLaunchFailure(spec, { step: 'user', errno, index: 0 }, about).message;
  expect(explain(1)).toStartWith('cannot become user app: operation not permitted (EPERM): ');
  expect(explain(22)).toStartWith('cannot become user app: invalid argument (EINVAL): ');
});
