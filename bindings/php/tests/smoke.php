<?php
// The extension and coord.php, beside an empty etcd whose address is in COORD_ENDPOINT. Also run under valgrind:
// USE_ZEND_ALLOC=0, and COORD_CALLS=500.

require __DIR__ . '/support.php';

$valgrind = getenv('USE_ZEND_ALLOC') === '0';

function connect(): coord_client
{
    global $endpoint;
    $options = coord_options_new();
    coord_options_set($options, 'endpoints', $endpoint);
    coord_options_set($options, 'log.level', 'off');
    return coord_client_open($options);
}

function client(): Coord\Client
{
    global $endpoint;
    return new Coord\Client($endpoint, ['log.level' => 'off']);
}

check('connect', function () {
    $client = connect();
    equal(preg_match('/^\d+\.\d+\.\d+/', coord_version_string()), 1);
    equal(COORD_INVALID, -1);
    equal(is_array(json_decode(coord_client_stats($client), true)), true);
    $e = fails(COORD_UNAVAILABLE, fn() => new Coord\Client('127.0.0.1:1', ['log.level' => 'off']));
    equal($e instanceof RuntimeException, true);
    equal($e->name, 'UNAVAILABLE');
    equal($e->retriable, true);
    equal($e->endpoint, '127.0.0.1:1');
});

check('failures_throw', function () {
    $client = connect();
    $e = fails(COORD_INVALID, fn() => coord_put($client, '', 'x'));
    equal([$e->name, $e->retriable, $e->maybeApplied], ['INVALID', false, false]);
    equal(str_contains(fails(COORD_INVALID, fn() => coord_options_set(coord_options_new(), 'no.such', '1'))->getMessage(), 'no.such'), true);
    equal(fails(COORD_INVALID, fn() => coord_op_if_int(coord_op_get('a'), 'a', 0, 0, 0))->getMessage(), 'INVALID', 'without an error object');
    fails(COORD_INVALID, fn() => coord_put(null, 'a', 'b'));
    fails(COORD_INVALID, fn() => coord_call($client, null, 0));
    coord_client_close($client, 0);
    fails(COORD_CLOSED, fn() => coord_put($client, 'a', 'b'));
    coord_release($client);
    coord_release($client);
    fails(COORD_INVALID, fn() => coord_put($client, 'a', 'b'));
    fails(COORD_INVALID, fn() => coord_put(new coord_client(), 'a', 'b'));
    equal(coord_queue_fd(new coord_queue()), -1);
    coord_release(new coord_queue());
});

check('wrong_types_name_the_argument', function () {
    $client = connect();
    $wrong = [
        ['argument 1 (client) must be of type coord_client, string given', fn() => coord_put('x', 'a', 'b')],
        ['argument 1 (client) must be of type coord_client, coord_op given', fn() => coord_put(coord_op_get('a'), 'a', 'b')],
        ['argument 1 (client) must be of type coord_client, stdClass given', fn() => coord_put(new stdClass(), 'a', 'b')],
        ['argument 2 (key) must be of type string, int given', fn() => coord_put($client, 1, 'b')],
        ['argument 3 (value) must be of type string, array given', fn() => coord_put($client, 'a', [])],
        ['argument 1 (revision) must be of type int, float given', fn() => coord_op_compact(1.5)],
        ['argument 1 (revision) must be of type int, string given', fn() => coord_op_compact('1')],
        ['argument 2 (names) must be an array of strings, int given', fn() => coord_lock_open_many($client, ['a', 1], null, null, 0)],
        ['argument 1 (handle) must be a handle, string given', fn() => coord_release('x')],
    ];
    foreach ($wrong as [$message, $call]) equal(str_ends_with(fails(TypeError::class, $call)->getMessage(), $message), true, $message);
    fails(ArgumentCountError::class, fn() => coord_put($client, 'a'));
    fails(ValueError::class, fn() => coord_options_set(coord_options_new(), "endpoints\0x", 'b'));
    fails(ValueError::class, fn() => coord_op_if_int(coord_op_txn(), 'a', 2 ** 40, 0, 0));
    fails(ValueError::class, fn() => coord_lock_open_many($client, array_fill(0, 65, 'a'), null, null, 0));
    fails(Error::class, fn() => clone $client);
    fails(ValueError::class, fn() => client()->txn()->when('a', 'version', '=', 1));
    fails(ValueError::class, fn() => client()->txn()->when('a', 'size', '==', 1));
});

check('bytes_go_both_ways', function () {
    $client = connect();
    $every = implode('', array_map('chr', range(0, 255)));
    equal(coord_put($client, "raw/\0key", $every), null);
    $result = coord_get($client, "raw/\0key");
    equal(coord_kv_key($result, -1, 0), "raw/\0key");
    equal(coord_kv_value($result, -1, 0), $every);
    equal(coord_kv_value($result, -1, 1), null, 'no such key-value');
    coord_put($client, 'raw/empty', '');
    equal(coord_kv_value(coord_get($client, 'raw/empty'), -1, 0), '');
    equal(coord_delete($client, 'raw/empty'), 1);
    equal(coord_delete($client, 'raw/empty'), 0);
    equal(client()->get('raw/empty'), null);
    equal(client()->kv("raw/\0key")['value'], $every);
});

check('integers_of_64_bits_are_exact', function () {
    $client = connect();
    $id = 7587886321985764359;
    $result = coord_call($client, coord_op_lease_grant(60, $id), 0);
    equal(coord_result_lease_id($result), $id);
    $skin = client();
    $revision = $skin->put('raw/leased', 'x', $id);
    equal($skin->kv('raw/leased')['lease'], $id);
    equal($skin->kv('raw/leased')['mod_revision'], $revision);
    coord_call($client, coord_op_lease_revoke($id), 0);
    // Unsigned ones are the same 64 bits, through the queue and back.
    $queue = coord_queue_open();
    foreach ([PHP_INT_MAX, PHP_INT_MIN, -1] as $tag) {
        coord_submit($client, coord_op_get('a'), 0, $queue, $tag);
        equal(coord_event_tag(coord_queue_next($queue, 20000)), $tag);
    }
    equal(sprintf('%u', -1), '18446744073709551615');
    equal(coord_result_cluster_id(coord_get($client, 'a')) !== 0, true);
});

check('txn', function () {
    $client = client();
    $txn = $client->txn()->when('raw/txn', 'version', '==', 0)
        ->then(coord_op_put('raw/txn', 'mine'), coord_op_get('raw/txn'))->otherwise(coord_op_get('raw/txn'));
    $done = $txn->commit();
    equal($done['succeeded'], true);
    equal($done['parts'][1][0]['value'], 'mine');
    $done = $txn->commit();
    equal([$done['succeeded'], count($done['parts'][0])], [false, 1]);
    equal($client->txn()->when('raw/txn', 'value', '!=', 'mine')->commit()['succeeded'], false);
});

check('prefix_in_pages', function () {
    $client = client();
    for ($i = 0; $i < 25; $i++) $client->put(sprintf('raw/scan/%02d', $i), (string) $i);
    $seen = [];
    foreach ($client->each('raw/scan/', 7) as $key => $kv) $seen[$key] = $kv['value'];
    equal(count($seen), 25);
    equal(array_key_last($seen), 'raw/scan/24');
    foreach ($client->each('raw/scan/', 7) as $kv) break; // a scan that is left
    equal($client->delete('raw/scan/', prefix: true), 25);
    equal(iterator_to_array($client->each('raw/scan/')), []);
});

check('lease', function () {
    $client = client();
    $lease = $client->lease(30);
    equal($lease->remaining() > 0 && $lease->remaining() <= 30, true);
    $client->put('raw/alive', '1', $lease->id());
    $lease->close();
    equal($client->get('raw/alive'), null);
    equal($lease->remaining(), 0.0);
});

check('lock_and_fence', function () {
    $client = client();
    $tokens = [];
    for ($i = 0; $i < 2; $i++) {
        $tokens[] = $client->lock('raw/lock', function (int $token, coord_lock $lock) use ($client) {
            equal(coord_lock_is_held($lock), 1);
            equal($client->txn()->when($lock)->then(coord_op_put('raw/fenced', (string) $token))->commit()['succeeded'], true);
            equal(preg_match('#^raw/lock/[0-9a-f]+$#', coord_lock_key_of($lock, 0)), 1);
            $other = coord_lock_open($client->handle, 'raw/lock', null, null, 0);
            fails(COORD_CONFLICT, fn() => $client->run(coord_op_acquire($other, 0), 30));
            fails(COORD_TIMEOUT, fn() => $client->lock('raw/lock', fn() => 1, timeout: 0.1));
            return $token;
        }, timeout: 60, options: ['lock.ttl.s' => 30]);
    }
    equal($tokens[1] > $tokens[0], true, 'a later token');
    equal(fails(DomainException::class, fn() => $client->lock('raw/lock', fn() => throw new DomainException('mine')))->getMessage(), 'mine');
    $client->lock('raw/lock', fn() => 1, timeout: 60);
    $e = fails(COORD_LOST, fn() => $client->lock('raw/lock', function ($token, $lock) use ($client) {
        $client->delete(coord_lock_key_of($lock, 0));
        do usleep(1000); while (coord_lock_is_held($lock)); // told by a watch
    }));
    $both = coord_lock_open_many($client->handle, ['raw/a', "raw/b\0"], null, null, 0);
    $client->run(coord_op_acquire($both, true), 30);
    equal(preg_match('#^raw/b\0/[0-9a-f]+$#', coord_lock_key_of($both, 1)), 1);
});

check('watch_through_the_queue', function () {
    $client = client();
    $watch = $client->watch('raw/watch/', prefix: true);
    equal($watch->next(0), null);
    $client->put("raw/watch/a\0", '1');
    $client->put("raw/watch/a\0", '2');
    $client->delete("raw/watch/a\0");
    $seen = [];
    foreach ($watch as $change) {
        $seen[] = [$change['type'], $change['key'], $change['value'], $change['previous']];
        if (count($seen) === 3) break;
    }
    equal($seen, [['put', "raw/watch/a\0", '1', null], ['put', "raw/watch/a\0", '2', '1'], ['delete', "raw/watch/a\0", '', '2']]);
    // The queue's descriptor, for stream_select.
    $stream = fopen('php://fd/' . coord_queue_fd($watch->queue), 'r');
    $client->put('raw/watch/b', '3');
    $read = [$stream];
    $none = null;
    equal(stream_select($read, $none, $none, 30), 1);
    equal($watch->next(30)['value'], '3');
    coord_watch_close($watch->handle);
    fails(COORD_CLOSED, fn() => $watch->next());
    $watch->close();
    $watch->close();
    $client->put('raw/other', '1');
});

check('submit_and_cancel', function () {
    [$client, $queue] = [connect(), coord_queue_open()];
    $id = coord_submit($client, coord_op_put('raw/submit', '1'), 0, $queue, 9);
    $event = coord_queue_next($queue, 20000);
    equal([coord_event_tag($event), coord_event_code($event)], [9, COORD_OK]);
    $result = coord_event_take_result($event);
    equal(coord_result_revision($result) > 0, true);
    equal(coord_event_take_result($event), null);
    equal(coord_cancel($client, $id), null);
    fails(COORD_INVALID, fn() => coord_cancel($client, 10 ** 9));
    equal(coord_queue_next($queue, 0), null);
});

check('mirror_and_config', function () {
    $client = connect();
    coord_put($client, 'raw/m/a', '1');
    $mirror = coord_mirror_open($client, 'raw/m/', null, null, 0);
    equal(coord_kv_value(coord_mirror_get($mirror, 'raw/m/a'), -1, 0), '1');
    equal(coord_result_count(coord_mirror_get($mirror, 'raw/m/b')), 0);
    fails(COORD_INVALID, fn() => coord_mirror_get($mirror, 'elsewhere'));
    equal(count(Coord\kvs(coord_mirror_all($mirror))), 1);
    $config = coord_config_open($client, 'raw.php', null, null, 0);
    coord_config_default($config, 'carts', '{"most":7}');
    equal(coord_config_get($config, 'carts'), ['{"most":7}', 0], 'two that are handed out');
    fails(COORD_NOT_FOUND, fn() => coord_config_get($config, 'none'));
    coord_release($client);
    equal(coord_kv_value(coord_mirror_get($mirror, 'raw/m/a'), -1, 0), '1');
});

// Handles that hang on each other, with things under way.
function family(): array
{
    [$client, $queue, $get] = [connect(), coord_queue_open(), coord_op_get('raw/w')];
    $watch = coord_watch_open($client, $get, 0, $queue, 1);
    $lock = coord_lock_open($client, 'raw/gc', null, $queue, 2);
    $acquire = coord_op_acquire($lock, 1);
    coord_submit($client, $acquire, 30000, $queue, 3);
    coord_put($client, 'raw/w', 'x');
    $mirror = coord_mirror_open($client, 'raw/m/', null, $queue, 4);
    $registry = coord_registry_open($client, null);
    return [$client, $queue, $watch, $lock, $acquire, $mirror, $registry, coord_picker_open($registry, 'web', 1, ''), $get,
        coord_get($client, 'raw/w'), coord_queue_next($queue, 20000)];
}

check('freed_in_any_order', function () {
    mt_srand(1);
    for ($round = 0; $round < 20; $round++) {
        $handles = family();
        shuffle($handles);
        while ($handles) {
            $handle = array_pop($handles);
            if ($round % 2) coord_release($handle);
            unset($handle);
        }
    }
});

check('after_fork', function () {
    global $valgrind;
    if (!function_exists('pcntl_fork')) return 'there is no pcntl';
    if ($valgrind) return 'what the child cannot free is no leak';
    $client = client();
    $client->lock('raw/fork', function ($token, $lock) use ($client) {
        $pid = pcntl_fork();
        if ($pid === 0) {
            try {
                $client->put('raw/fork/x', '1');
            } catch (Coord\Exception $e) {
                if ($e->getCode() === COORD_FORKED && client()->put('raw/fork/x', '2') > 0) exit(7);
            }
            exit(1);
        }
        pcntl_waitpid($pid, $status);
        equal(pcntl_wexitstatus($status), 7);
        equal(coord_lock_is_held($lock), 1);
    });
    equal($client->get('raw/fork/x'), '2');
});

check('flat_memory', function () {
    global $valgrind;
    $client = client();
    $client->put('raw/leak', 'x');
    $calls = (int) (getenv('COORD_CALLS') ?: 20000);
    $round = function (int $n) use ($client) {
        for ($i = 0; $i < $n; $i++) {
            $client->kv('raw/leak');
            try {
                coord_put($client->handle, '', 'x');
            } catch (Coord\Exception) {
            }
            try {
                coord_lock_open_many($client->handle, ['a', 1], null, null, 0);
            } catch (TypeError) {
            }
        }
    };
    $round(intdiv($calls, 5));
    [$php, $all] = [memory_get_usage(), rss()];
    $round($calls);
    equal(memory_get_usage() - $php < 10000, true, 'memory of PHP, ' . (memory_get_usage() - $php));
    equal($valgrind || rss() - $all < 1024, true, 'memory of the process, kB, ' . (rss() - $all));
});

check('example', function () {
    global $endpoint;
    $folder = dirname(__DIR__);
    preg_match('/```php\n(.*?)```/s', file_get_contents("$folder/README.md"), $printed);
    equal($printed[1], file_get_contents("$folder/examples/job.php"), 'what README.md prints');
    $extension = getenv('COORD_PHP_EXTENSION');
    exec(escapeshellarg(PHP_BINARY) . " -n -d extension=$extension $folder/examples/job.php $endpoint 2>&1", $said, $status);
    equal(preg_match("/^working, with token \\d+\ndone$/", implode("\n", $said)), 1, implode("\n", $said));
});

exit($failed === 0 ? 0 : 1);
