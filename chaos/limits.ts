// A limit on the processes of a round that can be tightened and lifted: its own pids cgroup, version 1 or 2. If none can be
// created there is no limit, and the fault that needs it is left out.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { controller } from '../test/helpers/trap-limits.ts';

/** Far more than a round needs: it ends a runaway round before it affects the machine. */
const MOST = 2_000;

export interface ProcessLimit {
  /** For the shell that becomes the supervisor. */
  readonly enter: string;
  /** Allows this many more processes than exist now. */
  squeeze(room: number): void;
  release(): void;
  remove(): Promise<void>;
}

let made = 0;

export function limitProcesses(): ProcessLimit | null {
  const parent = controller();
  if (parent === null) return null;
  made += 1;
  const folder = join(parent, `svc-super-chaos-${process.pid}-${made}`);
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, 'pids.max'), `${MOST}`);
  } catch {
    return null;
  }
  const write = (most: number) => writeFileSync(join(folder, 'pids.max'), `${most}`);
  return {
    enter: `echo 0 > ${folder}/cgroup.procs`,
    squeeze: (room) => write(Number(readFileSync(join(folder, 'pids.current'), 'utf8')) + room),
    release: () => write(MOST),
    remove: () => remove(folder),
  };
}

/** A cgroup is busy for a moment after its last process has been reaped. */
async function remove(folder: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    try {
      rmdirSync(folder);
      return;
    } catch {
      await Bun.sleep(10);
    }
  }
  throw new Error(`${folder} is not empty`);
}
