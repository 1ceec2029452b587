"""The Python package beside other clients for Python. README.md says more."""
import json
import os
import platform
import shutil
import statistics
import sys

import cases
import peers
import server
import suite
import timed

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
MEMORY = "/dev/shm"

HELP = """\
Each client runs once a round, on one etcd; each round begins with another one. Ratios are our rate over the peer's in the
same round, and of all rounds the median. The peers come from PyPI, each into a virtual environment under .cache/bench; what
cannot be had is named and left out.

examples:
  ./dev bench python                           all cases, 5 rounds, about 3 minutes
  ./dev bench python --quick                   2 short rounds, about 1 minute
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

SUITE = suite.Suite("python", "The Python package beside other clients for Python.", HELP, CASES,
                    "2 short rounds: a first look, too noisy to judge by", 5, 2, [one.name for one in others()])


# ---- cases ---------------------------------------------------------------------------------------

def storage():
    """Where the server keeps its data: in memory, because not every etcd can do without fsync."""
    return MEMORY if os.path.isdir(MEMORY) and os.access(MEMORY, os.W_OK) else peers.PLACE


def contestants(name, ready):
    coord = ready[0]
    if ".async." in name:
        return [CoordAio(coord), *(one for one in ready if isinstance(one, Asynchronous)), timed.Core(coord.core)]
    return [coord, *(one for one in ready[1:] if not isinstance(one, Asynchronous))]


def measure_timed(name, args, path, ready, say):
    return timed.measure(name, cases.parse(TIMED[name]), args, path, storage(), contestants(name, ready), say)


def measure_import(_name, _args, _path, ready, say):
    """Milliseconds inside the import statement, of the interpreter as it starts."""
    script = "import time; t = time.perf_counter(); import %s; print(1000 * (time.perf_counter() - t))"
    found = {one.name: [] for one in ready}
    for number in range(IMPORT_RUNS + 1):  # the first warms the page cache
        for one in ready:
            say("python.import: %s" % one.name, False)
            text, _ = peers.measured([one.python, "-I", "-c", script % one.library])
            if number > 0:
                found[one.name].append(float(text))
    entry = {"name": "python.import", "ms": round(statistics.median(found["coord"]), 2),
             "least_ms": round(min(found["coord"]), 2)}
    entry["peers"] = {who: {"ms": round(statistics.median(values), 2)} for who, values in found.items() if who != "coord"}
    return entry


def measure_local(_name, _args, path, ready, _say):
    script = os.path.join(peers.HERE, "peers", "python_local.py")
    with server.Etcd(path, storage(), False) as etcd:
        text, _ = peers.measured([ready[0].python, script, "--endpoint", etcd.endpoint])
    return {"name": "python.local", **{what: round(value, 1) for what, value in json.loads(text).items()}}


def measure(name, *rest):
    special = {"python.import": measure_import, "python.local": measure_local}
    return special.get(name, measure_timed)(name, *rest)


# ---- the whole -----------------------------------------------------------------------------------

def targets(entries):
    """What is required, and whether it is so; None: this run has no figure for it."""
    found = {entry["name"]: entry for entry in entries if "invalid" not in entry}

    def ratio(*wanted):
        return timed.ratio(entries, *wanted)
    one, get, eight, aio = "python.put.sync.1", "python.get.sync.1", "python.put.sync.8", "python.put.async.64"
    local = found.get("python.local", {})
    slowest = max((local[what] for what in ("discovery_ns", "config_ns") if what in local), default=None)
    return [ratio(one, 2, "python-etcd3"), ratio(one, 8, "etcd3gw"), ratio(get, 2, "python-etcd3"),
            ratio(get, 8, "etcd3gw"), ratio(eight, 2, "python-etcd3"), ratio(aio, 3, "aetcd"), ratio(aio, 0.6, "core"),
            timed.goal("python.local", "under 1 us, registry or config", slowest, "%.0f ns",
                       lambda v: v < 1000),
            timed.goal("python.import", "under 30 ms", found.get("python.import", {}).get("ms"), "%.1f ms",
                       lambda v: v < 30)]


def main(words, progress):
    args = timed.parse(SUITE, words)
    wanted = [Coord(), *(one for one in others() if one.name in args.peers)]

    def one(name, path, ready):
        entry = measure(name, args, path, ready, progress.say)
        timed.show(entry, progress.say)
        return entry
    return SUITE.run(args, wanted, progress, one, targets, seconds=args.seconds, python=platform.python_version())


if __name__ == "__main__":
    sys.exit("run ./dev bench python")
