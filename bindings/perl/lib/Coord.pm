package Coord;

# coord for Perl: what SWIG makes, and methods on it. README.md says what is what.
use 5.026;
use warnings;
use Carp ();
use XSLoader;

our $VERSION = '0.1.0';
XSLoader::load('Coord');

# An error names the line that called one of these.
$Carp::Internal{$_}++ for qw(Coord Coord::Client Coord::Txn Coord::Held Coord::Lease Coord::Mirror Coord::Changes);

# Coord->open('host:2379', request_timeout_ms => 2000): options are those of docs/CONFIGURATION.md, with _ for dots.
sub open {
    my ($class, $endpoints, %given) = @_;
    $given{endpoints} = $endpoints if defined $endpoints;
    return client_open(_options('', %given));
}

sub _options {
    my ($prefix, %given) = @_;
    return undef unless %given;
    my $options = options_new();
    options_set($options, $prefix . $_ =~ tr/_/./r, $given{$_}) for sort keys %given;
    return $options;
}

# Seconds, or undef for the default, as the library counts; less than 0 is no limit.
sub _ms { my $s = shift; !defined $s ? 0 : $s < 0 ? -1 : $s < 0.001 ? 1 : int($s * 1000 + 0.5) }

# Options of an op: revision => 17, prev_kv => 1. prefix => 1 makes it a range.
sub _set {
    my ($op, %given) = @_;
    op_set_prefix($op) if CORE::delete $given{prefix};
    for my $name (sort keys %given) {
        my $attribute = Coord->can('OP_' . uc $name) or Carp::croak("there is no option $name");
        op_set($op, $attribute->(), $given{$name});
    }
    return $op;
}

# Of a result, or a part of it, one hash for each key.
sub _kvs {
    my ($result, $part) = @_;
    return map { {
        key => kv_key($result, $part, $_), value => kv_value($result, $part, $_), lease_id => kv_lease_id($result, $part, $_),
        mod_revision => kv_mod_revision($result, $part, $_), create_revision => kv_create_revision($result, $part, $_),
        version => kv_version($result, $part, $_),
    } } 0 .. part_count($result, $part) - 1;
}

# Of an event, one hash for each change.
sub _changes {
    my ($event) = @_;
    return map { {
        type => change_type($event, $_) == CHANGE_PUT() ? 'put' : 'delete', key => change_key($event, $_),
        value => change_value($event, $_), lease_id => change_lease_id($event, $_), previous => change_previous($event, $_),
        mod_revision => change_mod_revision($event, $_), create_revision => change_create_revision($event, $_),
        version => change_version($event, $_),
    } } 0 .. event_count($event) - 1;
}

package Coord::Error;
use overload '""' => sub { my $e = shift; $e->name . ": $e->{message} at $e->{file} line $e->{line}.\n" }, fallback => 1;

sub code { $_[0]{code} }
sub name { Coord::code_name($_[0]{code}) }
sub message { $_[0]{message} }
sub endpoint { $_[0]{endpoint} }
sub grpc_status { $_[0]{grpc_status} }
sub http_status { $_[0]{http_status} }
sub retriable { !!($_[0]{flags} & Coord::RETRIABLE()) }
sub maybe_applied { !!($_[0]{flags} & Coord::MAYBE_APPLIED()) }
sub fatal { !!($_[0]{flags} & Coord::FATAL()) }

package Coord::Client;

sub call { my ($self, $op, $timeout) = @_; Coord::call($self, $op, Coord::_ms($timeout)) }
sub close { my ($self, $timeout) = @_; Coord::client_close($self, $timeout ? Coord::_ms($timeout) : 0) }

# The revision.
sub put {
    my ($self, $key, $value, %given) = @_;
    my $timeout = CORE::delete $given{timeout};
    return Coord::result_revision($self->call(Coord::_set(Coord::op_put($key, $value), %given), $timeout));
}

# A hash of key, value and more, or undef; with prefix => 1 a list of such.
sub get {
    my ($self, $key, %given) = @_;
    my $timeout = CORE::delete $given{timeout};
    my @kvs = Coord::_kvs($self->call(Coord::_set(Coord::op_get($key), %given), $timeout), -1);
    return $given{prefix} ? @kvs : $kvs[0];
}

# How many.
sub delete {
    my ($self, $key, %given) = @_;
    my $timeout = CORE::delete $given{timeout};
    return Coord::result_total($self->call(Coord::_set(Coord::op_delete($key), %given), $timeout));
}

# All with a prefix, page by page, all of one revision: the function gets each as its argument.
sub each {
    my ($self, $prefix, $body, %given) = @_;
    my ($page, $timeout) = (CORE::delete $given{page} // 0, CORE::delete $given{timeout});
    my $scan = Coord::scan_open($self, Coord::_set(Coord::op_get($prefix), %given, prefix => 1), $page);
    while (my $result = Coord::scan_next($scan, Coord::_ms($timeout))) { $body->($_) for Coord::_kvs($result, -1) }
    return;
}

sub txn { my $self = shift; bless { client => $self, op => Coord::op_txn() }, 'Coord::Txn' }

# Held until release, or as long as the object lives. Options of the library without "lock."; timeout for the wait.
sub lock {
    my ($self, $name, %given) = @_;
    my ($timeout, $wait) = (CORE::delete $given{timeout} // -1, CORE::delete $given{wait} // 1);
    my $lock = Coord::lock_open($self, $name, Coord::_options('lock.', %given), undef, 0);
    $self->call(Coord::op_acquire($lock, $wait), $timeout);
    return bless { client => $self, lock => $lock }, 'Coord::Held';
}

# Kept alive as long as the object lives; close revokes it.
sub lease { my ($self, $ttl, $timeout) = @_; Coord::lease_open($self, $ttl, Coord::_ms($timeout), undef, 0) }

# A live copy of all keys with a prefix; options of the library without "mirror.".
sub mirror {
    my ($self, $prefix, %given) = @_;
    return Coord::mirror_open($self, $prefix, Coord::_options('mirror.', %given), undef, 0);
}

# The changes from when it stands, or from => a revision: ->next(seconds).
sub watch {
    my ($self, $key, %given) = @_;
    my ($from, $queue) = (CORE::delete $given{from} // 0, Coord::queue_open());
    my $watch = Coord::watch_open($self, Coord::_set(Coord::op_get($key), %given), $from, $queue, 0);
    my $changes = bless { watch => $watch, queue => $queue, ready => [] }, 'Coord::Changes';
    $changes->_take(-1);
    return $changes;
}

package Coord::Changes;

# Whether an event came within so many milliseconds.
sub _take {
    my ($self, $ms) = @_;
    my $event = Coord::queue_next($self->{queue}, $ms) // return 0;
    my $type = Coord::event_type($event);
    die Coord::event_error($event) if $type == Coord::EVENT_CLOSED();
    push @{ $self->{ready} }, Coord::_changes($event) if $type == Coord::EVENT_CHANGES();
    return 1;
}

# A hash of type, key, value and more; undef when nothing comes for so many seconds.
sub next {
    my ($self, $timeout) = @_;
    until (@{ $self->{ready} }) { $self->_take(defined $timeout ? Coord::_ms($timeout) : -1) or return undef }
    return shift @{ $self->{ready} };
}

package Coord::Txn;
my %relations = ('==' => Coord::EQUAL(), '>' => Coord::GREATER(), '<' => Coord::LESS(), '!=' => Coord::NOT_EQUAL());

# if('key', 'version', '==', 0): also create, mod, lease and value; or if($lock).
sub if {
    my ($self, $key, $target, $relation, $operand) = @_;
    if (!defined $target) {
        Coord::op_if_held($self->{op}, ref $key eq 'Coord::Held' ? $key->{lock} : $key);
        return $self;
    }
    my $how = $relations{ $relation // '' } // Carp::croak('there is no relation ' . ($relation // 'undef'));
    my $what = Coord->can('COMPARE_' . uc $target) or Carp::croak("a key has no $target to compare");
    if ($target eq 'value') { Coord::op_if_value($self->{op}, $key, $how, $operand) }
    else { Coord::op_if_int($self->{op}, $key, $what->(), $how, $operand) }
    return $self;
}
sub then { my ($self, @ops) = @_; Coord::op_then($self->{op}, $_) for @ops; return $self }
sub else { my ($self, @ops) = @_; Coord::op_else($self->{op}, $_) for @ops; return $self }

# Whether the compares held; in a list, also what each op done gave: a list of key-values for each.
sub commit {
    my ($self, $timeout) = @_;
    my $result = $self->{client}->call($self->{op}, $timeout);
    my $held = !!Coord::result_succeeded($result);
    return $held unless wantarray;
    return ($held, map { [Coord::_kvs($result, $_)] } 0 .. Coord::result_parts($result) - 1);
}

# What Client::lock gives.
package Coord::Held;
sub token { Coord::lock_token($_[0]{lock}) }
sub is_held { !!Coord::lock_is_held($_[0]{lock}) }
sub release { my ($self, $timeout) = @_; $self->{client}->call(Coord::op_release($self->{lock}), $timeout); return }

package Coord::Lease;
sub id { Coord::lease_id($_[0]) }
sub remaining { Coord::lease_remaining_ms($_[0]) / 1000 }
sub close { my ($self, $timeout) = @_; Coord::lease_close($self, Coord::_ms($timeout)) }

package Coord::Mirror;

# A hash as that of the client's get, or undef. Nobody is asked.
sub get { my ($self, $key) = @_; my ($kv) = Coord::_kvs(Coord::mirror_get($self, $key), -1); return $kv }

# All, or those with a longer prefix.
sub all { my ($self, $prefix) = @_; Coord::_kvs(defined $prefix ? Coord::mirror_prefix($self, $prefix) : Coord::mirror_all($self), -1) }

1;
