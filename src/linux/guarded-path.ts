// Opens files by paths that services may change, so that no link leads the supervisor to a file that the link's owner
// could not reach. Walks the path folder by folder with O_NOFOLLOW (open(2)) and holds each folder open, so that
// nothing can be replaced between a check and its use. Decides by owner and mode only.
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readlinkSync, type Stats } from 'node:fs';
import { decodeBytes, encodeBytes } from '../bytes.ts';
import { codeOf } from './errno.ts';
import { isMapped } from './id-map.ts';

/** O_PATH of open(2), the same on x86-64 and arm64: opens a file, even if this user may not read it, as a place only. */
const O_PATH = 0o10000000;
const FOLDER = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** The most links that the kernel follows in one path (path_resolution(7)). */
export const LINKS_MOST = 40;
/** Bits of a mode (inode(7)). */
const [OTHERS_READ, OTHERS_ENTER, OTHERS_WRITE, STICKY] = [0o004, 0o001, 0o022, 0o1000];
/** Represents every user that the user namespace does not map (user_namespaces(7)). */
const OVERFLOW_UID = 65_534;

/**
 * `write`: a link that another user could have created is refused. `read`: such a link is followed if that user could
 * have followed it and read the file.
 */
type Purpose = 'write' | 'read';

/** A file, as a name in a folder. `isFollowed`: the name is a link of /proc, which the kernel must follow. */
interface Place {
  readonly folder: Folder;
  readonly name: string;
  readonly isFollowed: boolean;
}

/** A folder that is held open: its entries stay reachable even if its path changes. */
export class Folder {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The path of an entry; valid until close(). */
  at(name: string): Buffer {
    return Buffer.concat([Buffer.from(`/proc/self/fd/${this.#fd}/`), encodeBytes(name)]);
  }

  stat(): Stats {
    return fstatSync(this.#fd);
  }

  /** The current path of the folder, for messages. */
  get path(): string {
    return decodeBytes(readlinkSync(`/proc/self/fd/${this.#fd}`, { encoding: 'buffer' }));
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/**
 * Opens the file at an absolute path with the flags of open(2). Never blocks, and never acquires a controlling
 * terminal. The file itself is checked after it is open, so O_TRUNC is no flag for it: a caller truncates what was returned.
 * Throws an Error, with `code` if the kernel refused.
 */
export function openGuarded(path: string, flags: number, purpose: Purpose, mode = 0o666): number {
  const walk = new Walk(path, purpose, false);
  const { folder, name, isFollowed } = walk.place;
  try {
    const noFollow = isFollowed ? 0 : constants.O_NOFOLLOW;
    const fd = openSync(folder.at(name), flags | noFollow | constants.O_NONBLOCK | constants.O_NOCTTY, mode);
    try {
      walk.check(fstatSync(fd), name);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    return fd;
  } finally {
    folder.close();
  }
}

/** The folder of the file at an absolute path, and the file's name in it. The caller closes the folder. */
export function openFolderOf(path: string, how: 'make' | 'find'): Place {
  return new Walk(path, 'write', how === 'make').place;
}

class Walk {
  readonly place: Place;
  readonly #purpose: Purpose;
  readonly #makes: boolean;
  #folder = openRoot();
  /** Whether only root and our user can change the folders and links that the walk has passed. */
  #isGuarded = true;
  /** The user who may have chosen the target of the path; null: root or our user. */
  #chooser: number | null = null;
  #links = 0;

  constructor(path: string, purpose: Purpose, makes: boolean) {
    this.#purpose = purpose;
    this.#makes = makes;
    try {
      this.place = this.#follow(namesOf(path));
    } catch (error) {
      this.#folder.close();
      throw error;
    }
  }

  #follow(names: string[]): Place {
    for (let name = names.shift() ?? '.'; ; name = names.shift() ?? '.') {
      const isLast = names.length === 0;
      const found = lstatSync(this.#folder.at(name), { throwIfNoEntry: false });
      if (found?.isSymbolicLink() === true) {
        const target = this.#readLink(name, found);
        if (target === null && isLast) return { folder: this.#folder, name, isFollowed: true };
        if (target === null) this.#enter(name, O_PATH | constants.O_DIRECTORY);
        else names.unshift(...namesOf(target));
        if (target?.startsWith('/') === true) this.#replace(openRoot(), this.#chooser === null);
      } else if (isLast) {
        return { folder: this.#folder, name, isFollowed: false };
      } else {
        if (found === undefined && this.#makes) make(this.#folder.at(name));
        this.#enter(name, FOLDER);
      }
    }
  }

  #enter(name: string, flags: number): void {
    const next = new Folder(openSync(this.#folder.at(name), flags));
    try {
      const entered = next.stat();
      this.#refuseUnless(this.#mayUse(entered, OTHERS_ENTER), name);
      this.#replace(next, this.#isGuarded && isGuardedIn(this.#folder.stat(), entered.uid));
    } catch (error) {
      next.close();
      throw error;
    }
  }

  #replace(next: Folder, isGuarded: boolean): void {
    this.#folder.close();
    this.#folder = next;
    this.#isGuarded = isGuarded;
  }

  /** The target of a link; null for a link of /proc that only the kernel can follow. */
  #readLink(name: string, found: Stats): string | null {
    this.#links += 1;
    if (this.#links > LINKS_MOST) throw Object.assign(new Error('too many symbolic links'), { code: 'ELOOP' });
    const isOurs =
      this.#isGuarded && found.nlink === 1 && isOwn(found.uid) && isGuardedIn(this.#folder.stat(), found.uid);
    if (!isOurs && this.#purpose === 'write') throw new Error(this.#describeLink(name));
    // Only root can be made to read a file that another user may not read.
    if (!isOurs && isSuperuser()) this.#chooser ??= isOwn(found.uid) ? this.#folder.stat().uid : found.uid;
    if (this.#folder.path.startsWith('/proc/')) return null;
    return decodeBytes(readlinkSync(this.#folder.at(name), { encoding: 'buffer' }));
  }

  #describeLink(name: string): string {
    const { path } = this.#folder;
    return `${path === '/' ? '' : path}/${name} is a symbolic link that another user may have made (only root and the user of svc-super may be able to write to its folder). Write the path that it leads to`;
  }

  /** Checks the file that was opened. */
  check(found: Stats, name: string): void {
    // A hard link can also lead to a file of another user.
    const isLinked =
      found.isFile() && found.nlink > 1 && !(this.#isGuarded && isGuardedIn(this.#folderOf(), found.uid));
    if (isLinked && this.#purpose === 'write')
      throw new Error(
        'it has another name (a hard link), which another user may have made: others may write to its folder. Remove the file, or let only root and the user of svc-super write to the folder',
      );
    if (isLinked && isSuperuser()) this.#chooser ??= this.#folderOf().uid;
    this.#refuseUnless(this.#mayUse(found, OTHERS_READ), name);
  }

  #folderOf(): Stats {
    return this.place.folder.stat();
  }

  /** Whether the user who may have chosen the target may enter a folder, or read a file, by its mode. */
  #mayUse({ uid, mode }: Stats, bit: number): boolean {
    return this.#chooser === null || uid === this.#chooser || (mode & bit) !== 0;
  }

  #refuseUnless(isAllowed: boolean, name: string): void {
    if (isAllowed) return;
    throw new Error(
      `a link of user ${this.#chooser} leads to ${name}, which user ${this.#chooser} may not read: through the link, that user could choose what is read. Write the path that the link leads to`,
    );
  }
}

const openRoot = () => new Folder(openSync('/', FOLDER));
const namesOf = (path: string) => path.split('/').filter((name) => name !== '' && name !== '.');
const isSuperuser = () => process.geteuid?.() === 0;

function make(path: Buffer): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/** Whether only root and our user can remove or rename an entry of `owner` in a folder. */
function isGuardedIn(folder: Stats, owner: number): boolean {
  if (!isOwn(folder.uid)) return false;
  return (folder.mode & OTHERS_WRITE) === 0 || ((folder.mode & STICKY) !== 0 && isOwn(owner));
}

/** Whether a user of this namespace has the number OVERFLOW_UID. Read once. */
let hasOverflowUser: boolean | null = null;

function isOwn(uid: number): boolean {
  if (uid === 0 || uid === process.geteuid?.()) return true;
  if (uid !== OVERFLOW_UID) return false;
  hasOverflowUser ??= isMapped('uid', OVERFLOW_UID);
  return !hasOverflowUser;
}
