// Helpers to write the configurations of contestants and to detect installed versions. Contains no contestant.
import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export function write(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

export function writeScript(path: string, text: string): string {
  write(path, text);
  chmodSync(path, 0o755);
  return path;
}

/** Quotes arguments for a shell if necessary. */
export const shellWords = (argv: readonly string[]): string =>
  argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');

/** The first line of its output, or null if it cannot be run. */
export function firstLine(cmd: readonly string[], env: Readonly<Record<string, string>> = {}): string | null {
  const [program = '', ...args] = cmd;
  const { error, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 20_000,
  });
  if (error !== undefined) return null;
  return `${stdout}\n${stderr}`.split('\n').find((line) => line.trim() !== '') ?? '';
}

/** The version of a Debian package, and its installed size with its companion packages; null if it is not installed. */
export function debianPackage(name: string, others: readonly string[] = []): { version: string; bytes: number } | null {
  const format = ['db:Status-Abbrev', 'Package', 'Version', 'Installed-Size'].map((field) => `\${${field}}|`).join('');
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f', `${format}\n`, name, ...others], { encoding: 'utf8' });
  const rows = (stdout ?? '')
    .split('\n')
    .filter((line) => line.startsWith('ii '))
    .map((line) => line.split('|'));
  const found = rows.find((row) => row[1] === name);
  if (found === undefined) return null;
  const version = (found[2] ?? '').replace(/^\d+:/, '').replace(/-[^-]*$/, '');
  return { version, bytes: rows.reduce((sum, row) => sum + Number(row[3]) * 1_024, 0) };
}

export function folderSize(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + lstatSync(join(entry.parentPath, entry.name)).size, 0);
}
