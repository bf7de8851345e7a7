// Functions on paths as text; they return what the functions of node:path return. node:path itself is not used, because it
// replaces the characters that stand for bytes that are not UTF-8 (bytes.ts). Pure: never uses the working directory.

export const isAbsolute = (path: string): boolean => path.startsWith('/');

/** Removes `.`, empty parts, and each `..` with the part before it. */
function reduce(path: string, keepsLeadingDots: boolean): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (keepsLeadingDots) parts.push(part);
  }
  return parts.join('/');
}

export function normalize(path: string): string {
  const reduced = reduce(path, !isAbsolute(path));
  if (isAbsolute(path)) return reduced === '' ? '/' : `/${reduced}${path.endsWith('/') ? '/' : ''}`;
  return `${reduced === '' ? '.' : reduced}${path.endsWith('/') ? '/' : ''}`;
}

export const join = (...parts: readonly string[]): string => normalize(parts.filter((part) => part !== '').join('/'));

/** Resolves each part relative to those before it; the first must be absolute. */
export function resolve(...parts: readonly string[]): string {
  const from = parts.findLastIndex(isAbsolute);
  return `/${reduce(parts.slice(Math.max(0, from)).join('/'), false)}`;
}

export function dirname(path: string): string {
  const end = path.replace(/\/+$/, '').lastIndexOf('/');
  if (end < 0) return isAbsolute(path) ? '/' : '.';
  return path.slice(0, end).replace(/\/+$/, '') || '/';
}

export function basename(path: string): string {
  const bare = path.replace(/\/+$/, '');
  return bare.slice(bare.lastIndexOf('/') + 1);
}

/** A path as it is written from a folder: relative if it is inside, or if both are relative; else unchanged. An absolute folder takes absolute paths only. */
export function pathFrom(folder: string, path: string): string {
  const from = normalize(folder)
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  const to = normalize(path)
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  const isInside = isAbsolute(folder) === isAbsolute(path) && from.every((part, at) => part === to[at]);
  if (isInside) return to.slice(from.length).join('/') || '.';
  if (isAbsolute(path)) return path;
  const common = from.findIndex((part, at) => part !== to[at]);
  return [...from.slice(common).map(() => '..'), ...to.slice(common)].join('/') || '.';
}
