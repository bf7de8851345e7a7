// Whether the working tree may be released: it has no uncommitted changes, the changelog has a dated entry for the version,
// and no tag and no published package has that version. Changes nothing.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from './tools.ts';
import { findEntry, readVersion } from './version.ts';

/** Asks the npm registry: a version that is published cannot be published again. */
async function isPublished(version: string): Promise<boolean> {
  try {
    // `npm run --silent` sets the level of every npm below it.
    return (await runTool(['npm', 'view', '--loglevel=error', `svc-super@${version}`, 'version'])) !== '';
  } catch (error) {
    // No such package: nothing is published yet.
    if (String(error).includes('E404')) return false;
    throw error;
  }
}

/** Why the tree at `root` may not be released, one sentence each; empty if it may. */
export async function findObstacles(root: string, published = isPublished): Promise<readonly string[]> {
  const git = (...args: string[]) => runTool(['git', '-C', root, ...args]);
  const version = readVersion(root);
  const obstacles: string[] = [];
  if (!/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
    obstacles.push(`package.json: ${version} is not a semantic version`);
  const dirty = await git('status', '--porcelain');
  if (dirty !== '') obstacles.push(`the working tree has uncommitted changes. Commit them first:\n${dirty}`);
  if (findEntry(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), version) === null)
    obstacles.push(`CHANGELOG.md has no entry of ${version}. Add the heading \`## ${version} - YYYY-MM-DD\``);
  if ((await git('tag', '--list', `v${version}`)) !== '')
    obstacles.push(`the tag v${version} exists. Increase \`version\` in package.json`);
  if (await published(version))
    obstacles.push(`npm has svc-super ${version} already. Increase \`version\` in package.json`);
  return obstacles;
}
