# Blocks system calls as an old seccomp profile does, then executes a program: the calls fail with the given error in it and in
# all its descendants. Needs CAP_SYS_ADMIN, as every container runtime has when it installs its profile.
#
#   perl trap-seccomp.pl ERRNO NAME[,NAME...] PROGRAM ARG...      ERRNO: EPERM or ENOSYS
use strict;
use warnings;

my ($error, $names, @program) = @ARGV;
my $arm = `uname -m` =~ /aarch64/;
my %number = (
  pidfd_open => 434, clone3 => 435, close_range => 436, openat2 => 437, epoll_pwait2 => 441,
  memfd_create => $arm ? 279 : 319, prctl => $arm ? 167 : 157,
);
my $refuse = { EPERM => 1, ENOSYS => 38 }->{$error} // die "which error? $error\n";

# struct sock_filter: code, jump if true, jump if false, operand. Load the number; for each name: equal? return the error.
my @steps = ([0x20, 0, 0, 0]);
for my $name (split /,/, $names) {
  push @steps, [0x15, 0, 1, $number{$name} // die "which call? $name\n"], [0x06, 0, 0, 0x00050000 | $refuse];
}
push @steps, [0x06, 0, 0, 0x7fff0000];
my $filter = join '', map { pack('S C C L', @$_) } @steps;
my $filter_program = pack('S x6 P', scalar @steps, $filter);
# prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ...)
syscall($number{prctl}, 22, 2, $filter_program) == 0 or die "seccomp: $!\n";
exec { $program[0] } @program or die "$program[0]: $!\n";
