// The programs that imports are compared with: where scripts/oracles.sh puts them, and why a test cannot run without them.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = join(import.meta.dir, '../../../.cache/oracles');

/** compose-go: prints what it makes of each file. */
export const COMPOSE = join(FOLDER, 'compose');
/** Python with honcho. */
export const PYTHON = join(FOLDER, 'python/bin/python');
/** Debian's Python, which has supervisor. */
export const SYSTEM_PYTHON = '/usr/bin/python3';

/** Why they cannot be asked; null: they can. */
export const noOracles = existsSync(COMPOSE) && existsSync(PYTHON) ? null : 'run scripts/oracles.sh first';
export const noSupervisor =
  existsSync(SYSTEM_PYTHON) && Bun.spawnSync([SYSTEM_PYTHON, '-c', 'import supervisor']).exitCode === 0
    ? null
    : 'Debian’s supervisor is not installed';

/** Answers of a program that reads a JSON string per line and prints a line for each. */
export function ask<T>(
  command: readonly string[],
  texts: readonly string[],
  env: Readonly<Record<string, string>> = {},
): readonly T[] {
  const stdin = Buffer.from(texts.map((text) => `${JSON.stringify(text)}\n`).join(''));
  const { stdout, stderr, exitCode } = Bun.spawnSync([...command], { stdin, env: { PATH: '/usr/bin:/bin', ...env } });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}
