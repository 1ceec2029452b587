"""A client's options, log, life: what is not about keys."""

import asyncio
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

import coord
import coord.aio
import coord.auth
from conftest import until
from coord import _options
from coord._native import ffi, lib

TREE = Path(__file__).resolve().parents[3]


def test_every_code_has_its_exception():
    for code, kind in coord.errors.BY_CODE.items():
        assert ffi.string(lib.coord_code_name(code)).decode() == kind.name and kind.__doc__
        assert getattr(coord, kind.__name__) is kind and issubclass(kind, coord.Error)
    assert sorted(coord.errors.BY_CODE, reverse=True) == list(range(-1, min(coord.errors.BY_CODE) - 1, -1))
    assert ffi.string(lib.coord_code_name(min(coord.errors.BY_CODE) - 1)) == b"UNKNOWN"
    assert issubclass(coord.Timeout, TimeoutError) and issubclass(coord.Invalid, ValueError)
    assert issubclass(coord.Unavailable, ConnectionError) and issubclass(coord.NotFound, LookupError)


def test_names_are_whole_or_refused(client, name):
    """The library takes them with a NUL at their end: what comes behind one would be lost without a word."""
    bad = "a\0b"
    config, registry = client.config(name.rstrip("/")), client.registry(prefix=name)
    for what, call in (
        ("key", lambda: config.set(bad, 1)),
        ("key", lambda: config.get(bad)),
        ("key", lambda: config.batch({bad: 1})),
        ("application", lambda: client.config(bad)),
        ("service", lambda: registry.discover(bad)),
        ("service", lambda: registry.fetch(bad)),
        ("service", lambda: registry.picker(bad)),
        ("service", lambda: registry.watch(bad)),
        ("name", lambda: client.execute(coord.auth.user_add(bad, "x"))),
        ("role", lambda: client.execute(coord.auth.role_grant(bad, "read", "a"))),
        ("endpoints", lambda: client.set_endpoints("127.0.0.1:1\0")),
        ("file", lambda: coord.Client(file="/\0")),
    ):
        with pytest.raises(coord.Invalid, match=what + " has a NUL character at"):
            call()
    with pytest.raises(coord.Invalid) as caught:
        coord.Client("127.0.0.1:1", username="u", password="secret\0")
    assert "password has a NUL" in str(caught.value) and "secret" not in str(caught.value)
    with pytest.raises(coord.Invalid, match="key has half of a character at 1"):
        client.put("a\ud800", "1")
    with pytest.raises(TypeError, match="name must be str, not int"):
        coord.auth.user_add(7)


def test_every_option_is_a_keyword():
    names = {ffi.string(lib.coord_options_name(i)).decode() for i in range(lib.coord_options_count())}
    assert {name for name, _ in _options.TABLE.values()} == names - {"endpoints"}
    assert set(_options.Options.__annotations__) == set(_options.TABLE)
    done = subprocess.run([sys.executable, str(TREE / "bindings/python/generate.py"), "--check"], capture_output=True)
    assert done.returncode == 0, done.stderr


def test_options(etcd):
    with coord.Client(
        [etcd.endpoint], request_timeout=timedelta(seconds=2), namespace="ns/", lock_ttl=7, tls_verify=True
    ) as client:
        assert client._option("request.timeout.ms") == "2000" and client._option("lock.ttl.s") == "7"
        client.put("a", "1")
        assert client.get("a").key == b"a" and "namespace='ns/'" in repr(client)
    with coord.Client(etcd.endpoint) as whole:
        assert whole.get("ns/a").text == "1"
    with pytest.raises(TypeError, match="there is no option 'timeout'"):
        coord.Client(timeout=3)
    with pytest.raises(coord.Invalid, match="request.timeout.ms"):
        coord.Client(request_timeout=1e6)
    with pytest.raises(TypeError, match="must be True or False"):
        coord.Client(connect_lazy=True, tls_verify="no")
    with pytest.raises(coord.Unavailable):
        coord.Client("127.0.0.1:1", connect_timeout=0.3)


def test_options_of_files_and_environment(etcd, tmp_path, monkeypatch):
    (tmp_path / "coord.yaml").write_text(f"defaults:\n  endpoints: {etcd.endpoint}\nfast:\n  request.timeout.ms: 700\n")
    with coord.Client(file=str(tmp_path / "coord.yaml"), section="fast") as client:
        assert client._option("request.timeout.ms") == "700"
    monkeypatch.setenv("COORD_ENDPOINTS", etcd.endpoint)
    with coord.Client(env=True, request_timeout=3) as client:
        assert client._option("endpoints") == etcd.endpoint and client.get("nothing") is None
    with pytest.raises(coord.Invalid, match="nowhere"):
        coord.Client(file="nowhere.yaml")


def test_log(own_etcd, caplog):
    log = logging.getLogger("test of the log")
    log.setLevel(logging.INFO)
    with coord.Client(own_etcd.endpoint, logger=log) as client:
        assert client._option("log.level") == "info"
        own_etcd.kill()
        with pytest.raises(coord.Error):
            client.get("a", timeout=0.5)
        until(lambda: client.stats() and (client._caller.drain() or len(caplog.records) >= 2))
    record = next(record for record in caplog.records if record.levelno == logging.WARNING)
    assert record.name == "test of the log" and own_etcd.endpoint in record.getMessage()


def test_log_with_asyncio(own_etcd, caplog):
    async def main():
        async with coord.aio.Client(own_etcd.endpoint) as client:
            own_etcd.kill()
            with pytest.raises(coord.Error):
                await client.get("a", timeout=0.5)
            while not caplog.records:
                await asyncio.sleep(0.01)

    asyncio.run(main())
    assert caplog.records[0].name == "coord"


def test_closed_client(etcd):
    client = coord.Client(etcd.endpoint)
    client.close()
    client.close()
    with pytest.raises(coord.Closed):
        client.get("a")


def test_other_endpoints(etcd):
    with coord.Client("127.0.0.1:1", connect_lazy=True) as client:
        client.set_endpoints([etcd.endpoint])
        assert client.get("a", timeout=20) is None


def test_many_threads(client, name):
    def work(i):
        for j in range(50):
            client.put(f"{name}{i}/{j}", "x")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.range(name, prefix=True, count_only=True).total == 400


# ---- fork -----------------------------------------------------------------------------------------


def in_child(story):
    """Run it in a forked child: what it returned, or the exception."""
    ours, theirs = multiprocessing.Pipe()
    child = os.fork()
    if child == 0:
        try:
            theirs.send(story())
        except BaseException as failure:
            theirs.send(failure)
        os._exit(0)
    assert ours.poll(30)
    answer = ours.recv()
    os.waitpid(child, 0)
    return answer


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_fork(client, name):
    with client.lease(3) as lease, client.lock(name + "lock", ttl=5) as held:
        client.put(name, "parent's", lease=lease)
        refused = in_child(lambda: client.get(name))
        assert isinstance(refused, coord.Forked) and "coord.after_fork()" in str(refused)
        assert in_child(lambda: held.is_held) is False
        assert isinstance(in_child(lambda: client.lock("x")), coord.Forked)

        def anew():
            coord.after_fork()
            client.put(name + "child", "1")
            with client.lock(name + "other", ttl=5):
                return client.get(name).text, held.is_held

        assert in_child(anew) == ("parent's", False)
        assert client.get(name + "child").text == "1" and held.is_held and lease.is_alive
    coord.after_fork()  # nothing was forked
    assert client.get(name + "child")


POOL = """
import multiprocessing, os, sys, warnings, coord
warnings.simplefilter("ignore", DeprecationWarning)

def ask(_):
    return client.get("nothing")

with coord.Client(sys.argv[1]) as client:
    with multiprocessing.get_context("fork").Pool(2, initializer=coord.after_fork) as pool:
        print(pool.map(ask, range(4)))
    os.register_at_fork(after_in_child=coord.after_fork)
    child = os.fork()
    if child == 0:
        os._exit(0 if ask(0) is None else 1)
    print(os.waitpid(child, 0)[1])
"""


def test_fork_as_frameworks_do_it(etcd):
    done = subprocess.run([sys.executable, "-c", POOL, etcd.endpoint], text=True, capture_output=True, timeout=120)
    assert done.stdout == "[None, None, None, None]\n0\n", done.stderr


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_fork_and_asyncio(etcd):
    async def main():
        async with coord.aio.Client(etcd.endpoint) as client:
            await client.put("a", "1")

            def on_a_new_loop(client):
                loop = asyncio.new_event_loop()
                asyncio.events._set_running_loop(None)
                return loop.run_until_complete(coord.aio.Client.get(client, "a"))

            refused = in_child(lambda: on_a_new_loop(client))
            assert isinstance(refused, RuntimeError) and "another event loop" in str(refused)
            unused = coord.aio.Client(etcd.endpoint, connect_lazy=True)
            assert isinstance(in_child(lambda: on_a_new_loop(unused)), coord.Forked)
            assert (await client.get("a")).text == (await unused.get("a")).text == "1"
            await unused.close()

    asyncio.run(main())


FORKING = """
import os, sys, coord
os.register_at_fork(after_in_child=coord.after_fork)
with coord.Client(sys.argv[1]) as client:
    client.put(sys.argv[2], "parent's")
    if os.fork() == 0:
        client.put(sys.argv[2], client.get(sys.argv[2]).text + " child")
        os._exit(0)
    status = os.wait()[1]
    print(status, client.get(sys.argv[2]).text)
"""


def test_every_fork_may_be_followed(etcd, name):
    done = subprocess.run([sys.executable, "-c", FORKING, etcd.endpoint, name], text=True, capture_output=True, timeout=60)
    assert done.stdout == "0 parent's child\n", (done.stdout, done.stderr)


# ---- other loops, leaks ------------------------------------------------------------------------------


def test_uvloop(etcd, name):
    uvloop = pytest.importorskip("uvloop")

    async def main():
        async with coord.aio.Client(etcd.endpoint) as client:
            async with client.watch(name, prefix=True) as watch, client.lock(name + "l", ttl=5):
                await asyncio.gather(*(client.put(f"{name}{i}", "x") for i in range(100)))
                seen = [await watch.next_change(timeout=10) for _ in range(100)]
            task = asyncio.ensure_future(client.watch(name).next_change())
            await asyncio.sleep(0.01)
            task.cancel()
            return len(seen)

    loop = uvloop.new_event_loop()
    assert loop.run_until_complete(main()) == 100
    loop.close()


def test_import_is_quick_and_needs_cffi_alone():
    text = "import sys; before = set(sys.modules); import coord, coord.aio; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", text], text=True, capture_output=True, check=True)
    outside = {
        name.split(".")[0] for name in done.stdout.split() if name.split(".")[0] not in sys.stdlib_module_names
    } if sys.version_info >= (3, 10) else set()
    assert outside <= {"coord", "_cffi_backend", "cffi"}
