// The reaper beside many spawns in one turn of the event loop. In a process of its own, which becomes a subreaper.
import { expect, test } from 'bun:test';
import { join } from 'node:path';

const ROOT = join(import.meta.dir, '../..');

/** An orphan that has ended lies there when the second of two spawns begins, and the event loop has not turned. */
const SCRIPT = `
  import { realClock } from '${ROOT}/src/ports.ts';
  import { Children } from '${ROOT}/src/sys/children.ts';
  import { becomeSubreaper } from '${ROOT}/src/sys/libc.ts';
  import { readChildren, readProcess } from '${ROOT}/src/sys/processes.ts';
  becomeSubreaper();
  const children = new Children(realClock, 1);
  const listener = { spawned() {}, failed(failure) { throw new Error(failure.message); }, exited() {} };
  const spawn = (argv) => children.spawn(
    { argv, env: { PATH: process.env.PATH }, cwd: null, user: null, umask: null, nice: null, oomScoreAdj: null, cpus: null,
      limits: {}, runName: argv[0], output: [null, null] },
    listener,
  );
  const first = spawn(['/bin/sh', '-c', '(/bin/true &); exec sleep 1000']);
  const orphans = () => readChildren().filter((pid) => pid !== first.pid && readProcess(pid)?.state === 'Z');
  while (orphans().length === 0) Bun.sleepSync(1);
  const before = orphans().length;
  const second = spawn(['/bin/sleep', '1000']);
  console.log(JSON.stringify({ before, after: orphans().length, reaped: children.reaped }));
  children.killEverything();
  process.exit(0);
`;

test('what has ended is reaped between two spawns, before the event loop turns', async () => {
  const child = Bun.spawn([process.execPath, '-e', SCRIPT], { stdout: 'pipe', stderr: 'pipe' });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect(`${await child.exited} ${err}`).toBe('0 ');
  expect(JSON.parse(out)).toEqual({ before: 1, after: 0, reaped: 1 });
});
