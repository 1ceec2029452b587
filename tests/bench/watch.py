"""Watches through libcoord beside those of Go's clientv3 and the Rust crate etcd-client. README.md says more."""
import contextlib
import resource
import statistics
import sys
import time

import cluster
import peers
import server
import suite
from program import Program

WATCHES = 1000
EVENTS = 100000
CLIENTS = 10000
RUN_SECONDS = 150
STALL_SECONDS = 40
IN_FLIGHT = 128
TXN_PUTS = 100

CASES = {
    "watch.live": "1,000 watches of a key each on one client; 100,000 puts, one event each, %d in flight" % IN_FLIGHT,
    "watch.live.txn": "the same, with %d puts in one txn" % TXN_PUTS,
    "watch.live.player": "as watch.live, but from a server that only plays them: the client alone is the limit",
    "watch.live.fan": "1,000 watches of one prefix on one client; 100 puts that each of them sees: 100,000 events",
    "watch.replay": "one watch of a prefix from the past on: 100,000 events of as many revisions",
    "watch.replay.txn": "the same, with %d events in a revision" % TXN_PUTS,
    "watch.many": "10,000 idle watches on one client: memory, threads, time to open and close them all",
    "watch.latency": "put by another connection of the same process, until the event is there",
    "client.many": "10,000 clients in one process, a watch each, connect.lazy: one connection each",
    "client.many.calls": "the same with default options: a second connection each for calls; fewer if descriptors lack",
    "watch.stall": "SIGSTOP to the one of three servers that the watch is on: the longest time without an event",
}
SEVERAL = {"watch.live.fan": 5, "watch.replay.txn": 5}
# What is printed of a case, and which of it is a rate or a time that is compared with the peers'.
FIELDS = {"live": ("events_per_s", "client_cpu_us"), "replay": ("events_per_s", "client_cpu_us"),
          "many": ("bytes_per_watch", "threads", "open_s", "close_s"),
          "clients": ("clients", "bytes_per_client", "threads", "open_s", "close_s"),
          "latency": ("p50_us", "p99_us"), "stall": ("gap_ms",)}
RATIOS = {"live": ("events_per_s",), "replay": ("events_per_s",), "latency": ("p50_us", "p99_us")}

HELP = """\
Each case runs libcoord and the peers one after the other on one etcd, in interleaved rounds. A writer of its own process,
the same one for all, does the puts; the CPU time is that of the process that watches. Every event is checked: once, in
order. Ratios are ours over the peer's in the same round, and of all rounds the median.

examples:
  ./dev bench watch                        all cases, 3 rounds, about 20 minutes
  ./dev bench watch --quick                the same with fewer events and one round, about 3 minutes
  ./dev bench watch --only 'watch.live*'   some cases
  ./dev bench watch --peers go --json watch.json

exit status: 0 measured; 1 a target was missed and --check was given; 2 a bad argument; 3 something needed is missing
or a case of ours was invalid."""


def kind_of(name):
    return "clients" if name.startswith("client.") else name.split(".")[1]


SUITE = suite.Suite("watch", "Watches, beside those of other clients of etcd.", HELP, CASES,
                    "a tenth of the work, 1 round: a first look", 3, 1, ("go", "rust"))


# ---- one run --------------------------------------------------------------------------------------

def watcher(peer, kind, endpoints, key, **options):
    words = [peer.watch, "--case", kind, "--endpoints", endpoints, "--key", key]
    for name, value in options.items():
        words += ["--" + name, value]
    return Program(words)


class Bench:
    """The runs of one case, with the servers that they need."""

    def __init__(self, args, path, name, coord):
        self.path = path
        self.name = name
        self.kind = kind_of(name)
        self.coord = coord
        self.share = 10 if args.quick else 1  # of the work
        self.etcd = None
        self.prepared = None
        self.runs = 0

    @contextlib.contextmanager
    def servers(self):
        """One etcd for all runs of the case, but for those that wear it out."""
        if self.kind in ("stall", "clients"):
            yield
            return
        with server.Etcd(self.path, peers.PLACE, False) as self.etcd:
            yield

    def key(self):
        """Of this run alone."""
        self.runs += 1
        return "bench/%04d/" % self.runs

    def writer(self, endpoints, key, **options):
        words = [self.coord.writer, "--endpoints", endpoints, "--key", key]
        for name, value in options.items():
            words += ["--" + name.replace("_", "-"), value]
        return Program(words)

    def run(self, peer):
        """The figures of one run; of several ones, those of the median, where a run is over in an instant and etcd begins
        it anywhere within its 100 ms."""
        several = [getattr(self, "run_" + self.kind)(peer) for _ in range(SEVERAL.get(self.name, 1))]
        return sorted(several, key=lambda figures: figures.get("seconds", 0))[len(several) // 2]

    def run_live(self, peer):
        events, key = EVENTS // self.share, self.key()
        if self.name.endswith(".player"):
            return self.run_player(peer, 10 * events, key)
        fan = self.name.endswith(".fan")
        txn = TXN_PUTS if self.name.endswith(".txn") else 1
        with watcher(peer, "live", self.etcd.endpoint, key, watches=WATCHES, events=events, keys=int(fan)) as seeing, \
                self.writer(self.etcd.endpoint, key, keys=1 if fan else WATCHES, batch=txn,
                            ops=events // WATCHES if fan else events, in_flight=IN_FLIGHT // txn + 1) as writing:
            seeing.wait_ready()
            writing.wait_ready()
            seeing.go()
            writing.go()
            figures = seeing.figures(RUN_SECONDS)
            figures["write_s"] = writing.figures(RUN_SECONDS)["seconds"]
        return figures

    def run_player(self, peer, events, key):
        port, = server.free_ports(1)
        words = [self.coord.player, "--port", port, "--key", key, "--watches", WATCHES, "--events", events]
        with Program(words) as playing:
            playing.wait_ready()
            with watcher(peer, "live", "127.0.0.1:%d" % port, key, watches=WATCHES, events=events) as seeing:
                seeing.wait_ready()
                seeing.go()
                playing.go()
                return seeing.figures(RUN_SECONDS)

    def fill(self):
        """The past, once for the case: its key and the revision before it."""
        txn = TXN_PUTS if self.name.endswith(".txn") else 1
        key, events = self.key(), EVENTS // self.share
        revision = self.etcd.revision()
        with self.writer(self.etcd.endpoint, key, keys=txn, batch=txn, ops=events, in_flight=IN_FLIGHT) as writing:
            writing.wait_ready()
            writing.go()
            writing.figures(RUN_SECONDS)
        self.prepared = {"key": key, "events": events, "keys": txn, "revision": revision + 1}

    def run_replay(self, peer):
        if self.prepared is None:
            self.fill()
        with watcher(peer, "replay", self.etcd.endpoint, **self.prepared) as seeing:
            seeing.wait_ready()
            seeing.go()
            return seeing.figures(RUN_SECONDS)

    def run_many(self, peer):
        with watcher(peer, "many", self.etcd.endpoint, self.key(), watches=10000 // self.share) as seeing:
            seeing.wait_ready()
            seeing.go()
            return seeing.figures(RUN_SECONDS)

    def run_clients(self, peer):
        lazy = self.name == "client.many"
        # Those of the process and of etcd, which leaves some aside for itself.
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 400
        count = min(CLIENTS, files // (1 if lazy else 2)) // self.share
        with server.Etcd(self.path, peers.PLACE, False, 1 if lazy else 2) as etcd, \
                watcher(peer, "clients", ",".join(etcd.endpoints), self.key(), watches=count, lazy=int(lazy)) as seeing:
            seeing.wait_ready()
            seeing.go()
            return seeing.figures(RUN_SECONDS)

    def run_latency(self, peer):
        with watcher(peer, "latency", self.etcd.endpoint, self.key(), events=10000 // self.share) as seeing:
            seeing.wait_ready()
            seeing.go()
            return seeing.figures(RUN_SECONDS)

    def run_stall(self, peer):
        key = self.key()
        with cluster.Cluster(self.path, peers.PLACE) as three:
            with watcher(peer, "stall", ",".join(node.endpoint for node in three.nodes), key) as seeing:
                seeing.wait_ready()
                victim = three.watched()
                others = [node for node in three.nodes if node is not victim]
                three.lead(others[0])
                with self.writer(",".join(node.endpoint for node in others), key, every_ms=10) as writing:
                    writing.wait_ready()
                    seeing.go()
                    writing.go()
                    time.sleep(2)
                    three.hurt(victim, "stop")
                    figures = seeing.figures(STALL_SECONDS)
                    writing.finish()
                    writing.figures(STALL_SECONDS)
        return figures


# ---- all rounds -----------------------------------------------------------------------------------

def takes_part(peer, name):
    """The peers have one connection for all. The Rust crate does not open a watch again, and its HTTP/2 library takes
    small messages that come too fast for an attack."""
    if peer.name == "coord":
        return True
    if peer.name == "rust" and name in ("watch.stall", "watch.live.player"):
        return False
    return name != "client.many.calls"


def order(contestants, number):
    """Another one to begin in each round, and every second round backwards."""
    turn = number % len(contestants)
    result = contestants[turn:] + contestants[:turn]
    return result[::-1] if number % 2 else result


def measure(args, path, name, ready, say):
    bench = Bench(args, path, name, ready[0])
    contestants = [peer for peer in ready if takes_part(peer, name)]
    rounds, invalid = [], {}
    with bench.servers():
        if bench.kind in ("live", "latency"):
            bench.run(ready[0])  # warms the server
        for number in range(args.rounds):
            rounds.append({})
            for peer in order(contestants, number):
                if peer.name in invalid:
                    continue
                say("%s: round %d of %d, %s" % (name, number + 1, args.rounds, peer.name), False)
                try:
                    rounds[-1][peer.name] = bench.run(peer)
                except (peers.Invalid, server.ServerError) as error:
                    invalid[peer.name] = str(error)
    return summary(name, bench.kind, rounds, invalid, contestants)


def summary(name, kind, rounds, invalid, contestants):
    entry = {"name": name, "peers": {}, "ratio": {}}
    for peer in contestants:
        if peer.name in invalid:
            figures = {"invalid": invalid[peer.name]}
        else:
            figures = {field: round(statistics.median(one[peer.name][field] for one in rounds), 3)
                       for field in FIELDS[kind]}
        if peer.name == "coord":
            entry.update(figures)
            continue
        entry["peers"][peer.name] = figures
        if "coord" in invalid or peer.name in invalid:
            continue
        entry["ratio"][peer.name] = {
            field: round(statistics.median(one["coord"][field] / one[peer.name][field] for one in rounds), 4)
            for field in RATIOS.get(kind, ())}
    entry["rounds"] = rounds
    return entry


# ---- targets --------------------------------------------------------------------------------------

def targets(entries):
    found = {entry["name"]: entry for entry in entries if "invalid" not in entry}
    rows = []

    def row(name, required, value, shown, met):
        rows.append({"name": name, "required": required, "measured": None if value is None else shown % value,
                     "met": None if value is None else bool(met(value))})

    def ours(name, field):
        return found.get(name, {}).get(field)

    def ratio(name, field):
        return found.get(name, {}).get("ratio", {}).get("go", {}).get(field)
    for name in ("watch.live", "watch.live.txn", "watch.live.fan", "watch.live.player"):
        row(name, "at least 1.2 x Go's events per second", ratio(name, "events_per_s"), "%.2f x", lambda v: v >= 1.2)
        row(name, "at most 3 us of CPU an event", ours(name, "client_cpu_us"), "%.2f us", lambda v: v <= 3)
    for name in ("watch.replay", "watch.replay.txn"):
        row(name, "at least 0.95 x Go's events per second", ratio(name, "events_per_s"), "%.2f x", lambda v: v >= 0.95)
    row("watch.many", "at most 2 KiB a watch", ours("watch.many", "bytes_per_watch"), "%.0f bytes",
        lambda v: v <= 2048)
    row("watch.many", "one thread beside the program's", ours("watch.many", "threads"), "%d in all", lambda v: v == 2)
    both = [ours("watch.many", field) for field in ("open_s", "close_s")]
    row("watch.many", "open and close in under 3 s", None if None in both else sum(both), "%.2f s", lambda v: v < 3)
    row("watch.latency", "p50 at most Go's", ratio("watch.latency", "p50_us"), "%.2f x", lambda v: v <= 1)
    row("watch.latency", "p99 at most Go's", ratio("watch.latency", "p99_us"), "%.2f x", lambda v: v <= 1)
    for name in ("client.many", "client.many.calls"):
        row(name, "at most 48 KiB a client", ours(name, "bytes_per_client"), "%.0f bytes", lambda v: v <= 49152)
        row(name, "one thread beside the program's", ours(name, "threads"), "%d in all", lambda v: v == 2)
    row("watch.stall", "an event within 5 s", ours("watch.stall", "gap_ms"), "%.0f ms", lambda v: v <= 5000)
    return rows


# ---- words ----------------------------------------------------------------------------------------

def describe(figures, ratio=None):
    if "invalid" in figures:
        return "INVALID: " + figures["invalid"]
    words = ["%s %s" % (field, "%.0f" % value if value >= 1000 else "%g" % round(value, 2))
             for field, value in figures.items() if isinstance(value, (int, float))]
    words += ["ours %.2f x %s" % (value, field) for field, value in (ratio or {}).items()]
    return ", ".join(words)


def lines_of(entry):
    lines = ["%-18s %-6s %s" % (entry["name"], "coord", describe(entry))]
    for name, figures in entry["peers"].items():
        lines.append("%-18s %-6s %s" % ("", name, describe(figures, entry["ratio"].get(name))))
    return lines


def main(words, progress):
    args = SUITE.parse(words)

    def one(name, path, ready):
        entry = measure(args, path, name, ready, progress.say)
        for line in lines_of(entry):
            progress.say(line)
        return entry
    return SUITE.run(args, peers.named(args.peers), progress, one, targets, quick=args.quick)


if __name__ == "__main__":
    sys.exit("run ./dev bench watch")
