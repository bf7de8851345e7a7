# The main process of a service under chaos: runs, forks, prints, responds to probes and exits as its arguments say. Writes each
# action into the round's journal before it acts, to compare with the supervisor's reports. Holds a lock on a file of its
# service, which every process of the run inherits: a run that cannot take it has met an earlier run. Written in Perl, because
# every Debian root file system has perl-base.
use strict;
use warnings;
no warnings 'exec';
use POSIX ();
use Socket;
use Fcntl qw(:flock :DEFAULT);
use Time::HiRes ();

my %is = map { /^([\w-]+)=(.*)$/s ? ($1 => $2) : () } @ARGV;
# Descriptors survive exec, so an escaped process that has executed another program still holds the lock.
$^F = 1000;
escapee() if defined $is{escapee};
stopper() if defined $is{stopper};

my ($service, $run) = ($ENV{SVC_NAME} // '?', $ENV{SVC_RUN} // '?');
my $me = $$;
sysopen(my $journal, $is{journal}, O_WRONLY | O_APPEND | O_CREAT) or POSIX::_exit(99);
sysopen(my $lock, "$is{locks}/$service", O_RDWR | O_CREAT) or POSIX::_exit(99);
hook() if defined $is{hook};
note('born', flock($lock, LOCK_EX | LOCK_NB) ? 'alone' : 'beside');
$0 = "chaos $service#$run";
$SIG{PIPE} = 'IGNORE';
my $born = Time::HiRes::time();
my (%listening, %clients, @timers);
my $flag = "$is{flags}/$service";
unlink $flag;

my @ends = split /,/, $is{ends};
my ($lives, $how) = split /:/, $ends[(($run =~ /^\d+$/ ? $run : 1) - 1) % @ends];
my ($on_stop, $stop_after, $stop_code) = split /:/, $is{stop};
for my $name (qw(TERM INT)) {
  if ($on_stop eq 'ignore') { $SIG{$name} = sub { note('heard', $name) } }
  elsif ($on_stop eq 'exit') { $SIG{$name} = sub { note('heard', $name); obey_stop() } }
}
# A timer of the kernel, so that it exits even while a write blocks.
if ($lives ne '-') {
  $SIG{ALRM} = sub { finish($how) };
  Time::HiRes::setitimer(Time::HiRes::ITIMER_REAL(), $lives / 1000 || 0.0001);
}
fork_off($_) for split /,/, $is{forks} // '';
every($is{storm} =~ /^(\d+):(\d+)$/ ? ($2, \&storm, $1) : ()) if $is{storm};
every($is{output} =~ /^(\d+):(.*)$/ ? ($1, \&talk, split /:/, $2) : ()) if $is{output};
my ($probe, $ready_after) = split /:/, $is{ready} // '';
push @timers, { at => $born + $ready_after / 1000, every => 0, do => \&become_ready, with => [] } if $probe;
my ($sick_from, $sick_for) = split /:/, $is{sick} // '';
live();

sub note { syswrite $journal, join("\t", sprintf('%.6f', Time::HiRes::time()), $service, $run, $$, @_) . "\n" }

sub finish {
  my $end = shift;
  if ($end =~ /^s(\d+)$/) {
    my $number = $1;
    note('signal', $number);
    POSIX::sigaction($number, POSIX::SigAction->new('DEFAULT')) unless $number == 9;
    POSIX::sigprocmask(POSIX::SIG_UNBLOCK(), POSIX::SigSet->new($number));
    kill $number, $$;
    # A signal that the kernel has not delivered yet.
    select(undef, undef, undef, 5);
    POSIX::_exit(98);
  }
  my ($code) = $end =~ /^c(\d+)$/;
  note('code', $code);
  POSIX::_exit($code);
}

sub obey_stop {
  finish("c$stop_code") unless $stop_after;
  $SIG{ALRM} = sub { finish("c$stop_code") };
  Time::HiRes::setitimer(Time::HiRes::ITIMER_REAL(), $stop_after / 1000);
}

sub every { my ($ms, $do, @with) = @_; push @timers, { at => $born, every => $ms / 1000, do => $do, with => \@with } }

sub live {
  for (;;) {
    my $now = Time::HiRes::time();
    for my $timer (@timers) {
      next if $timer->{at} > $now;
      $timer->{at} = $timer->{every} ? $now + $timer->{every} : 9e15;
      $timer->{do}->(@{ $timer->{with} });
    }
    1 while waitpid(-1, POSIX::WNOHANG()) > 0;
    my $wait = 1;
    for (@timers) { my $left = $_->{at} - Time::HiRes::time(); $wait = $left if $left < $wait }
    my $want = '';
    vec($want, $_, 1) = 1 for keys %listening, keys %clients;
    my $count = select(my $ready = $want, undef, undef, $wait > 0 ? $wait : 0);
    next if $count <= 0;
    for my $fd (grep { vec($ready, $_, 1) } keys %listening) {
      accept(my $handle, $listening{$fd}) or next;
      $clients{ fileno $handle } = $handle;
    }
    for my $fd (grep { vec($ready, $_, 1) } keys %clients) { reply(delete $clients{$fd}) }
  }
}

# --- probes ---------------------------------------------------------------------------------------------------------

sub is_sick {
  return 0 unless $is{sick};
  my $age = (Time::HiRes::time() - $born) * 1000;
  return $age >= $sick_from && $age < $sick_from + $sick_for;
}

sub become_ready {
  if ($probe eq 'log') { syswrite STDOUT, "I am ready\n" }
  elsif ($probe eq 'notify') { notify('READY=1') }
  elsif ($probe eq 'file' || $probe eq 'exec') { if (open(my $made, '>', $flag)) { close $made } }
  else { hear($ENV{PORT} // $is{port}) }
}

sub hear {
  my $port = shift;
  socket(my $handle, AF_INET, SOCK_STREAM, 0) or return;
  setsockopt($handle, SOL_SOCKET, SO_REUSEADDR, 1);
  bind($handle, pack_sockaddr_in($port, INADDR_LOOPBACK)) or return note('unbound', "$!");
  listen($handle, 64) or return;
  $listening{ fileno $handle } = $handle;
}

sub reply {
  my $handle = shift;
  sysread($handle, my $asked, 65536);
  my ($status, $body) = is_sick() ? (503, 'sick') : (200, 'well');
  syswrite $handle, "HTTP/1.1 $status X\r\ncontent-length: 4\r\nconnection: close\r\n\r\n$body";
  close $handle;
}

sub notify {
  my ($text, $address) = (shift, $ENV{NOTIFY_SOCKET} // return);
  $address =~ s/^@/\0/;
  socket(my $handle, AF_UNIX, SOCK_DGRAM, 0) or return;
  send($handle, $text, 0, pack('S a*', AF_UNIX, $address));
}

# --- other processes of the run ---------------------------------------------------------------------------------------

# In a child: stops all activities of the main process.
sub become_other {
  my ($ignores, $ms) = @_;
  $SIG{$_} = 'DEFAULT' for qw(INT ALRM);
  $SIG{TERM} = $ignores ? 'IGNORE' : 'DEFAULT';
  $0 = "chaos $service#$run other";
  POSIX::close($_) for keys %listening, keys %clients;
  my $until = $ms eq '-' ? 9e15 : Time::HiRes::time() + $ms / 1000;
  select(undef, undef, undef, 0.5) while Time::HiRes::time() < $until;
  POSIX::_exit(0);
}

sub fork_off {
  my ($how, $ignores, $ms) = split /:/, shift;
  my $pid = fork() // return note('refused', 'fork');
  if ($pid != 0) { waitpid($pid, 0) if $how eq 'daemon' || $how eq 'wiped'; return }
  POSIX::setsid() if $how ne 'child';
  if ($how eq 'daemon' || $how eq 'wiped') {
    my $second = fork() // POSIX::_exit(0);
    POSIX::_exit(0) if $second;
  }
  if ($how eq 'wiped') {
    my $tag = "escapee=$service#$run";
    %ENV = ();
    exec { $^X } ($^X, $is{self}, $tag, "ignores=$ignores", "lives=$ms");
    POSIX::_exit(97);
  }
  become_other($ignores, $ms);
}

sub escapee {
  $SIG{TERM} = 'IGNORE' if $is{ignores};
  my $until = $is{lives} eq '-' ? 9e15 : Time::HiRes::time() + $is{lives} / 1000;
  select(undef, undef, undef, 0.5) while Time::HiRes::time() < $until;
  POSIX::_exit(0);
}

# One hook at a time; before_start and after_exit only while no process of a run exists.
sub hook {
  $0 = "chaos $service hook $is{hook}";
  sysopen(my $one, "$is{locks}/$service.hook", O_RDWR | O_CREAT) or POSIX::_exit(99);
  my $alone = flock($one, LOCK_EX | LOCK_NB);
  $alone &&= flock($lock, LOCK_EX | LOCK_NB) if $is{hook} =~ /before_start|after_exit/;
  note('hook', $is{hook}, $alone ? 'alone' : 'beside');
  note('after', "$ENV{SVC_EXIT_CODE}:$ENV{SVC_EXIT_SIGNAL}") if $is{hook} eq 'after_exit' && defined $ENV{SVC_EXIT_CODE};
  fork_off($is{forks}) if $is{forks};
  my ($ms, $code) = $is{ends} =~ /^(\d+):c(\d+)$/;
  select(undef, undef, undef, $ms / 1000) if $ms;
  POSIX::_exit($code);
}

# A `stop.command`: finds the main process by its title, as an administrator would.
sub stopper {
  for my $file (glob '/proc/[0-9]*/cmdline') {
    open(my $in, '<', $file) or next;
    my $title = <$in> // '';
    kill $is{signal}, $file =~ /(\d+)/ if $title =~ /^chaos \Q$is{stopper}\E#\d+\0*\s*$/;
  }
  POSIX::_exit(0);
}

sub storm {
  my $count = shift;
  my $pid = fork() // return;
  if ($pid == 0) {
    for (1 .. $count) { my $child = fork(); POSIX::_exit(3) if defined $child && $child == 0 }
    POSIX::_exit(0);
  }
  waitpid($pid, 0);
}

# --- output ---------------------------------------------------------------------------------------------------------

my $line;
sub talk {
  my ($lines, $width, $fd, $kind) = @_;
  $line //= 0;
  my $text = '';
  for (1 .. $lines) {
    $line += 1;
    if ($kind eq 'bytes') { $text .= join('', map { chr int rand 256 } 1 .. $width) }
    else { $text .= sprintf('%06d ', $line) . ('x' x $width) . ($kind eq 'endless' ? '' : "\n") }
  }
  my $at = 0;
  while ($at < length $text) {
    my $done = POSIX::write($fd, substr($text, $at), length($text) - $at);
    if (!defined $done) { next if $!{EINTR}; return }
    $at += $done;
  }
}
