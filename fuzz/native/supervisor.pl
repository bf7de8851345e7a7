#!/usr/bin/perl
# Replaces svc-super-supervisor while the native program is fuzzed: sends random requests, and REQUEST_END after
# FUZZ_SECONDS. One request in FUZZ_BROKEN is malformed. FUZZ_PROTOCOL is the number of the protocol. FUZZ_SEED determines
# the requests, and not the timing of the processes. Run it in its own PID namespace, because it sends signals to process
# numbers.
use strict;
use warnings;
use Time::HiRes qw(time);

open my $handover, '<&=', 4 or die "descriptor 4: $!\n";
my $text = do { local $/; <$handover> };
my %set = $text =~ /\0FUZZ_(\w+)=([^\0]*)/g;
srand $set{SEED};
open my $pid1, '+<&=', 3 or die "descriptor 3: $!\n";

my (%pids, @orphans);
my $last = 0;
my $rest = '';

sub frame { my ($type, $payload) = @_; return pack('V V', 4 + length $payload, $type) . $payload }
sub words { return pack 'V*', map { $_ & 0xffffffff } @_ }
sub text { my ($text) = @_; return pack('V', 1 + length $text) . "$text\0" }
sub texts { my @texts = @_; my $all = join '', map { "$_\0" } @texts; return pack('V V', scalar @texts, length $all) . $all }
sub one { return $_[rand @_] }
sub odds { return rand() < $_[0] }

my @programs = (
  ['true'], ['false'], ['sleep', '0.01'], ['sleep', '1000'], ['/no/such'], ['/etc/passwd'], ['/usr'], [''],
  ['sh', '-c', 'exit 3'], ['sh', '-c', 'kill -9 $$'], ['sh', '-c', 'sleep 1000 & sleep 0.01'], ['sh', '-c', 'echo out; echo err >&2'],
  ['perl', '-e', 'for (1 .. 5) { if (!fork) { exit if fork; exit } } exit 7'], ['perl', '-e', 'kill 10 => 1; sleep 1'],
  ['sh', '-c', 'trap "" TERM HUP; sleep 1000'], ['echo', 'x' x 100000], ['sh', '-c', 'kill -USR1 1; kill -40 1'],
);

sub spawn {
  my $run = odds(0.95) ? ++$last : int rand 1 + $last;
  my $set = 0;
  $set |= $_ for grep { odds(0.2) } 1, 2, 4, 8;
  $set |= 16 if odds(0.02);
  my $payload = words($run, one(0, 1, 2, 9, 10, 15, 64)) . pack('Q<', odds(0.5) ? 2**53 + $run : 0);
  $payload .= words($set, 65534, 65534, 022, one(0, 5, 100), one(0, 100, 999, 5000));
  $payload .= odds(0.1) ? words(2, 7, 8) : words(0);
  $payload .= odds(0.1) ? words(1) . pack('Q<', one(1, 2, 0, ~0)) : words(0);
  $payload .= odds(0.2) ? words(1, one(4, 7, 5)) . pack('Q< Q<', one(64, 1024), 1 << 40) : words(0);
  $payload .= text(odds(0.2) ? "svc-super-fuzz-$set{SEED}-" . int rand 20 : '') . text(one('', '', '', '/', '/no/such'));
  $payload .= text(one('', '', '', '/no/such/cgroup.procs'));
  my @streams = map { [$_, one(0, 1, 1, 1, 2, 3)] } grep { odds(0.8) } 0, 1, 2, one(3, 77, 255);
  $payload .= words(scalar @streams);
  $payload .= words($_->[0], $_->[1], $_->[1] == 3 ? one(0, 2) : one(0, 0, 0, 1)) . text($_->[1] == 3 ? one('/dev/null', '/no/such', '/dev/zero') : '') for @streams;
  return frame(2, $payload . texts(@{one(@programs)}) . texts('PATH=/usr/bin:/bin', ('A=b') x int rand 5));
}

sub target {
  return words(one(1, 2), int rand $last + 2) . pack('Q<', 0) if odds(0.7) || !%pids;
  my $pid = one(keys %pids);
  return words(0, $pid) . pack('Q<', odds(0.8) ? $pids{$pid} : 1);
}

# Settings: no check whether this hangs, short pauses, few deaths until PID 1 gives up.
sub hello { return frame(1, words($set{PROTOCOL}, $_[0]) . pack('Q<', 1 << 14) . words(0, one(0, 100, 2000), one(0, 20), 5, 20)) }

# Records of a checkpoint: some are removed, some are long.
sub keep {
  my @records = map { [int rand 50, 'r' x one(0, 1, 30, 500, 6000)] } 0 .. rand 4;
  return frame(7, words(scalar @records) . join '', map { words($_->[0], length $_->[1]) . $_->[1] } @records);
}

sub request {
  my $kind = rand;
  return keep() if odds(0.1);
  return frame(8, join '', keep(), map { request() } 0 .. rand 3) if odds(0.1);
  return frame(9, words(int rand 3)) if odds(0.05);
  return spawn() if $kind < 0.4;
  return frame(4, words(int rand $last + 2)) if $kind < 0.6;
  if ($kind < 0.8) {
    my $count = odds(0.95) ? 1 + int rand 4 : int rand 400;
    return frame(3, words(int rand 1000, one(0, 1, 9, 9, 9, 15, 18, 19, 64), $count) . join '', map { target() } 1 .. $count);
  }
  return frame(5, words(int rand 2)) if $kind < 0.85;
  return hello(int rand 5000);
}

sub broken {
  my $bytes = request();
  substr($bytes, int rand length $bytes, 1) = chr int rand 256 for 1 .. 1 + int rand 4;
  # PID 1 waits for the rest of a frame whose length grew: an unknown request follows.
  return $bytes . frame(99, '');
}

# Reads events. EVENT_SPAWNED has a process that may be signalled by its number.
sub receive {
  my $size = sysread $pid1, $rest, 65536, length $rest;
  exit 0 if defined $size && $size == 0;
  while (length $rest >= 8) {
    my ($length, $type) = unpack 'V V', $rest;
    last if length $rest < 4 + $length;
    my $payload = substr $rest, 8, $length - 4;
    if ($type == 101) { my (undef, $pid, $start) = unpack 'V V Q<', $payload; $pids{$pid} = $start }
    substr($rest, 0, 4 + $length) = '';
  }
}

my $pending = hello(int rand 300);
my $until = time() + $set{SECONDS};
my $reads = 1;
while (time() < $until) {
  $reads = odds(0.9) if odds(0.02);
  delete $pids{one(keys %pids)} if keys %pids > 50;
  my ($read, $write) = ('', '');
  vec($read, 3, 1) = 1 if $reads;
  vec($write, 3, 1) = 1;
  select($read, $write, undef, 0.05);
  receive() if vec($read, 3, 1);
  next if !vec($write, 3, 1);
  $pending .= $set{BROKEN} && odds(1 / $set{BROKEN}) ? broken() : request() if length $pending < 1000;
  my $size = syswrite $pid1, $pending, odds(0.9) ? length $pending : 1 + int rand length $pending;
  substr($pending, 0, $size) = '' if $size;
  exit int rand 256 if $set{DIES} && $last > 20 && odds(1 / $set{DIES});
}
$pending .= frame(6, words(0));
while (1) {
  my ($read, $write) = ('', '');
  vec($read, 3, 1) = 1;
  vec($write, 3, 1) = 1 if length $pending;
  select($read, $write, undef, undef);
  receive() if vec($read, 3, 1);
  # If a changed length made REQUEST_END a part of a payload, zeros complete that frame and are a malformed frame after it.
  $pending = "\0" x 65536 if $set{BROKEN} && !length $pending;
  if (length $pending) { my $size = syswrite $pid1, $pending; substr($pending, 0, $size) = '' if $size }
}
