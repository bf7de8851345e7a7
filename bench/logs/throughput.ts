// The speed and the cost of prefixed lines, compared with `sed` and supervisord in one run; and whether the lines are intact.
// Start-up is excluded: time runs from the first byte of output to the last.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { binary, folder, makeLines, median, old, outcome, run, say, shell, table, up } from './rig.ts';

/** Reads and discards its input; prints the seconds from first byte to last, and the count. Silence counts as the end. */
const TIMED = `exec perl -MTime::HiRes=time -MIO::Select -e '
  my $in = IO::Select->new(\\*STDIN);
  while ($in->can_read(2)) {
    my $n = sysread STDIN, my $bytes, 1048576 or last;
    $last = time; $first //= $last; $sum += $n;
  }
  printf "%.6f %d", $last - $first, $sum'`;

interface Case {
  readonly name: string;
  readonly cmd: readonly string[];
  readonly megabytes: number;
  readonly rounds: number;
}

const LISTENER = `
import sys
commands, results, lines = sys.stdin.buffer, sys.stdout, sys.stderr.buffer
while True:
    results.write('READY\\n'); results.flush()
    size = dict(pair.split(':') for pair in commands.readline().decode().split())['len']
    payload = commands.read(int(size))
    text = payload[payload.index(b'\\n') + 1:]
    lines.write(b''.join(b'model     | ' + line for line in text.splitlines(True))); lines.flush()
    results.write('RESULT 2\\nOK'); results.flush()
`;

function supervisord(name: string, program: string, rest: string): readonly string[] {
  const file = join(folder, `${name}.conf`);
  const head = `[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=${folder}/pid\nuser=root\n`;
  writeFileSync(file, `${head}[program:model]\nautorestart=false\nstartsecs=0\n${program}\n${rest}\n`);
  return ['supervisord', '-c', file];
}

async function cases(megabytes: number): Promise<Case[]> {
  const data = await makeLines(megabytes);
  const few = await makeLines(50);
  const config = join(folder, 'throughput.yaml');
  writeFileSync(config, JSON.stringify({ services: { model: { type: 'task', command: ['cat', data] } } }));
  const listener = join(folder, 'listener.py');
  writeFileSync(listener, LISTENER);
  const toPipe = (stream: string) => `${stream}_logfile=/dev/fd/1\n${stream}_logfile_maxbytes=0`;
  const all: Case[] = [
    { name: 'sed', cmd: ['bash', '-c', `exec sed 's/^/model     | /' < <(exec cat ${data})`], megabytes, rounds: 5 },
    { name: 'svc-super', cmd: [binary, 'up', '-f', config], megabytes, rounds: 5 },
    ...(old === null ? [] : [{ name: 'svc-super, old', cmd: [old, 'up', '-f', config], megabytes, rounds: 5 }]),
  ];
  if (Bun.which('supervisord') === null) return all;
  const plain = supervisord('plain', `command=cat ${data}\n${toPipe('stdout')}`, '');
  const prefixing = supervisord(
    'prefixing',
    `command=cat ${few}\nstdout_logfile=NONE\nstdout_events_enabled=true`,
    `[eventlistener:prefix]\ncommand=python3 ${listener}\nevents=PROCESS_LOG_STDOUT\nbuffer_size=1000000\n${toPipe('stderr')}`,
  );
  return [
    ...all,
    { name: 'supervisord, which adds no prefix', cmd: plain, megabytes, rounds: 3 },
    { name: 'supervisord, prefix by an event listener', cmd: prefixing, megabytes: 50, rounds: 1 },
  ];
}

export async function throughput(megabytes: number): Promise<void> {
  const all = await cases(megabytes);
  const seen = new Map<string, { rate: number; cpu: number }[]>();
  for (let round = 0; round < 5; round += 1) {
    for (const { name, cmd, megabytes: size, rounds } of all) {
      if (round >= rounds) continue;
      const running = run(cmd, TIMED);
      const [seconds = 0, count = 0] = (await running.said).split(' ').map(Number);
      running.kill('SIGKILL');
      await running.exited;
      if (count < size * 1_000_000) say(`  ${name} printed only ${count} bytes`);
      const figures = { rate: size / seconds, cpu: (running.usage.cpu * 1_000) / size };
      seen.set(name, [...(seen.get(name) ?? []), figures]);
    }
  }
  const of = (name: string) => ({
    rate: median((seen.get(name) ?? []).map(({ rate }) => rate)),
    cpu: median((seen.get(name) ?? []).map(({ cpu }) => cpu)),
  });
  const [sed, ours] = [of('sed'), of('svc-super')];
  table(`throughput: ${megabytes} MB of 160-byte lines to a pipe that is read, each from its own start, medians`, [
    ['', 'MB/s', 'of sed', 'svc-super is', 'CPU s/GB', 'of sed'],
    ...all.map(({ name }) => {
      const { rate, cpu } = of(name);
      const times = `${(ours.rate / rate).toFixed(2)} times it`;
      return [name, rate.toFixed(0), (rate / sed.rate).toFixed(2), times, cpu.toFixed(2), (cpu / sed.cpu).toFixed(2)];
    }),
  ]);
  rmSync(join(folder, `lines-${megabytes}`));
}

/** Two services write the given MB each and exit with their last byte. */
export async function sums(megabytes: number): Promise<void> {
  const data = await makeLines(megabytes);
  const names = ['one', 'two'];
  const task = { type: 'task', command: ['cat', data] };
  const sum = (name: string) => `>(grep '^${name} ' | md5sum > ${folder}/sum-${name})`;
  const running = up(
    { services: Object.fromEntries(names.map((name) => [name, task])) },
    `tee ${names.map(sum).join(' ')} | wc -c`,
  );
  const [count, code] = await Promise.all([running.said, running.exited]);
  const rows = await Promise.all(
    names.map(async (name) => {
      const prefix = name.padEnd('svc-super'.length);
      const theirs = await shell(`sed 's/^/${prefix} | /' ${data} | md5sum`);
      return [name, outcome((await shell(`cat ${folder}/sum-${name}`)) === theirs), theirs.slice(0, 32)];
    }),
  );
  table(
    `sums: two services at once, ${megabytes} MB each, ended with their last byte; ${count.trim()} bytes came out, code ${code}`,
    [['', 'md5 equals that of sed', 'md5'], ...rows],
  );
  rmSync(data);
}
