<?php
// coord for PHP 8.1 and newer: classes over the functions coord_* of the extension, which stay usable beside them. What fails
// throws Coord\Exception: getCode() is COORD_TIMEOUT and so on, ->name "TIMEOUT", ->retriable, ->maybeApplied, ->endpoint.
// Times are seconds; -1 waits for as long as it takes, 0 is the option request.timeout.ms.

namespace Coord;

function milliseconds(float $seconds): int { return $seconds < 0 ? -1 : (int) min(ceil($seconds * 1000), 0x7fffffff); }

// A key-value of a result; of part number $part of a txn's.
function kv(\coord_result $result, int $i = 0, int $part = -1): ?array
{
    $key = coord_kv_key($result, $part, $i);
    return $key === null ? null : ['key' => $key, 'value' => coord_kv_value($result, $part, $i),
        'mod_revision' => coord_kv_mod_revision($result, $part, $i),
        'create_revision' => coord_kv_create_revision($result, $part, $i),
        'version' => coord_kv_version($result, $part, $i), 'lease' => coord_kv_lease_id($result, $part, $i)];
}

function kvs(\coord_result $result, int $part = -1): array
{
    $all = [];
    for ($i = 0, $count = coord_part_count($result, $part); $i < $count; $i++) $all[] = kv($result, $i, $part);
    return $all;
}

// What an event tells of: thrown when it is a failure.
function raise(\coord_event $event, ?int $code = null): never
{
    $code ??= coord_event_code($event);
    $thrown = new Exception(coord_event_message($event) ?: coord_code_name($code), $code);
    $thrown->name = coord_code_name($code);
    $thrown->retriable = (coord_event_flags($event) & COORD_RETRIABLE) !== 0;
    $thrown->maybeApplied = (coord_event_flags($event) & COORD_MAYBE_APPLIED) !== 0;
    throw $thrown;
}

final class Client
{
    public readonly \coord_client $handle;

    // $options: of docs/CONFIGURATION.md, ['request.timeout.ms' => 2500, 'tls' => true].
    public function __construct(string $endpoints = '', array $options = [])
    {
        $this->handle = coord_client_open(self::options(['endpoints' => $endpoints] + $options));
    }

    public static function options(array $given): \coord_options
    {
        $options = coord_options_new();
        foreach ($given as $name => $value) {
            coord_options_set($options, (string) $name, is_bool($value) ? ($value ? 'true' : 'false') : (string) $value);
        }
        return $options;
    }

    public function run(\coord_op $op, float $timeout = 0): \coord_result
    {
        return coord_call($this->handle, $op, milliseconds($timeout));
    }

    public function get(string $key): ?string { return $this->kv($key)['value'] ?? null; }

    public function kv(string $key): ?array { return kv(coord_get($this->handle, $key)); }

    // The revision at which it was written. $lease: an id.
    public function put(string $key, string $value, int $lease = 0): int
    {
        $op = coord_op_put($key, $value);
        if ($lease !== 0) coord_op_set($op, COORD_OP_LEASE, $lease);
        return coord_result_revision($this->run($op));
    }

    // How many there were.
    public function delete(string $key, bool $prefix = false): int
    {
        $op = coord_op_delete($key);
        if ($prefix) coord_op_set_prefix($op);
        return coord_result_total($this->run($op));
    }

    // foreach ($client->each('jobs/') as $key => $kv): of any size, page by page, all of one revision.
    public function each(string $prefix, int $page = 0): \Generator
    {
        coord_op_set_prefix($get = coord_op_get($prefix));
        $scan = coord_scan_open($this->handle, $get, $page);
        while (($result = coord_scan_next($scan, 0)) !== null) {
            foreach (kvs($result) as $kv) yield $kv['key'] => $kv;
        }
    }

    public function txn(): Txn { return new Txn($this); }

    // What $body returns, which is given the token and the handle; held meanwhile. COORD_TIMEOUT: somebody else had it.
    public function lock(string $name, callable $body, float $timeout = -1, array $options = []): mixed
    {
        $lock = coord_lock_open($this->handle, $name, $options ? self::options($options) : null, null, 0);
        $this->run(coord_op_acquire($lock, 1), $timeout);
        try {
            $value = $body(coord_lock_token($lock), $lock);
        } catch (\Throwable $thrown) {
            coord_release($lock); // in the background: what went wrong is what counts
            throw $thrown;
        }
        $this->run(coord_op_release($lock)); // COORD_LOST: it was not held all the time
        return $value;
    }

    // Kept alive until it is closed or collected.
    public function lease(int $ttl): Lease { return new Lease(coord_lease_open($this->handle, $ttl, 0, null, 0)); }

    // Stands from here on: nothing is missed. $from: the first revision to tell.
    public function watch(string $key, bool $prefix = false, int $from = 0): Watch
    {
        $get = coord_op_get($key);
        if ($prefix) coord_op_set_prefix($get);
        coord_op_set($get, COORD_OP_PREV_KV, 1);
        return new Watch($this->handle, $get, $from);
    }
}

final class Txn
{
    private const RELATIONS = ['==' => COORD_EQUAL, '!=' => COORD_NOT_EQUAL, '>' => COORD_GREATER, '<' => COORD_LESS];
    private const TARGETS = ['version' => COORD_COMPARE_VERSION, 'create_revision' => COORD_COMPARE_CREATE,
        'mod_revision' => COORD_COMPARE_MOD, 'lease' => COORD_COMPARE_LEASE];
    public readonly \coord_op $op;

    public function __construct(private readonly Client $client) { $this->op = coord_op_txn(); }

    // $what: value, version, create_revision, mod_revision, lease; or a lock alone: that it is held.
    public function when(string|\coord_lock $key, string $what = '', string $relation = '', string|int $operand = ''): self
    {
        if ($key instanceof \coord_lock) {
            coord_op_if_held($this->op, $key);
            return $this;
        }
        $how = self::RELATIONS[$relation] ?? throw new \ValueError("a relation is one of == != < >, not \"$relation\"");
        $target = self::TARGETS[$what] ?? null;
        if ($what === 'value') coord_op_if_value($this->op, $key, $how, (string) $operand);
        elseif ($target === null) throw new \ValueError("nothing of a key is called \"$what\"");
        else coord_op_if_int($this->op, $key, $target, $how, $operand);
        return $this;
    }

    public function then(\coord_op ...$ops): self
    {
        foreach ($ops as $op) coord_op_then($this->op, $op);
        return $this;
    }

    public function otherwise(\coord_op ...$ops): self
    {
        foreach ($ops as $op) coord_op_else($this->op, $op);
        return $this;
    }

    // ['succeeded' => bool, 'revision' => int, 'parts' => [key-values of each op, ...]]
    public function commit(float $timeout = 0): array
    {
        $result = $this->client->run($this->op, $timeout);
        $parts = [];
        for ($i = 0, $count = coord_result_parts($result); $i < $count; $i++) $parts[] = kvs($result, $i);
        return ['succeeded' => coord_result_succeeded($result) === 1, 'revision' => coord_result_revision($result),
            'parts' => $parts];
    }
}

final class Lease
{
    public function __construct(public readonly \coord_lease $handle) {}

    public function id(): int { return coord_lease_id($this->handle); }

    // Seconds that it lives at least; 0: act as if it is lost.
    public function remaining(): float { return coord_lease_remaining_ms($this->handle) / 1000; }

    public function close(): void { coord_lease_close($this->handle, 0); }
}

final class Watch implements \IteratorAggregate
{
    public readonly \coord_queue $queue;
    public readonly \coord_watch $handle;
    private \SplQueue $waiting;

    public function __construct(\coord_client $client, \coord_op $get, int $from)
    {
        $this->waiting = new \SplQueue();
        $this->queue = coord_queue_open();
        $this->handle = coord_watch_open($client, $get, $from, $this->queue, 1);
        do $event = coord_queue_next($this->queue, -1); while ($event === null);
        if (coord_event_type($event) === COORD_EVENT_CLOSED) raise($event);
    }

    // A change: type "put" or "delete", key, value, mod_revision, version, lease, previous. null: none came in time.
    public function next(float $timeout = -1): ?array
    {
        while ($this->waiting->isEmpty()) {
            $event = coord_queue_next($this->queue, milliseconds($timeout));
            if ($event === null) return null;
            if (coord_event_type($event) === COORD_EVENT_CLOSED) raise($event, coord_event_code($event) ?: COORD_CLOSED);
            if (coord_event_type($event) !== COORD_EVENT_CHANGES) continue;
            for ($i = 0, $count = coord_event_count($event); $i < $count; $i++) {
                $this->waiting[] = ['type' => coord_change_type($event, $i) === COORD_CHANGE_PUT ? 'put' : 'delete',
                    'key' => coord_change_key($event, $i), 'value' => coord_change_value($event, $i),
                    'mod_revision' => coord_change_mod_revision($event, $i),
                    'version' => coord_change_version($event, $i), 'lease' => coord_change_lease_id($event, $i),
                    'previous' => coord_change_previous($event, $i)];
            }
        }
        return $this->waiting->dequeue();
    }

    public function getIterator(): \Generator
    {
        while (($change = $this->next()) !== null) yield $change;
    }

    public function close(): void
    {
        coord_release($this->handle);
        coord_release($this->queue);
    }
}
