// The programs that imports and exports are compared with: where scripts/oracles.sh puts them, why a test cannot run without
// them, and how they are run.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FOLDER = join(import.meta.dir, '../../.cache/oracles');

/** compose-go: prints what it makes of each file (test/convert/oracles/compose/main.go). */
export const COMPOSE = join(FOLDER, 'compose');
/** Python with honcho. */
export const PYTHON = join(FOLDER, 'python/bin/python');
/** Debian's Python, which has supervisor. */
export const SYSTEM_PYTHON = '/usr/bin/python3';

/** Why the programs of scripts/oracles.sh cannot run; null: they can. */
export const noOracles = existsSync(join(FOLDER, 'digest')) ? null : 'run `sh scripts/oracles.sh` first';
const missing = ['shellcheck', 'systemd-analyze'].filter((program) => Bun.which(program) === null);
/** Why outputs of exports cannot be checked; null: they can. */
export const noValidators = noOracles ?? (missing.length === 0 ? null : `${missing.join(', ')} not installed`);
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

/** The programs that check outputs, without the files. */
export const VALIDATOR_COMMANDS = {
  compose: [COMPOSE, '--check'],
  kubernetes: [join(FOLDER, 'python/bin/kubernetes-validate'), '--strict', '--quiet'],
  dockerfile: [join(FOLDER, 'python/bin/hadolint'), '--failure-threshold', 'warning'],
  quadlet: [join(FOLDER, 'quadlet')],
  unit: ['systemd-analyze', 'verify', '--man=no', '--recursive-errors=no'],
  // `bash -n` reads its first file only.
  bash: ['sh', '-c', 'for file; do bash -n "$file" || exit; done', 'sh'],
  sh: ['dash', '-n'],
  shellcheck: ['shellcheck', '--shell=bash', '--severity=warning'],
} as const;

/** Runs one of the programs on a text in a file of the given name; throws what it complains of, returns what it prints. */
export function validate(program: keyof typeof VALIDATOR_COMMANDS, name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-export-'));
  try {
    const file = join(folder, name);
    writeFileSync(file, text);
    // A variable that an example leaves to whoever starts it.
    const env = { ...process.env, RUN_DIR: '/tmp/run' };
    const { exitCode, stdout, stderr } = Bun.spawnSync([...VALIDATOR_COMMANDS[program], file], { env });
    if (exitCode === 0) return stdout.toString();
    throw new Error(`${program} refuses ${name} (${exitCode}):\n${stdout}${stderr}\n${text}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
