"""How long a client is without an answer while a node of three dies or stalls, beside Go's clientv3. README.md says more."""
import argparse
import datetime
import json
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import cluster
import peers
import report
import server

KEY = "bench/failover"
READERS = WRITERS = 4
DEADLINE_MS = 5000
READY_SECONDS = 20
# Two clients that share two cores do not wake at the same moment: that much is no difference.
NOISE_MS = 50

CASES = {
    "failover.kill.endpoint": "SIGKILL to a follower, the first endpoint of the list",
    "failover.stop.endpoint": "SIGSTOP to a follower, the first endpoint of the list",
    "failover.kill.leader": "SIGKILL to the leader, the first endpoint of the list",
    "failover.stop.leader": "SIGSTOP to the leader, the first endpoint of the list",
}
SUMS = ("read_errors", "write_errors")
MEDIANS = ("gap_ms", "read_gap_ms", "write_gap_ms", "read_slowest_ms", "write_slowest_ms", "reads", "writes")

HELP = """\
Starts three etcds and, on a client that knows all three, %d threads that read and %d that write, each call with a
deadline of %d s. After 2 s one node is killed or stopped; 12 s later the load ends. Measured: the longest time without
any successful call, and the errors that came up. Go's clientv3 runs the same script on the same cluster at the same time,
so that both meet the same election; --apart gives each a cluster of its own. Every round has a fresh cluster.

examples:
  ./dev bench failover                       all cases, 3 rounds, about 4 minutes
  ./dev bench failover --only '*.leader'     some cases
  ./dev bench failover --rounds 5 --json failover.json

exit status: 0 measured; 1 a target was missed and --check was given; 2 a bad argument; 3 something needed is missing
or a case of ours was invalid.""" % (READERS, WRITERS, DEADLINE_MS // 1000)


def arguments(words):
    parser = argparse.ArgumentParser(prog="./dev bench failover", usage="./dev bench failover [options]", epilog=HELP,
                                     description="A load on three etcds while one of them fails.",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write all figures here (default .cache/bench/failover.json)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds of each case, 1 to 99 (default 3)")
    parser.add_argument("--before", type=float, default=2, metavar="S", help="load before the fault (default 2)")
    parser.add_argument("--after", type=float, default=12, metavar="S", help="load after the fault (default 12)")
    parser.add_argument("--only", action="append", metavar="CASE-GLOB", help="only these cases; may be repeated")
    parser.add_argument("--peers", metavar="go", help="go, or none: ours alone")
    parser.add_argument("--apart", action="store_true", help="one client after the other, each on a cluster of its own")
    parser.add_argument("--etcd", metavar="PATH", help="the etcd to run (default: $COORD_TEST_ETCD, or etcd on PATH)")
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    parser.add_argument("--refresh", action="store_true", help="build the peer again, with its newest release")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    args = parser.parse_args(words)
    if not 1 <= args.rounds <= 99:
        parser.error("--rounds is %d; it must be 1 to 99" % args.rounds)
    for name in ("before", "after"):
        if not 0.1 <= getattr(args, name) <= 600:
            parser.error("--%s is %g; it must be 0.1 to 600" % (name, getattr(args, name)))
    if args.peers not in (None, "go", "none"):
        parser.error('--peers is "%s"; it must be go or none' % args.peers)
    try:
        args.names = report.matching(CASES, args.only)
    except ValueError as error:
        parser.error(str(error))
    if args.json and not os.path.isdir(os.path.dirname(os.path.abspath(args.json))):
        parser.error('"%s": there is no such directory' % args.json)
    return args


# ---- one run --------------------------------------------------------------------------------------

class Load:
    """A client's program under way. Its standard input is what keeps it running."""

    def __init__(self, peer, endpoints):
        self.peer = peer
        self.key = "%s/%s" % (KEY, peer.name)
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [peer.failover, "--endpoints", ",".join(endpoints), "--key", self.key, "--readers", str(READERS),
             "--writers", str(WRITERS), "--timeout-ms", str(DEADLINE_MS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, env=peers.environment())
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _line(self, seconds):
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise peers.Invalid("no word from it for %d s" % seconds) from None
        if line is None:
            self.errors.seek(0)
            last = (self.errors.read().decode(errors="replace").strip().splitlines() or ["no message"])[-1]
            raise peers.Invalid("exit code %s: %s" % (self.process.wait(), last[:300]))
        return line

    def wait_ready(self):
        if self._line(READY_SECONDS).strip() != b"ready":
            raise peers.Invalid("it did not say that it is ready")

    def finish(self):
        self.process.stdin.close()

    def figures(self):
        """What it has measured; calls under way end by their own deadline."""
        result = json.loads(self._line(DEADLINE_MS / 1000 + 10))
        return {field: result[field] for field in MEDIANS + SUMS + ("read_error", "write_error")}

    def end(self):
        self.process.kill()
        self.process.wait()
        self.errors.close()


def check(load, figures, nodes):
    """The server's own count of writes is the witness: none lost, none done twice."""
    for node in nodes:
        try:
            done = sum(node.version_of("%s/%d" % (load.key, i)) for i in range(WRITERS))
            break
        except (OSError, server.ServerError):
            continue
    else:
        raise peers.Invalid("no node answers any more")
    least, most = figures["writes"], figures["writes"] + figures["write_errors"]
    if not least <= done <= most:
        raise peers.Invalid("%d writes were done, not %d to %d" % (done, least, most))


def run(args, path, name, contestants):
    """One cluster, one fault: {name of the client: its figures, or why it has none}."""
    _, how, whom = name.split(".")
    outcome, loads = {}, []
    with cluster.Cluster(path, peers.PLACE) as three:
        leader = three.leader()
        victim = leader if whom == "leader" else next(node for node in three.nodes if node is not leader)
        others = [node for node in three.nodes if node is not victim]
        try:
            for peer in contestants:
                loads.append(Load(peer, [node.endpoint for node in [victim] + others]))
            for load in loads:
                load.wait_ready()
            time.sleep(args.before)
            three.hurt(victim, how)
            time.sleep(args.after)
            for load in loads:
                load.finish()
            for load in loads:
                try:
                    outcome[load.peer.name] = load.figures()
                    check(load, outcome[load.peer.name], others)
                except peers.Invalid as error:
                    outcome[load.peer.name] = str(error)
        finally:
            for load in loads:
                load.end()
    return outcome


# ---- all runs -------------------------------------------------------------------------------------

def summary(rounds):
    """Medians of the times and sums of the errors over the rounds; or why there are none."""
    bad = next((figures for figures in rounds if isinstance(figures, str)), None)
    if bad is not None:
        return {"invalid": bad}
    entry = {field: round(statistics.median(figures[field] for figures in rounds), 1) for field in MEDIANS}
    entry.update({field: sum(figures[field] for figures in rounds) for field in SUMS})
    entry["rounds"] = rounds
    for field in ("read_error", "write_error"):
        first = next((figures[field] for figures in rounds if figures[field]), None)
        if first:
            entry[field] = first
    return entry


def measure(args, path, name, contestants, say):
    rounds = {peer.name: [] for peer in contestants}
    for number in range(args.rounds):
        order = contestants[::-1] if number % 2 else contestants
        for together in [[peer] for peer in order] if args.apart else [order]:
            say("%s: round %d of %d" % (name, number + 1, args.rounds), False)
            try:
                outcome = run(args, path, name, together)
            except peers.Invalid as error:
                outcome = {peer.name: str(error) for peer in together}
            for peer, figures in outcome.items():
                rounds[peer].append(figures)
    entry = {"name": name}
    entry.update(summary(rounds["coord"]))
    if "go" in rounds:
        entry["go"] = summary(rounds["go"])
    return entry


def targets(entries):
    rows = []
    for entry in entries:
        good = "invalid" not in entry
        rows.append({"name": entry["name"], "required": "no read error",
                     "measured": "%d in %d round(s)" % (entry["read_errors"], len(entry["rounds"])) if good else None,
                     "met": entry["read_errors"] == 0 if good else None})
        theirs = entry.get("go", {}).get("gap_ms")
        known = good and theirs is not None
        rows.append({"name": entry["name"], "required": "gap at most Go's (within %d ms)" % NOISE_MS,
                     "measured": "%.0f ms, Go %.0f ms" % (entry["gap_ms"], theirs) if known else None,
                     "met": entry["gap_ms"] <= theirs + NOISE_MS if known else None})
    return rows


def main(words, progress):
    args = arguments(words)
    if args.list:
        for name, what in CASES.items():
            print("%-24s %s" % (name, what))
        return 0
    os.makedirs(peers.PLACE, exist_ok=True)
    path = server.find(args.etcd)
    contestants = [peers.Coord()] + ([] if args.peers == "none" else [peers.Go()])
    ready, left_out = peers.prepare(contestants, args.refresh, progress)
    with server.Etcd(path, peers.PLACE, False) as etcd:
        version = etcd.version()
    began = datetime.datetime.now(datetime.timezone.utc)
    entries = []
    for name in args.names:
        entries.append(measure(args, path, name, ready, progress.say))
        progress.say(report.failover_line(entries[-1]))
    ended = datetime.datetime.now(datetime.timezone.utc)
    result = {"suite": "failover", "date": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
              "took_s": round((ended - began).total_seconds()), "machine": report.describe_machine(), "etcd": version,
              "versions": {peer.name: peer.version for peer in ready}, "rounds": args.rounds,
              "before_s": args.before, "after_s": args.after, "apart": args.apart, "left_out": left_out,
              "cases": entries, "targets": targets(entries)}
    json_path = args.json or os.path.join(peers.PLACE, "failover.json")
    report.save(result, json_path)
    sys.stdout.write(report.failover_text(result, sys.stdout.isatty()))
    print("\nfigures: %s" % os.path.relpath(json_path))
    if any("invalid" in entry for entry in entries):
        return 3
    return 1 if args.check and any(target["met"] is False for target in result["targets"]) else 0
