// Starts that take too long or stop moving (SPEC section 1), and starts that fail at one of their steps (section 3): what
// cannot be executed, folders, scripts without `#!`. All of it before the program's first instruction.
import { expect, test } from 'bun:test';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRoot, played, puppetCommand, puppetShell, until, up, useRig, variable } from '../helpers/rig.ts';
import { Web } from '../helpers/web.ts';

useRig();

test('start_timeout: past it the start has failed, with 124 and the last reason', async () => {
  await using web = await Web.serve(() => ({ status: 503 }));
  await using run = await up({
    services: { a: played({ start_timeout: '300ms', ready: { http: { port: web.port } } }) },
  });
  const a = await run.puppet('a');
  await a.trap('TERM');
  await a.signalled('SIGTERM');
  await a.exit(0);
  await run.ends(124);
  await run.line(/a was not ready within start_timeout \(300 ms\): HTTP 503/);
});

test('start_timeout: a service that ignores its stop signal is killed, and the code is still 124', async () => {
  await using run = await up({
    services: { a: played({ start_timeout: '200ms', ready: { file: 'never' }, stop: { timeout: '50ms' } }) },
  });
  await (await run.puppet('a')).ignore('TERM');
  await run.ends(124);
});

test('start_timeout: it may be started again', async () => {
  const restart = { policy: 'on-failure', max: 1, backoff: { initial: '1ms' } };
  await using run = await up({
    services: { a: played({ start_timeout: '300ms', ready: { notify: true }, restart }) },
  });
  const first = await run.puppet('a', 1);
  await first.gone;
  await (await run.puppet('a', 2)).notify();
  expect(await run.state('a', 'ready')).toMatchObject({ restarts: 1 });
});

test('start_timeout: it counts until ready and no longer', async () => {
  await using run = await up({
    services: { a: played({ start_timeout: '400ms', ready: { notify: true } }), b: played({ ready: { file: 'x' } }) },
  });
  await (await run.puppet('a')).notify();
  await run.state('a', 'ready');
  await until('its time to pass', async () => ((await run.service('a')).uptime_seconds ?? 0) > 0.5);
  expect((await run.service('a')).state).toBe('ready');
});

test('start_stall: a start without output and without a changed answer has failed, with 124', async () => {
  await using run = await up({
    services: { a: played({ start_stall: '200ms', ready: { file: 'never' } }) },
  });
  await run.puppet('a');
  await run.ends(124);
  await run.line(/a made no progress for start_stall \(200 ms\): .*never does not exist yet/);
});

test('start_stall: output keeps a start alive', async () => {
  await using run = await up({ services: { a: played({ start_stall: '600ms', ready: { file: 'never' } }) } });
  const a = await run.puppet('a');
  const began = performance.now();
  for (let count = 0; performance.now() - began < 1_500; count += 1) {
    await a.print(`step ${count}`);
    await run.line(new RegExp(`step ${count}$`));
  }
  expect((await run.service('a')).state).toBe('starting');
  await run.ends(124);
});

test('start_stall: a changed answer keeps a start alive', async () => {
  let progress = 0;
  await using web = await Web.serve(() => ({ body: `{"loaded":${progress}}` }));
  await using run = await up({
    services: {
      a: played({ start_stall: '600ms', ready: { http: { port: web.port, json: { path: 'loaded', equals: 100 } } } }),
    },
  });
  await run.puppet('a');
  const began = performance.now();
  while (performance.now() - began < 1_500) {
    progress += 1;
    await web.asks(2);
  }
  expect((await run.service('a')).state).toBe('starting');
  progress = 100;
  await run.state('a', 'ready');
});

test('a command that is in no folder of PATH is 127', async () => {
  await using run = await up({ services: { a: { command: ['no-such-program'] } } });
  await run.ends(127);
  await run.line(/a could not be started.*: cannot execute no-such-program: it is in no folder of PATH/);
});

test('a file that does not exist is 127', async () => {
  await using run = await up({ services: { a: { command: ['/opt/none/vllm'] } } });
  await run.ends(127);
  await run.line(/cannot execute \/opt\/none\/vllm: there is no such file/);
});

test("a shell's own code for a command that is not there stays 127", async () => {
  await using run = await up({ services: { a: { command: 'no-such-program' } } });
  await run.ends(127);
});

test('a file that is not executable is 126', async () => {
  await using run = await up({ services: { a: { command: ['./plain.txt'] } } }, { files: { 'plain.txt': 'text' } });
  await run.ends(126);
  await run.line(/cannot execute \.\/plain\.txt: it is not executable/);
});

test('a folder in place of a program is 126', async () => {
  await using run = await up({ services: { a: { command: ['/etc'] } } });
  await run.ends(126);
  await run.line(/cannot execute \/etc/);
});

test('a script whose interpreter is missing is 127, and the message thinks of it', async () => {
  await using run = await up(
    { services: { a: { command: ['./run'] } } },
    {
      files: { run: '#!/opt/none/python\n' },
      before: 'chmod 755 run',
    },
  );
  await run.ends(127);
  await run.line(/cannot execute \.\/run: .*run needs \/opt\/none\/python, and there is no such file/);
});

test('a script without #! is run by the shell', async () => {
  await using run = await up(
    { services: { a: { command: ['./script', 'x y'] } } },
    {
      files: { script: 'echo "I was given <$1>"\nexit 7\n' },
      before: 'chmod 755 script',
    },
  );
  await run.ends(7);
  await run.line(/^a +\| I was given <x y>$/);
});

test('a script without #! that is found on PATH is run by the shell too', async () => {
  await using run = await up(
    { services: { a: { command: ['script'], env: { PATH: './tmp:/bin:/usr/bin' } } } },
    {
      before: 'echo "exit 7" > tmp/script; chmod 755 tmp/script',
      leaves: ['tmp/script'],
    },
  );
  await run.ends(7);
});

for (const [kind, fields] of [
  ['through the plain spawn', {}],
  ['with attributes of its own', { umask: '022' }],
] as const) {
  test(`the program is looked for on the PATH of the service, ${kind}`, async () => {
    await using run = await up(
      { services: { a: { command: ['only-here'], env: { PATH: variable('TMPDIR') }, ...fields } } },
      {
        before: 'printf "#!/bin/sh\\nexit 5\\n" > tmp/only-here; chmod 755 tmp/only-here',
      },
    );
    await run.line(/a exited with code 5/);
  });

  test(`a script without #! is run by the shell, ${kind}`, async () => {
    await using run = await up(
      { services: { a: { command: ['./script', 'x'], ...fields } } },
      {
        files: { script: 'echo "given $1"\nexit 7\n' },
        before: 'chmod 755 script',
      },
    );
    await run.ends(7);
    await run.line(/given x/);
  });

  test(`a command that is not there is 127, ${kind}`, async () => {
    await using run = await up({ services: { a: { command: ['no-such-program'], ...fields } } });
    await run.ends(127);
    await run.line(/cannot execute no-such-program: it is in no folder of PATH/);
  });

  test(`a file that is not executable is 126, ${kind}`, async () => {
    await using run = await up(
      { services: { a: { command: ['./plain.txt'], ...fields } } },
      { files: { 'plain.txt': '' } },
    );
    await run.ends(126);
    await run.line(/cannot execute \.\/plain\.txt: it is not executable/);
  });

  test(`a folder that does not exist is said to be the step that failed, ${kind}`, async () => {
    await using run = await up({ services: { a: played({ cwd: '/no/such/folder', ...fields }) } });
    await run.ends(126);
    await run.line(/a could not be started.*: cannot change to \/no\/such\/folder: there is no such folder/);
  });

  test(`a file in place of a folder is said so, ${kind}`, async () => {
    await using run = await up({ services: { a: played({ cwd: '/etc/passwd', ...fields }) } });
    await run.ends(126);
    await run.line(/a could not be started.*: cannot change to \/etc\/passwd: it is not a folder/);
  });

  test(`an end right after its start is not lost, ${kind}`, async () => {
    await using run = await up({ services: { a: { command: ['/bin/sh', '-c', 'exit 9'], ...fields } } });
    await run.ends(9);
  });

  test(`a relative command is looked for in the folder of the service, ${kind}`, async () => {
    await using run = await up(
      { services: { a: { command: ['./here'], cwd: 'tmp', ...fields } } },
      {
        before: 'printf "#!/bin/sh\\nexit 5\\n" > tmp/here; chmod 755 tmp/here',
      },
    );
    await run.line(/a exited with code 5/);
  });
}

test.skipIf(!isRoot)('a folder that the user of the service may not enter is said so', async () => {
  await using run = await up(
    { services: { a: played({ user: 'nobody', cwd: 'secret' }) } },
    {
      before: 'mkdir -m 700 secret',
      leaves: ['secret'],
    },
  );
  await run.ends(126);
  await run.line(/a could not be started.*: cannot change to .*secret: user nobody may not enter it/);
});

test.skipIf(!isRoot)('a program that the user of the service may not execute is 126', async () => {
  await using run = await up(
    { services: { a: { command: ['./mine'], user: 'nobody' } } },
    {
      files: { mine: '#!/bin/sh\n' },
      before: 'chmod 700 mine',
    },
  );
  await run.ends(126);
});

test('a limit that cannot be raised is said to be the step that failed', async () => {
  await using run = await up(
    { services: { a: played({ limits: { nofile: 5000 } }) } },
    { before: 'ulimit -n 1000', ...(isRoot && { unshare: ['--user'] }) },
  );
  await run.ends(126);
  await run.line(/a could not be started.*: cannot set limits\.nofile: .*not permitted/);
});

test('a start that fails may be tried again', async () => {
  await using run = await up({
    services: {
      a: { command: ['./late'], restart: { policy: 'on-failure', backoff: { initial: '10ms', max: '10ms' } } },
    },
  });
  await run.line(/a could not be started.*; starting again in/);
  writeFileSync(join(run.folder, 'late'), `#!/bin/sh\nexec ${puppetShell}\n`);
  chmodSync(join(run.folder, 'late'), 0o755);
  expect((await run.puppet('a')).run).toBeGreaterThan(1);
});

test('a command that is a string runs under /bin/sh -c, with its $ and its quotes', async () => {
  await using run = await up({
    services: { a: { command: `X='a  b'; echo "<$X> \${Y:-none} $$ $(echo sub) $0"; exec ${puppetShell}` } },
  });
  const a = await run.puppet('a');
  await run.line(new RegExp(`<a {2}b> none ${a.pid} sub /bin/sh$`));
});

test('a command that is a list is executed as it stands, no shell', async () => {
  await using run = await up({ services: { a: { command: ['/bin/echo', '$HOME', '*', 'a  b', '', '&&', "'"] } } });
  await run.ends(0);
  await run.line(/^a +\| \$HOME \* a {2}b {2}&& '$/);
});

test('interpolation reaches the words of a list, and $${ stands for itself', async () => {
  await using run = await up(
    {
      services: {
        a: { command: ['/bin/echo', variable('WHO:-you'), variable('NOT:-there'), `$${variable('WHO')}`, '$WHO'] },
      },
    },
    { env: { WHO: 'me' } },
  );
  await run.ends(0);
  await run.line(/^a +\| me there \$\{WHO\} \$WHO$/);
});

test('an argument of every kind arrives as it was written', async () => {
  const text = 'ünï "quoted" \\back `tick` \t tab';
  await using run = await up({ services: { a: { command: [...puppetCommand, text] } } });
  const a = await run.puppet(Buffer.from(text).toString('latin1'));
  expect(a.pid).toBeGreaterThan(1);
});
