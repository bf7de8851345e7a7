// The memory cgroup of each service with `memory_limit`: checks whether one can be made here, makes it, sets its limit, and removes
// it. Loaded only if a service has such a limit. Starts and moves no service: PID 1's child enters the cgroup before its exec.
//
// With version 2 a cgroup that has processes cannot give controllers to its children (cgroups(7), "no internal processes"), so
// PID 1 and the supervisor move into a cgroup beside those of the services. A runtime that executes a command in the container
// (`docker exec`) then puts it beside PID 1 (https://github.com/opencontainers/runc/issues/2356). Version 1 needs no move.
import { mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import type { MemoryLimit } from '../plan/process.ts';
import { OWN_CGROUP } from './cgroup.ts';
import { codeOf } from './errno.ts';
import { exists, readLatin1 } from './files.ts';

const V2 = '/sys/fs/cgroup';
const V1 = '/sys/fs/cgroup/memory';
const PREFIX = 'svc-super.';

interface Home {
  readonly version: 1 | 2;
  /** The folder in which the cgroups of the services are made. */
  readonly folder: string;
}

/**
 * The memory cgroup of this process, or its parent if `prepareCgroups` has moved this process; null: there is none. `table`:
 * the content of /proc/self/cgroup (cgroups(7)).
 */
export function findHome(table: string, isThere: (path: string) => boolean): Home | null {
  const pathOf = (matches: (controllers: string) => boolean): string | null => {
    for (const line of table.split('\n')) {
      const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      if (path !== '' && matches(controllers)) return path.replace(new RegExp(`/${OWN_CGROUP}$`), '');
    }
    return null;
  };
  const at = (root: string, path: string): string => (isThere(`${root}${path}/cgroup.procs`) ? `${root}${path}` : root);
  const first = pathOf((controllers) => controllers.split(',').includes('memory'));
  if (first !== null && isThere(`${V1}/cgroup.procs`)) return { version: 1, folder: at(V1, first).replace(/\/$/, '') };
  const second = pathOf((controllers) => controllers === '');
  if (second === null || !isThere(`${V2}/cgroup.controllers`)) return null;
  return { version: 2, folder: at(V2, second).replace(/\/$/, '') };
}

function ownHome(): Home | null {
  try {
    return findHome(readLatin1('/proc/self/cgroup'), exists);
  } catch {
    return null;
  }
}

const words = (path: string): readonly string[] => readLatin1(path).trim().split(/\s+/);

/** Why services cannot have cgroups of their own here; null: they can. Makes a cgroup to find out, and removes it. */
export function whyNoCgroup(): string | null {
  const home = ownHome();
  if (home === null) return 'no cgroup file system with the controller for memory is mounted at /sys/fs/cgroup';
  const { version, folder } = home;
  const trial = `${folder}/${PREFIX}check.${process.pid}`;
  try {
    if (version === 2 && !words(`${folder}/cgroup.controllers`).includes('memory'))
      return `the controller for memory is not available in ${folder}`;
    mkdirSync(trial);
    rmdirSync(trial);
    return null;
  } catch (error) {
    return `${folder} cannot be written (${codeOf(error)})`;
  }
}

/**
 * Prepares the cgroup of this process so that services can have cgroups in it. Returns why they cannot; null: they can.
 * Idempotent.
 */
export function prepareCgroups(): string | null {
  const why = whyNoCgroup();
  const home = ownHome();
  if (why !== null || home === null || home.version === 1) return why;
  const { folder } = home;
  try {
    if (words(`${folder}/cgroup.subtree_control`).includes('memory')) return null;
    // Only below PID 1 of a container do all processes of this cgroup belong to svc-super.
    if (process.ppid !== 1) return `${folder} gives no controllers to cgroups in it, and svc-super is not PID 1`;
    mkdirSync(`${folder}/${OWN_CGROUP}`, { recursive: true });
    moveAll({
      pids: () => words(`${folder}/cgroup.procs`).filter((pid) => pid !== ''),
      move: (pid) => move(pid, `${folder}/${OWN_CGROUP}`),
      give: () => writeFileSync(`${folder}/cgroup.subtree_control`, '+memory'),
    });
    return null;
  } catch (error) {
    return `${folder} cannot give the controller for memory to cgroups in it (${codeOf(error)})`;
  }
}

/** How often processes are moved that were forked meanwhile. */
const PASSES = 20;

interface Move {
  /** The processes that are to move. */
  pids(): readonly string[];
  move(pid: string): void;
  /** Gives the controller to the children, which fails with EBUSY while a process is there. */
  give(): void;
}

/** Moves all processes, also those that others fork before they are moved, and then gives the controller. */
export function moveAll({ pids, move, give }: Move): void {
  for (let pass = 1; ; pass += 1) {
    for (const pid of pids()) move(pid);
    try {
      give();
      return;
    } catch (error) {
      if (codeOf(error) !== 'EBUSY' || pass === PASSES) throw error;
    }
  }
}

/** Moves a process; one that has ended meanwhile needs no move. */
function move(pid: string, folder: string): void {
  try {
    writeFileSync(`${folder}/cgroup.procs`, pid);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

/**
 * Makes the cgroup of a service if it does not exist, and sets its limit. Returns the path of its cgroup.procs. `owner`
 * distinguishes the cgroups of several supervisors in one folder. Never fails: if the cgroup cannot be made, the path does not
 * exist, and the start of the program reports that.
 */
export function cgroupOf({ bytes, oomGroup, group }: MemoryLimit, owner: string): string {
  const folder = folderOf(group, owner);
  try {
    mkdirSync(folder, { recursive: true });
    if (exists(`${folder}/memory.max`)) {
      writeFileSync(`${folder}/memory.max`, String(bytes));
      writeFileSync(`${folder}/memory.oom.group`, oomGroup ? '1' : '0');
    } else writeFileSync(`${folder}/memory.limit_in_bytes`, String(bytes));
  } catch {
    return `${folder}/${PREFIX}missing`;
  }
  return `${folder}/cgroup.procs`;
}

function folderOf(group: string, owner: string): string {
  return `${ownHome()?.folder ?? V2}/${PREFIX}${owner}.${group}`;
}

/**
 * How often the kernel has killed processes of a service because of its limit, since its cgroup was made. Does not grow with the
 * kills for another reason, such as the limit of the container; with version 1 only while its own limit was never reached.
 */
export function countLimitKills(group: string, owner: string): number {
  return limitKillsIn(folderOf(group, owner));
}

/**
 * `oom_kill` counts the kills of any OOM killer. `oom` (version 2) counts how often the limit of the cgroup itself left the kernel
 * only a kill (https://docs.kernel.org/admin-guide/cgroup-v2.html); `failcnt` (version 1) also how often the kernel found memory to
 * free. So with version 1 a kill for another reason counts if the limit was reached before.
 */
export function limitKillsIn(folder: string): number {
  const numberIn = (file: string, pattern: RegExp): number | null => {
    try {
      return Number(pattern.exec(readLatin1(`${folder}/${file}`))?.[1] ?? 0);
    } catch {
      // The other version.
      return null;
    }
  };
  const kills =
    numberIn('memory.events', /^oom_kill (\d+)/m) ?? numberIn('memory.oom_control', /^oom_kill (\d+)/m) ?? 0;
  const reached = numberIn('memory.events', /^oom (\d+)/m) ?? numberIn('memory.failcnt', /^(\d+)/) ?? 0;
  return Math.min(kills, reached);
}

/** Removes the cgroups of the services of a supervisor that have no processes. Never fails. */
export function removeCgroups(owner: string): void {
  const folder = ownHome()?.folder;
  if (folder !== undefined) removeEmpty(folder, `${PREFIX}${owner}.`);
}

/** Removes the empty folders in `folder` whose names begin with `prefix`. Never fails. */
export function removeEmpty(folder: string, prefix: string): void {
  for (const name of namesIn(folder)) {
    if (!name.startsWith(prefix)) continue;
    try {
      rmdirSync(`${folder}/${name}`);
    } catch {
      // A process in it is being reaped. The kernel removes the cgroup together with that of the container.
    }
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
