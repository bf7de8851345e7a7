# An HTTP server for the container tests, in the Perl that minimal Debian has. It answers 503 until /tell/NAME.loaded
# exists and again once /tell/NAME.sick does, lists one model, and ends as /tell/NAME.exit says, or with 0 on SIGTERM.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

$| = 1;
my $name = $ENV{SVC_NAME};
my $tell = "/tell/$name";
$SIG{TERM} = sub { print "$name saw SIGTERM\n"; exit 0 };

my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ENV{PORT}, Listen => 64, ReuseAddr => 1)
  or die "cannot listen on $ENV{PORT}: $@\n";
print "$name listens on $ENV{PORT}\n";
my $select = IO::Select->new($server);

while (1) {
  if (open(my $exit, '<', "$tell.exit")) {
    my $code = <$exit>;
    print "$name ends with $code\n";
    exit $code;
  }
  next unless $select->can_read(0.05);
  my $client = $server->accept or next;
  while (my $line = <$client>) { last if $line =~ /^\r?\n$/ }
  my $ready = (-e "$tell.loaded" || $name eq 'page') && !-e "$tell.sick";
  my $body = $ready ? '{"object":"list","data":[{"id":"toy"}]}' : '{"error":"loading"}';
  my $status = $ready ? '200 OK' : '503 Service Unavailable';
  print $client "HTTP/1.1 $status\r\ncontent-type: application/json\r\ncontent-length: ", length $body,
    "\r\nconnection: close\r\n\r\n$body";
  close $client;
}
