# Uses some more mebibytes every second, and keeps them.
my @kept;
$| = 1;
while (1) {
  push @kept, 'x' x ($ARGV[0] << 20);
  sleep 1;
}
