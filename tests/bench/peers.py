"""The programs that are compared: how each is built, and how one run of it is measured."""
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CACHE = os.path.join(ROOT, ".cache")
PLACE = os.path.join(CACHE, "bench")
RUN_SECONDS = 120
BUILD_SECONDS = 1800


class Missing(Exception):
    """This peer cannot take part; the text says why and what would help."""


class Invalid(Exception):
    """One run did not do what it should have done, so its figures mean nothing."""


def environment():
    """Caches of all package managers under .cache; nothing of the user's configuration."""
    result = dict(os.environ)
    result.update(GOPATH=os.path.join(CACHE, "go"), GOMODCACHE=os.path.join(CACHE, "go", "mod"),
                  GOCACHE=os.path.join(CACHE, "go", "build"), GOENV="off", GOWORK="off", GO111MODULE="on",
                  GOTOOLCHAIN="local", GOFLAGS="-modcacherw -buildvcs=false", CGO_ENABLED="0",
                  CARGO_HOME=os.path.join(CACHE, "cargo"), PIP_CACHE_DIR=os.path.join(CACHE, "pip"),
                  PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONDONTWRITEBYTECODE="1")
    result.pop("CARGO_TARGET_DIR", None)
    return result


def need(tool, hint):
    found = shutil.which(tool)
    if not found:
        raise Missing("%s is not installed (%s)" % (tool, hint))
    return found


def build(argv, cwd=None, **extra):
    """Run a build step; its output is shown only when it fails, the end of it."""
    try:
        done = subprocess.run(argv, cwd=cwd, env=dict(environment(), **extra), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=BUILD_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing("%s: %s" % (os.path.basename(argv[0]), error)) from error
    if done.returncode != 0:
        step = " ".join([os.path.basename(argv[0])] + argv[1:4])
        raise Missing("%s failed:\n    %s" % (step, "\n    ".join(done.stdout.strip().splitlines()[-6:])))
    return done.stdout


def fingerprint(*paths):
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def stamped(directory, stamp, outcome):
    """Whether `outcome` was built from these very sources."""
    try:
        with open(os.path.join(directory, "stamp")) as file:
            return file.read() == stamp and os.path.exists(outcome)
    except OSError:
        return False


def put_stamp(directory, stamp):
    with open(os.path.join(directory, "stamp"), "w") as file:
        file.write(stamp)


def measured(argv, seconds=RUN_SECONDS):
    """Run a program to its end: (stdout, user and system time in microseconds)."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment())
        late = threading.Event()

        def expire():
            late.set()
            process.kill()
        timer = threading.Timer(seconds, expire)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            timer.cancel()
        out.seek(0)
        err.seek(0)
        text = out.read().decode(errors="replace")
        if late.is_set():
            raise Invalid("not done after %d s" % seconds)
        if process.returncode != 0:
            last = (err.read().decode(errors="replace").strip().splitlines() or ["no message"])[-1]
            raise Invalid("exit code %d: %s" % (process.returncode, last[:300]))
    return text, (usage.ru_utime + usage.ru_stime) * 1e6


class Peer:
    """A program with the common command line that prints one JSON line."""
    name = None
    pace = 1.0      # share of the seconds of a run that it gets
    first_ops = 400
    version = None

    def prepare(self, refresh):
        raise NotImplementedError

    def command(self, case):
        raise NotImplementedError

    def mode(self, case):
        return "async" if case.mode == "many" else case.mode

    def run(self, case, endpoint, ops):
        """One run: ({"ops_per_s", "p50_us", "p99_us", "client_cpu_us"}, operations done in all)."""
        warmup = min(2 * case.n + 20, ops)
        text, _ = measured(self.command(case) + [
            "--endpoint", endpoint, "--key", case.key, "--verb", case.verb, "--mode", self.mode(case),
            "--n", str(case.n), "--size", str(case.size), "--ops", str(ops), "--warmup", str(warmup)])
        try:
            figures = json.loads(text)
            result = {field: float(figures[field]) for field in ("ops_per_s", "p50_us", "p99_us", "client_cpu_us")}
            errors = figures["errors"]
        except (ValueError, KeyError, TypeError) as error:
            raise Invalid("printed no figures: %s" % text[:200]) from error
        if errors != 0:
            raise Invalid("%d of %d operations failed: %s" % (errors, ops, figures.get("error", "no message")))
        return result, ops + warmup


class Coord(Peer):
    name = "coord"

    def prepare(self, refresh):
        directory = os.path.join(ROOT, "build", "bench")
        need("cmake", "package cmake")
        generator = ["-G", "Ninja"] if shutil.which("ninja") else []
        if os.path.exists(os.path.join(directory, "CMakeCache.txt")):
            generator = []
        build(["cmake", "-S", ROOT, "-B", directory, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCOORD_TESTS=OFF",
               *generator])
        build(["cmake", "--build", directory, "--target", "coord", "--parallel", str(os.cpu_count() or 1)])
        self.directory = os.path.join(directory, "core")
        self.library = os.path.realpath(os.path.join(self.directory, "libcoord.so"))
        self.program = self.compile("kv")
        self.failover = self.compile("failover")
        self.lease = self.compile("lease")
        self.watch = self.compile("watch")
        self.writer = self.compile("writer")
        self.player = self.compile("player", "-lnghttp2")
        self.lock = self.compile("lock")
        self.mirror = self.compile("mirror")
        self.registry = self.compile("registry")
        self.version = os.path.basename(self.library).partition(".so.")[2]

    def compile(self, name, *libraries):
        program = os.path.join(os.path.dirname(self.directory), "bench-" + name)
        compiler = shlex.split(os.environ.get("CC", "")) or [need("cc", "package gcc")]
        build([*compiler, "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", os.path.join(HERE, name + ".c"),
               "-I", os.path.join(ROOT, "core", "include"), "-L", self.directory, "-lcoord", *libraries,
               "-pthread", "-Wl,-rpath," + self.directory, "-o", program])
        return program

    def mode(self, case):
        return case.mode

    def command(self, case):
        return [self.program]

    def special(self, what, endpoint, *words):
        text, _ = measured([self.program, "--measure", what, "--endpoint", endpoint, "--key", "bench/0000000003",
                            *words], 600)
        figures = json.loads(text)
        if figures["errors"]:
            raise Invalid("%d operations failed: %s" % (figures["errors"], figures.get("error")))
        return figures

    def stripped_bytes(self):
        tool = need("strip", "package binutils")
        with tempfile.TemporaryDirectory(dir=PLACE) as directory:
            path = os.path.join(directory, "libcoord.so")
            build([tool, "--strip-unneeded", "-o", path, self.library])
            return os.path.getsize(path)


class Go(Peer):
    name = "go"
    module = "go.etcd.io/etcd/client/v3"

    def prepare(self, refresh):
        go = need("go", "package golang-go or https://go.dev/dl")
        source = os.path.join(HERE, "peers", "go")
        directory = os.path.join(PLACE, "go")
        stamp = fingerprint(*(os.path.join(source, *path) for path in (["main.go"], ["failover", "main.go"],
                                                                       ["lease", "main.go"], ["watch", "main.go"],
                                                                       ["lock", "main.go"],
                                                                       ["mirror", "main.go"],
                                                                       ["go.mod"])))
        programs = os.path.join(directory, "bin")
        self.program = os.path.join(programs, "peer")
        self.failover = os.path.join(programs, "failover")
        self.lease = os.path.join(programs, "lease")
        self.watch = os.path.join(programs, "watch")
        self.lock = os.path.join(programs, "lock")
        self.mirror = os.path.join(programs, "mirror")
        if refresh or not stamped(directory, stamp, self.program):
            shutil.rmtree(directory, ignore_errors=True)
            shutil.copytree(source, directory)
            try:
                build([go, "get", self.module + "@latest"], directory)
            except Missing:  # a newest that needs a newer Go: the version in go.mod
                shutil.copy(os.path.join(source, "go.mod"), directory)
            build([go, "mod", "tidy"], directory)
            build([go, "build", "-p", str(os.cpu_count() or 1), "-o", programs + os.sep, "./..."], directory)
            put_stamp(directory, stamp)
        with open(os.path.join(directory, "go.mod")) as file:
            self.version = re.search(re.escape(self.module) + r" v(\S+)", file.read())[1]

    def command(self, case):
        return [self.program]


class Rust(Peer):
    name = "rust"

    def prepare(self, refresh):
        cargo = need("cargo", "package cargo or https://rustup.rs")
        source = os.path.join(HERE, "peers", "rust")
        directory = os.path.join(PLACE, "rust")
        stamp = fingerprint(*(os.path.join(source, *path) for path in (["Cargo.toml"], ["src", "main.rs"],
                                                                       ["src", "bin", "lease.rs"],
                                                                       ["src", "bin", "watch.rs"])))
        programs = os.path.join(directory, "target", "release")
        self.program = os.path.join(programs, "bench-peer")
        self.lease = os.path.join(programs, "lease")
        self.watch = os.path.join(programs, "watch")
        if refresh or not stamped(directory, stamp, self.program):
            shutil.rmtree(directory, ignore_errors=True)
            shutil.copytree(source, directory)
            build([cargo, "build", "--release", "--jobs", str(os.cpu_count() or 1)], directory, **self.protoc())
            put_stamp(directory, stamp)
        with open(os.path.join(directory, "Cargo.lock")) as file:
            self.version = re.search(r'name = "etcd-client"\nversion = "([^"]+)"', file.read())[1]

    @staticmethod
    def protoc():
        """The crate's build needs protoc and its .proto files: the system's, or Debian's unpacked in the cache."""
        if shutil.which("protoc") and os.path.exists("/usr/include/google/protobuf/descriptor.proto"):
            return {}
        directory = os.path.join(PLACE, "protoc")
        program = os.path.join(directory, "usr", "bin", "protoc")
        if not os.path.exists(program):
            hint = "package protobuf-compiler with libprotobuf-dev"
            for tool in ("apt-get", "dpkg"):
                need(tool, "install protoc: " + hint)
            with tempfile.TemporaryDirectory(dir=PLACE) as packages:
                build(["apt-get", "download", "protobuf-compiler", "libprotobuf-dev", "libprotoc32", "libprotobuf32"],
                      packages)
                for package in sorted(os.listdir(packages)):
                    build(["dpkg", "-x", os.path.join(packages, package), directory])
        libraries = os.path.join(directory, "usr", "lib")
        paths = [os.path.join(libraries, name) for name in sorted(os.listdir(libraries))]
        return {"PROTOC": program, "PROTOC_INCLUDE": os.path.join(directory, "usr", "include"),
                "LD_LIBRARY_PATH": ":".join(paths)}

    def command(self, case):
        return [self.program]


class Python(Peer):
    pace = 0.5
    first_ops = 60
    packages = ()
    library = None
    distribution = None  # its name on PyPI, if it is not that of the library
    folder = "python"    # of its virtual environment

    def prepare(self, refresh):
        directory = os.path.join(PLACE, self.folder)
        self.python = os.path.join(directory, "bin", "python3")
        try:
            if not os.path.exists(self.python):
                build([sys.executable, "-m", "venv", directory])
            if refresh or not self.importable():
                build([self.python, "-m", "pip", "install", "--quiet", "--upgrade", *self.packages])
        except Missing as error:  # Debian's package, when it is installed
            self.python = "/usr/bin/python3"
            if not os.path.exists(self.python) or not self.importable():
                hint = "(Debian's package python3-%s would do as well)" % self.library
                raise Missing("%s\n    %s" % (error, hint)) from error
        script = "import importlib.metadata as m; print(m.version(%r))" % (self.distribution or self.library)
        self.version = build([self.python, "-c", script]).strip()

    def importable(self):
        return subprocess.run([self.python, "-c", "import " + self.library], env=environment(), check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    def command(self, case):
        return [self.python, os.path.join(HERE, "peers", "python_peer.py"), self.library]


class PythonEtcd3(Python):
    name = "python-etcd3"
    library = "etcd3"
    packages = ("etcd3", "protobuf<3.21")  # its generated code needs protobuf of before 4


class Etcd3gw(Python):
    name = "etcd3gw"
    library = "etcd3gw"
    packages = ("etcd3gw",)


class H2load(Peer):
    """nghttp2's load generator with the bytes of our requests: the rate the server can reach."""
    name = "h2load"
    first_ops = 1000

    def prepare(self, refresh):
        self.program = need("h2load", "package nghttp2-client")
        self.version = build([self.program, "--version"]).split("/")[-1].strip()

    @staticmethod
    def request(case):
        """A gRPC message: no compression, its length, RangeRequest or PutRequest in protobuf."""
        def field(number, data):
            length, size = b"", len(data)
            while size > 127:
                length += bytes([size & 127 | 128])
                size >>= 7
            return bytes([number << 3 | 2]) + length + bytes([size]) + data
        message = field(1, case.key.encode())
        if case.verb == "put" and case.size:
            message += field(2, b"v" * case.size)
        return b"\0" + len(message).to_bytes(4, "big") + message

    def run(self, case, endpoint, ops):
        """Two runs: one for the rate and the CPU time, and one of half the length that logs each request, for the
        percentiles. Logging costs a system call for each request, which would slow the rate down."""
        ops = max(ops, 2 * case.n)
        with tempfile.TemporaryDirectory(dir=PLACE) as directory:
            body = os.path.join(directory, "request")
            log = os.path.join(directory, "log")
            with open(body, "wb") as file:
                file.write(self.request(case))
            base = [self.program, "-c", "1", "-t", "1", "-m", str(case.n), "-d", body,
                    "-H", "content-type: application/grpc", "-H", "te: trailers"]
            url = "http://%s/etcdserverpb.KV/%s" % (endpoint, "Put" if case.verb == "put" else "Range")
            text, cpu = measured(base + ["-n", str(ops), url])
            seconds = self.check(case, ops, text)
            logged = max(ops // 2, case.n)
            text, _ = measured(base + ["-n", str(logged), "--log-file", log, url])
            self.check(case, logged, text)
            with open(log) as file:
                latencies = sorted(int(line.split("\t")[2]) for line in file)
        if len(latencies) != logged:
            raise Invalid("the log has %d requests of %d" % (len(latencies), logged))

        def rank(percent):
            return float(latencies[max(-(-logged * percent // 100), 1) - 1])
        figures = {"ops_per_s": ops / seconds, "p50_us": rank(50), "p99_us": rank(99), "client_cpu_us": cpu / ops}
        return figures, ops + logged

    @staticmethod
    def check(case, ops, text):
        """Seconds that the requests took, without the connect, if all succeeded with answers of the right size."""
        unit = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
        finished = re.search(r"finished in ([0-9.]+)(us|ms|s),", text)
        connect = re.search(r"time for connect: +\S+ +\S+ +([0-9.]+)(us|ms|s)", text)
        good = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
        data = re.search(r"\((\d+)\) data", text)
        if not (finished and connect and good and data):
            raise Invalid("h2load printed no figures: %s" % text[-300:])
        if int(good[1]) != ops:
            raise Invalid("%s of %d requests succeeded" % (good[1], ops))
        size, rest = divmod(int(data[1]), ops)
        if case.verb == "get" and (rest or size < case.size + len(case.key)):
            raise Invalid("answers of %.1f bytes cannot all hold a value of %d" % (int(data[1]) / ops, case.size))
        return float(finished[1]) * unit[finished[2]] - float(connect[1]) * unit[connect[2]]


ALL = (Coord, H2load, Go, Rust, PythonEtcd3, Etcd3gw)


def prepare(contestants, refresh, progress):
    """Build everything. Returns those that take part, and why the others do not."""
    ready, left_out = [], []
    for peer in contestants:
        progress.say("preparing %s" % peer.name, lasting=False)
        try:
            peer.prepare(refresh)
            ready.append(peer)
            progress.say("ready: %s %s" % (peer.name, peer.version))
        except (Missing, OSError) as error:
            if isinstance(peer, Coord):
                raise
            left_out.append({"peer": peer.name, "reason": str(error)})
            progress.say("left out: %s: %s" % (peer.name, error))
    return ready, left_out
