<?php
// Cases that print the lines that ./dev counts.

require __DIR__ . '/../coord.php';

error_reporting(E_ALL);
set_error_handler(fn($level, $text, $file, $line) => throw new ErrorException($text, 0, $level, $file, $line));

$endpoint = getenv('COORD_ENDPOINT');
$failed = 0;

function equal(mixed $have, mixed $want, string $what = ''): void
{
    if ($have !== $want) throw new Exception($what . ' is ' . var_export($have, true) . ', not ' . var_export($want, true));
}

// That it throws this: a code of coord, or a class.
function fails(int|string $want, callable $body): Throwable
{
    try {
        $value = $body();
    } catch (Throwable $thrown) {
        if (is_int($want)) equal($thrown instanceof Coord\Exception ? $thrown->getCode() : get_class($thrown), $want, $thrown->getMessage());
        elseif (!$thrown instanceof $want) throw $thrown;
        return $thrown;
    }
    throw new Exception('it did not fail, it gave ' . var_export($value, true));
}

// Runs it unless the arguments name others.
function check(string $name, callable $body): void
{
    global $failed, $argv;
    if (count($argv) > 1 && !in_array($name, array_slice($argv, 1), true)) return;
    try {
        $why = $body();
        echo is_string($why) ? "skip $name: $why\n" : "ok $name\n";
    } catch (Throwable $thrown) {
        $failed++;
        fwrite(STDERR, "$thrown\n");
        echo "not ok $name: ", strtok($thrown->getMessage(), "\n"), "\n";
    }
    gc_collect_cycles();
}

function rss(): int
{
    preg_match('/^VmRSS:\s+(\d+)/m', file_get_contents('/proc/self/status'), $found);
    return (int) $found[1];
}
