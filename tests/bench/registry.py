"""The registry and configuration: picking, discovering and reading over the wire, and 10,000 registrations whose server dies. README.md says more."""
import argparse
import datetime
import json
import os
import shutil
import statistics
import sys
import tempfile
import time

import cases
import peers
import program
import report
import server

POLICIES = ("pick_first", "round_robin", "random", "weighted", "least_pending", "consistent_hash")
CASES = {"pick.%s.%d" % (policy, threads): "pick one of 100 instances, %d thread%s" % (threads, "s" if threads > 1 else "")
         for policy in POLICIES for threads in (1, 8)}
CASES["discover.wire"] = "ask the server for 10 instances, 5,000 times a second"
CASES["config.wire"] = "ask the server for a value of the configuration, 5,000 times a second"
CASES["registry.restore"] = "10,000 registrations in one process; their server is away for longer than the TTL"
INSTANCES, TTL, REGISTRATIONS, RATE = 100, 10, 10000, 5000
PICKS, PICK_NS, WIRE_US, MORE_S = 5e6, 1000, {"discover.wire": 5000, "config.wire": 3000}, 5

HELP = """\
Rates of picks are those of all threads together, and for each core that they can use. Their latencies are those of single
picks between picks that are not timed, without what the clock takes.

examples:
  ./dev bench registry                       all cases, 3 rounds, about 3 minutes
  ./dev bench registry --quick               one short round
  ./dev bench registry --only 'pick.*' --json registry.json
  ./dev bench config                         the cases of configuration alone

exit status: 0 measured; 1 a target was missed and --check was given; 2 a bad argument; 3 something needed is missing
or a case was invalid."""


def arguments(words):
    parser = argparse.ArgumentParser(prog="./dev bench registry", usage="./dev bench registry [options]", epilog=HELP,
                                     description="Picking, discovering and restoring.",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write all figures here (default .cache/bench/registry.json)")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each case, 1 to 99 (default 3, quick 1)")
    parser.add_argument("--quick", action="store_true", help="one short round: a first look, too noisy to judge by")
    parser.add_argument("--only", action="append", metavar="CASE-GLOB", help="only these cases; may be repeated")
    parser.add_argument("--etcd", metavar="PATH", help="the etcd to run (default: $COORD_TEST_ETCD, or etcd on PATH)")
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    args = parser.parse_args(words)
    args.rounds = args.rounds if args.rounds is not None else 1 if args.quick else 3
    if not 1 <= args.rounds <= 99:
        parser.error("--rounds is %d; it must be 1 to 99" % args.rounds)
    try:
        args.names = report.matching(list(CASES), args.only)
    except ValueError as error:
        parser.error(str(error))
    if args.json and not os.path.isdir(os.path.dirname(os.path.abspath(args.json))):
        parser.error('"%s": there is no such directory' % args.json)
    return args


# ---- one case ------------------------------------------------------------------------------------

def run_pick(coord, etcd, name, quick):
    _, policy, threads = name.split(".")
    text, _ = peers.measured([coord.registry, "--endpoint", etcd.endpoint, "--case", "pick", "--policy", policy,
                              "--threads", threads, "--instances", str(INSTANCES), "--seconds", "0.3" if quick else "1"])
    return json.loads(text)


def run_wire(coord, etcd, name, quick):
    ops = RATE if quick else 4 * RATE
    text, _ = peers.measured([coord.registry, "--endpoint", etcd.endpoint, "--case", name.split(".")[0], "--instances", "10",
                              "--rate", str(RATE), "--ops", str(ops)])
    figures = json.loads(text)
    floor = run_floor(etcd, ops)
    if floor is not None:
        figures["floor_p99_us"] = floor
    return figures


def run_floor(etcd, ops):
    """What this machine takes for reading one key at the same rate with nothing but nghttp2's load generator, from when a
    question was sent; None without it."""
    program = shutil.which("h2load")
    if program is None:
        return None
    with tempfile.TemporaryDirectory(dir=peers.PLACE) as directory:
        body, log = os.path.join(directory, "request"), os.path.join(directory, "log")
        with open(body, "wb") as file:
            file.write(peers.H2load.request(cases.parse("get.async.512.3")))
        peers.measured([program, "-c", "1", "-t", "1", "-m", "512", "-n", str(ops), "--rps", str(RATE), "-d", body,
                        "-H", "content-type: application/grpc", "-H", "te: trailers", "--log-file", log,
                        "http://%s/etcdserverpb.KV/Range" % etcd.endpoint])
        with open(log) as file:
            times = sorted(int(line.split("\t")[2]) for line in file)
    if len(times) != ops:
        raise peers.Invalid("h2load has logged %d requests of %d" % (len(times), ops))
    return float(times[ops * 99 // 100])


def run_restore(coord, etcd):
    """The server is killed, and comes back when all leases have ended by the client's clock."""
    prefix = "bench/services/"
    with program.Program([coord.registry, "--endpoint", etcd.endpoint, "--case", "restore", "--instances",
                          str(REGISTRATIONS), "--ttl", str(TTL)]) as one:
        one.wait_ready()
        if etcd.count(prefix) != REGISTRATIONS:
            raise peers.Invalid("%d keys are registered" % etcd.count(prefix))
        etcd.kill()
        one.go()
        time.sleep(TTL + 2)
        began = time.monotonic()
        etcd.again()
        answers = time.monotonic()
        figures = one.figures(180)
        figures["keys"] = etcd.count(prefix)
        figures["restored_s"] = figures.pop("restored_at_s") - began
        figures["server_start_s"] = answers - began
        time.sleep(TTL + 1)  # the leases before have ended by now, and whatever hung on them
        figures["keys_later"] = etcd.count(prefix)
        figures["leases"] = etcd.leases()
        one.finish()
        one.process.wait(60)
        if etcd.count(prefix) != 0:
            raise peers.Invalid("%d keys were left" % etcd.count(prefix))
    if figures["keys"] != REGISTRATIONS or figures["keys_later"] != REGISTRATIONS:
        raise peers.Invalid("%d keys, later %d" % (figures["keys"], figures["keys_later"]))
    return figures


def measure(name, args, path, coord, say):
    rounds = []
    with server.Etcd(path, peers.PLACE, False) as etcd:
        for number in range(1 if name == "registry.restore" else args.rounds):
            say("%s: round %d" % (name, number + 1), False)
            if name.startswith("pick."):
                rounds.append(run_pick(coord, etcd, name, args.quick))
            elif name in WIRE_US:
                rounds.append(run_wire(coord, etcd, name, args.quick))
            else:
                rounds.append(run_restore(coord, etcd))
    entry = {"name": name}
    entry.update({field: round(statistics.median(one[field] for one in rounds), 3) for field in rounds[0]})
    entry["rounds"] = rounds
    return entry


# ---- the whole -----------------------------------------------------------------------------------

def targets(entries):
    rows = []

    def goal(name, required, measured, met):
        rows.append({"name": name, "required": required, "measured": measured, "met": met})
    for entry in entries:
        name, bad = entry["name"], "invalid" in entry
        if name.startswith("pick."):
            goal(name, "5 million/s a core", None if bad else "%.1f million" % (entry["ops_per_s_core"] / 1e6),
                 None if bad else entry["ops_per_s_core"] >= PICKS)
            goal(name, "P99 under 1 us", None if bad else "%d ns" % entry["p99_ns"],
                 None if bad else entry["p99_ns"] < PICK_NS)
        elif name in WIRE_US:
            goal(name, "P99 under %d ms" % (WIRE_US[name] // 1000), None if bad else "%.0f us" % entry["p99_us"],
                 None if bad else entry["p99_us"] < WIRE_US[name])
        else:
            goal(name, "all back within %d s" % (TTL + MORE_S), None if bad else "%.1f s" % entry["restored_s"],
                 None if bad else entry["restored_s"] <= TTL + MORE_S)
    return rows


def describe(entry):
    if "invalid" in entry:
        return "INVALID: " + entry["invalid"]
    if "p99_ns" in entry:
        return "%.1f million/s, %.1f a core, p50 %d ns, p99 %d ns" % (
            entry["ops_per_s"] / 1e6, entry["ops_per_s_core"] / 1e6, entry["p50_ns"], entry["p99_ns"])
    if "restored_s" in entry:
        return "registered in %.2f s; restored %.2f s after the restart, %.2f s of them etcd's; %d keys, %d leases" % (
            entry["register_s"], entry["restored_s"], entry["server_start_s"], entry["keys_later"], entry["leases"])
    floor = ", %.0f us for a plain read with h2load" % entry["floor_p99_us"] if "floor_p99_us" in entry else ""
    return "%.0f/s, p50 %.0f us, p99 %.0f us%s" % (entry["ops_per_s"], entry["p50_us"], entry["p99_us"], floor)


def main(words, progress):
    args = arguments(words)
    if args.list:
        for name, what in CASES.items():
            print("%-26s %s" % (name, what))
        return 0
    os.makedirs(peers.PLACE, exist_ok=True)
    path = server.find(args.etcd)
    ready, _ = peers.prepare([peers.Coord()], False, progress)
    with server.Etcd(path, peers.PLACE, False) as etcd:
        version = etcd.version()
    began = datetime.datetime.now(datetime.timezone.utc)
    entries = []
    for name in args.names:
        try:
            entries.append(measure(name, args, path, ready[0], progress.say))
        except (peers.Invalid, server.ServerError, ValueError, KeyError) as error:
            entries.append({"name": name, "invalid": str(error)})
        progress.say("%-26s %s" % (name, describe(entries[-1])))
    ended = datetime.datetime.now(datetime.timezone.utc)
    goals = targets(entries)
    result = {"suite": "registry", "date": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
              "took_s": round((ended - began).total_seconds()), "machine": report.describe_machine(), "etcd": version,
              "versions": {peer.name: peer.version for peer in ready}, "rounds": args.rounds, "cases": entries,
              "targets": goals}
    json_path = args.json or os.path.join(peers.PLACE, "registry.json")
    report.save(result, json_path)
    for goal in goals:
        print("%-26s %-24s %-14s %s" % (goal["name"], goal["required"], goal["measured"] or "",
                                        {True: "met", False: "MISSED", None: "not measured"}[goal["met"]]))
    print("\nfigures: %s" % os.path.relpath(json_path))
    if any("invalid" in entry for entry in entries):
        return 3
    return 1 if args.check and any(goal["met"] is False for goal in goals) else 0


if __name__ == "__main__":
    sys.exit("run ./dev bench registry")
