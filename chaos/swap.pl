# A service's user that replaces its own log file or its folder by a symbolic link or a FIFO, and restores it. Starts as root in
# the service's folder, then switches to that user, so that the kernel checks each step as for the service.
#   perl swap.pl UID WHAT NAME VAULT TURNS MILLISECONDS
# Expects the log file at logs/NAME. Ends after TURNS replacements, or with the current one undone at SIGTERM.
use strict;
use warnings;
use POSIX ();
use Fcntl;

my ($uid, $what, $name, $vault, $turns, $ms) = @ARGV;
$) = "$uid $uid";
$( = $uid;
($<, $>) = ($uid, $uid);
die "still root\n" if $> != $uid || $< != $uid;

my $over = 0;
$SIG{TERM} = sub { $over = 1 };
my %target = ('file-link' => "$vault/$name", 'new-link' => "$vault/made-$name", 'rotated-link' => "$vault/$name.1");
my $place = $what eq 'rotated-link' ? "logs/$name.1" : "logs/$name";
my ($done, $reader) = (0);
for (1 .. $turns) {
  last if $over;
  $done += put() ? 1 : 0;
  select(undef, undef, undef, $ms / $turns / 1000) unless $over;
  restore();
  # The supervisor reopens a file between two replacements.
  select(undef, undef, undef, 0.02) unless $over;
}
syswrite STDOUT, "$done of $turns";
POSIX::_exit($done ? 0 : 1);

# By rename, so that the file exists at every moment.
sub put {
  if ($what eq 'folder-link') { return rename('logs', 'logs.kept') && symlink($vault, 'logs') }
  unlink 'new';
  my $made = $what =~ /^fifo/ ? POSIX::mkfifo('new', 0666) : symlink($target{$what}, 'new');
  # A reader that never reads: open(2) of a writer does not block, but write(2) does once the pipe is full.
  sysopen($reader, 'new', O_RDONLY | O_NONBLOCK) if $what eq 'fifo-read';
  return $made && rename('new', $place);
}

sub restore {
  if ($what eq 'folder-link') {
    unlink 'logs' if -l 'logs';
    rename 'logs.kept', 'logs';
  }
  else {
    unlink $place if -l $place || -p $place;
    close $reader if $reader;
  }
}
