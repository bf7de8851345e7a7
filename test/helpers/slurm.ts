// A Slurm of one node for tests: munged, slurmctld and slurmd with files, ports and a key of its own, and two GPUs that are
// links to /dev/null. Needs root and Debian's slurmctld, slurmd, slurm-client and munge.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';

const NEEDED = ['munged', 'slurmctld', 'slurmd', 'sbatch', 'scancel', 'scontrol'] as const;
const SBIN = '/usr/sbin:/sbin';

const which = (program: string): string | null => Bun.which(program, { PATH: `${process.env.PATH ?? ''}:${SBIN}` });

/** Why no Slurm can run here, in words; null where it can. */
export function whyNoSlurm(): string | null {
  if (process.getuid?.() !== 0) return 'Slurm needs root';
  const missing = NEEDED.filter((program) => which(program) === null);
  return missing.length === 0 ? null : `${missing.join(', ')} not installed`;
}

/** How a program ended, and what it wrote to both streams. */
export interface Ended {
  readonly code: number;
  readonly output: string;
}

export interface Slurm {
  /** For files of the test; removed by `stop`. */
  readonly folder: string;
  /** Runs sbatch, scancel or scontrol. `env` is added to the environment. */
  run(command: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended>;
  /** Ends all daemons and removes all files. */
  stop(): Promise<void>;
}

function configuration(folder: string, controller: number, node: number): string {
  const host = hostname().split('.')[0] ?? 'localhost';
  writeFileSync(join(folder, 'gres.conf'), `NodeName=${host} Name=gpu Count=2 File=${folder}/gpu/gpu[0-1]\n`);
  return `ClusterName=one
SlurmctldHost=${host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${folder}/munge/socket
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
SlurmctldPort=${controller}
SlurmdPort=${node}
GresTypes=gpu
NodeName=${host} NodeAddr=127.0.0.1 CPUs=${navigator.hardwareConcurrency} RealMemory=1000 Gres=gpu:2 State=UNKNOWN
PartitionName=gpu Nodes=${host} Default=YES MaxTime=INFINITE State=UP
`;
}

/** munged runs as its own user, and refuses a key or a folder that others may write. */
function prepareMunge(folder: string): readonly string[] {
  const { stdout } = Bun.spawnSync(['id', '-u', 'munge']);
  const uid = Number(stdout.toString());
  const home = join(folder, 'munge');
  mkdirSync(home, { mode: 0o755 });
  writeFileSync(join(home, 'key'), crypto.getRandomValues(new Uint8Array(64)), { mode: 0o400 });
  for (const path of [home, join(home, 'key')]) chownSync(path, uid, uid);
  const options = ['socket', 'key-file', 'pid-file', 'log-file', 'seed-file'];
  const files: Readonly<Record<string, string>> = { 'key-file': 'key' };
  return [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${uid}`,
    '--clear-groups',
    which('munged') ?? 'munged',
    '--foreground',
    ...options.map((option) => `--${option}=${join(home, files[option] ?? option)}`),
  ];
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen in 60 s`);
    await Bun.sleep(100);
  }
}

/** Starts everything, and returns when the node is idle. */
export async function startSlurm(): Promise<Slurm> {
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-slurm-'));
  chmodSync(folder, 0o755);
  for (const name of ['state', 'spool', 'gpu']) mkdirSync(join(folder, name));
  for (const index of [0, 1]) Bun.spawnSync(['mknod', join(folder, 'gpu', `gpu${index}`), 'c', '1', '3']);
  const config = join(folder, 'slurm.conf');
  writeFileSync(config, configuration(folder, await freePort(), await freePort()));
  const env = { ...process.env, SLURM_CONF: config, PATH: `${process.env.PATH ?? ''}:${SBIN}` };
  const log = Bun.file(join(folder, 'daemons.log'));
  const start = (command: readonly string[]) =>
    Bun.spawn([...command], { env, cwd: folder, stdin: 'ignore', stdout: log, stderr: log });
  const run = async (command: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ended> => {
    const child = Bun.spawn([...command], {
      env: { ...env, ...more },
      cwd: folder,
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      timeout: 180_000,
    });
    const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
    return { code, output: out + err };
  };
  const daemons = [start(prepareMunge(folder))];
  await until('munged', async () => await Bun.file(join(folder, 'munge/pid-file')).exists());
  daemons.push(start(['slurmctld', '-D']), start(['slurmd', '-D']));
  const stop = async (): Promise<void> => {
    await run(['scancel', '--full', '--user=root']);
    for (const daemon of daemons.reverse()) {
      daemon.kill('SIGTERM');
      const killer = setTimeout(() => daemon.kill('SIGKILL'), 5_000);
      await daemon.exited;
      clearTimeout(killer);
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await until('an idle node', async () => /State=IDLE\s/.test((await run(['scontrol', 'show', 'node'])).output));
  } catch (error) {
    const text = await log.text().catch(() => '');
    await stop();
    throw new Error(`${error}\n${text.slice(-4_000)}`);
  }
  return { folder, run, stop };
}
