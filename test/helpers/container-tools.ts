// The tools of real containers, and whether they are available: podman with runc and catatonit, buildah, mmdebstrap, as root.
// Runs only these programs; `scripts/test.ts` checks here before it skips the container tests.

import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ran, runProgram } from './ran.ts';

const NEEDED = ['podman', 'buildah', 'runc', 'catatonit', 'mmdebstrap'] as const;

/** Why no container can be run here; null if it can. */
export function whyNoContainers(): string | null {
  if (process.getuid?.() !== 0) return 'they need root';
  const missing = NEEDED.filter((program) => Bun.which(program) === null);
  if (missing.length === 0) return null;
  const names = missing.length === 1 ? missing[0] : `${missing.slice(0, -1).join(', ')} and ${missing.at(-1)}`;
  return `${names} ${missing.length === 1 ? 'is' : 'are'} not installed`;
}

/** Time limit of one run of a program, milliseconds. */
const PATIENCE = 120_000;

export async function run(command: readonly string[], patience = PATIENCE): Promise<Ran> {
  // conmon leaves a file `oom` in its working folder if the kernel kills for memory.
  const oom = join(tmpdir(), 'oom');
  const ran = await runProgram(command, { cwd: tmpdir(), timeout: patience });
  rmSync(oom, { force: true });
  return ran;
}

/** `run` that fails the test if the exit code is not 0. */
export async function must(command: readonly string[], patience = PATIENCE): Promise<string> {
  const { code, stdout, stderr } = await run(command, patience);
  if (code === 0) return stdout.trim();
  throw new Error(`${command.slice(0, 4).join(' ')} ... ended with ${code}:\n${stdout}${stderr}`);
}

/** `podman ...`; without systemd only one cgroup manager works. */
export const podman = (...args: string[]): readonly string[] => ['podman', '--cgroup-manager=cgroupfs', ...args];

/** The label of all containers and images of these tests, which distinguishes leftovers from other containers. */
export const LABEL = 'svc-super.test';

/** `buildah bud ...` without containers of its own: the machine of a test may forbid them. */
export const buildah = (...args: string[]): readonly string[] => [
  ...['buildah', 'bud', '--isolation', 'chroot', '--format', 'docker', '--label', `${LABEL}=`],
  ...args,
];

/** Limits of a container, as options: podman's own defaults exceed the limits of many machines. `own`: options that have some. */
export function limitOptions(own: readonly string[] = []): readonly string[] {
  const isGiven = (limit: string) => own.some((flag) => flag.startsWith(limit.slice(0, limit.indexOf('=') + 1)));
  return ['nofile=1024:1024', 'nproc=4096:4096']
    .filter((limit) => !isGiven(limit))
    .flatMap((limit) => ['--ulimit', limit]);
}

/** Options of every `podman run` of a test. */
export const RUN_OPTIONS: readonly string[] = ['--runtime', 'runc', '--network=none'];

/** Polls until `probe` returns something other than undefined, null or false; an error counts as "not yet". */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  patience = 30_000,
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = performance.now() + patience;
  for (let why: unknown = 'it did not hold'; ; ) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== null && answer !== false) {
        return answer as Exclude<T, undefined | null | false>;
      }
    } catch (error) {
      why = error;
    }
    if (performance.now() > deadline) throw new Error(`waited ${patience / 1_000} s for ${what}: ${why}`);
    await Bun.sleep(25);
  }
}

/** For `describe.skipIf`: whether containers cannot be run here. On a CI machine that is a failure. */
export function skipContainers(): boolean {
  const why = whyNoContainers();
  if (why === null) return false;
  if (process.env.CI === 'true') throw new Error(`the container tests cannot run: ${why}`);
  process.stderr.write(`containers: skipped, ${why}\n`);
  return true;
}
