// Standard output that other processes share, in Bun and in Node: every byte arrives, the flags of the shared open file
// description do not change, and when the reader exits, only the output ends.
import { describe, expect, test } from 'bun:test';
import { RUNTIMES, run, useProgram } from './rig.ts';

useProgram();

/** A reader that pauses for that many milliseconds after each MB, and prints the hash of all bytes. */
const slowly = (pause: number) =>
  `perl -MDigest::SHA -MTime::HiRes=sleep -e '
    my ($sha, $next) = (Digest::SHA->new(256), 1e6);
    while (my $n = sysread STDIN, my $bytes, 131072) {
      $sha->add($bytes); $sum += $n;
      if ($sum > $next) { sleep ${pause} / 1000; $next += 1e6 }
    }
    print $sha->hexdigest'`;

/** A command prefix: standard output becomes a socket, whose other end is the input of the shell command `reader`. */
const throughSocket = (reader: string, nonblocking: boolean) =>
  `perl -MSocket -MFcntl -e '
    socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0);
    if (fork == 0) { close $b; open STDIN, "<&", $a; exec "bash", "-c", $ENV{READER} }
    close $a; open STDERR, ">&", 2; $^F = 10; open STDOUT, ">&", $b; close $b;
    ${nonblocking ? 'fcntl(STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK);' : ''}
    if (my $child = fork) { close STDOUT; waitpid $child, 0; wait; exit 0 }
    exec @ARGV'`.replace('perl', `READER=$(cat <<'END'\n${reader} >&3\nEND\n) perl`);

interface Report {
  readonly kind: string;
  readonly sha256: string;
  readonly flags: readonly string[];
  readonly written: number;
  readonly maxRSS: number;
}

const MEGABYTE = 1_000_000;
const O_NONBLOCK = 0o4000;
const areNonBlocking = ({ flags }: Report) => flags.map((text) => (Number.parseInt(text, 8) & O_NONBLOCK) !== 0);

describe.each(RUNTIMES)('output that is written in %s', (_name, command) => {
  const write = async (size: number, before: string, after: string) => {
    const { stdout, report } = await run(`exec 3>&1; ${before} ${command} write ${size} ${after}`);
    return { stdout: stdout.trim(), report: report as Report };
  };

  test('to a pipe with a slow reader is whole, and the shared description stays blocking', async () => {
    const { stdout, report } = await write(200 * MEGABYTE, '', `| ${slowly(5)}`);
    expect(report).toMatchObject({ kind: 'pipe', sha256: stdout, written: 200 * MEGABYTE });
    expect(areNonBlocking(report)).toEqual([false]);
    // Kilobytes: the queue is bounded.
    expect(report.maxRSS).toBeLessThan(200_000);
  });

  test('to a pipe that is already non-blocking is whole, and the flag stays', async () => {
    const nonblocking = `perl -MFcntl -e 'fcntl(STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK); exec @ARGV'`;
    const { stdout, report } = await write(20 * MEGABYTE, nonblocking, `| ${slowly(5)}`);
    expect(report).toMatchObject({ kind: 'pipe', sha256: stdout, written: 20 * MEGABYTE });
    expect(areNonBlocking(report)).toEqual([true]);
  });

  test.each([
    ['blocking', false],
    ['non-blocking', true],
  ])('to a %s socket is whole, and its flags stay', async (_how, nonblocking) => {
    const { stdout, report } = await write(10 * MEGABYTE, throughSocket(slowly(5), nonblocking), '');
    expect(report).toMatchObject({ kind: 'socket', sha256: stdout, written: 10 * MEGABYTE });
    expect(areNonBlocking(report)).toEqual([nonblocking]);
  });

  test.skipIf(process.getuid?.() !== 0)('to a pipe of another user is whole', async () => {
    const { stdout, report } = await write(
      20 * MEGABYTE,
      `setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'test -w /proc/self/fd/1 && exit 1; exec "$@"' -`,
      `| ${slowly(5)}`,
    );
    expect(report).toMatchObject({ kind: 'pipe', sha256: stdout, written: 20 * MEGABYTE });
    expect(areNonBlocking(report)).toEqual([false]);
  });

  test.each([
    ['at once', 'true'],
    ['after a part', 'head -c 100000 >/dev/null'],
    ['while a write waits', 'sleep 0.3'],
  ])('to a reader that exits %s ends without an error', async (_when, reader) => {
    const { report } = await write(5 * MEGABYTE, '', `| ${reader}`);
    expect(report.kind).toBe('pipe');
    expect(report.written).toBeLessThan(MEGABYTE);
  });

  test('to a terminal is whole', async () => {
    const { stdout, report } = await run(
      `script -qec '${command} write ${MEGABYTE} 2>&4' /dev/null 4>&2 | ${slowly(50)}`,
    );
    expect(report).toMatchObject({ kind: 'terminal', sha256: stdout, written: MEGABYTE });
    expect(areNonBlocking(report as Report)).toEqual([false]);
  });

  test('to a file, a device and a full disk never waits', async () => {
    for (const target of ['/dev/null', '/dev/full']) {
      const { report } = await write(MEGABYTE, '', `> ${target}`);
      expect(report).toMatchObject({ kind: 'other', written: MEGABYTE });
    }
    const { stdout, report } = await write(
      MEGABYTE,
      'file=$(mktemp);',
      '> $file; sha256sum < $file | cut -c -64; rm $file',
    );
    expect(report).toMatchObject({ kind: 'other', sha256: stdout });
  });
});
