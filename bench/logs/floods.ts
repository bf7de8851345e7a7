// Extreme output: one endless line, single bytes, hundreds of services at once.
import { megabytesOf, outcome, type Running, say, shell, table, up } from './rig.ts';

const HEADING = ['', 'complete', 'both processes resident at most', 'of that their own', 'CPU s', 'code'];

async function row(name: string, running: Running, complete: (said: string) => boolean): Promise<void> {
  const from = performance.now();
  const [said, code] = await Promise.all([running.said, running.exited]);
  if (!complete(said.trim())) say(`  came out: ${said.trim()}; said: ${(await running.errors).slice(-500)}`);
  const { resident, anonymous, cpu } = running.usage;
  const seconds = ((performance.now() - from) / 1_000).toFixed(1);
  table(`${name}; ${seconds} s`, [
    HEADING,
    [
      'svc-super',
      outcome(complete(said.trim())),
      megabytesOf(resident),
      megabytesOf(anonymous),
      cpu.toFixed(2),
      `${code}`,
    ],
  ]);
}

const task = (...command: readonly string[]) => ({ type: 'task', command, log: { prefix: false } });

/** A line of the given MB without a newline. */
export async function line(megabytes: number): Promise<void> {
  const size = megabytes * 1_000_000;
  const letters = (count: number) => `head -c ${count} /dev/zero | tr '\\0' x`;
  // Joins the pieces of the line again, without marks and newlines.
  const running = up(
    { services: { a: task('sh', '-c', letters(size)) } },
    `sed 's/ \\[\\.\\.\\.\\]$//' | tr -d '\\n' | md5sum`,
  );
  const expected = await shell(`${letters(size)} | md5sum`);
  await row(`line: ${megabytes} MB without a newline`, running, (said) => said === expected);
}

/** The given number of writes of one byte each. */
export async function bytes(): Promise<void> {
  const count = 200_000;
  const script = `for my $n (1 .. ${count}) { syswrite STDOUT, $n % 100 ? "y" : "\\n" }`;
  const running = up({ services: { a: task('perl', '-e', script) } }, 'md5sum');
  const expected = await shell(`perl -e 'print "y" x 99, "\\n" for 1 .. ${count / 100}' | md5sum`);
  await row(`bytes: ${count} writes of one byte`, running, (said) => said === expected);
}

/** Hundreds of services that write numbered lines. */
export async function many(): Promise<void> {
  const [services, lines] = [500, 10_000];
  const names = Array.from({ length: services }, (_, n) => `s${n}`);
  const commands = names.map((name) => [name, task('seq', '-f', `${name} %.0f ${'.'.repeat(80)}`, `${lines}`)]);
  const check = `awk '$2 != ++n[$1] { bad++ } { sum++ } END { print sum + 0, bad + 0, length(n) }'`;
  const running = up({ services: Object.fromEntries(commands) }, check);
  await row(`many: ${services} services at once, ${lines} lines each`, running, (said) => {
    return said === `${services * lines} 0 ${services}`;
  });
}
