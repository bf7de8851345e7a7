// Reads which user and group IDs this user namespace maps (user_namespaces(7)). Changes nothing.
import { readFileSync } from 'node:fs';

/** Whether the user namespace maps an ID. An ID counts as mapped if the kernel shows no map. */
export function isMapped(kind: 'uid' | 'gid', id: number): boolean {
  const rows = readMap(kind);
  if (rows === '') return true;
  // Each row is `first, outside, count`.
  return rows.split('\n').some((row) => {
    const [first = 0, , count = 0] = row.trim().split(/\s+/).map(Number);
    return id >= first && id < first + count;
  });
}

function readMap(kind: 'uid' | 'gid'): string {
  try {
    return readFileSync(`/proc/self/${kind}_map`, 'utf8').trim();
  } catch {
    return '';
  }
}
