<?php
// A job that runs on one machine at a time: php job.php [ENDPOINT]. Started twice, the second waits for the first.
require __DIR__ . '/../coord.php';

$client = new Coord\Client($argv[1] ?? 'localhost:2379');
try {
    $client->lock('reports', function (int $token, coord_lock $lock) use ($client) {
        echo "working, with token $token\n";
        // Whatever is written under the lock is written only as long as nobody else can hold it.
        $done = $client->txn()->when($lock)->then(coord_op_put('reports/last', date('c')))->commit();
        echo $done['succeeded'] ? "done\n" : "the lock was lost: nothing was written\n";
    }, timeout: 60, options: ['lock.ttl.s' => 10]);
} catch (Coord\Exception $e) {
    echo "$e->name: ", $e->getMessage(), $e->retriable ? " (try again)\n" : "\n";
}
