// The result of a tool that describes the machine.
import { expect, test } from 'bun:test';
import { capture } from '../../src/linux/capture.ts';

const never = new AbortController().signal;
const run = (script: string, abort = never) => capture(['/bin/sh', '-c', script], { PATH: '/usr/bin:/bin' }, abort);

test('a tool that exits gives its code and output, one that a signal ends gives 128 plus that signal', async () => {
  expect(await run('echo a; echo b >&2; exit 3')).toEqual({ code: 3, failure: null, stdout: 'a\n', stderr: 'b\n' });
  expect(await run('kill -TERM $$')).toMatchObject({ code: 143, failure: null });
  expect(await run('exec sleep 60', AbortSignal.abort())).toMatchObject({ code: 137, failure: null });
});

test('a tool that prints too much is killed, which is a failure', async () => {
  expect((await run('yes')).failure).toBe('it printed more than 65536 characters');
});
