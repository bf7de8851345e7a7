// How children.ts ends a run and tells of it, on real processes. In a process of its own, as the supervisor would have it.
import { expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';

const ROOT = join(import.meta.dir, '../..');

setDefaultTimeout(90_000);

const BEGIN = `
  import { closeSync, openSync, writeSync } from 'node:fs';
  import { realClock } from '${ROOT}/src/ports.ts';
  import { Children, startService } from '${ROOT}/src/sys/children.ts';
  const children = new Children(realClock, 1);
  const told = [];
  const tell = (what) => { told.push(what); if (told.length === 2) { console.log(told.join(' ')); process.exit(0); } };
  const listener = { spawned() {}, failed(failure) { throw new Error(failure.message); }, exited() { tell('exited'); } };
  const spawn = (given, starter) => children.spawn(
    { argv: ['/bin/sleep', '1000'], env: {}, cwd: null, user: null, umask: null, nice: null, oomScoreAdj: null, cpus: null,
      limits: {}, runName: 'a#1', output: [null, null], ...given },
    listener, starter,
  );
`;

async function outcome(script: string): Promise<string> {
  const child = Bun.spawn([process.execPath, '-e', BEGIN + script], {
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: 60_000,
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return `${await child.exited} ${out}${err}`;
}

test('who waits for the end of a run is told of it, though it is killed once more by somebody who does not', async () => {
  // No turn of the event loop between the two: its exit cannot have been told.
  expect(
    await outcome(`
      const run = spawn({});
      children.kill(run, () => tell('emptied'));
      children.kill(run);
    `),
  ).toBe('0 exited emptied\n');
});

test('that nothing is left of a run that had to be prepared is told after its exit', async () => {
  // While somebody holds the pipe of its status, whether it executed cannot be known: so long its exit has to wait.
  expect(
    await outcome(`
      let held;
      const run = spawn({ umask: 0o22 }, (launch) => {
        held = openSync('/proc/self/fd/' + launch.stdio.at(-1), 'w');
        writeSync(held, '+');
        const onExit = (...how) => { launch.onExit(...how); closeSync(held); };
        return startService({ ...launch, command: ['/bin/sleep', '1000'], onExit });
      });
      children.kill(run, () => tell('emptied'));
    `),
  ).toBe('0 exited emptied\n');
});
