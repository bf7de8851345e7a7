// Whether a user can reach a path: checks every folder on the way, through symbolic links, with the permissions of that
// user. For another user it reads mode bits only, so access lists and security modules are not considered. Changes
// nothing.
import { accessSync, constants, lstatSync, readlinkSync, type Stats } from 'node:fs';
import { decodeBytes, encodeBytes } from '../bytes.ts';
import { dirname, join } from '../paths.ts';
import type { User } from '../plan/process.ts';
import { codeOf } from './errno.ts';
import { absolute } from './files.ts';
import { LINKS_MOST } from './guarded-path.ts';

/** The user whose permissions apply (credentials(7)); null: the user of this process. */
export type Credentials = (Pick<User, 'uid' | 'groups'> & Partial<Pick<User, 'name'>>) | null;

export type Want = 'read' | 'write' | 'search';
const MODES: Readonly<Record<Want, number>> = { read: constants.R_OK, write: constants.W_OK, search: constants.X_OK };
const BITS: Readonly<Record<Want, number>> = { read: 4, write: 2, search: 1 };

/** The result of resolving a path. `link` is the last symbolic link that was followed, and `target` its content. */
export type Reached = (
  | { readonly kind: 'there'; readonly real: string; readonly stats: Stats }
  | { readonly kind: 'missing' | 'not-folder'; readonly real: string }
  | { readonly kind: 'closed'; readonly real: string; readonly stats: Stats }
  | { readonly kind: 'loop'; readonly real: string }
) & { readonly link: string | null; readonly target: string | null };

/** Whether a path itself is a symbolic link. */
export const isLink = (path: string): boolean => lstatOrNull(path)?.isSymbolicLink() === true;

function lstatOrNull(path: string): Stats | null {
  try {
    return lstatSync(encodeBytes(path));
  } catch {
    return null;
  }
}

/** Resolves an absolute path as path_resolution(7) does, one component after another. `..` follows links, as in the kernel. */
export function reach(path: string, credentials: Credentials): Reached {
  const rest = path.split('/').reverse();
  let at = '/';
  let stats = lstatOrNull(at);
  let link: string | null = null;
  let target: string | null = null;
  let links = 0;
  while (rest.length > 0) {
    const name = rest.pop() ?? '';
    if (name === '' || name === '.') continue;
    if (stats === null || !stats.isDirectory()) return { kind: 'not-folder', real: at, link, target };
    if (!permits(at, stats, 'search', credentials)) return { kind: 'closed', real: at, stats, link, target };
    const next = name === '..' ? dirname(at) : join(at, name);
    const found = lstatOrNull(next);
    if (found === null) return { kind: 'missing', real: next, link, target };
    if (!found.isSymbolicLink()) {
      at = next;
      stats = found;
      continue;
    }
    links += 1;
    if (links > LINKS_MOST) return { kind: 'loop', real: next, link, target };
    const text = readLink(next);
    link = next;
    target = text;
    rest.push(...text.split('/').reverse());
    if (text.startsWith('/')) {
      at = '/';
      stats = lstatOrNull(at);
    }
  }
  return stats === null
    ? { kind: 'missing', real: at, link, target }
    : { kind: 'there', real: at, stats, link, target };
}

function readLink(path: string): string {
  try {
    return decodeBytes(readlinkSync(encodeBytes(path), { encoding: 'buffer' }));
  } catch {
    return '';
  }
}

/** `it leads to /opt/x (/usr/bin/x is a link), and `; empty if no link was followed. */
export function describeLink({ link, target }: Reached, it: string): string {
  return link === null ? '' : `${it} leads to ${target} (${link} is a link), and `;
}

/** Why a folder cannot be the working directory; null if it can. */
export function whyNotEntered(path: string, credentials: Credentials): string | null {
  const reached = reach(absolute(path), credentials);
  const leads = describeLink(reached, 'it');
  switch (reached.kind) {
    case 'missing':
      if (isLink(absolute(path))) return `${leads}there is no ${reached.real}`;
      return path.startsWith('/') ? 'there is no such folder' : `there is no ${absolute(path)}`;
    case 'not-folder':
      return `${leads}${reached.real} is not a folder`;
    case 'loop':
      return 'it is a symbolic link that leads to itself';
    case 'closed':
      return `${leads}${describeUser(credentials)} may not enter ${reached.real} (${describeMode(reached.stats)})`;
    default:
      if (!reached.stats.isDirectory()) return 'it is not a folder';
      if (permits(reached.real, reached.stats, 'search', credentials)) return null;
      return `${leads}${describeUser(credentials)} may not enter ${leads === '' ? 'it' : reached.real} (${describeMode(reached.stats)})`;
  }
}

/** Whether the user has that permission for the file itself; the folders on the way are not checked. */
export function permits(path: string, stats: Stats, want: Want, credentials: Credentials): boolean {
  let isRefused = false;
  try {
    // A read-only file system permits writing to no user.
    accessSync(encodeBytes(path), MODES[want]);
  } catch (error) {
    if (codeOf(error) === 'EROFS' || credentials === null) return false;
    isRefused = true;
  }
  if (credentials === null) return true;
  // What the kernel refuses to us as root it refuses to a service of root too, which has no more capabilities.
  const isOverriding = credentials.uid === 0 && !(isRefused && process.getuid?.() === 0);
  return isOverriding || grants(stats, want, credentials);
}

/** Whether the mode bits grant a permission: path_resolution(7), "Permissions". */
function grants({ mode, uid, gid }: Stats, want: Want, credentials: Exclude<Credentials, null>): boolean {
  const shift = uid === credentials.uid ? 6 : credentials.groups.includes(gid) ? 3 : 0;
  return ((mode >> shift) & BITS[want]) !== 0;
}

/** `user app`, `uid 1000`, `root without CAP_DAC_OVERRIDE`. */
export function describeUser(credentials: Credentials): string {
  const uid = credentials?.uid ?? process.getuid?.() ?? 0;
  if (uid === 0) return 'root without CAP_DAC_OVERRIDE';
  return typeof credentials?.name === 'string' ? `user ${credentials.name}` : `uid ${uid}`;
}

/** `mode 0700, owner uid 0`. */
export function describeMode({ mode, uid }: Stats): string {
  return `mode ${(mode & 0o7777).toString(8).padStart(4, '0')}, owner uid ${uid}`;
}
