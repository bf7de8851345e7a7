// Scripts of s6 services: which chain of programs is a plain command.
import { expect, test } from 'bun:test';
import { execlineCommand } from '../../../src/convert/import/s6-script.ts';

test('a chain is a command where its programs only set something up, with or without their folder', () => {
  expect(execlineCommand('/command/s6-setuidgid app /bin/run -x')).toMatchObject({
    command: ['/bin/run', '-x'],
    user: 'app',
  });
  for (const program of ['redirfd', 's6-softlimit'])
    for (const path of [program, `/command/${program}`]) expect(execlineCommand(`${path} -a 1 run`)).toBeNull();
});
