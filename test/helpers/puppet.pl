# A remote-controlled process: the command of services in end-to-end tests. Connects to the test's unix socket (first argument,
# or PUPPET_SOCKET), reports its identity, then carries out one command per line; puppet.ts is the other end. Written in Perl,
# because every Debian root file system has perl-base.
#
#   perl puppet.pl [SOCKET [ROLE]]        ROLE: its name; default: SVC_NAME
#
# A command is `ID NAME ARG...`, separated by one space, percent-encoded; the response `{"id":ID,"value":...}` or
# `{"id":ID,"error":"..."}`. Events are sent as `{"event":...}`. The end of the connection ends the process.
use strict;
use warnings;
no warnings 'exec';
use POSIX ();
use Socket;
use Errno qw(EINTR EAGAIN);

my $script = $0;
my $start_fds = open_descriptors();
my $path = shift(@ARGV) // $ENV{PUPPET_SOCKET} // die "puppet: no socket\n";
my $role = shift(@ARGV) // $ENV{SVC_NAME} // 'puppet';
my %listeners;   # fileno -> { handle, status, body }
my %clients;     # fileno -> { handle, text, listener }
my @kept;        # handles that are to stay open
my @news;        # what signal handlers saw
my ($test, $inbox);
# A child's exit wakes select(); a signal that arrives just before select() is noticed a quarter of a second later.
$SIG{CHLD} = sub { };
connect_to_test();
serve();

sub open_descriptors {
  opendir(my $dir, '/proc/self/fd') or return {};
  my %found = map { $_ => readlink("/proc/self/fd/$_") } grep { /^\d/ } readdir($dir);
  closedir($dir);
  # Its own descriptors: this script, and the folder that was just read.
  delete $found{$_} for grep { !defined $found{$_} || $found{$_} =~ m{/puppet\.pl$|/proc/\d+/fd$} } keys %found;
  return \%found;
}

sub connect_to_test {
  close($test) if $test;
  socket($test, AF_UNIX, SOCK_STREAM, 0) or die "puppet: socket: $!\n";
  # The backlog of the test's socket may be full for a moment.
  until (connect($test, pack_sockaddr_un($path))) {
    die "puppet: connect $path: $!\n" unless $! == EAGAIN || $! == EINTR;
    select(undef, undef, undef, 0.01);
  }
  $inbox = '';
  report({ event => 'hello', role => $role, ns => readlink('/proc/self/ns/pid') // '', pid => \"$$",
         ppid => \(getppid() . ''), service => $ENV{SVC_NAME} // '', run => $ENV{SVC_RUN} // '' });
}

sub serve {
  for (;;) {
    my $want = '';
    vec($want, fileno($_), 1) = 1 for $test, map({ $_->{handle} } values(%listeners), values(%clients));
    my $count = @news ? 0 : select(my $ready = $want, undef, undef, 0.25);
    report($_) for splice(@news);
    reap();
    next if $count <= 0;
    if (vec($ready, fileno($test), 1)) {
      my $got = sysread($test, $inbox, 65536, length $inbox);
      POSIX::_exit(99) if defined $got && $got == 0;
      while ($inbox =~ s/^(.*)\n//) { obey($1) }
    }
    for my $fd (grep { vec($ready, $_, 1) } keys %listeners) { accept_on($listeners{$fd}) if $listeners{$fd} }
    for my $fd (grep { vec($ready, $_, 1) } keys %clients) { answer($clients{$fd}) if $clients{$fd} }
  }
}

sub reap {
  while ((my $pid = waitpid(-1, POSIX::WNOHANG())) > 0) {
    my ($code, $signal) = ($? >> 8, $? & 127);
    report({ event => 'child', pid => \"$pid", code => \"$code", signal => \"$signal" });
  }
}

sub obey {
  my ($id, $name, @args) = map { s/%([0-9A-F]{2})/chr hex $1/ger } split / /, shift, -1;
  my $order = main->can("do_$name");
  my $value = eval { die "no such order: $name\n" unless $order; $order->(@args) };
  report($@ ? { id => \$id, error => "$@" } : { id => \$id, value => $value });
}

sub report { put($test, json(shift) . "\n") }

sub put {
  my ($handle, $bytes) = @_;
  my $at = 0;
  while ($at < length $bytes) {
    my $done = syswrite($handle, $bytes, length($bytes) - $at, $at);
    if (defined $done) { $at += $done; next }
    next if $! == EINTR;
    if ($! == EAGAIN) { my $w = ''; vec($w, fileno($handle), 1) = 1; select(undef, $w, undef, undef); next }
    die "write: $!\n";
  }
}

# A reference to a scalar is a number; everything else except arrays and hashes is text.
sub json {
  my $value = shift;
  return 'null' unless defined $value;
  return $$value if ref $value eq 'SCALAR' || ref $value eq 'REF';
  return '[' . join(',', map { json($_) } @$value) . ']' if ref $value eq 'ARRAY';
  return '{' . join(',', map { json($_) . ':' . json($value->{$_}) } sort keys %$value) . '}' if ref $value eq 'HASH';
  (my $text = "$value") =~ s/([^ !#-\[\]-~])/sprintf '\u%04x', ord $1/ge;
  return qq("$text");
}

# --- ends ---------------------------------------------------------------------------------------------------------

sub do_exit { POSIX::_exit(shift) }

sub do_die {
  my $number = shift;
  POSIX::sigaction($number, POSIX::SigAction->new('DEFAULT'));
  POSIX::sigprocmask(POSIX::SIG_UNBLOCK(), POSIX::SigSet->new($number));
  kill $number, $$;
  die "signal $number did not end this process\n";
}

# --- signals ------------------------------------------------------------------------------------------------------

sub do_trap {
  for my $name (@_) {
    $SIG{$name} = sub { push @news, { event => 'signal', name => "SIG$name" } };
  }
  return undef;
}
sub do_ignore { $SIG{$_} = 'IGNORE' for @_; return undef }
sub do_default { $SIG{$_} = 'DEFAULT' for @_; return undef }
sub do_kill { my ($signal, $pid) = @_; return \(kill($signal, $pid) . '') }

# --- output -------------------------------------------------------------------------------------------------------

sub to_handle { my $fd = shift; open(my $handle, '>&=', $fd) or die "fd $fd: $!\n"; push @kept, $handle; return $handle }
sub do_write { my ($fd, $bytes) = @_; put(to_handle($fd), $bytes); return undef }
sub do_close { POSIX::close($_) for @_; return undef }
sub do_reopen {
  my ($file, $text) = @_;
  open(my $handle, '>', $file) or die "open $file: $!\n";
  put($handle, $text);
  close($handle);
  return undef;
}
# LINES numbered lines of WIDTH bytes, newline included, on one stream or alternating between two.
sub do_flood {
  my ($lines, $width, @fds) = @_;
  my @handles = map { to_handle($_) } @fds;
  my @text = map { '' } @fds;
  for my $number (0 .. $lines - 1) {
    my $which = $number % @fds;
    my $line = sprintf '%08d ', $number;
    $text[$which] .= $line . ('x' x ($width - length($line) - 1)) . "\n";
    if (length $text[$which] > 60000) { put($handles[$which], $text[$which]); $text[$which] = '' }
  }
  put($handles[$_], $text[$_]) for 0 .. $#fds;
  return undef;
}

# --- what it is ---------------------------------------------------------------------------------------------------

sub slurp { my $file = shift; open(my $in, '<', $file) or return ''; local $/; return scalar <$in> // '' }

sub do_facts {
  my $status = slurp('/proc/self/status');
  my $field = sub { $status =~ /^$_[0]:[ \t]*(.*)$/m ? $1 : '' };
  my %limits = map { /^Max (.+?)\s{2,}(\S+)\s+(\S+)/ ? ($1 => [$2, $3]) : () } split /\n/, slurp('/proc/self/limits');
  my $umask = sprintf '%04o', umask;
  my ($group, @groups) = split / /, $(;
  return {
    pid => \"$$", ppid => \(getppid() . ''), pgid => \(getpgrp(0) . ''),
    sid => \((split / /, (slurp('/proc/self/stat') =~ s/^.*\) //sr))[3]),
    uids => $field->('Uid'), gids => $field->('Gid'), groups => [sort { $a <=> $b } split / /, $field->('Groups')],
    cwd => readlink('/proc/self/cwd'), umask => $umask, limits => \%limits,
    nice => \(getpriority(0, 0) . ''), oomScoreAdj => \(slurp('/proc/self/oom_score_adj') + 0 . ''),
    cpus => $field->('Cpus_allowed_list'), env => { map { split /=/, $_, 2 } split /\0/, slurp('/proc/self/environ') },
    blocked => $field->('SigBlk'), ignored => $field->('SigIgn'), descriptors => $start_fds,
    stdin => readlink('/proc/self/fd/0'),
  };
}

sub do_processes { opendir(my $dir, '/proc') or die "$!\n"; return [map { \"$_" } grep { /^\d+$/ } readdir($dir)] }
sub do_rename { $0 = shift; return undef }
sub do_chdir { chdir(shift) or die "$!\n"; return undef }
sub do_eval { my $value = eval shift; die $@ if $@; return $value }

# --- children -----------------------------------------------------------------------------------------------------

# FLAGS: session (setsid), daemon (double fork), wiped (executed without an environment), uid=N, title=TEXT.
sub do_spawn {
  my ($name, @flags) = @_;
  my %flag = map { /^(\w+)=(.*)$/s ? ($1 => $2) : ($_ => 1) } @flags;
  my $pid = fork() // die "fork: $!\n";
  if ($pid == 0) {
    $SIG{$_} = 'DEFAULT' for grep { $_ ne 'CHLD' && ref $SIG{$_} } keys %SIG;
    POSIX::setsid() if $flag{session} || $flag{daemon};
    if ($flag{daemon}) { my $second = fork() // POSIX::_exit(98); POSIX::_exit(0) if $second }
    become($name, \%flag);
  }
  if ($flag{daemon}) { waitpid($pid, 0); return undef }
  return \"$pid";
}

sub become {
  my ($name, $flag) = @_;
  close($_->{handle}) for values(%listeners), values(%clients);
  (%listeners, %clients) = ();
  @news = ();
  if (defined $flag->{uid}) { POSIX::setgid($flag->{uid}); POSIX::setuid($flag->{uid}) }
  if ($flag->{wiped}) { %ENV = (); exec { $^X } ($^X, $script, $path, $name); POSIX::_exit(97) }
  $role = $name;
  $0 = $flag->{title} if defined $flag->{title};
  connect_to_test();
  serve();
}

# Executes a program with this process's own descriptors; its exit is sent as a `child` event.
sub do_launch {
  my ($set, @argv) = @_;
  my $pid = fork() // die "fork: $!\n";
  if ($pid == 0) {
    $SIG{$_} = 'DEFAULT' for keys %SIG;
    %ENV = map { split /=/, $_, 2 } split /\0/, $set if $set ne '';
    exec { $argv[0] } @argv;
    POSIX::_exit(127);
  }
  return \"$pid";
}

sub do_exec { exec { $_[0] } @_; die "exec: $!\n" }

# COUNT processes that are orphaned at once and exit with CODE.
sub do_orphans {
  my ($count, $code) = @_;
  my $pid = fork() // die "fork: $!\n";
  if ($pid == 0) {
    for (1 .. $count) { my $child = fork(); POSIX::_exit($code) if defined $child && $child == 0 }
    POSIX::_exit(0);
  }
  waitpid($pid, 0);
  return undef;
}

# --- sockets ------------------------------------------------------------------------------------------------------

# Listens on a port of 127.0.0.1 (0: any) or at a path, and responds to HTTP as set by do_respond. Returns the port.
sub do_listen {
  my $where = shift;
  my $tcp = $where =~ /^\d+$/;
  socket(my $handle, $tcp ? AF_INET : AF_UNIX, SOCK_STREAM, 0) or die "socket: $!\n";
  setsockopt($handle, SOL_SOCKET, SO_REUSEADDR, 1) if $tcp;
  bind($handle, $tcp ? pack_sockaddr_in($where, INADDR_LOOPBACK) : pack_sockaddr_un($where)) or die "bind: $!\n";
  listen($handle, 128) or die "listen: $!\n";
  $listeners{ fileno $handle } = { handle => $handle, status => 200, body => 'ok', where => $where };
  return $tcp ? \((unpack_sockaddr_in(getsockname($handle)))[0] . '') : $where;
}
sub do_respond { my ($status, $body) = @_; @$_{qw(status body)} = ($status, $body) for values %listeners; return undef }
sub do_unlisten { delete $listeners{$_} for keys %listeners; return undef }

sub accept_on {
  my $listener = shift;
  accept(my $handle, $listener->{handle}) or return;
  $clients{ fileno $handle } = { handle => $handle, text => '', listener => $listener };
}

sub answer {
  my $client = shift;
  my $handle = $client->{handle};
  my $got = sysread($handle, $client->{text}, 65536, length $client->{text});
  if ($got && $client->{text} !~ /\r\n\r\n/) { return }
  if ($got) {
    my ($status, $body) = @{ $client->{listener} }{qw(status body)};
    my $head = "HTTP/1.1 $status X\r\ncontent-length: " . length($body) . "\r\nconnection: close\r\n\r\n";
    eval { local $SIG{PIPE} = 'IGNORE'; put($handle, $head . $body) };
  }
  delete $clients{ fileno $handle };
  close($handle);
}

# One sd_notify datagram to NOTIFY_SOCKET.
sub do_notify {
  my ($text, $address) = (shift, $ENV{NOTIFY_SOCKET} // die "there is no NOTIFY_SOCKET\n");
  $address =~ s/^@/\0/;
  socket(my $handle, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!\n";
  # Abstract names are not terminated: the length of the address determines their end.
  send($handle, $text, 0, pack('S a*', AF_UNIX, $address)) // die "send: $!\n";
  return undef;
}
