# PID 1 above a svc-super that is not PID 1: runs it, reaps, and reports its exit and the processes of the namespace that were
# alive then and a second later. With svc-super as PID 1 the kernel would kill them unnoticed.
#   perl init.pl REPORT COMMAND ARG...
use strict;
use warnings;
no warnings 'exec';
use POSIX ();

my ($report, @command) = @ARGV;
my $svc_super = fork() // die "fork: $!\n";
if ($svc_super == 0) { exec { $command[0] } @command; POSIX::_exit(127) }
$SIG{$_} = 'IGNORE' for qw(TERM INT HUP);
my $status;
until (defined $status) {
  my $pid = waitpid(-1, 0);
  $status = $? if $pid == $svc_super;
}
my %left = map { $_ => 1 } living();
# Processes that received SIGKILL at the end need a moment to exit.
for (1 .. 20) {
  1 while waitpid(-1, POSIX::WNOHANG()) > 0;
  my %now = map { $_ => 1 } living();
  delete $left{$_} for grep { !$now{$_} } keys %left;
  last unless %left;
  select(undef, undef, undef, 0.05);
}
open(my $out, '>', $report) or die "$report: $!\n";
print $out "status $status\n", map { "left $_ " . title($_) . "\n" } sort keys %left;
close $out;
POSIX::_exit($status & 127 ? 128 + ($status & 127) : $status >> 8);

sub living {
  opendir(my $dir, '/proc') or return ();
  return grep { /^\d+$/ && $_ != 1 && state($_) !~ /[ZX]/ } readdir $dir;
}
sub state { my $text = slurp("/proc/$_[0]/stat"); return $text =~ /\) (\S)/ ? $1 : 'X' }
sub title { my $text = slurp("/proc/$_[0]/cmdline"); $text =~ tr/\0\n/  /; return $text }
sub slurp { open(my $in, '<', shift) or return ''; local $/; return scalar <$in> // '' }
