"""Mirrors of libcoord: reading, memory, opening, and a change on its way to many. README.md says more."""
import http.client
import json
import re
import statistics
import subprocess
import sys

import peers
import server
import suite

CASES = {
    "mirror.get": "one key of 100,000 of 1 KiB, from one thread, and from four at once",
    "bytes_per_content_byte": "memory for 100,000 keys of 1 KiB, over the bytes of keys and values",
    "mirror.open": "opening it, beside a plain paged read and Go's clientv3/mirror on the same etcd",
    "mirror.fanout": "from before a put until the last of 100 mirrors of one client has told of it"}
KEYS, SIZE, MIRRORS = 100000, 1024, 100
PREFIX = "bench/mirror/"
LARGE_PAGES = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1"

HELP = """\
examples:
  ./dev bench mirror                         all cases, 5 rounds, about a minute
  ./dev bench mirror --quick                 2 short rounds
  ./dev bench mirror --only mirror.get --json mirror.json

exit status: 0 measured; 1 a target was missed and --check was given; 2 a bad argument; 3 something needed is missing
or a case of ours was invalid."""


SUITE = suite.Suite("mirror", "Mirrors of libcoord.", HELP, CASES, "2 short rounds: a first look, too noisy to judge by", 5, 2,
                    ("go",))


def watches_of(etcd):
    """How many watches the server has."""
    connection = http.client.HTTPConnection(etcd.endpoint, timeout=30)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    found = re.search(r"^etcd_debugging_mvcc_watcher_total (\S+)$", text, re.M)
    return float(found[1]) if found else None


def ours(coord, etcd, case, *words, env=()):
    text, _ = peers.measured(["env", *env, coord.mirror, "--endpoint", etcd.endpoint, "--case", case, "--keys", str(KEYS),
                              "--size", str(SIZE), *words])
    return json.loads(text)


def fanout(coord, etcd, ops):
    """One run that waits, when it has printed its figures, until the watches were counted."""
    before = watches_of(etcd)
    process = subprocess.Popen([coord.mirror, "--endpoint", etcd.endpoint, "--case", "fanout", "--keys", "1", "--size", "1",
                                "--ops", str(ops), "--mirrors", str(MIRRORS)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=peers.environment())
    try:
        line = process.stdout.readline()
        if not line:
            raise peers.Invalid(process.stderr.read().strip()[-300:] or "it ended without figures")
        figures = json.loads(line)
        after = watches_of(etcd)
        if before is not None and after is not None:
            figures["watches"] = after - before
        process.stdin.close()
        if process.wait(60) != 0:
            raise peers.Invalid("it did not end well")
    finally:
        process.kill()
        process.wait()
    return figures


def run_once(name, args, etcd, coord, go):
    ops = 200000 if args.quick else 1000000
    if name == "mirror.get":
        figures = ours(coord, etcd, "get", "--ops", str(ops))
        large = ours(coord, etcd, "get", "--ops", str(ops), env=[LARGE_PAGES])
        four = ours(coord, etcd, "get", "--ops", str(ops // 4), "--threads", "4")
        floor = ours(coord, etcd, "floor", "--ops", str(ops))
        figures.update({"p50_ns_large_pages": large["p50_ns"], "p99_ns_large_pages": large["p99_ns"]})
        figures.update({"per_s_of_4": four["per_s"], "p99_ns_of_4": four["p99_ns"], "floor_p50_ns": floor["p50_ns"],
                        "floor_p99_ns": floor["p99_ns"]})
        return figures
    if name == "bytes_per_content_byte":
        return ours(coord, etcd, "memory")
    if name == "mirror.fanout":
        return fanout(coord, etcd, 200 if args.quick else 1000)
    figures = ours(coord, etcd, "open")
    figures["rate_of_plain"] = figures["plain_s"] / figures["open_s"]
    if go is not None:
        text, _ = peers.measured([go.mirror, "--endpoint", etcd.endpoint, "--prefix", PREFIX, "--keys", str(KEYS)])
        figures["go_s"] = json.loads(text)["open_s"]
        figures["rate_of_go"] = figures["go_s"] / figures["open_s"]
    return figures


def measure(name, args, path, ready, say):
    rounds = []
    coord, go = ready[0], ready[1] if len(ready) > 1 else None
    with server.Etcd(path, peers.PLACE, False) as etcd:
        for number in range(args.rounds):
            say("%s: round %d of %d" % (name, number + 1, args.rounds), False)
            rounds.append({field: float(value) for field, value in run_once(name, args, etcd, coord, go).items()})
    entry = {"name": name}
    entry.update({field: round(statistics.median(one[field] for one in rounds), 3) for field in rounds[0]})
    say("%-24s %s" % (name, ", ".join("%s %g" % item for item in entry.items() if item[0] != "name")))
    entry["rounds"] = rounds
    return entry


def targets(entries):
    """What is required, and whether it is so; None: this run has no figure for it."""
    found = {entry["name"]: entry for entry in entries if "invalid" not in entry}

    def goal(name, required, field, text, good):
        value = found.get(name, {}).get(field)
        return {"name": name, "required": required, "measured": text % value if value is not None else None,
                "met": good(value) if value is not None else None}
    return [goal("mirror.get", "p50 under 300 ns", "p50_ns", "%.0f ns", lambda v: v < 300),
            goal("bytes_per_content_byte", "at most 1.6", "bytes_per_content_byte", "%.2f", lambda v: v <= 1.6),
            goal("mirror.open", "0.9 of a plain paged read", "rate_of_plain", "%.2f", lambda v: v >= 0.9),
            goal("mirror.fanout", "P99 under 5 ms", "p99_us", "%.0f us", lambda v: v < 5000),
            goal("mirror.fanout", "one watch", "watches", "%.0f", lambda v: v == 1)]


def main(words, progress):
    args = SUITE.parse(words)
    wanted = [peers.Coord()] + ([peers.Go()] if args.peers and "mirror.open" in args.names else [])
    return SUITE.run(args, wanted, progress,
                     lambda name, path, ready: measure(name, args, path, ready, progress.say), targets)


if __name__ == "__main__":
    sys.exit("run ./dev bench mirror")
