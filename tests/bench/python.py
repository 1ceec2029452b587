"""The Python package beside other clients for Python. README.md says more."""
import argparse
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys

import cases
import peers
import report
import rounds
import server

CASES = {
    "python.put.sync.1": "puts by one thread that waits for each",
    "python.get.sync.1": "the same with gets",
    "python.put.sync.8": "puts by 8 threads with one client",
    "python.put.async.64": "puts on one asyncio loop, 64 in flight; core: those of the C library alone",
    "python.local": "what a service's instances are, a value of a configuration, a key of a mirror: no server is asked",
    "python.import": "import, in a fresh process, of the package and all that it needs"}
TIMED = {"python.put.sync.1": "put.sync.1.3", "python.get.sync.1": "get.sync.1.3",
         "python.put.sync.8": "put.sync.8.3", "python.put.async.64": "put.async.64.3"}
IMPORT_RUNS = 9

HELP = """\
Each client runs once a round, on one etcd; each round begins with another one. Ratios are our rate over the peer's in the
same round, and of all rounds the median. The peers come from PyPI, each into a virtual environment under .cache/bench; what
cannot be had is named and left out.

examples:
  ./dev bench python                           all cases, 5 rounds, about 3 minutes
  ./dev bench python --quick                   2 short rounds
  ./dev bench python --only python.put.async.64 --rounds 9 --json python.json

exit status: 0 measured; 1 a target was missed and --check was given; 2 a bad argument; 3 something needed is missing
or a case of ours was invalid."""


# ---- clients -------------------------------------------------------------------------------------

class Coord(peers.Python):
    """The package of this tree, built against a libcoord of its own as a user would have it."""
    name = "coord"
    library = "coord"
    folder = "python-coord"
    packages = ("cffi", "setuptools", "wheel")
    first_ops = 400

    def prepare(self, refresh):
        self.core = peers.Coord()
        self.core.prepare(refresh)
        directory = os.path.join(peers.PLACE, self.folder)
        self.python = os.path.join(directory, "bin", "python3")
        if refresh or not os.path.exists(self.python):
            shutil.rmtree(directory, ignore_errors=True)
            peers.build([sys.executable, "-m", "venv", directory])
            peers.build([self.python, "-m", "pip", "install", "--quiet", *self.packages])
        self.install(os.path.join(peers.ROOT, "build", "bench", "python"))
        self.version = peers.build([self.python, "-c", "import coord; print(coord.__version__)"]).strip()

    def install(self, out):
        """Into site-packages and compiled, as pip does it, without its download of the tools for each build."""
        library = os.path.join(out, "lib")
        shutil.rmtree(library, ignore_errors=True)
        os.makedirs(out, exist_ok=True)
        peers.build([self.python, "setup.py", "-q", "egg_info", "--egg-base", out, "build", "--build-base", out,
                     "--build-lib", library], os.path.join(peers.ROOT, "bindings", "python"),
                    COORD_BUILD=os.path.join(peers.ROOT, "build", "bench"))
        script = "import sysconfig; print(sysconfig.get_paths()['platlib'])"
        target = os.path.join(peers.build([self.python, "-c", script]).strip(), "coord")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(os.path.join(library, "coord"), target)
        peers.build([self.python, "-m", "compileall", "-q", target])


class Synchronous(peers.Python):
    """A client from PyPI in an environment of its own, because several call themselves etcd3."""

    def __init__(self, name, library, *packages, distribution=None, folder=None):
        self.name = name
        self.library = library
        self.packages = packages or (name,)
        self.distribution = distribution or name
        self.folder = folder or "python-" + name


class Asynchronous(Synchronous):
    def command(self, case):
        return [self.python, os.path.join(peers.HERE, "peers", "python_aio.py"), self.library]


class CoordAio(Coord):
    """What Coord has prepared, on asyncio."""

    def __init__(self, coord):
        self.python = coord.python

    def command(self, case):
        return [self.python, os.path.join(peers.HERE, "peers", "python_aio.py"), self.library]


class Core(peers.Peer):
    """The C library in its own benchmark."""
    name = "core"
    first_ops = 1000

    def __init__(self, coord):
        self.coord = coord
        self.version = coord.core.version

    def command(self, case):
        return self.coord.core.command(case)


def others():
    """PyPI's etcd3 of 2020, its newest fork, the one most installed of the newer ones; and those for asyncio."""
    return [Synchronous("python-etcd3", "etcd3", *peers.PythonEtcd3.packages, distribution="etcd3", folder="python"),
            Synchronous("etcd3gw", "etcd3gw", folder="python"),
            Synchronous("cslab-etcd3", "etcd3"),
            # it does not tell PyPI all that it needs
            Synchronous("etcd-sdk-python", "pyetcd", "etcd-sdk-python", "protobuf", "six", "tenacity"),
            Asynchronous("aetcd", "aetcd"),
            Asynchronous("etcd3aio", "etcd3aio"),
            Asynchronous("etcd-client-py", "etcd_client")]


# ---- arguments -----------------------------------------------------------------------------------

def arguments(words):
    parser = argparse.ArgumentParser(prog="./dev bench python", usage="./dev bench python [options]", epilog=HELP,
                                     description="The Python package beside other clients for Python.",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [one.name for one in others()]
    parser.add_argument("--json", metavar="FILE", help="write all figures here (default .cache/bench/python.json)")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each case, 1 to 99 (default 5, quick 2)")
    parser.add_argument("--seconds", type=float, metavar="S",
                        help="length of one run of one peer, 0.05 to 60 (default 0.9, quick 0.25)")
    parser.add_argument("--quick", action="store_true", help="2 short rounds: a first look, too noisy to judge by")
    parser.add_argument("--only", action="append", metavar="CASE-GLOB", help="only these cases; may be repeated")
    parser.add_argument("--peers", metavar="A,B", help="only these of %s; none: ours alone" % ", ".join(names))
    parser.add_argument("--etcd", metavar="PATH", help="the etcd to run (default: $COORD_TEST_ETCD, or etcd on PATH)")
    parser.add_argument("--list", action="store_true", help="list the cases and end")
    parser.add_argument("--refresh", action="store_true", help="build the peers again, with their newest releases")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    args = parser.parse_args(words)
    args.rounds = args.rounds if args.rounds is not None else 2 if args.quick else 5
    args.seconds = args.seconds if args.seconds is not None else 0.25 if args.quick else 0.9
    if not 1 <= args.rounds <= 99:
        parser.error("--rounds is %d; it must be 1 to 99" % args.rounds)
    if not 0.05 <= args.seconds <= 60:
        parser.error("--seconds is %g; it must be 0.05 to 60" % args.seconds)
    wanted = names if args.peers is None else [name.strip() for name in args.peers.split(",")]
    for name in wanted:
        if name not in names and wanted != ["none"]:
            parser.error('--peers names "%s"; there are %s, or none' % (name, ", ".join(names)))
    args.peers = [one for one in others() if one.name in wanted]
    try:
        args.names = report.matching(list(CASES), args.only)
    except ValueError as error:
        parser.error(str(error))
    if args.json and not os.path.isdir(os.path.dirname(os.path.abspath(args.json))):
        parser.error('"%s": there is no such directory' % args.json)
    return args


# ---- cases ---------------------------------------------------------------------------------------

def contestants(name, ready):
    coord = ready[0]
    if ".async." in name:
        return [CoordAio(coord), *(one for one in ready if isinstance(one, Asynchronous)), Core(coord)]
    return [coord, *(one for one in ready[1:] if not isinstance(one, Asynchronous))]


def measure_timed(name, args, path, ready, say):
    case = cases.parse(TIMED[name])
    able = contestants(name, ready)
    with server.Etcd(path, peers.PLACE, False) as etcd:
        runs = rounds.Rounds(case, etcd, able)
        runs.measure(args.rounds, args.seconds,
                     lambda phase, peer: say("%s: %s, %s" % (name, phase, peer.name), False))
    entry = {"name": name}
    if "coord" in runs.invalid:
        entry["invalid"] = runs.invalid["coord"]
    else:
        entry.update({field: round(runs.of("coord", field), 3) for field in rounds.FIELDS})
    beside = [one.name for one in able[1:] if runs.of(one.name, "ops_per_s") is not None]
    entry["peers"] = {who: {field: round(runs.of(who, field), 3) for field in rounds.FIELDS} for who in beside}
    ratios = {who: runs.against("coord", who, "ops_per_s") for who in beside}
    entry["ratio"] = {who: round(value, 4) for who, value in ratios.items() if value is not None}
    entry["invalid_peers"] = {who: why for who, why in runs.invalid.items() if who != "coord"}
    entry["rounds"] = runs.rounds
    return entry


def measure_import(_name, _args, _path, ready, say):
    """Milliseconds inside the import statement, of the interpreter as it starts."""
    script = "import time; t = time.perf_counter(); import %s; print(1000 * (time.perf_counter() - t))"
    found = {one.name: [] for one in ready}
    for number in range(IMPORT_RUNS + 1):  # the first warms the page cache
        for one in ready:
            say("python.import: %s" % one.name, False)
            done = subprocess.run([one.python, "-I", "-c", script % one.library], stdin=subprocess.DEVNULL, text=True,
                                  stdout=subprocess.PIPE, env=peers.environment(), check=True)
            if number > 0:
                found[one.name].append(float(done.stdout))
    entry = {"name": "python.import", "ms": round(statistics.median(found["coord"]), 2),
             "least_ms": round(min(found["coord"]), 2)}
    entry["peers"] = {who: {"ms": round(statistics.median(values), 2)} for who, values in found.items() if who != "coord"}
    return entry


def measure_local(_name, _args, path, ready, _say):
    script = os.path.join(peers.HERE, "peers", "python_local.py")
    with server.Etcd(path, peers.PLACE, False) as etcd:
        text, _ = peers.measured([ready[0].python, script, "--endpoint", etcd.endpoint])
    return {"name": "python.local", **{what: round(value, 1) for what, value in json.loads(text).items()}}


def measure(name, *rest):
    special = {"python.import": measure_import, "python.local": measure_local}
    try:
        return special[name](name, *rest) if name in special else measure_timed(name, *rest)
    except (peers.Invalid, subprocess.CalledProcessError, ValueError) as error:
        return {"name": name, "invalid": str(error)}


# ---- the whole -----------------------------------------------------------------------------------

def targets(entries):
    """What is required, and whether it is so; None: this run has no figure for it."""
    found = {entry["name"]: entry for entry in entries if "invalid" not in entry}

    def goal(name, required, value, text, good):
        return {"name": name, "required": required, "measured": None if value is None else text % value,
                "met": None if value is None else good(value)}

    def ratio(name, least, peer):
        value = found.get(name, {}).get("ratio", {}).get(peer)
        return goal(name, "at least %g x %s" % (least, peer), value, "%.2f x", lambda v: v >= least)
    one, get, eight, aio = "python.put.sync.1", "python.get.sync.1", "python.put.sync.8", "python.put.async.64"
    local = found.get("python.local", {})
    slowest = max((local[what] for what in ("discovery_ns", "config_ns") if what in local), default=None)
    return [ratio(one, 2, "python-etcd3"), ratio(one, 8, "etcd3gw"), ratio(get, 2, "python-etcd3"),
            ratio(get, 8, "etcd3gw"), ratio(eight, 2, "python-etcd3"), ratio(aio, 3, "aetcd"), ratio(aio, 0.6, "core"),
            goal("python.local", "under 1 us, registry or config", slowest, "%.0f ns", lambda v: v < 1000),
            goal("python.import", "under 30 ms", found.get("python.import", {}).get("ms"), "%.1f ms",
                 lambda v: v < 30)]


def show(entry, say):
    say(entry["name"])
    if "invalid" in entry:
        say("  coord            INVALID: %s" % entry["invalid"])
        return
    for who, figures in [("coord", entry), *entry.get("peers", {}).items()]:
        if "ops_per_s" in figures:
            beside = "  %6.2f x" % entry["ratio"][who] if who in entry["ratio"] else ""
            say("  %-16s %8.0f ops/s, p50 %6.0f us, p99 %6.0f us, CPU %6.1f us%s" % (
                who, figures["ops_per_s"], figures["p50_us"], figures["p99_us"], figures["client_cpu_us"], beside))
        elif "ms" in figures:
            say("  %-16s %8.1f ms" % (who, figures["ms"]))
    for what, value in entry.items():
        if what.endswith("_ns"):
            say("  %-16s %8.0f ns" % (what[:-3].replace("_", " "), value))
    for who, why in entry.get("invalid_peers", {}).items():
        say("  %-16s INVALID: %s" % (who, why))


def main(words, progress):
    args = arguments(words)
    if args.list:
        for name, what in CASES.items():
            print("%-20s %s" % (name, what))
        return 0
    os.makedirs(peers.PLACE, exist_ok=True)
    path = server.find(args.etcd)
    coord = Coord()
    coord.prepare(args.refresh)
    ready, left_out = peers.prepare(args.peers, args.refresh, progress)
    ready = [coord, *ready]
    with server.Etcd(path, peers.PLACE, False) as etcd:
        version = etcd.version()
    began = datetime.datetime.now(datetime.timezone.utc)
    entries = []
    for name in args.names:
        entries.append(measure(name, args, path, ready, progress.say))
        show(entries[-1], progress.say)
    ended = datetime.datetime.now(datetime.timezone.utc)
    goals = [goal for goal in targets(entries) if goal["name"] in args.names]
    result = {"suite": "python", "date": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
              "took_s": round((ended - began).total_seconds()), "machine": report.describe_machine(), "etcd": version,
              "python": peers.build([coord.python, "-V"]).split()[-1],
              "versions": {one.name: one.version for one in ready}, "rounds": args.rounds, "left_out": left_out,
              "cases": entries, "targets": goals}
    json_path = args.json or os.path.join(peers.PLACE, "python.json")
    report.save(result, json_path)
    for goal in goals:
        print("%-20s %-30s %-10s %s" % (goal["name"], goal["required"], goal["measured"] or "",
                                        {True: "met", False: "MISSED", None: "not measured"}[goal["met"]]))
    for left in left_out:
        print("left out: %s: %s" % (left["peer"], left["reason"]))
    print("\nfigures: %s" % os.path.relpath(json_path))
    if any("invalid" in entry for entry in entries):
        return 3
    return 1 if args.check and any(goal["met"] is False for goal in goals) else 0


if __name__ == "__main__":
    sys.exit("run ./dev bench python")
