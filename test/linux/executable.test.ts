// Why a program cannot be executed: files of every kind, for our own and for another user, found on PATH and by path.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { candidates, inspectProgram, isNoexecIn } from '../../src/linux/executable.ts';
import type { Credentials } from '../../src/linux/reach.ts';

const root = mkdtempSync(join(tmpdir(), 'svc-executable-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const otherUser = { uid: 65_533, groups: [65_533], name: 'app' };

function file(path: string, mode: number, text: string | Uint8Array = '#!/bin/sh\n'): void {
  writeFileSync(join(root, path), text);
  chmodSync(join(root, path), mode);
}
function folder(path: string, mode: number): void {
  mkdirSync(join(root, path));
  chmodSync(join(root, path), mode);
}

/** The head of an ELF file for a machine, with one program header: a loader if one is given. */
function elf(machine: number, loader: string | null): Buffer {
  const bytes = Buffer.alloc(64 + 56 + 64);
  bytes.write('\x7fELF\x02\x01\x01', 0, 'latin1');
  bytes.writeUInt16LE(2, 16);
  bytes.writeUInt16LE(machine, 18);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(1, 56);
  bytes.writeUInt32LE(loader === null ? 1 : 3, 64);
  bytes.writeBigUInt64LE(120n, 72);
  bytes.writeBigUInt64LE(BigInt((loader?.length ?? 0) + 1), 96);
  bytes.write(loader ?? '', 120);
  return bytes;
}

const [MINE, FOREIGN] = process.arch === 'x64' ? [62, 183] : [183, 62];

beforeAll(() => {
  chmodSync(root, 0o755);
  for (const name of ['first', 'second', 'all']) folder(name, 0o755);
  folder('closed', 0o700);
  file('first/tool', 0o644);
  file('second/tool', 0o755);
  file('second/ours', 0o700);
  file('second/unread', 0o711);
  file('second/python', 0o755, '#! /nowhere/bin/python3 -u\n');
  file('second/crlf', 0o755, '#!/bin/bash\r\necho\r\n');
  file('second/envcrlf', 0o755, '#!/usr/bin/env bash\r\n');
  file('second/argcrlf', 0o755, '#!/bin/sh -e\r\n');
  file('second/env', 0o755, '#!/usr/bin/env -S no-such-python -u\n');
  file('second/bom', 0o755, '\uFEFF#!/bin/sh\n');
  file('second/utf16', 0o755, Buffer.from('\uFEFF#!/bin/sh\n', 'utf16le'));
  file('second/macos', 0o755, Buffer.from('cffaedfe07000001', 'hex'));
  file('second/text', 0o755, 'echo hello\n');
  file('second/empty', 0o755, '');
  file('second/foreign', 0o755, elf(FOREIGN, null));
  file('second/static', 0o755, elf(MINE, null));
  const damaged = elf(MINE, '/lib/ld-musl-nowhere.so.1');
  damaged.writeUInt16LE(8, 54);
  file('second/damaged', 0o755, damaged);
  const object = elf(MINE, null);
  object.writeUInt16LE(1, 16);
  object.fill(0, 54, 58);
  file('second/object.o', 0o755, object);
  const headless = elf(MINE, null);
  headless.fill(0, 54, 58);
  file('second/headless', 0o755, headless);
  file('second/short', 0o755, elf(MINE, null).subarray(0, 18));
  file('second/envwords', 0o755, '#!/usr/bin/env sh -e\n');
  file('second/envsplit', 0o755, '#!/usr/bin/env -S A=1 sh -e\r\n');
  file('second/envset', 0o755, '#!/usr/bin/env A=1 no-such\n');
  file('second/musl', 0o755, elf(MINE, '/lib/ld-musl-nowhere.so.1'));
  file('closed/python3', 0o755);
  file('closed/here', 0o755);
  symlinkSync(join(root, 'closed/python3'), join(root, 'second/venv-python'));
  symlinkSync('/nowhere/python3', join(root, 'second/dangling'));
  symlinkSync('circle', join(root, 'second/circle'));
});

function why(name: string, credentials: Credentials = null, cwd: string | null = null): string {
  const env = { PATH: `${join(root, 'first')}:${join(root, 'closed')}:${join(root, 'second')}` };
  const found = inspectProgram(name, { env, cwd, attributes: { user: credentials } });
  const text = found.ok
    ? `at ${found.path}`
    : `${found.code}: ${found.why}${found.fix === null ? '' : ` > ${found.fix}`}`;
  return text.replaceAll(root, '');
}
const at = (name: string) => join(root, 'second', name);

describe('a program', () => {
  test('has the candidates that execvp tries', () => {
    expect(candidates('sh', { PATH: '/a:/b::/c' })).toEqual(['/a/sh', '/b/sh', './sh', '/c/sh']);
    expect(candidates('./sh', { PATH: '/a' })).toEqual(['./sh']);
    expect(candidates('sh', {})).toContain('/usr/bin/sh');
  });

  test('is the first on PATH that can be executed', () => {
    expect(why('tool')).toBe('at /second/tool');
    expect(why('static')).toBe('at /second/static');
    expect(why('tool', otherUser)).toBe('at /second/tool');
  });

  test('with a slash is one file, relative to its working directory', () => {
    expect(why('./tool', null, join(root, 'second'))).toBe('at /second/tool');
    expect(why('./tool', null, join(root, 'first'))).toContain('126: it is not executable (mode 0644');
    expect(why('./tool', null, join(root, 'first'))).toContain('> run `chmod +x /first/tool`');
    expect(why(join(root, 'none'))).toBe('127: there is no such file');
    expect(why('./none', null, join(root, 'first'))).toBe('127: there is no /first/none');
    expect(why(join(root, 'first'))).toBe('126: it is a folder');
    expect(why(join(at('tool'), 'x'))).toBe('127: /second/tool is not a folder');
  });

  test('that does not exist is missing on PATH, even if PATH has folders that its user may not enter', () => {
    expect(why('none')).toBe('127: it is in no folder of PATH');
    expect(why('none', otherUser)).toBe('127: it is in no folder of PATH');
  });

  test('is checked with the permissions of its user', () => {
    expect(why('ours')).toBe('at /second/ours');
    expect(why('ours', otherUser)).toContain('126: user app may not execute /second/ours (mode 0700, owner uid');
    expect(why('unread', otherUser)).toContain('126: user app may not read /second/unread, and a script must be read');
    expect(why('ours', { uid: process.getuid?.() ?? 0, groups: [] })).toBe('at /second/ours');
  });

  test('in a folder that its user may not enter is explained by that folder', () => {
    expect(why('here', otherUser)).toContain('126: user app may not enter /closed (mode 0700, owner uid');
    expect(why(join(root, 'closed/here'), otherUser)).toContain(
      '> run `chmod a+x /closed`, or start it as another user',
    );
  });

  test('that is a link into a folder that its user may not enter is explained by the link and the folder', () => {
    expect(why(at('venv-python'))).toBe('at /second/venv-python');
    expect(why(at('venv-python'), otherUser)).toMatch(
      /^126: it leads to \/closed\/python3 \(\/second\/venv-python is a link\), and user app may not enter \/closed /,
    );
  });

  test('that is a link to a missing file, or to itself, is explained by the link', () => {
    expect(why(at('dangling'))).toBe(
      '127: it leads to /nowhere/python3 (/second/dangling is a link), and there is no /nowhere',
    );
    expect(why(at('circle'))).toBe('126: it is a symbolic link that leads to itself');
  });
});

describe('a script', () => {
  test('needs its interpreter, and the program that env(1) executes', () => {
    expect(why('python')).toBe('127: /second/python needs /nowhere/bin/python3, and there is no such file');
    expect(why('env')).toBe('127: /second/env needs no-such-python: it is in no folder of PATH');
  });

  test('whose first line ends with CRLF is explained, with dos2unix as the fix', () => {
    expect(why(at('crlf'))).toMatch(
      /^127: its first line ends with CRLF, so its interpreter would be `\/bin\/bash\\r` > run `dos2unix \/second\/crlf`/,
    );
    expect(why(at('envcrlf'))).toContain('127: its first line ends with CRLF, so `env` would look for `bash\\r` > ');
    expect(why(at('argcrlf'))).toContain('126: its first line ends with CRLF, so /bin/sh gets the argument `-e\\r` > ');
  });

  test('with a byte order mark, or in UTF-16, cannot be executed', () => {
    expect(why(at('bom'))).toMatch(/^126: it begins with a byte order mark.* > remove it: `sed /);
    expect(why(at('utf16'))).toMatch(/^126: it is UTF-16 text > save it as UTF-8: `iconv .* > (\S+) && cp \1 \S+`$/);
  });

  test('without #! is executed by /bin/sh, even if it is empty', () => {
    expect(why('text')).toBe('at /second/text');
    expect(why('empty')).toBe('at /second/empty');
  });
});

test('the mount of a path is found, also at a mount point beyond ASCII', () => {
  const mounts = [
    '22 1 8:1 / / rw,relatime - ext4 /dev/root rw',
    '23 22 0:5 / /srv/m\xc3\xbcll\\040x rw,noexec - tmpfs tmpfs rw',
    '24 22 0:6 / /srv/\xff rw,noexec - tmpfs tmpfs rw',
    '',
  ].join('\n');
  const isNoexec = (path: string) => isNoexecIn(mounts, path);
  expect(['/srv/müll x/tool', '/srv/\udcff/tool', '/srv/müll/tool', '/srv/x'].map(isNoexec)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test('`env` gets one argument, which only `-S` splits into words', () => {
  expect(why(at('envwords'))).toBe(
    '127: /second/envwords makes `env` look for one program with the name `sh -e` > write `#!/usr/bin/env -S sh -e`',
  );
  expect(why(at('envset'))).toBe('at /second/envset');
  const found = inspectProgram(at('envsplit'), { env: {}, cwd: null, attributes: { user: null } });
  expect(found.ok).toBe(true);
});

describe('a binary', () => {
  test('for another machine is explained by both machines', () => {
    const [built, ours] = process.arch === 'x64' ? ['aarch64', 'x86-64'] : ['x86-64', 'aarch64'];
    expect(why(at('foreign'))).toContain(`126: exec format error: built for ${built}, this is ${ours} > `);
    expect(why(at('macos'))).toBe('126: exec format error: built for macOS > build it for Linux');
  });

  test('whose loader is missing is explained by the loader and its C library', () => {
    expect(why(at('musl'))).toBe(
      '127: it needs the loader /lib/ld-musl-nowhere.so.1, and there is no such file: it was built for musl (Alpine) > use a build for glibc or a static one, or an image with musl',
    );
  });

  test('whose program headers have a wrong size is damaged', () => {
    expect(why(at('damaged'))).toBe('126: it is an ELF file that is damaged > copy or build it again');
  });

  test('that is no program is not executed', () => {
    expect(why(at('object.o'))).toBe(
      '126: exec format error: an ELF file that is not a program > link it: it is an object file',
    );
    expect(why(at('headless'))).toBe('126: it is an ELF file that is damaged > copy or build it again');
    expect(why(at('short'))).toBe('126: it is an ELF file that is cut short > copy it again');
  });

  test('for this machine is accepted', () => {
    expect(readFileSync(process.execPath).toString('latin1', 1, 4)).toBe('ELF');
    expect(why(process.execPath)).toBe(`at ${process.execPath}`);
  });
});
