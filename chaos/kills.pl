# A service that records what it does: `perl kills.pl LEDGER ends|stays`. Writes one line to the ledger at its start and one
# before its exit; numbered lines go to standard output. With `ends` it exits with a code that depends on its run.
use strict;
use warnings;
use Fcntl;
use POSIX ();
use Time::HiRes qw(sleep);

my ($place, $kind) = @ARGV;
my ($name, $run) = @ENV{qw(SVC_NAME SVC_RUN)};
sysopen(my $ledger, $place, O_WRONLY | O_APPEND | O_CREAT) or POSIX::_exit(99);
my $note = sub { syswrite $ledger, join(' ', $name, $run, @_) . "\n" };
$note->('start', $$);
$SIG{TERM} = sub { $note->('stop', 0); POSIX::_exit(0) };
my $number = 0;
my $until = 3 + (7 * $run + ord substr $name, -1) % 40;
while ($kind eq 'stays' || $number < $until) {
  $number++;
  syswrite STDOUT, "run $run line $number\n";
  sleep 0.02;
}
my $code = 1 + $run % 9;
$note->('exit', $code);
POSIX::_exit($code);
