"""The examples, and the code of MIGRATION.md and of the README.md of the tree; that of our README.md names what there is."""

import ast
import asyncio
import contextlib
import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import threading
import urllib.request
from pathlib import Path

import pytest

import coord
import coord.aio
from conftest import until
from coord import ops

HERE = Path(__file__).resolve().parent.parent


def example(name):
    spec = importlib.util.spec_from_file_location(name, HERE / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def test_worker_pool(etcd, client):
    pool = example("worker_pool")
    pool.add_jobs(client, 12)
    done = []

    def worker():
        with coord.Client(etcd.endpoint) as own:
            done.append(pool.work(own))

    threads = [threading.Thread(target=worker) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 12
    results = {kv.key_text[len(pool.DONE) :]: kv.text.split()[0] for kv in client.get_prefix(pool.DONE)}
    assert results == {f"{number:05d}": str(number * number) for number in range(12)}


def test_leader_cron(etcd, client):
    cron = example("leader_cron")
    runs = []

    def member(name):
        with coord.Client(etcd.endpoint) as own:
            cron.run(own, 0.01, lambda: runs.append(name), 3)

    threads = [threading.Thread(target=member, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs in (["a"] * 3 + ["b"] * 3, ["b"] * 3 + ["a"] * 3)  # one after the other
    assert str(os.getpid()) in client.get(cron.LAST).text


def test_service(etcd, client):
    service = example("service")
    stop = threading.Event()

    def serve():
        with coord.Client(etcd.endpoint) as own:
            service.serve(own, 0, stop)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.registry() as registry:
            until(lambda: registry.discover(service.NAME))
            port = registry.discover(service.NAME)[0].port
            assert service.call(registry.picker(service.NAME)) == f"hello from {port}"
            stop.set()
            until(lambda: not registry.discover(service.NAME))
    finally:
        stop.set()
        thread.join()


def test_feature_flags(etcd, client, capsys):
    flags = example("feature_flags")
    with client.config("example-shop", environment="prod") as config:
        view = flags.watch_flags(config)
        assert flags.page(view.value, 7) == "light page, classic checkout"
        flags.main(["--etcd", etcd.endpoint, "--set", "dark=true"])
        until(lambda: config.poll(0.1) or view.value.dark)
        flags.main(["--etcd", etcd.endpoint, "--set", "share=50"])
        until(lambda: view.value.share == 50)
        assert flags.page(view.value, 7) == "dark page, new checkout"
        flags.main(["--etcd", etcd.endpoint, "--set", "share=500"])
        until(lambda: view.value is not None and view.rejected is not None)
        assert view.value.share == 50


async def ask(app, method, path):
    """One request, without a server."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "http_version": "1.1"}
    await app(scope, receive, send)
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent))


def test_web_app(etcd, monkeypatch):
    pytest.importorskip("starlette", reason="starlette is not installed")
    monkeypatch.setenv("COORD_ENDPOINTS", etcd.endpoint)
    web = example("web_app")

    async def main():
        async with web.lifespan(web.app):
            assert await ask(web.app, "GET", "/health") == (200, {"etcd": "ok"})
            counts = await asyncio.gather(*(ask(web.app, "POST", "/counters/a") for _ in range(5)))
            assert sorted(found["count"] for _, found in counts) == [1, 2, 3, 4, 5]
            assert await ask(web.app, "GET", "/counters/a") == (200, {"count": 5})

    asyncio.run(main())


# ---- as their first lines say -------------------------------------------------------------------


def printed(name):
    """The command lines in the description of an example."""
    description = (HERE / "examples" / f"{name}.py").read_text(encoding="utf-8").split('"""')[1]
    return re.findall(r"(?:python|uvicorn) .*?(?=  |;|$)", description, flags=re.M)


@contextlib.contextmanager
def running(command, etcd, output):
    """Run a command line until it ends, or until the block does: then by Ctrl-C."""
    words = shlex.split(command.replace("localhost:2379", etcd.endpoint).replace("--port 8080", "--port 0"))
    words[:1] = [sys.executable] if words[0] == "python" else [sys.executable, "-m", words[0]]
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "COORD_ENDPOINTS": etcd.endpoint}
    with open(output, "w") as file, subprocess.Popen(words, cwd=HERE / "examples", env=env, stdout=file, stderr=file) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def ended(command, etcd, output):
    with running(command, etcd, output) as process:
        until(lambda: process.poll() is not None, 60)
    assert process.returncode == 0, output.read_text()
    return output.read_text()


def test_feature_flags_as_printed(etcd, client, tmp_path):
    follow, change = printed("feature_flags")
    with client.config("example-shop", environment="prod") as config:
        config.set("share", 5)  # what another test has left is none
    with running(follow, etcd, tmp_path / "follow"):
        until(lambda: "page" in (tmp_path / "follow").read_text(), 60)
        ended(change.replace("dark=true", 'checkout=\'"other"\''), etcd, tmp_path / "change")
        until(lambda: "checkout='other'" in (tmp_path / "follow").read_text())


def test_leader_cron_as_printed(etcd, tmp_path):
    (command,) = printed("leader_cron")
    with running(command, etcd, tmp_path / "out"):
        until(lambda: "cron: the job of" in (tmp_path / "out").read_text(), 60)


def test_service_as_printed(etcd, client, tmp_path):
    serve, call = printed("service")
    with running(serve, etcd, tmp_path / "serve"), client.registry() as registry:
        until(lambda: registry.discover("example-web"), 60)
        port = registry.discover("example-web")[0].port
        assert ended(call, etcd, tmp_path / "call") == f"hello from {port}\n"


def test_worker_pool_as_printed(etcd, tmp_path):
    (command,) = printed("worker_pool")
    assert ended(command, etcd, tmp_path / "out") == "did 20 jobs\n"


def test_web_app_as_printed(etcd, tmp_path):
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    (command,) = printed("web_app")
    with running(f"{command} --port 0", etcd, tmp_path / "out") as process:
        until(lambda: process.poll() is not None or "running on" in (tmp_path / "out").read_text(), 60)
        url = re.search(r"http://\S+", (tmp_path / "out").read_text()).group()
        with urllib.request.urlopen(f"{url}/counters/printed", data=b"", timeout=20) as answer:
            assert json.load(answer) == {"count": 1}


# ---- pages --------------------------------------------------------------------------------------


def blocks(path):
    """The Python code of a page, each with the title that it stands below."""
    title, found = "", []
    for heading, code in re.findall(r"^##+ ([^\n]+)$|^```python\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.M | re.S):
        title = heading or title
        if code:
            found.append(pytest.param(code, id=title.replace(" ", "-").replace(",", "")))
    assert found, f"no code in {path}"
    return found


def as_printed(code, etcd, names):
    exec(compile(code.replace("localhost:2379", etcd.endpoint), "a page", "exec"), names)


@pytest.mark.parametrize("code", blocks(HERE / "MIGRATION.md"))
def test_migration(etcd, client, code):
    client.delete("doc/", prefix=True)
    client.put("doc/key", "value")
    as_printed(code, etcd, {"client": client, "coord": coord})


@pytest.mark.parametrize("code", blocks(HERE.parents[1] / "README.md"))
def test_readme_of_the_tree(etcd, code, capsys):
    as_printed(code, etcd, {"__name__": "readme"})
    assert "hello" in capsys.readouterr().out


def test_readme_names_what_there_is():
    """Its code is in pieces: whatever is called there on what we have is a member of it, in both clients."""
    code = "\n".join(param.values[0] for param in blocks(HERE / "README.md"))
    tree = ast.parse(f"async def page():\n{textwrap.indent(code, '    ')}")
    lazily = {"connect_lazy": True, "log_level": "off"}

    async def main():
        async with coord.aio.Client("127.0.0.1:1", **lazily) as apart:
            with coord.Client("127.0.0.1:1", **lazily) as client:
                named = set()
                for one in (client, apart):
                    registry = one.registry()
                    for member in members(tree, coord=coord, ops=ops, client=one, registry=registry):
                        named.add(member)
                assert len(named) > 20, named

    asyncio.run(main())


def members(tree, **things):
    """(name, member) of all that is read of these things."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in things:
            assert hasattr(things[node.value.id], node.attr), f"{node.value.id}.{node.attr}"
            yield node.value.id, node.attr
