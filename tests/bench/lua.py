"""The Lua package beside the C library. README.md says more."""
import argparse
import datetime
import json
import os
import sys

import cases
import peers
import python
import report
import rounds
import server

CASES = {
    "lua.put.sync.1": "puts that block, one after the other",
    "lua.get.sync.1": "the same with gets",
    "lua.put.luv.64": "puts by 64 coroutines under luv; core: those of the C library alone",
    "lua.put.cqueues.64": "the same under cqueues",
    "lua.local": "a key of a mirror, a value of a configuration, an instance of a service: no server is asked"}
TIMED = {"lua.put.sync.1": "put.sync.1.3", "lua.get.sync.1": "get.sync.1.3", "lua.put.luv.64": "put.async.64.3",
         "lua.put.cqueues.64": "put.async.64.3"}
LEAST = 0.6  # of the C library's rate

HELP = """\
Debian's Lua 5.4 with lua-luv and lua-cqueues. Each client runs once a round, on one etcd; each round begins with another one.
Ratios are our rate over that of the C library in the same round, and of all rounds the median. No other client of etcd for Lua
runs outside of OpenResty.

examples:
  ./dev bench lua                           all cases, 5 rounds
  ./dev bench lua --quick                   2 short rounds
  ./dev bench lua --only lua.put.luv.64 --rounds 9 --json lua.json

exit status: 0 measured; 1 a target was missed and --check was given; 2 a bad argument; 3 something needed is missing
or a case of ours was invalid."""


class Coord(peers.Peer):
    """The package of this tree, in one of its ways to wait."""
    name = "coord"
    first_ops = 1000

    def __init__(self, core, way):
        self.core = core
        self.way = way
        self.version = core.version

    def command(self, case):
        return command(self.core, "lua_peer.lua", self.way)


def command(core, script, *words):
    package = os.path.join(peers.ROOT, "bindings", "lua")
    module = os.path.join(os.path.dirname(core.directory), "swig", "lua5.4")
    paths = 'package.path = "%s/?.lua;" .. package.path; package.cpath = "%s/?.so;" .. package.cpath' % (package, module)
    return ["lua5.4", "-e", paths, os.path.join(peers.HERE, "peers", script), *words]


def prepare(refresh):
    peers.need("lua5.4", "package lua5.4")
    peers.need("swig", "package swig")
    core = peers.Coord()
    core.prepare(refresh)
    peers.build(["cmake", "--build", os.path.dirname(core.directory), "--target", "lua5.4"])
    return core


class Core(peers.Peer):
    """The C library in its own benchmark."""
    name = "core"
    first_ops = 1000

    def __init__(self, core):
        self.core = core
        self.version = core.version

    def command(self, case):
        return self.core.command(case)


def arguments(words):
    parser = argparse.ArgumentParser(prog="./dev bench lua", usage="./dev bench lua [options]", epilog=HELP,
                                     description="The Lua package beside the C library.",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write all figures here (default .cache/bench/lua.json)")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each case, 1 to 99 (default 5, quick 2)")
    parser.add_argument("--seconds", type=float, metavar="S",
                        help="length of one run of one peer, 0.05 to 60 (default 0.9, quick 0.25)")
    parser.add_argument("--quick", action="store_true", help="2 short rounds: a first look, too noisy to judge by")
    parser.add_argument("--only", action="append", metavar="CASE-GLOB", help="only these cases; may be repeated")
    parser.add_argument("--etcd", metavar="PATH", help="the etcd to run (default: $COORD_TEST_ETCD, or etcd on PATH)")
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    parser.add_argument("--refresh", action="store_true", help="build what is measured again")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    args = parser.parse_args(words)
    args.rounds = args.rounds if args.rounds is not None else 2 if args.quick else 5
    args.seconds = args.seconds if args.seconds is not None else 0.25 if args.quick else 0.9
    if not 1 <= args.rounds <= 99:
        parser.error("--rounds is %d; it must be 1 to 99" % args.rounds)
    if not 0.05 <= args.seconds <= 60:
        parser.error("--seconds is %g; it must be 0.05 to 60" % args.seconds)
    try:
        args.names = report.matching(list(CASES), args.only)
    except ValueError as error:
        parser.error(str(error))
    if args.json and not os.path.isdir(os.path.dirname(os.path.abspath(args.json))):
        parser.error('"%s": there is no such directory' % args.json)
    return args


def measure_timed(name, args, path, core, say):
    case = cases.parse(TIMED[name])
    able = [Coord(core, name.split(".")[2]), Core(core)]
    with server.Etcd(path, peers.PLACE, False) as etcd:
        runs = rounds.Rounds(case, etcd, able)
        runs.measure(args.rounds, args.seconds, lambda phase, peer: say("%s: %s, %s" % (name, phase, peer.name), False))
    entry = {"name": name}
    if "coord" in runs.invalid:
        entry["invalid"] = runs.invalid["coord"]
        return entry
    entry.update({field: round(runs.of("coord", field), 3) for field in rounds.FIELDS})
    if runs.of("core", "ops_per_s") is not None:
        entry["peers"] = {"core": {field: round(runs.of("core", field), 3) for field in rounds.FIELDS}}
        entry["ratio"] = {"core": round(runs.against("coord", "core", "ops_per_s"), 4)}
    entry["rounds"] = runs.rounds
    return entry


def measure(name, args, path, core, say):
    try:
        if name in TIMED:
            return measure_timed(name, args, path, core, say)
        with server.Etcd(path, peers.PLACE, False) as etcd:
            text, _ = peers.measured(command(core, "lua_local.lua", etcd.endpoint))
        return {"name": name, **{what: round(value, 1) for what, value in json.loads(text).items()}}
    except (peers.Invalid, ValueError) as error:
        return {"name": name, "invalid": str(error)}


def targets(entries):
    """What is required, and whether it is so; None: this run has no figure for it."""
    found = {entry["name"]: entry for entry in entries if "invalid" not in entry}
    goals = []
    for name in ("lua.put.luv.64", "lua.put.cqueues.64"):
        value = found.get(name, {}).get("ratio", {}).get("core")
        goals.append({"name": name, "required": "at least %g x core" % LEAST,
                      "measured": None if value is None else "%.2f x" % value, "met": None if value is None else value >= LEAST})
    slowest = max((value for what, value in found.get("lua.local", {}).items() if what.endswith("_ns")), default=None)
    goals.append({"name": "lua.local", "required": "under 0.5 us", "measured": None if slowest is None else "%.0f ns" % slowest,
                  "met": None if slowest is None else slowest < 500})
    return goals


def main(words, progress):
    args = arguments(words)
    if args.list:
        for name, what in CASES.items():
            print("%-20s %s" % (name, what))
        return 0
    os.makedirs(peers.PLACE, exist_ok=True)
    path = server.find(args.etcd)
    core = prepare(args.refresh)
    with server.Etcd(path, peers.PLACE, False) as etcd:
        version = etcd.version()
    began = datetime.datetime.now(datetime.timezone.utc)
    entries = []
    for name in args.names:
        entries.append(measure(name, args, path, core, progress.say))
        python.show(entries[-1], progress.say)
    ended = datetime.datetime.now(datetime.timezone.utc)
    goals = [goal for goal in targets(entries) if goal["name"] in args.names]
    result = {"suite": "lua", "date": began.strftime("%Y-%m-%dT%H:%M:%SZ"), "took_s": round((ended - began).total_seconds()),
              "machine": report.describe_machine(), "etcd": version, "versions": {"coord": core.version},
              "rounds": args.rounds, "cases": entries, "targets": goals}
    json_path = args.json or os.path.join(peers.PLACE, "lua.json")
    report.save(result, json_path)
    for goal in goals:
        print("%-20s %-30s %-10s %s" % (goal["name"], goal["required"], goal["measured"] or "",
                                        {True: "met", False: "MISSED", None: "not measured"}[goal["met"]]))
    print("\nfigures: %s" % os.path.relpath(json_path))
    if any("invalid" in entry for entry in entries):
        return 3
    return 1 if args.check and any(goal["met"] is False for goal in goals) else 0


if __name__ == "__main__":
    sys.exit("run ./dev bench lua")
