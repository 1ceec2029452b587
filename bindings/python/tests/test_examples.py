"""The examples, and the code of MIGRATION.md."""

import asyncio
import importlib.util
import json
import os
import re
import sys
import threading
from pathlib import Path

import pytest
from conftest import until

import coord

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


def blocks():
    text = (HERE / "MIGRATION.md").read_text(encoding="utf-8")
    parts = re.split(r"^### (.+)$", text, flags=re.M)[1:]
    for title, body in zip(parts[::2], parts[1::2]):
        for code in re.findall(r"^```python\n(.*?)^```", body, flags=re.M | re.S):
            yield pytest.param(code, id=title.replace(" ", "-").replace(",", ""))


@pytest.mark.parametrize("code", list(blocks()))
def test_migration(etcd, client, code):
    client.delete("doc/", prefix=True)
    client.put("doc/key", "value")
    host, port = etcd.endpoint.split(":")
    exec(compile(code.replace("localhost:2379", etcd.endpoint), "MIGRATION.md", "exec"), {"client": client, "coord": coord})
