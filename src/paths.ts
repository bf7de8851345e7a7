// Paths as text, with the results of node:path. That one replaces characters that stand for bytes of no UTF-8 (bytes.ts), and
// paths may hold any bytes. Pure; knows no working directory.

export const isAbsolute = (path: string): boolean => path.startsWith('/');

/** The parts without `.`, empty ones, and `..` with what comes before it. */
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

/** What the last part means, seen from those before it; the first must be absolute. */
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
