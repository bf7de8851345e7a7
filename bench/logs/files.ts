// Log files (`log.file`) that cannot be written: a full disk, a removed folder, a file that becomes unwritable. Each case runs
// separately while a service writes; standard output must be complete, with one notice.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, outcome, shell, table, until, up } from './rig.ts';

const LINES = 200_000;

interface Case {
  readonly name: string;
  /** The log file's folder. */
  readonly home: string;
  /** Arguments before the binary. */
  readonly before: readonly string[];
  /** Executed by a shell when the service has written half of its lines. */
  readonly harm: string;
}

function cases(): Case[] {
  const [home, full] = [join(folder, 'logs'), join(folder, 'full')];
  mkdirSync(full, { recursive: true });
  const small = `mount -t tmpfs -o size=256k tmpfs ${full} && exec "$0" "$@"`;
  return [
    { name: 'disk full', home: full, before: ['unshare', '-m', 'sh', '-c', small], harm: 'true' },
    { name: 'folder removed', home, before: [], harm: `rm -r ${home}` },
    // A folder at the file's path cannot be written even by root.
    { name: 'file unwritable', home, before: [], harm: `mv ${home}/a.log ${home}/moved; mkdir ${home}/a.log` },
  ];
}

async function measure({ name, home, before, harm }: Case): Promise<readonly string[]> {
  const path = join(home, 'a.log');
  const [half, done] = [join(folder, 'half'), join(folder, 'done')];
  for (const file of [half, done]) rmSync(file, { force: true });
  // Longer than the second in which a moved file is detected.
  const script = `$| = 1; for my $n (1 .. ${LINES}) { print "line $n\\n"; next if $n != ${LINES / 2};
    open my $f, ">", "${half}"; close $f; until (-e "${done}") { select undef, undef, undef, 0.01 } sleep 2 }`;
  const file = { path, max_size: '1GB' };
  const running = up(
    { services: { a: { type: 'task', command: ['perl', '-e', script], log: { prefix: false, file } } } },
    'md5sum',
    before,
  );
  await until(running, 'half of the lines', () => existsSync(half));
  await shell(harm);
  writeFileSync(done, '');
  const [said, errors, code] = await Promise.all([running.said, running.errors, running.exited]);
  const whole = said.trim() === (await shell(`seq -f 'line %.0f' ${LINES} | md5sum`));
  const notices = errors.split('\n').filter((line) => line.includes('log file: '));
  rmSync(path, { recursive: true, force: true });
  return [
    name,
    outcome(whole),
    `${notices.length}`,
    `${code}`,
    notices[0]?.replace(/^.*log file: /, '').replace(folder, '') ?? '',
  ];
}

export async function files(): Promise<void> {
  const rows: (readonly string[])[] = [['', 'standard output whole', 'notices', 'code', 'notice']];
  for (const one of cases()) rows.push(await measure(one));
  table(`files: what happens to a log file while ${LINES} lines are written`, rows);
}
