#!/usr/bin/perl
# Replaces svc-super-supervisor. Reads the handover at descriptor 4; then either exits with FAKE_EXIT, or connects to the Unix
# socket FAKE_SOCKET, sends the handover there (u32 size, bytes) and relays between that socket and descriptor 3 until one of
# them ends. Both variables come from the handover's environment. test/helpers/pid1.ts is the other end.
use strict;
use warnings;
use Socket;
use Fcntl;

open my $handover, '<&=', 4 or die "descriptor 4: $!\n";
binmode $handover;
my $text = do { local $/; <$handover> } // '';
exit $1 if $text =~ /\0FAKE_EXIT=(\d+)\0/;
my ($place) = $text =~ /\0FAKE_SOCKET=([^\0]*)\0/ or die "no FAKE_SOCKET in the handover\n";

socket(my $test, PF_UNIX, SOCK_STREAM, 0) or die "socket: $!\n";
connect($test, pack_sockaddr_un($place)) or die "$place: $!\n";
syswrite($test, pack('V', length $text) . $text);

# A command supervises nothing: it waits until the test ends it.
if ($text =~ /^role=command\0/) {
  1 while sysread $test, my $ignored, 4096;
  exit 0;
}

open my $pid1, '+<&=', 3 or die "descriptor 3: $!\n";
fcntl($_, F_SETFL, O_NONBLOCK) for $test;

# Each direction: source, target, bytes that the target has not accepted. A full buffer stops reading (back-pressure).
my @ways = ([$test, $pid1, ''], [$pid1, $test, '']);
for (;;) {
  my ($read, $write) = ('', '');
  for my $way (@ways) {
    vec($read, fileno $way->[0], 1) = 1 if length $way->[2] < 65536;
    vec($write, fileno $way->[1], 1) = 1 if length $way->[2];
  }
  select($read, $write, undef, undef);
  for my $way (@ways) {
    my ($from, $to) = @$way;
    if (vec($read, fileno $from, 1)) {
      my $size = sysread($from, $way->[2], 65536, length $way->[2]);
      exit 0 if defined $size && $size == 0;
    }
    if (length $way->[2]) {
      my $size = syswrite($to, $way->[2]);
      substr($way->[2], 0, $size, '') if $size;
    }
  }
}
