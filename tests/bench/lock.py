"""Locks of libcoord beside those of other clients. README.md says more."""
import http.client
import json
import os
import re
import statistics
import subprocess
import sys

import peers
import server
import suite

CASES = {
    "lock.uncontended": "acquire and release by one client, with one lease, of a lock that nobody else wants",
    "lock.handover": "16 who wait, each with a lease: from a release to the next holder's return; then 64",
    "lock.many": "10,000 locks held by one client"}
WAITERS, MORE_WAITERS, LOCKS = 16, 64, 10000
WARMUP = 50
FIELDS = ("ops_per_s", "p50_us", "p99_us", "client_cpu_us", "messages")
SERVICES = ("etcdserverpb.KV", "etcdserverpb.Watch", "v3lockpb.Lock")

HELP = """\
Each client runs once a round, on one etcd; each round begins with another one. Times are medians over the rounds, ratios
those of the median round. `messages` is what the server has received for each acquire and release, by its own count
(KV, Watch and Lock), keepalives left out.

examples:
  ./dev bench lock                           all cases, 5 rounds, about 4 minutes
  ./dev bench lock --quick                   2 short rounds
  ./dev bench lock --only lock.handover --rounds 9 --json lock.json

exit status: 0 measured; 1 a target was missed and --check was given; 2 a bad argument; 3 something needed is missing
or a case of ours was invalid."""


class Contestant:
    """One way to lock: a peer and how its program is called. `cases` maps a case to the program's name for it."""

    def __init__(self, name, peer, command, cases):
        self.name = name
        self.peer = peer
        self.command = command
        self.cases = cases

    def argv(self, case, etcd, ops, *words):
        return self.command() + ["--endpoint", etcd.endpoint, "--case", self.cases[case], "--ops", str(ops), *words]


def contestants(wanted):
    """All, and the peers that have to be prepared for them."""
    coord, go, python = peers.Coord(), peers.Go(), peers.PythonEtcd3()
    script = os.path.join(peers.HERE, "peers", "python_lock.py")
    found = [Contestant("coord", coord, lambda: [coord.lock],
                        {"lock.uncontended": "uncontended", "lock.handover": "handover", "lock.many": "many"}),
             Contestant("go", go, lambda: [go.lock],
                        {"lock.uncontended": "uncontended", "lock.handover": "handover", "lock.many": "many"}),
             Contestant("service", go, lambda: [go.lock],
                        {"lock.uncontended": "service", "lock.handover": "service-handover"}),
             Contestant("python-etcd3", python, lambda: [python.python, script],
                        {"lock.uncontended": "uncontended", "lock.handover": "handover"})]
    return [one for one in found if one.name == "coord" or one.name in wanted]


SUITE = suite.Suite("lock", "Locks of libcoord beside those of other clients.", HELP, CASES,
                    "2 short rounds: a first look, too noisy to judge by", 5, 2, ("go", "service", "python-etcd3"))


def arguments(words):
    parser = SUITE.parser()
    parser.add_argument("--ops", type=int, metavar="N", help="pairs or handovers of a run, 10 to 1000000 (default "
                        "2000 and 500, quick 500 and 200)")
    args = SUITE.parse(words, parser)
    if args.ops is not None and not 10 <= args.ops <= 1000000:
        parser.error("--ops is %d; it must be 10 to 1000000" % args.ops)
    return args


# ---- what the server has seen --------------------------------------------------------------------

def counters(etcd):
    """Of each method: messages received, and calls begun that have not ended."""
    connection = http.client.HTTPConnection(etcd.endpoint, timeout=30)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    found = {}
    for name, labels, value in re.findall(r"^grpc_server_(msg_received|started|handled)_total\{(.*)\} (\S+)$", text,
                                          re.M):
        method = re.search(r'grpc_method="([^"]*)"', labels)[1]
        service = re.search(r'grpc_service="([^"]*)"', labels)[1]
        key = (name, service, method)
        found[key] = found.get(key, 0) + float(value)
    return found


def messages(before, after):
    return sum(value - before.get(key, 0) for key, value in after.items()
               if key[0] == "msg_received" and key[1] in SERVICES)


def open_streams(found, service, method):
    key = ("etcdserverpb." + service, method)
    return int(found.get(("started", *key), 0) - found.get(("handled", *key), 0))


# ---- one case ------------------------------------------------------------------------------------

def run_once(one, case, etcd, ops, *words):
    """One run of a program that prints one line: its figures."""
    before = counters(etcd)
    text, _ = peers.measured(one.argv(case, etcd, ops, "--warmup", str(WARMUP), *words))
    after = counters(etcd)
    figures = json.loads(text)
    if etcd.count("bench/lock/"):
        raise peers.Invalid("it has left a key")
    done = ops + WARMUP
    if case == "lock.handover":  # as many as wait take it once more, in the end
        done += int(words[words.index("--waiters") + 1])
    figures["messages"] = messages(before, after) / done
    return {field: float(figures[field]) for field in FIELDS}


def run_many(one, case, etcd, _ops):
    process = subprocess.Popen(one.argv(case, etcd, LOCKS), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=peers.environment())
    try:
        line = process.stdout.readline()
        if not line:
            raise peers.Invalid(process.stderr.read().strip()[-300:] or "it ended without figures")
        figures = json.loads(line)
        figures["keys"] = etcd.count("bench/lock-")
        seen = counters(etcd)
        figures["keepalive_streams"] = open_streams(seen, "Lease", "LeaseKeepAlive")
        figures["watch_streams"] = open_streams(seen, "Watch", "Watch")
        process.stdin.close()
        figures.update(json.loads(process.stdout.readline()))
        if process.wait(60) != 0 or etcd.count("bench/lock-"):
            raise peers.Invalid("it did not end well")
    finally:
        process.kill()
        process.wait()
    if figures["held"] != LOCKS or figures["keys"] != LOCKS:
        raise peers.Invalid("%d locks held, %d keys on the server" % (figures["held"], figures["keys"]))
    figures["extra_threads"] = figures["threads"] - figures["threads_before"]
    return {name: float(value) for name, value in figures.items()}


def measure(name, args, path, ready, say):
    """The rounds of one case, on one etcd: figures of each round by client, and why some have none."""
    rounds, invalid = [], {}
    able = [one for one in ready if name in one.cases]
    ops = args.ops or {"lock.uncontended": 500 if args.quick else 2000}.get(name, 200 if args.quick else 500)
    count = min(args.rounds, 2) if name == "lock.many" else args.rounds
    with server.Etcd(path, peers.PLACE, False) as etcd:
        for number in range(count):
            turn = number % len(able)
            figures = {}
            for one in able[turn:] + able[:turn]:
                say("%s: round %d of %d, %s" % (name, number + 1, count, one.name), False)
                try:
                    if name == "lock.many":
                        figures[one.name] = run_many(one, name, etcd, ops)
                    elif name == "lock.handover":
                        figures[one.name] = run_once(one, name, etcd, ops, "--waiters", str(WAITERS))
                        more = run_once(one, name, etcd, ops, "--waiters", str(MORE_WAITERS))
                        figures[one.name]["messages_of_%d" % MORE_WAITERS] = more["messages"]
                        figures[one.name]["p50_us_of_%d" % MORE_WAITERS] = more["p50_us"]
                    else:
                        figures[one.name] = run_once(one, name, etcd, ops)
                except (peers.Invalid, server.ServerError, ValueError, KeyError) as error:
                    invalid[one.name] = str(error)
            rounds.append(figures)
    return rounds, invalid


def summary(name, rounds, invalid, names):
    def medians(who):
        fields = rounds[0].get(who, {})
        return {field: round(statistics.median(one[who][field] for one in rounds if who in one), 3)
                for field in fields}
    entry = {"name": name}
    if "coord" in invalid:
        entry["invalid"] = invalid["coord"]
    else:
        entry.update(medians("coord"))
    entry["peers"] = {who: medians(who) for who in names if who != "coord" and who not in invalid
                      and any(who in one for one in rounds)}
    field = "acquire_s" if name == "lock.many" else "p50_us"
    ratio = {} if "coord" in invalid else {
        who: round(statistics.median(one["coord"][field] / one[who][field] for one in rounds), 4)
        for who in entry["peers"]}
    entry["ratio_of_" + field] = ratio
    entry["invalid_peers"] = {who: why for who, why in invalid.items() if who != "coord"}
    entry["rounds"] = rounds
    return entry


# ---- the whole -----------------------------------------------------------------------------------

def targets(entries):
    """What is required, and whether it is so; None: this run has no figure for it."""
    found = {entry["name"]: entry for entry in entries if "invalid" not in entry}

    def goal(name, required, value, text, good):
        met = good(value) if value is not None else None
        return {"name": name, "required": required, "measured": text % value if value is not None else None,
                "met": met}

    def of(name, *path):
        value = found.get(name)
        for step in path:
            value = value.get(step) if value is not None else None
        return value
    pair, hand, many = "lock.uncontended", "lock.handover", "lock.many"
    few, lots = of(hand, "messages"), of(hand, "messages_of_%d" % MORE_WAITERS)
    return [goal(pair, "2 round trips", of(pair, "messages"), "%.3f", lambda v: v <= 2.02),
            goal(pair, "p50 not above 0.8 of Go's", of(pair, "ratio_of_p50_us", "go"), "%.2f", lambda v: v <= 0.8),
            goal(pair, "P99 under 10 ms", of(pair, "p99_us"), "%.0f us", lambda v: v < 10000),
            goal(hand, "p50 not above Go's", of(hand, "ratio_of_p50_us", "go"), "%.2f", lambda v: v <= 1),
            goal(hand, "as many messages with %d waiters as with %d" % (MORE_WAITERS, WAITERS),
                 lots / few if few and lots else None, "%.2f times", lambda v: v <= 1.05),
            goal(many, "one keepalive stream", of(many, "keepalive_streams"), "%d", lambda v: v == 1),
            goal(many, "no extra thread", of(many, "extra_threads"), "%d", lambda v: v == 0)]


def describe(who, figures):
    if "acquire_s" in figures:
        return "  %-13s acquired in %.2f s, released in %.2f s, %d threads (%+d), %.0f KiB, %d keepalive streams" % (
            who, figures["acquire_s"], figures["release_s"], figures["threads"], figures["extra_threads"],
            figures["rss_kib"], figures["keepalive_streams"])
    more = ""
    if "messages_of_%d" % MORE_WAITERS in figures:
        more = "; with %d waiters p50 %.0f us, %.2f messages" % (
            MORE_WAITERS, figures["p50_us_of_%d" % MORE_WAITERS], figures["messages_of_%d" % MORE_WAITERS])
    return "  %-13s p50 %.0f us, p99 %.0f us, %.2f messages, CPU %.0f us%s" % (
        who, figures["p50_us"], figures["p99_us"], figures["messages"], figures["client_cpu_us"], more)


def show(entry, say):
    say(entry["name"])
    if "invalid" in entry:
        say("  coord         INVALID: %s" % entry["invalid"])
    else:
        say(describe("coord", entry))
    for who, figures in entry["peers"].items():
        say(describe(who, figures))
    for who, why in entry["invalid_peers"].items():
        say("  %-13s INVALID: %s" % (who, why))


def main(words, progress):
    args = arguments(words)
    every = contestants(args.peers)

    def one(name, path, ready):
        able = [contestant for contestant in every if contestant.peer in ready]
        rounds, invalid = measure(name, args, path, able, progress.say)
        entry = summary(name, rounds, invalid, [contestant.name for contestant in able])
        show(entry, progress.say)
        return entry
    return SUITE.run(args, list(dict.fromkeys(contestant.peer for contestant in every)), progress, one, targets)


if __name__ == "__main__":
    sys.exit("run ./dev bench lock")
