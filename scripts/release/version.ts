// The version of a release and its date, read from package.json and CHANGELOG.md. Asks neither git nor the network, so an
// unpacked source archive gives the same answers.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dir, '../..');
/** Seconds; for a version without an entry. The first day that a zip archive can hold. */
const NO_DATE = Date.UTC(1980, 0, 1) / 1_000;

/** `version` of package.json. */
export function readVersion(root = ROOT): string {
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}

/** The date of the changelog's heading `## 0.2.0 - 2026-12-01`, as written; null if that version has no dated entry. */
export function findEntry(changelog: string, version: string): string | null {
  const heading = /^## \[?(\d[^\s\]]*)\]? - (\d{4}-\d\d-\d\d)$/gm;
  return [...changelog.matchAll(heading)].find(([, name]) => name === version)?.[2] ?? null;
}

/** Seconds since 1970: the modification time of every file of the release. SOURCE_DATE_EPOCH overrides the changelog. */
export function sourceDate(root = ROOT): number {
  const given = Number(process.env.SOURCE_DATE_EPOCH);
  if (Number.isInteger(given) && given > 0) return given;
  const date = findEntry(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), readVersion(root));
  return date === null ? NO_DATE : Date.parse(`${date}T00:00:00Z`) / 1_000;
}
