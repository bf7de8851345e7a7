// The commit that a build is made from, for `svc-super version --json`. Asks git; changes nothing.
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

/** The commit's hash, with `-dirty` if a tracked file differs from it; null without git or outside a repository. */
export function readCommit(): string | null {
  if (git('rev-parse', '--show-prefix') !== '') return null; // the repository of a folder above
  const hash = git('rev-parse', 'HEAD');
  if (hash === null) return null;
  return git('status', '--porcelain', '--untracked-files=no') === '' ? hash : `${hash}-dirty`;
}
