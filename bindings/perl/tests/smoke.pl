# The module for Perl: typemaps, handles and their end, waits and their end, on a real etcd.
use v5.26;
use warnings;
use Config;
use FindBin;
use Time::HiRes 'setitimer', 'ITIMER_REAL';
use Support;

use constant BIG => 7587886321985764359;

# Its text is what counts.
package Named { use overload '""' => sub { "pl/named-${ $_[0] }" }, fallback => 1 }

test versions_and_constants => sub {
    truth(Coord::version_string() =~ /\A\d+\.\d+\.\d+\z/, 'the version');
    equal([Coord::INVALID(), Coord::EVENT_CHANGES(), Coord::code_name(Coord::TIMEOUT())], [-1, 1, 'TIMEOUT']);
};

test connect => sub {
    my $c = client();
    truth($c->put('pl/connect', '1') > 0, 'a revision');
    $c->close;
    $c->close;
    fails(Coord::CLOSED(), qr/CLOSED/, sub { $c->put('a', 'b') });
    my $e = fails(Coord::UNAVAILABLE(), qr/127\.0\.0\.1:1/, sub { Coord->open('127.0.0.1:1', log_level => 'off') });
    truth($e->retriable, 'retriable');
    fails(Coord::INVALID(), qr/no\.such/, sub { Coord->open(endpoint(), no_such => 1) });
};

test errors => sub {
    my $c = client();
    my $e = fails(Coord::INVALID(), qr/key is empty.* at \S*smoke\.pl line \d+\.$/, sub { $c->put('', 'x') });
    equal([$e->name, !!$e->retriable, !!$e->maybe_applied, !!$e->fatal, $e->endpoint, $e->grpc_status, $e->http_status],
        ['INVALID', '', '', '', '', -1, -1]);
    fails(Coord::INVALID(), qr/key/, sub { $c->put(undef, 'x') });
    fails(Coord::INVALID(), qr/INVALID/, sub { Coord::op_if_int(Coord::op_get('a'), 'a', 0, 0, 0) });
    $e = fails(Coord::NOT_FOUND(), qr/NOT_FOUND/, sub { $c->call(Coord::op_lease_revoke(4711)) });
    equal([$e->endpoint, $e->grpc_status], [endpoint() =~ s{\Ahttp://}{}r, 5]);
    fails(Coord::INVALID(), qr/client/, sub { Coord::put(undef, 'a', 'b') });
    fails(undef, qr/no option limt at \S*smoke\.pl/, sub { $c->get('a', limt => 1) });
    my $result = $c->call(Coord::op_get('pl/none'));
    equal([Coord::result_count($result), $c->get('pl/none')], [0, undef]);
};

test wrong_arguments => sub {
    my $c = client();
    fails(undef, qr/put: client .* Coord::Client at \S*smoke\.pl/, sub { Coord::put('x', 'a', 'b') });
    fails(undef, qr/put: client .* Coord::Client/, sub { Coord::put(\*STDOUT, 'a', 'b') });
    fails(undef, qr/put: client .* Coord::Client/, sub { Coord::put(Coord::op_get('a'), 'a', 'b') });
    fails(undef, qr/put: client .* Coord::Client/, sub { Coord::put(bless({}, 'Coord::Client'), 'a', 'b') });
    fails(undef, qr/put: key .* not a reference/, sub { Coord::put($c, ['a'], 'b') });
    fails(undef, qr/put: value .* wide character/, sub { Coord::put($c, 'a', "\x{263a}") });
    fails(undef, qr/timeout_ms .* integer/, sub { Coord::call($c, Coord::op_get('a'), 1.5) });
    fails(undef, qr/timeout_ms .* not undef/, sub { Coord::call($c, Coord::op_get('a'), undef) });
    fails(undef, qr/timeout_ms .* integer/, sub { Coord::call($c, Coord::op_get('a'), 'soon') });
    fails(undef, qr/timeout_ms .* not a reference/, sub { Coord::call($c, Coord::op_get('a'), [1]) });
    fails(undef, qr/timeout_ms .* integer/, sub { Coord::call($c, Coord::op_get('a'), 9**9**9) });
    fails(undef, qr/\Aput: wrong number of arguments at/, sub { Coord::put($c, 'a') });
    fails(undef, qr/name .* NUL/, sub { Coord::options_set(Coord::options_new(), "endpoints\0x", 'b') });
    fails(undef, qr/target .* 32 bits/, sub { Coord::op_if_int(Coord::op_txn(), 'a', 2**31, 0, 0) });
    fails(undef, qr/lease_id .* 64 bits/, sub { Coord::op_lease_revoke('9223372036854775808') });
    fails(undef, qr/lease_id .* 64 bits/, sub { Coord::op_lease_revoke('-9223372036854775809') });
    fails(undef, qr/tag .* negative/, sub { Coord::submit($c, Coord::op_get('a'), 0, Coord::queue_open(), -1) });
    fails(undef, qr/names .* array/, sub { Coord::lock_open_many($c, 'a', undef, undef, 0) });
    fails(undef, qr/names/, sub { Coord::lock_open_many($c, ['a', undef], undef, undef, 0) });
    fails(undef, qr/no relation about/, sub { $c->txn->if('a', 'version', 'about', 1) });
    fails(undef, qr/no colour/, sub { $c->txn->if('a', 'colour', '==', 1) });
};

test bytes_go_both_ways => sub {
    my $c = client();
    my $value = pack 'C*', 0 .. 255;
    $c->put("pl/\0key", $value);
    my $kv = $c->get("pl/\0key");
    equal([$kv->{key}, $kv->{value}], ["pl/\0key", $value]);
    truth(!utf8::is_utf8($kv->{value}), 'bytes');
    # The same characters, however Perl keeps them, are the same bytes; what is given stays as it is.
    utf8::upgrade(my $upgraded = "pl/\xe9");
    $c->put($upgraded, $upgraded);
    truth(utf8::is_utf8($upgraded), 'upgraded still');
    equal($c->get("pl/\xe9")->{value}, "pl/\xe9");
    $c->put('pl/empty', '');
    equal([$c->get('pl/empty')->{value}, $c->delete('pl/empty'), $c->delete('pl/empty'), $c->get('pl/empty')], ['', 1, 0, undef]);
    # Numbers, what a pattern has found, and objects that have a text.
    'pl/found' =~ /(.*)/;
    $c->put($1, 17);
    equal($c->get('pl/found')->{value}, '17');
    my $named = bless \(my $number = 7), 'Named';
    $c->put($named, $named);
    equal($c->get('pl/named-7')->{value}, 'pl/named-7');
    my $result = Coord::get($c, "pl/\0key");
    equal([Coord::kv_value($result, -1, 0), Coord::kv_value($result, -1, 1)], [$value, undef]);
    my $o = Coord::options_new();
    Coord::options_set($o, 'lock.owner', 'me');
    equal(Coord::options_get($o, 'lock.owner'), 'me');
};

test integers_of_64_bits => sub {
    my $c = client();
    equal(Coord::result_lease_id($c->call(Coord::op_lease_grant(60, BIG))), BIG);
    my $revision = $c->put('pl/leased', 'x', lease => BIG);
    my $kv = $c->get('pl/leased');
    equal([$kv->{lease_id}, $kv->{mod_revision}], ['7587886321985764359', $revision]);
    my $queue = Coord::queue_open();
    my @tags = (18446744073709551615, '18446744073709551615', 2.0**53, '9223372036854775808', 7.0, 0, !!0, !!1);
    for my $tag (@tags) {
        truth(Coord::submit($c, Coord::op_get('pl/leased'), 0, $queue, $tag) > 0, 'a call id');
        $tag = Coord::event_tag(Coord::queue_next($queue, 60_000));
    }
    equal(\@tags, ['18446744073709551615', '18446744073709551615', '9007199254740992', '9223372036854775808', 7, 0, 0, 1]);
    $c->call(Coord::op_lease_revoke('7587886321985764359'));
    equal($c->get('pl/leased'), undef);
};

test txn => sub {
    my $c = client();
    my $txn = $c->txn->if('pl/txn', 'version', '==', 0)->then(Coord::op_put('pl/txn', 'mine'), Coord::op_get('pl/txn'))
        ->else(Coord::op_get('pl/txn'));
    my ($held, @parts) = $txn->commit;
    equal([$held, map { [map { $_->{value} } @$_] } @parts], [1, [], ['mine']]);
    ($held, @parts) = $txn->commit;
    equal([$held, $parts[0][0]{value}], ['', 'mine']);
    truth(scalar $c->txn->if('pl/txn', 'value', '==', 'mine')->if('pl/txn', 'create', '!=', 0)->commit, 'it holds');
};

test scan_in_pages => sub {
    my $c = client();
    $c->put(sprintf('pl/scan/%02d', $_), $_) for 0 .. 24;
    $c->put('pl/scan0', 'behind');
    my @seen;
    $c->each('pl/scan/', sub { push @seen, $_[0]{value} }, page => 4);
    equal(\@seen, [0 .. 24]);
    my $scan = Coord::scan_open($c, Coord::_set(Coord::op_get('pl/scan/'), prefix => 1), 10);
    equal([map { Coord::result_count(Coord::scan_next($scan, 0)) } 1 .. 3], [10, 10, 5]);
    equal(Coord::scan_next($scan, 0), undef);
    fails(undef, qr/enough/, sub { $c->each('pl/scan/', sub { die "enough\n" }) });
    equal([map { $_->{value} } $c->get('pl/scan/', prefix => 1, limit => 2, keys_only => 1)], ['', '']);
    equal($c->delete('pl/scan/', prefix => 1), 25);
    $c->each('pl/scan/', sub { die 'there is none' });
};

test lease => sub {
    my $c = client();
    my $lease = $c->lease(60);
    truth($lease->remaining > 0, 'time is left');
    $c->put('pl/lease', 'x', lease => $lease->id);
    equal($c->get('pl/lease')->{lease_id}, $lease->id);
    $lease->close;
    equal($c->get('pl/lease'), undef);
};

test lock_and_fence => sub {
    my $c = client();
    my $held = $c->lock('pl/lock', ttl_s => 30);
    my $first = $held->token;
    truth($held->is_held, 'held');
    fails(Coord::CONFLICT(), qr/CONFLICT/, sub { $c->lock('pl/lock', wait => 0) });
    truth(scalar $c->txn->if($held)->then(Coord::op_put('pl/guarded', 'x'))->commit, 'the fence lets it through');
    # Somebody takes it away: the fence holds, whatever this process believes.
    my $stale = $c->txn->if($held)->then(Coord::op_put('pl/guarded', 'y'));
    $c->delete(Coord::lock_key_of($held->{lock}, 0));
    truth(!$stale->commit, 'the fence stops it');
    equal($c->get('pl/guarded')->{value}, 'x');
    my $next = $c->lock('pl/lock', timeout => 60);
    truth($next->token > $first, 'tokens grow');
    $next->release;
    fails(Coord::NOT_HELD(), qr/NOT_HELD/, sub { $next->release });
    undef $held;
    my $both = Coord::lock_open_many($c, ['pl/a', "pl/b\0"], undef, undef, 0);
    $c->call(Coord::op_acquire($both, 1));
    truth(Coord::lock_key_of($both, 1) =~ m{\Apl/b\0/[0-9a-f]+\z}, 'a key of many');
};

test watch_through_the_queue => sub {
    my $c = client();
    my $queue = Coord::queue_open();
    my $watch = Coord::watch_open($c, Coord::_set(Coord::op_get('pl/watch/'), prefix => 1), 0, $queue, 77);
    my $event = Coord::queue_next($queue, 60_000);
    equal([Coord::event_type($event), Coord::event_code($event), Coord::event_error($event)], [Coord::EVENT_RESYNC(), 0, undef]);
    $c->put("pl/watch/a\0", '1');
    $event = Coord::queue_next($queue, 60_000);
    equal([Coord::event_type($event), Coord::event_tag($event), Coord::event_count($event)], [Coord::EVENT_CHANGES(), 77, 1]);
    equal([Coord::change_key($event, 0), Coord::change_value($event, 0), Coord::change_previous($event, 0)],
        ["pl/watch/a\0", '1', undef]);
    Coord::watch_close($watch);
    equal(Coord::event_type(Coord::queue_next($queue, 60_000)), Coord::EVENT_CLOSED());
    equal([Coord::queue_next($queue, 0), Coord::queue_next($queue, 1)], [undef, undef]);

    my $changes = $c->watch('pl/watch/', prefix => 1, prev_kv => 1);
    equal($changes->next(0.01), undef);
    $c->put("pl/watch/a\0", '2');
    $c->delete("pl/watch/a\0");
    my @seen = map { $changes->next(60) } 1, 2;
    equal([map { [$_->{type}, $_->{value}, $_->{previous}] } @seen], [['put', '2', '1'], ['delete', '', '2']]);
    $c->call(Coord::op_compact($seen[1]{mod_revision}));
    my $e = fails(Coord::COMPACTED(), qr/COMPACTED/, sub { $c->watch('pl/watch/', prefix => 1, from => 1)->next(60) });
    equal($e->name, 'COMPACTED');
};

test mirror => sub {
    my $c = client();
    $c->put('pl/m/a', '1');
    my $mirror = $c->mirror('pl/m/');
    equal([$mirror->get('pl/m/a')->{value}, $mirror->get('pl/m/b')], ['1', undef]);
    fails(Coord::INVALID(), qr/INVALID/, sub { $mirror->get('elsewhere') });
    $c->put('pl/m/b', '2');
    wait_for(sub { $mirror->get('pl/m/b') });
    equal([map { $_->{value} } $mirror->all], ['1', '2']);
    equal([map { $_->{value} } $mirror->all('pl/m/b')], ['2']);
    $c->close;
    equal($mirror->get('pl/m/a')->{value}, '1');
};

test configuration_and_registry => sub {
    my $c = client();
    my $config = Coord::config_open($c, 'pl', undef, undef, 0);
    $c->call(Coord::op_config_set($config, 'most', '{"a":1}', 0));
    my ($json, $version) = @{ wait_for(sub { my @got = eval { Coord::config_get($config, 'most') }; @got && \@got }) };
    truth($json eq '{"a":1}' && $version > 0, 'what was set');
    my $registry = Coord::registry_open($c, undef);
    my $me = Coord::registry_register($registry, '{"name":"web","address":"h","port":1}', 10, undef, 0);
    $c->call(Coord::op_registered($me), 60);
    my $found = wait_for(sub { my $all = Coord::registry_discover($registry, 'web', 60_000); Coord::instances_count($all) == 1 && $all });
    equal(Coord::instance_address(Coord::instances_get($found, 0)), 'h');
    truth(Coord::instances_json($found) =~ /\A\[/, 'a list in JSON');
    equal(Coord::registry_services($registry, 60_000), '["web"]');
    fails(Coord::NOT_FOUND(), qr/NOT_FOUND/, sub { Coord::config_get($config, 'none') });
};

# ---- handles --------------------------------------------------------------------------------------

# Handles that hang on each other, with things under way.
sub family {
    my $c = client();
    my $queue = Coord::queue_open();
    my $watch = Coord::watch_open($c, Coord::op_get('pl/w'), 0, $queue, 1);
    my $lock = Coord::lock_open($c, 'pl/gc', undef, $queue, 2);
    my $acquire = Coord::op_acquire($lock, 1);
    Coord::submit($c, $acquire, 60_000, $queue, 3);
    return ($c, $queue, $watch, $lock, $acquire);
}

sub larger_family {
    my ($c, @rest) = family();
    $c->put('pl/w', 'x');
    my $registry = Coord::registry_open($c, undef);
    my $scan = Coord::scan_open($c, Coord::_set(Coord::op_get('pl/w'), prefix => 1), 0);
    return ($c, @rest, $registry, $scan, Coord::get($c, 'pl/w'), Coord::mirror_open($c, 'pl/m/', undef, $rest[0], 4),
        Coord::picker_open($registry, 'web', 1, ''));
}

sub permutations {
    my ($chosen, @left) = @_;
    return [@$chosen] unless @left;
    return map { my $i = $_; permutations([@$chosen, $left[$i]], @left[grep { $_ != $i } 0 .. $#left]) } 0 .. $#left;
}

test let_go_in_any_order => sub {
    my $round = 0;
    for my $order (permutations([], 0 .. 4)) {
        my @handles = family();
        for my $i (@$order) {
            if ($round % 2) { $handles[$i]->free for 1, 2 }
            undef $handles[$i];
        }
        $round++;
    }
    equal($round, 120);
    srand 1;
    for (1 .. 16) {
        my @handles = larger_family();
        splice @handles, int rand @handles, 1 while @handles;
    }
    my @kept = larger_family(); # to the end of the process, in whatever order it has
    our @global = larger_family();
};

test freed_handles_are_refused => sub {
    my $c = client();
    my $copy = $c;
    $c->free;
    $c->free;
    fails(Coord::INVALID(), qr/put: client was freed at \S*smoke\.pl/, sub { Coord::put($copy, 'a', 'b') });
    my $result = Coord::get(client(), 'a');
    $result->free;
    fails(Coord::INVALID(), qr/kv_value: result was freed/, sub { Coord::kv_value($result, -1, 0) });
    Coord::Client::free('x');
    Coord::Client::free();
    fails(undef, qr/read-only/, sub { $$copy = 4711 });
};

sub resident { open my $f, '<', '/proc/self/statm' or die; (split ' ', <$f>)[1] * 4 }
sub descriptors { my @all = glob '/proc/self/fd/*'; scalar @all }

# That doing it so often has not made the process larger, by more than 8 MiB, after a quarter of it. Clients of earlier cases may
# make a connection or two meanwhile; one descriptor that is left each time, or each hundredth, is more.
sub is_flat {
    my ($times, $body) = @_;
    $body->($_) for 1 .. $times / 4;
    my @before = (resident(), descriptors());
    $body->($_) for 1 .. $times;
    my $grown = resident() - $before[0];
    truth($grown < 8192, "that $grown KiB more are less than 8192");
    wait_for(sub { descriptors() <= $before[1] + 15 });
}

# What is given is 1,000 bytes, so that a copy of it which is left shows.
test a_failed_call_leaks_nothing => sub {
    my $c = client();
    my ($queue, $txn, $long) = (Coord::queue_open(), Coord::op_txn(), 'x' x 1000);
    my @calls = (
        sub { $c->put('', $long) },
        sub { Coord::put($c, "$long\x{e9}\x{263a}", 'x') },
        sub { Coord::put($c, substr("$long\x{263a}", 0, 1000), []) },
        sub { Coord::put('none', $long, $long) },
        sub { Coord::lock_open_many($c, [$long, undef], undef, undef, 0) },
        sub { Coord::watch_open($c, $txn, 0, $queue, 0) },
        sub { Coord::scan_open($c, Coord::op_put($long, $long), 0) },
        sub { Coord->open($long, log_level => $long) },
        sub { $c->txn->then(Coord::op_put('', $long))->commit },
        sub { Coord::submit($c, Coord::op_get(''), 0, $queue, 0) },
    );
    is_flat(2000, sub { for my $call (@calls) { die 'did not fail' if eval { $call->(); 1 } } });
    equal(Coord::queue_next($queue, 0), undef);
};

test flat_memory => sub {
    my $c = client();
    my $value = 'x' x 1000;
    $c->put('pl/flat', $value);
    my $mirror = $c->mirror('pl/flat');
    is_flat(20_000, sub {
        my $i = shift;
        equal($mirror->get('pl/flat')->{value}, $value);
        Coord::op_put('pl/flat', $value);
        Coord::get($c, 'pl/flat') if $i % 10 == 0;
        $c->txn->if('pl/flat', 'version', '>', 0)->then(Coord::op_get('pl/flat'))->commit if $i % 40 == 0;
        Coord::watch_open($c, Coord::op_get('pl/flat'), 0, Coord::queue_open(), 0) if $i % 100 == 0;
        eval { $c->put('', 'x') };
    });
};

# ---- waits ----------------------------------------------------------------------------------------

# A handler that dies the third time: signals come until then, so it does not matter when the wait begins.
sub interrupted {
    my ($body) = @_;
    my $handled = 0;
    local $SIG{ALRM} = sub { die "enough\n" if ++$handled == 3 };
    setitimer(ITIMER_REAL, 0.05, 0.05);
    my $ended = eval { $body->(); 1 };
    my $why = $@;
    setitimer(ITIMER_REAL, 0);
    truth(!$ended && $why eq "enough\n", "that the handler ends it: $why");
}

test a_signal_handler_ends_a_wait => sub {
    my $c = client();
    my $queue = Coord::queue_open();
    interrupted(sub { Coord::queue_next($queue, -1) });
    interrupted(sub { Coord::queue_next($queue, 600_000) });
    my $held = $c->lock('pl/busy');
    my $other = client();
    interrupted(sub { $other->lock('pl/busy') });
    # The call was cancelled: its place in the queue is free.
    wait_for(sub { Coord::result_count($c->call(Coord::op_lock_queue('pl/busy'))) == 1 });
    $held->release;
    truth($other->lock('pl/busy', timeout => 60)->is_held, 'held');
    $c->put('pl/barrier', '');
    interrupted(sub { $c->call(Coord::op_barrier_wait('pl/barrier'), -1) });
    equal($c->get('pl/barrier')->{value}, '');
};

test a_signal_handler_runs_and_the_wait_goes_on => sub {
    my $c = client();
    my ($queue, $handled) = (Coord::queue_open(), 0);
    # The handler itself calls, and brings what is waited for.
    local $SIG{ALRM} = sub { $c->put('pl/signal', ++$handled); Coord::submit($c, Coord::op_get('pl/signal'), 0, $queue, 7) };
    setitimer(ITIMER_REAL, 0.05);
    my $event = Coord::queue_next($queue, -1);
    equal([Coord::event_tag($event), $handled], [7, 1]);
    for my $let_go (sub { $_[0]->free }, sub { undef $_[0] }) {
        my %of = (queue => Coord::queue_open());
        local $SIG{ALRM} = sub { $let_go->($of{queue}); delete $of{queue}; die "gone\n" };
        setitimer(ITIMER_REAL, 0.05);
        fails(undef, qr/gone/, sub { Coord::queue_next($of{queue}, -1) });
    }
    my $freed = Coord::queue_open();
    local $SIG{ALRM} = sub { $freed->free };
    setitimer(ITIMER_REAL, 0.05);
    fails(Coord::INVALID(), qr/queue was freed/, sub { Coord::queue_next($freed, -1) });
    my $gone = client();
    $c->put('pl/barrier', '');
    local $SIG{ALRM} = sub { $gone->free };
    setitimer(ITIMER_REAL, 0.05);
    fails(Coord::CLOSED(), qr/CLOSED/, sub { Coord::call($gone, Coord::op_barrier_wait('pl/barrier'), -1) });
};

test fork => sub {
    my $c = client();
    my $queue = Coord::queue_open();
    pipe my $reader, my $writer or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my @codes = map { eval { $_->(); 1 } ? 'none' : $@->name } sub { $c->put('a', 'b') }, sub { Coord::queue_next($queue, -1) };
        client()->put('pl/child', '1');
        print $writer "@codes";
        exit 0;
    }
    close $writer;
    equal(scalar <$reader>, 'FORKED FORKED');
    waitpid $pid, 0;
    equal([$?, $c->get('pl/child')->{value}], [0, '1']);
};

test another_thread_has_no_handles => sub {
    return unless $Config{useithreads};
    require threads;
    my $c = client();
    my $held = $c->lock('pl/thread');
    my $said = threads->create({ context => 'scalar' }, sub {
        my $why = eval { Coord::put($c, 'a', 'b'); 1 } ? 'none' : $@;
        client()->put('pl/thread/1', 'mine');
        return $why;
    })->join;
    truth($said =~ /put: client .* Coord::Client/, "what it says, $said,");
    equal([$c->get('pl/thread/1')->{value}, $held->is_held], ['mine', 1]);
};

# ---- the example ----------------------------------------------------------------------------------

test example_as_printed => sub {
    my $here = "$FindBin::Bin/..";
    my ($source, $readme) = map { open my $f, '<', "$here/$_" or die "$_: $!"; local $/; scalar <$f> } 'examples/job.pl', 'README.md';
    my ($printed) = $readme =~ /^```perl\n(.*?)^```/ms;
    truth($source =~ s/\A#.*\n//r eq $printed, 'that the example of the README is examples/job.pl');
    open my $run, '-|', $^X, (map { "-I$_" } @INC), "$here/examples/job.pl", endpoint() or die "perl: $!";
    equal(join('', <$run>), "jobs/1: done\n");
    close $run;
    equal([$?, client()->get('done/jobs/1')->{value}], [0, 'mail']);
};

run();
