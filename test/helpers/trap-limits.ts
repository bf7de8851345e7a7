// Kernel limits on the number of processes of a whole run: by its own cgroup (version 1 or 2) where it can be created, else by
// RLIMIT_NPROC for a user without other processes.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ProcessLimit extends Disposable {
  /** For the `before` of a run: the shell commands that apply the limit. */
  readonly before: string;
  /** Allows 50 more processes in a run: `pids` are the host pids of svc-super and its supervisor. */
  widen(...pids: readonly number[]): void;
}

let made = 0;

/** A folder where cgroups that limit processes can be created; null: none. */
export function controller(): string | null {
  const first = '/sys/fs/cgroup/pids';
  if (existsSync(join(first, 'cgroup.procs'))) return first;
  const second = '/sys/fs/cgroup';
  try {
    if (!readFileSync(join(second, 'cgroup.controllers'), 'utf8').includes('pids')) return null;
    writeFileSync(join(second, 'cgroup.subtree_control'), '+pids');
    return second;
  } catch {
    return null;
  }
}

/** At most `most` processes and threads in a run. */
export function limitProcesses(most: number): ProcessLimit {
  const parent = controller();
  made += 1;
  if (parent !== null) {
    const folder = join(parent, `svc-super-test-${process.pid}-${made}`);
    try {
      mkdirSync(folder);
      writeFileSync(join(folder, 'pids.max'), `${most}`);
      return {
        before: `echo 0 > ${folder}/cgroup.procs`,
        widen: () => writeFileSync(join(folder, 'pids.max'), `${most + 50}`),
        [Symbol.dispose]: () => remove(folder),
      };
    } catch {
      if (existsSync(folder)) rmdirSync(folder);
    }
  }
  const user = 60_000 + (process.pid % 5_000);
  const as = `setpriv --reuid=${user} --regid=${user} --clear-groups`;
  const nproc = `--nproc=${most}:${most + 50}`;
  return {
    before: `chown ${user}:${user} . tmp\nexec prlimit ${nproc} ${as} "$0" "$@"`,
    // Only the user itself may.
    widen: (...pids) => {
      for (const pid of pids) Bun.spawnSync([...as.split(' '), 'prlimit', `--pid=${pid}`, `--nproc=${most + 50}`]);
    },
    [Symbol.dispose]: () => undefined,
  };
}

/** A cgroup is busy for a moment after its last process has been reaped. */
function remove(folder: string): void {
  for (let attempt = 0; existsSync(folder); attempt += 1) {
    try {
      rmdirSync(folder);
    } catch (error) {
      const left = readFileSync(join(folder, 'cgroup.procs'), 'utf8').trim();
      if (attempt === 500) throw new Error(`${folder} holds ${left} ${readdirSync(folder)}`, { cause: error });
      Bun.sleepSync(10);
    }
  }
}
