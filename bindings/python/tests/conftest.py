"""Fixtures: a real etcd on a free port; and the case lines that ./dev counts, with --lines."""

import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import time

import pytest

import coord
from coord._base import ClientBase

WIRE = os.environ.get("COORD_TEST_WIRE")


def use_wire(wire):
    """Clients that name no wire use this one."""
    begin = ClientBase.__init__

    def init(self, endpoints, *, keywords, **rest):
        begin(self, endpoints, keywords={"wire": wire, **keywords}, **rest)

    ClientBase.__init__ = init


if WIRE:
    use_wire(WIRE)


def free_port():
    """One below those that the system gives to connections, so that it is free still after a restart."""
    while True:
        port = random.SystemRandom().randrange(10_000, 30_000)
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Etcd:
    """A server of one node with a folder of its own; it can be stopped, and killed and started again."""

    def __init__(self, folder):
        program = os.environ.get("COORD_TEST_ETCD") or shutil.which("etcd")
        if not program:
            pytest.skip("there is no etcd: COORD_TEST_ETCD names it")
        self.program, self.folder = program, folder
        self.is_old = "3.4" in subprocess.run([program, "--version"], text=True, capture_output=True).stdout.splitlines()[0]
        self.log = open(folder / "log", "ab")
        for _ in range(5):
            self.choose_ports()
            if self.start():
                return
        raise RuntimeError(f"etcd does not start: {(folder / 'log').read_text()[-2000:]}")

    def choose_ports(self):
        self.endpoint = f"127.0.0.1:{free_port()}"
        client, peer = f"http://{self.endpoint}", f"http://127.0.0.1:{free_port()}"
        self.words = [
            self.program, "--name", "one", "--data-dir", str(self.folder / "data"), "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", f"one={peer}", "--log-level", "error", *([] if self.is_old else ["--unsafe-no-fsync"]),
        ]  # fmt: skip

    def start(self):
        """Start it and wait until it answers. False: it has ended, because another one has its port perhaps."""
        self.process = subprocess.Popen(self.words, stdout=self.log, stderr=self.log)
        with coord.Client(self.endpoint, connect_lazy=True, log_level="off") as client:
            while self.process.poll() is None:
                try:
                    client.get("is it there", timeout=1)
                    return True
                except coord.Error:
                    pass
        return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stall(self):
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)  # all its threads

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.resume()
        self.kill()
        self.log.close()


@pytest.fixture(scope="session")
def etcd(tmp_path_factory):
    server = Etcd(tmp_path_factory.mktemp("etcd"))
    yield server
    server.stop()


@pytest.fixture
def own_etcd(tmp_path):
    """One that a test may stop and kill."""
    server = Etcd(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def name(request):
    """What the keys of this test begin with."""
    return f"{request.node.name}/"


@pytest.fixture
def client(etcd):
    with coord.Client(etcd.endpoint) as opened:
        yield opened


def until(holds, seconds=15):
    """Wait for a state; it is given much time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "this did not come about"
        time.sleep(0.01)


# ---- case lines ---------------------------------------------------------------------------------


def pytest_addoption(parser):
    parser.addoption("--lines", action="store_true", help="print only ok NAME, not ok NAME: why, skip NAME: why")
    parser.addoption("--uvloop", action="store_true", help="event loops are those of uvloop")


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    # What a thread or a callback raises fails the test that it belongs to.
    for warning in ("PytestUnhandledThreadExceptionWarning", "PytestUnraisableExceptionWarning"):
        config.addinivalue_line("filterwarnings", f"error::pytest.{warning}")
    if config.getoption("--uvloop"):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    if config.getoption("--lines"):
        config.pluginmanager.unregister(name="terminalreporter")
        config.pluginmanager.register(Lines())


class Lines:
    """Prints what the other test programs print."""

    def pytest_runtest_logreport(self, report):
        file, case = report.nodeid.rsplit("/", 1)[-1].replace("test_", "").split(".py::", 1)
        case = f"{file}_{case}".replace(": ", ":")
        if report.skipped:
            print(f"skip {case}: {report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr}", flush=True)
        elif report.failed:
            print(report.longreprtext, flush=True)
            why = " | ".join(line[1:].strip() for line in report.longreprtext.splitlines() if line.startswith("E "))
            print(f"not ok {case}{' (' + report.when + ')' if report.when != 'call' else ''}: {why[:600]}", flush=True)
        elif report.when == "call":
            print(f"ok {case}", flush=True)

    def pytest_collectreport(self, report):
        if report.failed:
            print(f"{report.longreprtext}\nnot ok {report.nodeid}: it cannot be read", flush=True)
