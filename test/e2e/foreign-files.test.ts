// Files that the supervisor opens by a path which a service may change. Whatever the service puts there (a link, a FIFO, another
// folder), nothing outside is written, created, renamed, truncated or read. The supervisor is root here; the services are not.
import { expect, test } from 'bun:test';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isRoot, played, type Run, until, up, useRig } from '../helpers/rig.ts';

useRig();

const NOBODY = 65_534;
const SECRET = 'root only\n';
const asRoot = test.skipIf(!isRoot);

/** Shell lines that create `logs`, owned by user nobody, and `vault`, which only root can read, in the run's folder. */
const FOLDERS = `mkdir logs vault; chown ${NOBODY} logs; chmod 700 vault; printf '${SECRET.trim()}\\n' > vault/a.log; chmod 600 vault/a.log`;

async function writing(file: Readonly<Record<string, unknown>> = {}): Promise<Run> {
  return up(
    { services: { a: played({ user: `${NOBODY}`, log: { file: { path: 'logs/a.log', ...file } } }) } },
    { before: FOLDERS, leaves: ['logs', 'vault', 'elsewhere'] },
  );
}

/** Creates a link as the service, which runs as this owner, could do. */
function linkAs(owner: number, target: string, path: string): void {
  rmSync(path, { force: true, recursive: true });
  symlinkSync(target, path);
  lchownSync(path, owner, owner);
}

function vaultOf(run: Run): Record<string, string> {
  const folder = join(run.folder, 'vault');
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

asRoot('a service that replaces its log file by a link to a file of root writes nothing there', async () => {
  await using run = await writing();
  const a = await run.puppet('a');
  await a.print('one');
  await until('the log file', () => existsSync(join(run.folder, 'logs/a.log')));
  linkAs(NOBODY, join(run.folder, 'vault/a.log'), join(run.folder, 'logs/a.log'));
  let count = 0;
  await until('the refusal', async () => {
    count += 1;
    await a.print(`mine ${count}`);
    return run.lines.some((line) =>
      /cannot write .*\/logs\/a\.log: .*\/logs\/a\.log is a symbolic link that another user may have made.*Write the path that it leads to/.test(
        line,
      ),
    );
  });
  run.signal('SIGHUP');
  await a.print('after the reload');
  await run.line(/after the reload/);
  await a.exit(0);
  await run.ends(0);
  expect(vaultOf(run)).toEqual({ 'a.log': SECRET });
});

asRoot('nor by a hard link', async () => {
  await using run = await writing();
  const a = await run.puppet('a');
  await a.print('one');
  await until('the log file', () => existsSync(join(run.folder, 'logs/a.log')));
  rmSync(join(run.folder, 'logs/a.log'));
  linkSync(join(run.folder, 'vault/a.log'), join(run.folder, 'logs/a.log'));
  await until('the refusal', async () => {
    await a.print('mine');
    return run.lines.some((line) => /cannot write .*it has another name \(a hard link\)/.test(line));
  });
  await a.exit(0);
  await run.ends(0);
  expect(vaultOf(run)).toEqual({ 'a.log': SECRET });
});

for (const compress of [false, true]) {
  asRoot(
    `a log folder that is exchanged for a link while its files are rotated${compress ? ' and compressed' : ''} changes nothing where the link leads`,
    async () => {
      await using run = await writing({ max_size: '4KiB', keep: 3, compress });
      const a = await run.puppet('a');
      const vault = join(run.folder, 'vault');
      writeFileSync(join(vault, 'a.log.1'), 'old\n');
      writeFileSync(join(vault, 'a.log.2'), 'older\n');
      const before = vaultOf(run);
      const logs = join(run.folder, 'logs');
      // Repeated, so that the exchange happens between any two steps.
      for (let turn = 0; turn < 40; turn += 1) {
        await a.write(1, 'x'.repeat(99).concat('\n').repeat(30));
        if (turn % 2 === 0) {
          renameSync(logs, join(run.folder, 'elsewhere'));
          linkAs(NOBODY, vault, logs);
        } else {
          rmSync(logs);
          renameSync(join(run.folder, 'elsewhere'), logs);
        }
        await Bun.sleep(turn % 7);
        if (turn % 10 === 0) run.signal('SIGHUP');
      }
      await a.exit(0);
      await run.ends(0);
      expect(vaultOf(run)).toEqual(before);
      for (const name of readdirSync(vault)) expect(statSync(join(vault, name)).uid).toBe(0);
    },
  );
}

asRoot('a rotated file that is exchanged for a link to a secret is not compressed into the folder', async () => {
  await using run = await writing({ max_size: '4KiB', keep: 5, compress: true });
  const a = await run.puppet('a');
  const logs = join(run.folder, 'logs');
  const isRefused = () => run.lines.some((line) => /cannot compress .*a\.log\.\d+: it is a link/.test(line));
  // Several rotations in a row may have moved the links away before one is compressed.
  await until('a link to be refused', async () => {
    if (!existsSync(join(logs, 'a.log.1'))) symlinkSync('../vault/a.log', join(logs, 'a.log.1'));
    if (!existsSync(join(logs, 'a.log.2'))) linkSync(join(run.folder, 'vault/a.log'), join(logs, 'a.log.2'));
    await a.write(1, 'x'.repeat(99).concat('\n').repeat(30));
    return isRefused();
  });
  await a.exit(0);
  await run.ends(0);
  const packed = readdirSync(logs)
    .filter((name) => name.endsWith('.gz'))
    .map((name) => Buffer.from(Bun.gunzipSync(readFileSync(join(logs, name)))).toString());
  expect(packed.filter((text) => text.includes(SECRET.trim()))).toEqual([]);
  expect(vaultOf(run)).toEqual({ 'a.log': SECRET });
});

asRoot('a link that root has made in a folder of root is followed: /var/log may be elsewhere', async () => {
  await using run = await up(
    { services: { a: played({ log: { file: { path: 'var/log/a.log' } } }) } },
    { before: 'mkdir -p var disk; ln -s ../disk var/log', leaves: ['var', 'disk'] },
  );
  const a = await run.puppet('a');
  await a.print('one');
  await until('the log file', () => existsSync(join(run.folder, 'disk/a.log')));
  await a.exit(0);
  await run.ends(0);
});

/** A private /dev, in which `line` creates `termination-log`. */
const ownDev = (line: string) => `
mkdir dev && mount -t tmpfs none dev
for node in null zero urandom; do : > dev/$node; mount --bind /dev/$node dev/$node; done
ln -s /proc/self/fd dev/fd
${line}
mount --rbind dev /dev`;

for (const [what, line] of [
  ['a FIFO that nobody reads', 'mkfifo dev/termination-log'],
  ['a terminal or another device', ': > dev/termination-log; mount --bind /dev/zero dev/termination-log'],
  ['a folder', 'mkdir dev/termination-log'],
  ['a link of another user', `ln -s "$PWD/log" dev/termination-log; chown -h ${NOBODY} dev/termination-log`],
] as const) {
  asRoot(`/dev/termination-log that is ${what} is not written, and holds nothing up`, async () => {
    await using run = await up(
      { services: { a: played(), b: played() } },
      { files: { log: 'before\n' }, before: ownDev(line), leaves: ['dev'] },
    );
    const a = await run.puppet('a');
    const b = await run.puppet('b');
    await b.print('still here');
    await a.exit(3);
    await run.ends(3);
    expect(readFileSync(join(run.folder, 'log'), 'utf8')).toBe('before\n');
  });
}

asRoot('an /etc/hosts that is a FIFO, or a link of another user, is left alone, and that is said', async () => {
  for (const line of [
    'mkfifo etc/hosts',
    `printf 'secret\\n' > vault; ln -s "$PWD/vault" etc/hosts; chown -h ${NOBODY} etc/hosts`,
  ]) {
    await using run = await up(
      { hosts: true, services: { a: played() } },
      { before: `mkdir etc; cp /etc/passwd /etc/group etc; ${line}; mount --bind etc /etc`, leaves: ['etc', 'vault'] },
    );
    const a = await run.puppet('a');
    await run.line(/warning: the services' names do not resolve: \/etc\/hosts cannot be written: /);
    await a.exit(0);
    await run.ends(0);
    const vault = join(run.folder, 'vault');
    if (existsSync(vault)) expect(readFileSync(vault, 'utf8')).toBe('secret\n');
  }
});

asRoot(
  'an env file that is exchanged for a link to a secret of root is refused by reload; one to a file of its own is read',
  async () => {
    const service = played({ user: `${NOBODY}`, env_file: 'conf/a.env', restart: 'always' });
    await using run = await up(
      { services: { a: service } },
      {
        before: `mkdir conf vault; chmod 700 vault; echo KEY=secret > vault/key; echo MODE=one > conf/a.env; chown -R ${NOBODY} conf`,
        leaves: ['conf', 'vault'],
      },
    );
    await run.puppet('a', 1);
    const file = join(run.folder, 'conf/a.env');
    linkAs(NOBODY, '../vault/key', file);
    const refused = await run.command('reload');
    expect(refused.code).toBe(78);
    expect(refused.stderr).toMatch(
      /cannot read .*a\.env: a link of user 65534 leads to vault, which user 65534 may not read/,
    );
    rmSync(file);
    chmodSync(join(run.folder, 'vault'), 0o755);
    chmodSync(join(run.folder, 'vault/key'), 0o600);
    linkSync(join(run.folder, 'vault/key'), file);
    expect((await run.command('reload')).code).toBe(78);
    mkdirSync(join(run.folder, 'conf/real'));
    writeFileSync(join(run.folder, 'conf/real/a.env'), 'MODE=two\n');
    for (const name of ['real', 'real/a.env']) chownSync(join(run.folder, 'conf', name), NOBODY, NOBODY);
    linkAs(NOBODY, 'real/a.env', file);
    expect((await run.command('reload')).stdout).toContain('~ a: env');
    const second = await run.puppet('a', 2);
    await second.exit(0);
    run.signal('SIGTERM');
    await run.ends(0);
  },
);
