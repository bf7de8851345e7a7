// Runs program.ts in each runtime that the bundle is made for. Node is the one that SVC_SUPER_NODE names, or the one on PATH;
// without one of version 22 or later, only Bun is tested.
import { afterAll, beforeAll } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Readable for other users, because some tests run as another user. */
export const folder = join(tmpdir(), `svc-platform-${process.pid}`);
const program = join(folder, 'program.mjs');

/** Call it once in each test file: builds the program before its tests, and removes it after them. */
export function useProgram(): void {
  beforeAll(async () => {
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    const { outputs } = await Bun.build({ entrypoints: [join(import.meta.dir, 'program.ts')], target: 'node' });
    await Bun.write(program, outputs[0] as Blob);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
}

const node = process.env.SVC_SUPER_NODE ?? Bun.which('node');
const major = node === null ? 0 : Number(/^v(\d+)/.exec(spawnSync(node, ['--version']).stdout?.toString() ?? '')?.[1]);

/** The runtime's name and the command line that starts program.ts in it. */
export const RUNTIMES: readonly (readonly [name: string, command: string])[] = [
  ['Bun', `${process.execPath} ${program}`],
  ...(node !== null && major >= 22 ? [['Node', `${node} ${program}`] as const] : []),
];

/** Runs a shell command, with a time limit. `report` is its standard error as JSON, or as text if it is not JSON. */
export async function run(command: string): Promise<{ readonly stdout: string; readonly report: unknown }> {
  const child = Bun.spawn(['bash', '-c', command], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: 60_000,
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  let report: unknown = stderr;
  try {
    report = JSON.parse(stderr);
  } catch {
    // The test shows the text.
  }
  return { stdout, report };
}
