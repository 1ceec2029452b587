"""10,000 leases kept alive by one client, beside Go's clientv3 and the Rust crate. README.md says more."""
import argparse
import datetime
import json
import os
import subprocess
import sys

import peers
import report
import server

CASE = "lease.many"
CPU_PERCENT = 10

HELP = """\
One client makes 10,000 leases with a TTL of 10 s and keeps them alive for 5 minutes on one etcd. Measured: leases that
were lost, by the client's word and by the server's count at the end, and the CPU time of the client in percent of one
core. Go's clientv3 and the Rust crate etcd-client do the same on etcds of their own, afterwards.

examples:
  ./dev bench lease                          about 16 minutes
  ./dev bench lease --quick                  30 s each
  ./dev bench lease --seconds 60 --peers none

exit status: 0 measured; 1 a target was missed and --check was given; 2 a bad argument; 3 something needed is missing
or our run was invalid."""


def arguments(words):
    parser = argparse.ArgumentParser(prog="./dev bench lease", usage="./dev bench lease [options]", epilog=HELP,
                                     description="Many leases kept alive by one client.",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write all figures here (default .cache/bench/lease.json)")
    parser.add_argument("--leases", type=int, default=10000, metavar="N", help="1 to 1000000 (default 10000)")
    parser.add_argument("--ttl", type=int, default=10, metavar="S", help="of each lease, 2 to 3600 (default 10)")
    parser.add_argument("--seconds", type=int, metavar="S", help="how long they are kept, 1 to 86400 (default 300)")
    parser.add_argument("--quick", action="store_true", help="keep them for 30 s")
    parser.add_argument("--peers", metavar="A,B", help="only these of go, rust; none: ours alone")
    parser.add_argument("--etcd", metavar="PATH", help="the etcd to run (default: $COORD_TEST_ETCD, or etcd on PATH)")
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    parser.add_argument("--refresh", action="store_true", help="build the peer again, with its newest release")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    args = parser.parse_args(words)
    args.seconds = args.seconds if args.seconds is not None else 30 if args.quick else 300
    for name, least, most in (("leases", 1, 1000000), ("ttl", 2, 3600), ("seconds", 1, 86400)):
        if not least <= getattr(args, name) <= most:
            parser.error("--%s is %d; it must be %d to %d" % (name, getattr(args, name), least, most))
    known = {"go": peers.Go, "rust": peers.Rust}
    chosen = [name.strip() for name in args.peers.split(",")] if args.peers else list(known)
    for name in chosen if chosen != ["none"] else []:
        if name not in known:
            parser.error('--peers names "%s"; there are %s, or none' % (name, ", ".join(known)))
    args.contestants = [peers.Coord()] + [known[name]() for name in known if name in chosen]
    if args.json and not os.path.isdir(os.path.dirname(os.path.abspath(args.json))):
        parser.error('"%s": there is no such directory' % args.json)
    return args


def run(args, peer, path):
    """One client on an etcd of its own: its figures. The server's count is the witness."""
    with server.Etcd(path, peers.PLACE, False) as etcd:
        process = subprocess.Popen(
            [peer.lease, "--endpoint", etcd.endpoint, "--leases", str(args.leases), "--ttl", str(args.ttl),
             "--seconds", str(args.seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=peers.environment())
        try:
            line = process.stdout.readline()
            if not line:
                raise peers.Invalid(process.stderr.read().strip()[-300:] or "it ended without figures")
            figures = json.loads(line)
            figures["on_server"] = etcd.leases()
        finally:
            process.kill()
            process.wait()
    figures["lost"] = max(figures["lost"], args.leases - figures["on_server"])
    return figures


def measure(args, path, ready, say):
    entry = {"name": CASE}
    for peer in ready:
        say("%s: %d leases for %d s" % (peer.name, args.leases, args.seconds), False)
        try:
            figures = run(args, peer, path)
        except (peers.Invalid, server.ServerError, ValueError) as error:
            figures = {"invalid": str(error)}
        if peer.name == "coord":
            entry.update(figures)
        else:
            entry[peer.name] = figures
        say("%-12s %s" % (peer.name, describe(figures)))
    return entry


def describe(figures):
    if "invalid" in figures:
        return "INVALID: " + figures["invalid"]
    return "%d lost, %d at risk, %.1f %% of a core, opened in %.1f s" % (
        figures["lost"], figures["at_risk"], figures["client_cpu_percent"], figures["open_s"])


def targets(entry):
    good = "invalid" not in entry
    return [{"name": CASE, "required": "none lost", "measured": "%d" % entry["lost"] if good else None,
             "met": entry["lost"] == 0 if good else None},
            {"name": CASE, "required": "client below %d %% of a core" % CPU_PERCENT,
             "measured": "%.1f %%" % entry["client_cpu_percent"] if good else None,
             "met": entry["client_cpu_percent"] < CPU_PERCENT if good else None}]


def main(words, progress):
    args = arguments(words)
    if args.list:
        print("%-12s 10,000 leases of one client, TTL 10 s, for 5 minutes" % CASE)
        return 0
    os.makedirs(peers.PLACE, exist_ok=True)
    path = server.find(args.etcd)
    ready, left_out = peers.prepare(args.contestants, args.refresh, progress)
    with server.Etcd(path, peers.PLACE, False) as etcd:
        version = etcd.version()
    began = datetime.datetime.now(datetime.timezone.utc)
    entry = measure(args, path, ready, progress.say)
    ended = datetime.datetime.now(datetime.timezone.utc)
    goals = targets(entry)
    result = {"suite": "lease", "date": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
              "took_s": round((ended - began).total_seconds()), "machine": report.describe_machine(), "etcd": version,
              "versions": {peer.name: peer.version for peer in ready}, "leases": args.leases, "ttl_s": args.ttl,
              "seconds": args.seconds, "left_out": left_out, "cases": [entry], "targets": goals}
    json_path = args.json or os.path.join(peers.PLACE, "lease.json")
    report.save(result, json_path)
    for goal in goals:
        print("%-12s %-32s %s %s" % (goal["name"], goal["required"], goal["measured"],
                                     {True: "met", False: "MISSED", None: "not measured"}[goal["met"]]))
    for left in left_out:
        print("left out: %s: %s" % (left["peer"], left["reason"]))
    print("\nfigures: %s" % os.path.relpath(json_path))
    if "invalid" in entry:
        return 3
    return 1 if args.check and any(goal["met"] is False for goal in goals) else 0


if __name__ == "__main__":
    sys.exit("run ./dev bench lease")
