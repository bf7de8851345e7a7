// Explains why a program cannot be executed: checks the file as execve(2) does, with the permissions of the user that
// it is to run as. All explanations of this kind come from here: for starts, hooks, probes, stop commands, `check` and
// `svc-super init`. Starts nothing.
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { decodeBytes, encodeBytes } from '../bytes.ts';
import { resolve } from '../paths.ts';
import type { ProcessSpec } from '../plan/process.ts';
import { EXIT_CODE } from './exit-codes.ts';
import { absolute, readLatin1 } from './files.ts';
import {
  type Credentials,
  describeLink,
  describeMode,
  describeUser,
  isLink,
  permits,
  type Reached,
  reach,
} from './reach.ts';

type FailureCode = typeof EXIT_CODE.notExecutable | typeof EXIT_CODE.notFound;

/** Where a program is, or why it cannot be executed. `code` is what a shell would exit with: 126 or 127. */
type Inspection =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly why: string; readonly fix: string | null; readonly code: FailureCode };
type Failure = Exclude<Inspection, { readonly ok: true }>;

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Bytes of a file that the kernel examines: BINPRM_BUF_SIZE. */
const HEAD = 256;
/** A script may be interpreted by another script, up to five levels: fs/exec.c. */
const DEPTH_MOST = 5;

const failed = (why: string, fix: string | null, code: FailureCode = EXIT_CODE.notExecutable): Failure => ({
  ok: false,
  why,
  fix,
  code,
});

/**
 * The files that execvp(3) tries for a program: the name itself if it has a slash, otherwise one in each folder of the
 * child's PATH.
 */
export function candidates(file: string, env: Readonly<Record<string, string>>): readonly string[] {
  if (file.includes('/')) return [file];
  return (env.PATH ?? DEFAULT_PATH).split(':').map((folder) => `${folder === '' ? '.' : folder}/${file}`);
}

/** The environment, folder and user with which a program would be executed. */
export type LaunchContext = Pick<ProcessSpec, 'env' | 'cwd'> & { readonly attributes: { readonly user: Credentials } };

/**
 * Finds the program that execvp(3) would execute. If all candidates fail, returns the failure of the first one that
 * exists.
 */
export function inspectProgram(name: string, context: LaunchContext): Inspection {
  if (name === '') return failed('its name is empty', null, EXIT_CODE.notFound);
  let first: Failure | null = null;
  for (const candidate of candidates(name, context.env)) {
    const path = resolve(absolute(context.cwd ?? '.'), candidate);
    const found = inspectFile(path, name.includes('/') ? 'it' : path, context, 0);
    if (found.ok) return found;
    if (found.why !== MISSING) first ??= found;
  }
  return first ?? failed(whyMissing(name, context.cwd), null, EXIT_CODE.notFound);
}

/** Names the whole path of a relative one, because the folder that it starts at may not be the one that is meant. */
function whyMissing(name: string, cwd: string | null): string {
  if (!name.includes('/')) return 'it is in no folder of PATH';
  return name.startsWith('/') ? MISSING : `there is no ${resolve(absolute(cwd ?? '.'), name)}`;
}

const MISSING = 'there is no such file';

/** `it` is the name of the file in messages. */
function inspectFile(path: string, it: string, context: LaunchContext, depth: number): Inspection {
  const credentials = context.attributes.user;
  const reached = reach(path, credentials);
  if (reached.kind !== 'there') return whyNotReached(reached, path, it, credentials);
  const { real, stats } = reached;
  if (!stats.isFile()) return failed(`${it} is ${stats.isDirectory() ? 'a folder' : 'not a regular file'}`, null);
  if (isOnNoexec(real))
    return failed(
      `${it} is on a file system that is mounted \`noexec\``,
      'copy it to another folder, or mount that file system with `exec`',
    );
  if ((stats.mode & 0o111) === 0)
    return failed(`${it} is not executable (${describeMode(stats)})`, `run \`chmod +x ${path}\``);
  if (!permits(real, stats, 'search', credentials))
    return failed(
      `${describeUser(credentials)} may not execute ${it === 'it' ? 'it' : path} (${describeMode(stats)})`,
      `run \`chmod a+rx ${path}\``,
    );
  const file = openHead(real);
  if (file === null) return { ok: true, path };
  try {
    const why =
      file.head.toString('latin1', 0, 4) === '\x7fELF'
        ? inspectElf(file, it, context)
        : file.head.toString('latin1', 0, 2) === '#!'
          ? inspectScript(file.head, path, it, context, depth)
          : inspectText(file.head, path, it, context);
    if (why !== null) return why;
    if (file.head[0] !== 0x7f && !permits(real, stats, 'read', credentials))
      return failed(
        `${describeUser(credentials)} may not read ${it}, and a script must be read (${describeMode(stats)})`,
        `run \`chmod a+r ${path}\``,
      );
    return { ok: true, path };
  } finally {
    closeSync(file.fd);
  }
}

/** A candidate of PATH that does not exist counts as missing, even in a folder that the user may not enter. */
function whyNotReached(reached: Reached, path: string, it: string, credentials: Credentials): Failure {
  const leads = describeLink(reached, it);
  switch (reached.kind) {
    case 'closed':
      if (it !== 'it' && reach(path, null).kind === 'missing') return failed(MISSING, null, EXIT_CODE.notFound);
      return failed(
        `${leads}${describeUser(credentials)} may not enter ${reached.real} (${describeMode(reached.stats)})`,
        reached.link === null
          ? `run \`chmod a+x ${reached.real}\`, or start it as another user`
          : `put what it leads to into a folder that this user may enter, or run \`chmod a+x ${reached.real}\``,
      );
    case 'loop':
      return failed(`${it} is a symbolic link that leads to itself`, null);
    case 'not-folder':
      return failed(it === 'it' ? `${reached.real} is not a folder` : MISSING, null, EXIT_CODE.notFound);
    default:
      if (!isLink(path)) return failed(MISSING, null, EXIT_CODE.notFound);
      return failed(`${leads}there is no ${reached.real}`, null, EXIT_CODE.notFound);
  }
}

interface Head {
  readonly fd: number;
  readonly head: Buffer;
}

/** Opens a file and reads its first bytes; null if it cannot be opened, as when this user may execute but not read it. */
function openHead(path: string): Head | null {
  let fd: number;
  try {
    fd = openSync(encodeBytes(path), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  return { fd, head: readAt(fd, 0, HEAD) };
}

function readAt(fd: number, from: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  try {
    return bytes.subarray(0, readSync(fd, bytes, 0, size, from));
  } catch {
    return bytes.subarray(0, 0);
  }
}

/**
 * Whether the mount of a path is `noexec`. The longest mount point that contains the path counts, and the later of two
 * mounts at the same point: proc_pid_mountinfo(5).
 */
function isOnNoexec(path: string): boolean {
  try {
    return isNoexecIn(readLatin1('/proc/self/mountinfo'), path);
  } catch {
    return false;
  }
}

/** `mounts`: the content of that file, each byte a character. Pure. */
export function isNoexecIn(mounts: string, path: string): boolean {
  let longest = 0;
  let isNoexec = false;
  for (const line of mounts.split('\n')) {
    const [, , , , escaped, options] = line.split(' ');
    if (escaped === undefined || options === undefined) continue;
    const bytes = escaped.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    const point = decodeBytes(Buffer.from(bytes, 'latin1'));
    if (point !== '/' && path !== point && !path.startsWith(`${point}/`)) continue;
    if (point.length < longest) continue;
    longest = point.length;
    isNoexec = options.split(',').includes('noexec');
  }
  return isNoexec;
}

// ELF files: elf(5).

/** The values of e_machine in elf(5), with the names of uname(2). */
const MACHINES: Readonly<Record<number, string>> = {
  3: '32-bit x86',
  20: 'ppc',
  21: 'ppc64',
  22: 's390x',
  40: '32-bit ARM',
  62: 'x86-64',
  183: 'aarch64',
  243: 'riscv64',
  258: 'loongarch64',
};
/**
 * The machines whose programs each architecture executes: its own and, if the kernel supports it, that of its 32-bit
 * predecessor.
 */
const OURS: Readonly<Record<string, { readonly name: string; readonly machines: readonly number[] }>> = {
  x64: { name: 'x86-64', machines: [62, 3] },
  arm64: { name: 'aarch64', machines: [183, 40] },
};
/** Values of e_type and p_type in elf(5). */
const ET_REL = 1;
const ET_EXEC = 2;
const ET_DYN = 3;
const PT_INTERP = 3;

function inspectElf({ fd, head }: Head, it: string, { attributes: { user } }: LaunchContext): Failure | null {
  const isLittle = head[5] !== 2;
  const is64 = head[4] === 2;
  const u16 = (bytes: Buffer, at: number) => (isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const u32 = (bytes: Buffer, at: number) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const word = (bytes: Buffer, at: number) =>
    is64 ? Number(isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at)) : u32(bytes, at);
  const cutShort = failed(`${it} is an ELF file that is cut short`, 'copy it again');
  if (head.length < 20) return cutShort;
  const machine = u16(head, 18);
  const ours = OURS[process.arch];
  if (ours !== undefined && !ours.machines.includes(machine)) {
    const built = MACHINES[machine] ?? `machine ${machine}`;
    return failed(
      `exec format error: ${it === 'it' ? '' : `${it} is `}built for ${built}, this is ${ours.name}`,
      `build or pull the image for this machine (\`--platform linux/${process.arch === 'x64' ? 'amd64' : 'arm64'}\`)`,
    );
  }
  if (head.length < (is64 ? 64 : 52)) return cutShort;
  const type = u16(head, 16);
  if (type !== ET_EXEC && type !== ET_DYN)
    return failed(
      `exec format error: ${it === 'it' ? '' : `${it} is `}an ELF file that is not a program`,
      type === ET_REL ? 'link it: it is an object file' : null,
    );
  const [offset, size, count] = is64
    ? [word(head, 32), u16(head, 54), u16(head, 56)]
    : [word(head, 28), u16(head, 42), u16(head, 44)];
  // The kernel refuses any other size, and a file without program headers (fs/binfmt_elf.c, load_elf_phdrs).
  if (count === 0 || size !== (is64 ? 56 : 32))
    return failed(`${it} is an ELF file that is damaged`, 'copy or build it again');
  const table = readAt(fd, offset, Math.min(size * count, 65_536));
  for (let at = 0; at + size <= table.length; at += size) {
    if (u32(table, at) !== PT_INTERP) continue;
    const [from, length] = is64
      ? [word(table, at + 8), word(table, at + 32)]
      : [u32(table, at + 4), u32(table, at + 16)];
    const loader = readAt(fd, from, Math.min(length, 4_096)).toString('latin1').replace(/\0.*$/s, '');
    const reached = reach(loader.startsWith('/') ? loader : `/${loader}`, user);
    return reached.kind === 'missing' || reached.kind === 'not-folder' ? whyNoLoader(it, loader) : null;
  }
  return null;
}

function whyNoLoader(it: string, loader: string): Failure {
  const isMusl = loader.includes('ld-musl');
  const libc = isMusl ? 'musl (Alpine)' : loader.includes('ld-linux') ? 'glibc (Debian, Ubuntu, Fedora)' : null;
  const built = libc === null ? '' : `: it was built for ${libc}`;
  const fix = isMusl
    ? 'use a build for glibc or a static one, or an image with musl'
    : 'use a build for musl or a static one, or an image with glibc';
  return failed(
    `${it} needs the loader ${loader}, and ${MISSING}${built}`,
    libc === null ? null : fix,
    EXIT_CODE.notFound,
  );
}

// Scripts.

function inspectScript(head: Buffer, path: string, it: string, context: LaunchContext, depth: number): Failure | null {
  const line = head.subarray(2).toString('latin1').split('\n', 1)[0] ?? '';
  const [, interpreter = '', rest = ''] = /^[ \t]*([^ \t]*)[ \t]*(.*?)[ \t]*$/s.exec(line) ?? [];
  if (interpreter.endsWith('\r')) return endsWithCrlf(path, 'so its interpreter would be', interpreter);
  if (interpreter === '') return failed(`${it} has no interpreter after its \`#!\``, 'write `#!/bin/sh`');
  if (depth >= DEPTH_MOST)
    return failed(`${it} has an interpreter that is itself a script, with more than ${DEPTH_MOST} levels`, null);
  const found = inspectFile(resolve(absolute(context.cwd ?? '.'), interpreter), interpreter, context, depth + 1);
  if (!found.ok) {
    const why =
      found.why === MISSING
        ? `${path} needs ${interpreter}, and ${MISSING}`
        : `${path} needs ${interpreter}: ${found.why}`;
    return failed(why, found.fix, found.code);
  }
  if (interpreter.endsWith('/env')) return inspectEnv(rest, path, context);
  if (!rest.endsWith('\r')) return null;
  return endsWithCrlf(path, `so ${interpreter} gets the argument`, rest, EXIT_CODE.notExecutable);
}

/** `effect`: what the CR at the end of `word` causes. */
function endsWithCrlf(path: string, effect: string, word: string, code: FailureCode = EXIT_CODE.notFound): Failure {
  return failed(
    `its first line ends with CRLF, ${effect} \`${word.slice(0, -1)}\\r\``,
    `run \`dos2unix ${path}\` (or \`sed -i 's/\\r$//' ${path}\`)`,
    code,
  );
}

/**
 * `#!/usr/bin/env -S python3 -u`: env(1) looks for its program on PATH. The kernel passes everything after `env` as one argument,
 * which only `-S` splits, at a CR too.
 */
function inspectEnv(rest: string, path: string, context: LaunchContext): Failure | null {
  const split = /^(?:-S|--split-string=)(.*)$/s.exec(rest)?.[1];
  if (split === undefined && rest.endsWith('\r')) return endsWithCrlf(path, 'so `env` would look for', rest);
  const name =
    split === undefined
      ? rest
      : split
          .trim()
          .split(/\s+/)
          .find((word) => !word.includes('='));
  if (name === undefined || name === '' || name.startsWith('-') || name.includes('=')) return null;
  const found = inspectProgram(name, context);
  if (found.ok) return null;
  if (/[ \t]/.test(name))
    return failed(
      `${path} makes \`env\` look for one program with the name \`${name}\``,
      `write \`#!/usr/bin/env -S ${name}\``,
      found.code,
    );
  return failed(`${path} needs ${name}: ${found.why}`, found.fix, found.code);
}

/** A file that begins otherwise is run by /bin/sh, as execvp(3) does, if it is text (native/exec.c). */
function inspectText(head: Buffer, path: string, it: string, context: LaunchContext): Failure | null {
  const start = head.toString('latin1', 0, 4);
  if (start.startsWith('\xef\xbb\xbf'))
    return failed(
      `${it} begins with a byte order mark, which hides its first line from the kernel`,
      `remove it: \`sed -i '1s/^\\xEF\\xBB\\xBF//' ${path}\``,
    );
  if (start.startsWith('\xff\xfe') || start.startsWith('\xfe\xff'))
    return failed(
      `${it} is UTF-16 text`,
      // `cp` onto the file keeps its mode.
      `save it as UTF-8: \`iconv -f UTF-16 -t UTF-8 ${path} > ${path}.utf8 && cp ${path}.utf8 ${path}\``,
    );
  const line = head.indexOf(10);
  const nul = head.indexOf(0);
  if (nul >= 0 && (line < 0 || nul < line)) {
    const built = start.startsWith('MZ')
      ? 'built for Windows'
      : ['\xcf\xfa\xed\xfe', '\xce\xfa\xed\xfe', '\xca\xfe\xba\xbe'].includes(start)
        ? 'built for macOS'
        : null;
    return failed(
      `exec format error: ${it === 'it' ? '' : `${it} is `}${built ?? 'neither an ELF file nor a script'}`,
      built === null ? null : 'build it for Linux',
    );
  }
  if (reach('/bin/sh', context.attributes.user).kind === 'there') return null;
  return failed(
    `${it} is text without \`#!\`, and there is no /bin/sh to run it`,
    'begin it with `#!` and its interpreter',
  );
}
