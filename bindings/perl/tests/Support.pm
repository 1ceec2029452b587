package Support;

# Cases that print the lines that ./dev counts.
use v5.26;
use warnings;
use Exporter 'import';
use Time::HiRes ();
use Coord;

our @EXPORT = qw(test equal truth fails wait_for client endpoint run);
my (@names, %cases);

sub endpoint { $ENV{COORD_ENDPOINT} // die "COORD_ENDPOINT is not set\n" }
sub client { Coord->open(endpoint(), log_level => 'off', @_) }
sub test { my ($name, $body) = @_; push @names, $name; $cases{$name} = $body }

sub _show { my $v = shift; ref $v eq 'ARRAY' ? '[' . join(', ', map { _show($_) } @$v) . ']' : defined $v ? "\"$v\"" : 'undef' }
sub _where { my @caller = caller 1; "line $caller[2]" }

sub truth { my ($have, $what) = @_; $have or die _where(), ': ', $what // 'this', " is not so\n" }

# Of values and arrays of such.
sub equal {
    my ($have, $want) = map { _show($_) } @_;
    $have eq $want or die _where(), ": is $have, not $want\n";
}

# That it dies with a Coord::Error of this code, or with a text if undef, which matches; what it died with.
sub fails {
    my ($code, $match, $body) = @_;
    my $where = _where();
    die "$where: did not fail\n" if eval { $body->(); 1 };
    my $error = $@;
    my $has = ref $error && $error->isa('Coord::Error') ? $error->code : undef;
    _show($has) eq _show($code) or die "$where: the code is ", _show($has), ', not ', _show($code), ": $error\n";
    $error =~ $match or die "$where: says \"$error\", which has no $match\n";
    return $error;
}

# Do it again until it is true; what it was then.
sub wait_for {
    my ($body) = @_;
    my $where = _where();
    for (1 .. 6000) {
        my $value = $body->();
        return $value if $value;
        Time::HiRes::sleep(0.01);
    }
    die "$where: this did not come about\n";
}

# All cases, or those that the arguments name.
sub run {
    my $failed = 0;
    $| = 1;
    for my $name (@ARGV ? @ARGV : @names) {
        if (eval { $cases{$name}->(); 1 }) { print "ok $name\n"; next }
        my ($why) = split /\n/, "$@";
        print "not ok $name: $why\n";
        $failed = 1;
    }
    exit $failed;
}

1;
