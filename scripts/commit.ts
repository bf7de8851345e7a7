// The commit that a build is made from, for `svc-super version --json`. Asks git, or reads what `git archive` wrote into
// commit.txt. Changes nothing.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dir, '..');

function git(...args: string[]): string | null {
  try {
    const { exitCode, stdout } = Bun.spawnSync(['git', ...args], { cwd: root, stderr: 'ignore' });
    return exitCode === 0 ? stdout.toString().trim() : null;
  } catch {
    return null;
  }
}

/** The commit's hash, with `-dirty` if a tracked file differs from it; null in a copy without git and without its mark. */
export function readCommit(): string | null {
  const archived = readFileSync(join(import.meta.dir, 'commit.txt'), 'utf8').trim();
  if (/^[0-9a-f]{40}$/.test(archived)) return archived;
  if (git('rev-parse', '--show-prefix') !== '') return null; // the repository of a folder above
  const hash = git('rev-parse', 'HEAD');
  if (hash === null) return null;
  return git('status', '--porcelain', '--untracked-files=no') === '' ? hash : `${hash}-dirty`;
}
