// The processes of a run, with fake process tables, and the parsers of /proc.
import { describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findListeningSocket } from '../../src/linux/listeners.ts';
import {
  type MarkReader,
  type Process,
  ProcessIndex,
  parseStat,
  type Roots,
  readProcess,
  readProcesses,
  readTitle,
} from '../../src/linux/processes.ts';
import { newMain } from '../../src/pid1/run.ts';
import { until } from '../helpers/rig.ts';

interface Made extends Partial<Process> {
  readonly pid: number;
  readonly mark?: string;
  readonly runName?: string;
}

/** PID 1, whose children are services and orphans, and the supervisor. */
const REAPER = 1;
const SELF = 2;
const MARK = '77';

function made(given: Partial<Process> & { readonly pid: number }): Process {
  return {
    start: 100 + given.pid,
    name: 'p',
    state: 'S',
    parent: REAPER,
    group: given.pid,
    session: given.pid,
    ticks: 0,
    threads: 1,
    ...given,
  };
}

function members(table: readonly Made[], roots: Partial<Roots> = {}): number[] {
  const all = new Map(table.map(({ mark: _mark, runName: _name, ...given }) => [given.pid, made(given)]));
  const of = (pid: number) => table.find((made) => made.pid === pid);
  const marks: MarkReader = {
    mark: ({ pid }) => of(pid)?.mark ?? null,
    runName: ({ pid }) => of(pid)?.runName ?? null,
  };
  const full: Roots = { main: 10, mainStart: 110, mark: MARK, runName: 'a#1', known: new Map(), ...roots };
  return new ProcessIndex(all, marks, { reaper: REAPER, self: SELF })
    .membersOf(full)
    .map(({ pid }) => pid)
    .sort((a, b) => a - b);
}

describe("a run's processes", () => {
  test('are main, its group, its session and all descendants', () => {
    const table = [
      { pid: 1, parent: 0, group: 1, session: 1 },
      { pid: 10 },
      { pid: 11, parent: 10, group: 10, session: 10 },
      { pid: 12, parent: 11 },
      { pid: 13, parent: 1, group: 10, session: 10 },
      { pid: 14, parent: 1, group: 14, session: 10 },
      { pid: 20, parent: 1 },
    ];
    expect(members(table)).toEqual([10, 11, 12, 13, 14]);
  });

  test('are found by their mark if the main process has ended and they have their own sessions', () => {
    expect(
      members([
        { pid: 30, mark: MARK },
        { pid: 31, parent: 30 },
        { pid: 32, mark: '78' },
      ]),
    ).toEqual([30, 31]);
  });

  test('do not include a process that has reused the PID of a member', () => {
    const known = new Map([
      [40, 140],
      [41, 1],
    ]);
    expect(members([{ pid: 40 }, { pid: 41 }], { known })).toEqual([40]);
  });

  test('do not include the group of a process that has reused the PID of the main process', () => {
    const table = [
      { pid: 10, start: 999, group: 10, session: 10 },
      { pid: 50, parent: 10, group: 10, session: 10 },
    ];
    expect(members(table)).toEqual([]);
  });

  test('are, if the kernel stores no marks, orphans with the name of the run in their environment', () => {
    const table = [
      { pid: 60, runName: 'a#1' },
      { pid: 61, runName: 'a#2' },
      { pid: 62, parent: 99, runName: 'a#1' },
    ];
    expect(members(table, { mark: '' })).toEqual([60]);
  });

  test('never include PID 1, the supervisor or programs that the supervisor started', () => {
    expect(members([{ pid: 1, mark: MARK, parent: 10 }, { pid: 10 }])).toEqual([10]);
    expect(members([{ pid: SELF, mark: MARK, runName: 'a#1' }, { pid: 3, parent: SELF }, { pid: 10 }])).toEqual([10]);
  });

  test('below another init are also found among its children, which adopts orphans if there is no subreaper', () => {
    const table = [
      { pid: 60, parent: 1, mark: MARK },
      { pid: 61, parent: 7, mark: MARK },
    ];
    const all = new Map(table.map((given) => [given.pid, made(given)]));
    const marks: MarkReader = {
      mark: ({ pid }) => table.find((one) => one.pid === pid)?.mark ?? null,
      runName: () => null,
    };
    const index = new ProcessIndex(all, marks, { reaper: 7, self: 8 });
    const roots = { main: 10, mainStart: 110, mark: MARK, runName: 'a#1', known: new Map() };
    expect(
      index
        .membersOf(roots)
        .map(({ pid }) => pid)
        .sort(),
    ).toEqual([60, 61]);
  });
});

describe('/proc/<pid>/stat', () => {
  const line = (name: string) =>
    `4242 (${name}) S 1 4242 4200 0 -1 4194560 900 0 2 0 15 7 0 0 20 0 1 0 123456 9000000 700 184467 1 1 0 0 0 0 0 4096 0\n`;

  test('is parsed for any process name', () => {
    for (const name of ['sh', 'VLLM::EngineCor', 'a) S 1 (b', ' ', '((', 'é\n']) {
      expect(parseStat(Buffer.from(line(name)).toString('latin1'))).toEqual({
        pid: 4242,
        name,
        state: 'S',
        parent: 1,
        group: 4242,
        session: 4200,
        ticks: 22,
        threads: 1,
        start: 123456,
      });
    }
  });

  test('is null if it is truncated or empty', () => {
    for (const text of ['', '12', '12 (', '12 (x) S 1', 'x (y) S 1 2 3']) expect(parseStat(text)).toBeNull();
  });
});

test('a listener is found on wildcard and loopback addresses, by its exact port', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2328 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5001 1 0
   1: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5002 1 0
   2: 0200A8C0:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5003 1 0
   3: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 5004 1 0
`;
  expect(findListeningSocket(table, 9000)).toBe('5001');
  expect(findListeningSocket(table, 8000)).toBe('5002');
  expect(findListeningSocket(table, 80)).toBeNull();
  expect(findListeningSocket(table, 8080)).toBeNull();
  expect(findListeningSocket(table, 900)).toBeNull();
  const six =
    '   0: 00000000000000000000000000000000:2328 0:0 0A 0:0 0:0 0 0 0 6001 1\n   1: 00000000000000000000000001000000:1F40 0:0 0A 0:0 0:0 0 0 0 6002 1\n';
  expect([findListeningSocket(six, 9000), findListeningSocket(six, 8000)]).toEqual(['6001', '6002']);
});

describe('a scan of /proc', () => {
  const line = (pid: number, state: string, parent: number) => `${pid} (x) ${state} ${parent} 1 1${' 0'.repeat(20)}`;
  const files = (table: Readonly<Record<string, string>>) => (path: string) => {
    const text = table[path];
    if (text === undefined) throw Object.assign(new Error('gone'), { code: 'ENOENT' });
    return text;
  };

  test('reports processes that ended during the scan, because it may have missed their children', () => {
    const read = files({
      '/proc/10/stat': line(10, 'S', 1),
      '/proc/11/stat': line(11, 'Z', REAPER),
      '/proc/12/stat': line(12, 'Z', 10),
    });
    const list = () => ['10', '11', '12', '13'];
    const { all, gone } = readProcesses(REAPER, new Map(), undefined, list, read);
    expect([...all.keys()]).toEqual([10]);
    expect(gone).toEqual([11, 13]);
  });

  test('counts a process with running threads as alive', () => {
    const half = line(11, 'Z', REAPER).replace(/( 0){20}$/, `${' 0'.repeat(13)} 2 0 0 0 0 0 0`);
    const { all, dead } = readProcesses(REAPER, new Map(), undefined, () => ['11'], files({ '/proc/11/stat': half }));
    expect([[...all.keys()], [...dead]]).toEqual([[11], []]);
  });

  test('does not report a zombie of an earlier scan again', () => {
    const read = files({ '/proc/11/stat': line(11, 'Z', REAPER), '/proc/12/stat': line(12, 'Z', REAPER) });
    const numbers = () => ['11', '12'];
    const { dead } = readProcesses(REAPER, new Map([[12, 7]]), undefined, numbers, read);
    expect([...dead]).toEqual([
      [11, 0],
      [12, 0],
    ]);
    expect(readProcesses(REAPER, dead, undefined, numbers, read).gone).toEqual([]);
    // The PID is the same, but the process is another one.
    expect(readProcesses(REAPER, new Map([[12, 7]]), undefined, numbers, read).gone).toEqual([11, 12]);
  });

  test('does not read a main process that has not been reaped, and includes it only if it is listed', () => {
    const main = { pid: 11, start: 5, name: '', state: 'S', parent: 1, group: 11, session: 11, ticks: 0, threads: 1 };
    const findMain = (pid: number) => (pid === 11 ? main : undefined);
    const read = files({ '/proc/10/stat': line(10, 'S', 1) });
    const { all, gone } = readProcesses(REAPER, new Map(), findMain, () => ['10', '11'], read);
    expect([[...all.keys()], gone]).toEqual([[10, 11], []]);
    expect(all.get(11)).toBe(main);
    expect([...readProcesses(REAPER, new Map(), findMain, () => ['10'], read).all.keys()]).toEqual([10]);
  });

  test('throws if no file can be read now', () => {
    const full = () => {
      throw Object.assign(new Error('full'), { code: 'EMFILE' });
    };
    expect(() => readProcesses(REAPER, new Map(), undefined, () => ['10'], full)).toThrow('full');
  });
});

test('a name that the kernel has cut is whole, also of a program with a folder and of a script', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'svc-super-title-'));
  const names = ['a-program-with-a-long-name', 'a-script-with-a-long-name'] as const;
  const [program, script] = names.map((name) => join(folder, name)) as [string, string];
  symlinkSync('/bin/sleep', program);
  // A builtin, so that the shell keeps the name of the script.
  writeFileSync(script, '#!/bin/sh\nread line\n', { mode: 0o755 });
  const children = [Bun.spawn([program, '60']), Bun.spawn([script], { stdin: 'pipe' })];
  try {
    // The kernel lets the parent go on before it has set the new name: vfork(2).
    for (const [at, child] of children.entries()) {
      const name = names[at] ?? '';
      const found = await until('its name', () => {
        const process = readProcess(child.pid);
        return process?.name === name.slice(0, 15) && process;
      });
      await until('its command line', () => readTitle(found) === name);
    }
  } finally {
    for (const child of children) child.kill();
    rmSync(folder, { recursive: true });
  }
});

test('the name of a process that is known by its number only is that of its program', async () => {
  const child = Bun.spawn(['sleep', '60']);
  try {
    // The command line is empty for a moment after the exec.
    await until('its name', () => readTitle(newMain(child.pid, 0, process.pid)) === 'sleep');
  } finally {
    child.kill();
  }
});

test('the name of a process with a title of its own has no colon', async () => {
  const child = Bun.spawn(['sleep', '60'], { argv0: 'sleep: worker process' });
  try {
    // The kernel lets the parent go on before it has set the new name: vfork(2).
    const process = await until('its name', () => {
      const found = readProcess(child.pid);
      return found?.name === 'sleep' && found;
    });
    expect(readTitle(process)).toBe('sleep');
  } finally {
    child.kill();
  }
});
