#!/usr/bin/env python3
"""Benchmarks of libcoord beside other clients of etcd. ./dev bench kv and ./dev bench failover; --help says more, README.md
how they are fair."""
import argparse
import datetime
import os
import signal
import sys
import textwrap

sys.dont_write_bytecode = True  # nothing is written outside build and .cache

import cases  # noqa: E402
import failover  # noqa: E402
import lease  # noqa: E402
import lock  # noqa: E402
import mirror  # noqa: E402
import peers  # noqa: E402
import python  # noqa: E402
import registry  # noqa: E402
import report  # noqa: E402
import rounds  # noqa: E402
import server  # noqa: E402
import watch  # noqa: E402

HELP = """\
Measures reads and writes through libcoord and, in the same rounds on the same etcd, through h2load (the server's own
limit), Go's clientv3, the Rust crate etcd-client, python-etcd3 and etcd3gw. The bench builds them itself; what cannot
be built here is named and left out.

examples:
  ./dev bench kv                           all cases, 5 rounds, about 10 minutes
  ./dev bench kv --quick                   the cases with a target, 2 short rounds, under 2 minutes
  ./dev bench kv --only 'put.sync.*'       some cases
  ./dev bench kv --only put.async.256.100  any case: put or get . async, sync or many . how many . bytes of the value
  ./dev bench kv --peers go,rust           against these only
  ./dev bench kv --json kv.json --svg kv.svg
  ./dev bench failover                     another suite: a node of three fails
  ./dev bench lease                        another: 10,000 leases kept alive by one client
  ./dev bench watch                        another: watches
  ./dev bench lock                         another: locks that are taken, handed on and held
  ./dev bench mirror                       another: mirrors
  ./dev bench config                       another: reading configuration over the wire
  ./dev bench python                       another: the Python package beside other clients for Python
  ./dev bench registry                     another: picking, discovering, and registrations whose server dies

A case of mode async has that many operations in flight on one connection, sync that many threads that wait, many is
coord_call_many with that many operations at a time (its latencies are those of a batch; the peers run as async).
Ratios are our rate over the peer's in the same round, and of all rounds the median.

exit status: 0 measured; 1 a target was missed and --check was given; 2 a bad argument; 3 something needed is missing
or a case of ours was invalid."""


class Progress:
    """Notes on standard error; on a terminal one line that is written over."""

    def __init__(self):
        self.terminal = sys.stderr.isatty()

    def say(self, text, lasting=True):
        if self.terminal:
            sys.stderr.write("\r\033[K" + text[:150] + ("\n" if lasting else ""))
        elif lasting:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()


def arguments(words):
    parser = argparse.ArgumentParser(prog="./dev bench", usage="./dev bench kv [options]", epilog=HELP,
                                     description="libcoord beside other clients of etcd, on an etcd of its own.",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", nargs="?", choices=("kv",), default="kv",
                        help="what to measure: kv, reads and writes (failover has options of its own)")
    parser.add_argument("--json", metavar="FILE", help="write all figures here (default .cache/bench/kv.json)")
    parser.add_argument("--svg", metavar="FILE", help="write the plot here (default .cache/bench/kv.svg)")
    parser.add_argument("--quick", action="store_true",
                        help="fewer cases, 2 short rounds: a first look, too noisy to judge by")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each case, 1 to 99 (default 5, quick 2)")
    parser.add_argument("--seconds", type=float, metavar="S",
                        help="length of one run of one peer, 0.05 to 60 (default 0.9, quick 0.25)")
    parser.add_argument("--only", action="append", metavar="CASE-GLOB", help="only these cases; may be repeated")
    parser.add_argument("--peers", metavar="A,B", help="only these of %s"
                        % ", ".join(peer.name for peer in peers.ALL if peer is not peers.Coord))
    parser.add_argument("--etcd", metavar="PATH", help="the etcd to run (default: $COORD_TEST_ETCD, or etcd on PATH)")
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    parser.add_argument("--refresh", action="store_true", help="build the peers again, with their newest releases")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    args = parser.parse_args(words)
    args.rounds = args.rounds if args.rounds is not None else (2 if args.quick else 5)
    args.seconds = args.seconds if args.seconds is not None else (0.25 if args.quick else 0.9)
    if not 1 <= args.rounds <= 99:
        parser.error("--rounds is %d; it must be 1 to 99" % args.rounds)
    if not 0.05 <= args.seconds <= 60:
        parser.error("--seconds is %g; it must be 0.05 to 60" % args.seconds)
    known = {peer.name: peer for peer in peers.ALL}
    chosen = [name.strip() for name in args.peers.split(",")] if args.peers else list(known)
    for name in chosen:
        if name not in known:
            parser.error('--peers names "%s"; there are %s' % (name, ", ".join(known)))
    args.peers = [known[name]() for name in known if name in chosen or name == "coord"]
    try:
        args.names, args.special = cases.choose(args.only, args.quick)
    except ValueError as error:
        parser.error(str(error))
    for path in (args.json, args.svg):
        if path and not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            parser.error('"%s": there is no such directory' % path)
    return args


# ---- one case -----------------------------------------------------------------------------------

def measure_special(name, coord, start, quick):
    if name == "size.so":
        return {"name": name, "kib": round(coord.stripped_bytes() / 1024, 2)}
    with start(False) as etcd:
        if name == "rss.idle":
            return {"name": name, "rss_kib": coord.special("idle", etcd.endpoint)["rss_kib"]}
        more = 100000 if quick else 900000
        figures = coord.special("growth", etcd.endpoint, "--verb", "put", "--mode", "async", "--n", "64", "--size", "3",
                                "--warmup", "100000", "--ops", str(more))
        return {"name": name, "ops": figures["ops"], "ops_per_s": figures["ops_per_s"],
                "rss_first_kib": figures["rss_first_kib"], "rss_end_kib": figures["rss_end_kib"],
                "growth_kib": figures["rss_end_kib"] - figures["rss_first_kib"]}


# ---- the whole ----------------------------------------------------------------------------------

def measure(args, ready, start, progress):
    entries = []
    names = [peer.name for peer in ready]
    for index, name in enumerate(args.names):
        case = cases.parse(name)

        def note(phase, peer, prefix="[%d/%d] %s" % (index + 1, len(args.names), name)):
            progress.say("%s: %s, %s" % (prefix, phase, peer.name), lasting=False)
        with start(case.large) as etcd:
            runs = rounds.Rounds(case, etcd, ready)
            runs.measure(args.rounds, args.seconds, note)
        entry = runs.summary(names)
        entries.append(entry)
        progress.say("[%d/%d] %s" % (index + 1, len(args.names), report.one_line(entry)))
        for peer, why in runs.invalid.items():
            progress.say("    invalid: %s in %s: %s" % (peer, name, why))
    for name in args.special:
        progress.say(name, lasting=False)
        try:
            entry = measure_special(name, ready[0], start, args.quick)
        except (peers.Invalid, peers.Missing) as error:
            entry = {"name": name, "invalid": str(error)}
        entries.append(entry)
        progress.say(report.one_line(entry))
    return entries


def main(words):
    if words[:1] == ["failover"]:
        return failover.main(words[1:], Progress())
    if words[:1] == ["lease"]:
        return lease.main(words[1:], Progress())
    if words[:1] == ["watch"]:
        return watch.main(words[1:], Progress())
    if words[:1] == ["lock"]:
        return lock.main(words[1:], Progress())
    if words[:1] == ["mirror"]:
        return mirror.main(words[1:], Progress())
    if words[:1] == ["config"]:
        return registry.main([*words[1:], "--only", "config.*"], Progress())
    if words[:1] == ["registry"]:
        return registry.main(words[1:], Progress())
    if words[:1] == ["python"]:
        return python.main(words[1:], Progress())
    args = arguments(words)
    if args.list:
        for name in cases.CASES:
            print(name)
        for name, what in cases.SPECIAL.items():
            print("%-18s %s" % (name, what))
        return 0
    progress = Progress()
    os.makedirs(peers.PLACE, exist_ok=True)
    path = server.find(args.etcd)

    def start(large_values):
        return server.Etcd(path, peers.PLACE, large_values)
    ready, left_out = peers.prepare(args.peers, args.refresh, progress)
    with start(False) as etcd:
        version = etcd.version()
    progress.say("ready: etcd %s" % version)
    began = datetime.datetime.now(datetime.timezone.utc)
    entries = measure(args, ready, start, progress)
    ended = datetime.datetime.now(datetime.timezone.utc)
    valid = {entry["name"]: entry for entry in entries if "invalid" not in entry}
    result = {"suite": "kv", "date": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
              "took_s": round((ended - began).total_seconds()), "machine": report.describe_machine(), "etcd": version,
              "versions": {peer.name: peer.version for peer in ready}, "rounds": args.rounds, "seconds": args.seconds,
              "quick": args.quick, "left_out": left_out, "cases": entries, "targets": cases.targets(valid)}
    json_path = args.json or os.path.join(peers.PLACE, "kv.json")
    svg_path = args.svg or os.path.join(peers.PLACE, "kv.svg")
    report.save(result, json_path)
    drawn = report.svg(result)
    if drawn:
        with open(svg_path, "w") as file:
            file.write(drawn)
    sys.stdout.write(report.text(result, sys.stdout.isatty()))
    print("\nfigures: %s%s" % (os.path.relpath(json_path), "\nplot:    " + os.path.relpath(svg_path) if drawn else ""))
    if any("invalid" in entry for entry in entries):
        return 3
    return 1 if args.check and any(target["met"] is False for target in result["targets"]) else 0


def stop(number, _):
    raise SystemExit(128 + number)  # so that every etcd is stopped on the way out


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except (peers.Missing, server.ServerError, OSError) as problem:
        sys.stderr.write("\nbench: %s\n" % textwrap.indent(str(problem), "  ").strip())
        sys.exit(3)
