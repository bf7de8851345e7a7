// How children.ts ends a run and tells of it, on real processes. In a process of its own, as the supervisor would have it.
import { expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';

const ROOT = join(import.meta.dir, '../..');

setDefaultTimeout(90_000);

const BEGIN = `
  import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
  import { realClock } from '${ROOT}/src/ports.ts';
  import { Children, startService } from '${ROOT}/src/sys/children.ts';
  const children = new Children(realClock, process.pid);
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

test('what a run leaves behind is found, though /proc was read before that run began', async () => {
  // A reading that is made in an immediate is shared until the next ones, which come after the exits of a poll.
  expect(
    await outcome(`
      const other = spawn({ runName: 'b#1' });
      setTimeout(() => setImmediate(() => {
        children.signal(other, 'SIGCONT', 'main');
        const daemon = 'if (!fork) { setpgrp; exec "/bin/sleep", 1000 } exit 0';
        let run;
        const exited = () => children.sweep(run, (swept) => {
          console.log(swept.length, 'swept');
          children.kill(other, () => process.exit(0));
        });
        const request = { argv: ['/usr/bin/perl', '-e', daemon], env: {}, cwd: null, user: null, umask: null, nice: null,
          oomScoreAdj: null, cpus: null, limits: {}, runName: 'c#1', output: [null, null] };
        run = children.spawn(request, { ...listener, exited });
        // So that its exit comes with the very next poll.
        while (!readFileSync('/proc/' + run.pid + '/stat', 'latin1').includes(') Z ')) Bun.sleepSync(1);
      }), 10);
    `),
  ).toBe('0 1 swept\n');
});

test('a process whose first thread alone has ended is killed as any other', async () => {
  const script = `
    import { dlopen } from 'bun:ffi';
    const worker = new Worker(URL.createObjectURL(new Blob(['postMessage(1); setInterval(() => {}, 1000)'])));
    const exit = { x64: 60n, arm64: 93n }[process.arch];
    const { syscall } = dlopen('libc.so.6', { syscall: { args: ['i64', 'i64'], returns: 'i64' } }).symbols;
    worker.onmessage = () => syscall(exit, 0n);
  `;
  expect(
    await outcome(`
      const run = spawn({ argv: [process.execPath, '-e', ${JSON.stringify(script)}], env: { PATH: '/usr/bin' } });
      const look = () => {
        const isHalf = readFileSync('/proc/' + run.pid + '/stat', 'latin1').includes(') Z ');
        if (isHalf) children.kill(run, () => tell('emptied'));
        else setTimeout(look, 5);
      };
      look();
    `),
  ).toBe('0 exited emptied\n');
});

test('who has come and gone in a run is not remembered, however often somebody looks', async () => {
  const forking = 'while :; do /bin/sleep 0.01 & wait; done';
  expect(
    await outcome(`
      const run = spawn({ argv: ['/bin/sh', '-c', ${JSON.stringify(forking)}] });
      const seen = new Set();
      const look = () => {
        for (const { pid } of children.processesOf(run)) seen.add(pid);
        if (seen.size < 30) return void setTimeout(look, 2);
        console.log(run.known.size <= 3 ? 'few' : run.known.size);
        children.kill(run, () => process.exit(0));
      };
      look();
    `),
  ).toBe('0 few\n');
});
