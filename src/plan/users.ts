// Resolves `user:`, a name or a number, with the password and group files of the image. Changes no user: PID 1 does that at
// the spawn.
import { type FileReader, readText } from '../config/file.ts';
import type { UserName } from '../config/process-values.ts';
import type { User } from './process.ts';

interface PasswordEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}
interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The accounts of the image; an error text if a file cannot be read. */
export interface Accounts {
  readonly users: readonly PasswordEntry[];
  readonly groups: readonly GroupEntry[];
  readonly usersMissing: string | null;
  readonly groupsMissing: string | null;
}

type UserFound =
  | { readonly ok: true; readonly user: User }
  | { readonly ok: false; readonly message: string; readonly known: readonly string[]; readonly wanted: string };

// The kernel reserves the all-ones id for "do not change it".
const MAX_ID = 0xffff_fffe;

/** Reads /etc/passwd and /etc/group. Invalid lines are skipped, as in the C library. */
export function readAccounts(files: FileReader): Accounts {
  const users = readText(files, '/etc/passwd');
  const groups = readText(files, '/etc/group');
  return {
    users: users.ok ? parsePasswords(users.text) : [],
    groups: groups.ok ? parseGroups(groups.text) : [],
    usersMissing: users.ok ? null : users.why,
    groupsMissing: groups.ok ? null : groups.why,
  };
}

/**
 * Finds a user. A number does not need an entry in the password file; without an entry its group is 0, as in docker. In
 * `user:group` the group is the only one; otherwise the user has its primary group and every group that lists its name.
 */
export function resolveUser({ user, group }: UserName, accounts: Accounts): UserFound {
  const uid = toId(user);
  const entry = accounts.users.find((one) => (uid === null ? one.name === user : one.uid === uid));
  if (uid === null && entry === undefined) {
    const why = accounts.usersMissing === null ? '' : ` (cannot read /etc/passwd: ${accounts.usersMissing})`;
    const known = accounts.users.map((one) => one.name);
    return { ok: false, message: `there is no user \`${user}\`${why}`, known, wanted: user };
  }
  const identity = { uid: entry?.uid ?? uid ?? 0, name: entry?.name ?? null, home: entry?.home ?? null };
  if (group === null) {
    const gid = entry?.gid ?? 0;
    const member = accounts.groups.filter((one) => entry !== undefined && one.members.includes(entry.name));
    return { ok: true, user: { ...identity, gid, groups: [...new Set([gid, ...member.map((one) => one.gid)])] } };
  }
  const gid = toId(group) ?? accounts.groups.find((one) => one.name === group)?.gid;
  if (gid === undefined) {
    const why = accounts.groupsMissing === null ? '' : ` (cannot read /etc/group: ${accounts.groupsMissing})`;
    const known = accounts.groups.map((one) => one.name);
    return { ok: false, message: `there is no group \`${group}\`${why}`, known, wanted: group };
  }
  return { ok: true, user: { ...identity, gid, groups: [gid] } };
}

function parsePasswords(text: string): readonly PasswordEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
    const [userId, groupId] = [toId(uid), toId(gid)];
    if (name === '' || name.startsWith('#') || userId === null || groupId === null) return [];
    return [{ name, uid: userId, gid: groupId, home: home === '' ? '/' : home }];
  });
}

function parseGroups(text: string): readonly GroupEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , gid = '', members = ''] = line.trimEnd().split(':');
    const id = toId(gid);
    if (name === '' || name.startsWith('#') || id === null) return [];
    return [{ name, gid: id, members: members.split(',') }];
  });
}

function toId(text: string): number | null {
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID ? Number(text) : null;
}
