use IO::Socket::INET;
$SIG{ALRM} = sub { print STDERR "server.pl cannot go on\n"; exit 1 };
alarm int($ENV{DIE} / 1000 + 0.9) if $ENV{DIE};
select(undef, undef, undef, $ENV{BOOT} / 1000);
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ENV{LISTEN} || $ENV{PORT}, Listen => 5, ReuseAddr => 1) or die "$!\n";
while (my $client = $server->accept) { print $client "HTTP/1.0 200 OK\r\n\r\nok"; close $client }
