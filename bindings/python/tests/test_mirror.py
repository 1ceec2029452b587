"""Mirrors: content at once, changes, files, an absent server."""

import asyncio

import pytest

import coord
import coord.aio
from conftest import until


def test_reads_what_is_there(client, name):
    for i in range(10):
        client.put(f"{name}{i}", str(i))
    with client.mirror(name) as mirror:
        assert len(mirror) == 10 and mirror.get(name + "3").text == "3" and mirror.get(name + "x") is None
        assert name + "3" in mirror and [kv.text for kv in mirror] == [str(i) for i in range(10)]
        assert [kv.text for kv in mirror.range(name + "4", name + "6").kvs] == ["4", "5"]
        assert mirror.range(limit=2).more and mirror.get_prefix(name + "7").total == 1
        assert mirror.staleness == 0 and mirror.revision > 0
        revision = client.put(name + "3", "three").revision
        changes = mirror.next_changes(timeout=30)
        assert changes[0].text == "three" and changes[0].previous.text == "3" and mirror.revision == revision
        assert mirror.get(name + "3").text == "three"
        with pytest.raises(coord.Invalid, match="prefix"):
            mirror.get("elsewhere")


def test_not_loaded(tmp_path):
    with coord.Client("127.0.0.1:1", connect_lazy=True) as client:
        mirror = client.mirror("a/", wait=False)
        assert not mirror.is_loaded and mirror.staleness is None
        with pytest.raises(coord.Unavailable):
            mirror.get("a/1")
        with pytest.raises(coord.Timeout):
            client.mirror("a/", timeout=0.2)


def test_file(own_etcd, tmp_path):
    kept = str(tmp_path / "kept")
    with coord.Client(own_etcd.endpoint) as client:
        client.put("a/1", "x")
        with client.mirror("a/", file=kept, file_interval=0.01):
            until(lambda: (tmp_path / "kept").exists())
    own_etcd.kill()
    with coord.Client(own_etcd.endpoint, connect_lazy=True) as client:
        with client.mirror("a/", file=kept, timeout=0.3) as mirror:
            assert mirror.get("a/1").text == "x" and mirror.staleness > 0


def test_asyncio(etcd, name):
    async def main():
        async with coord.aio.Client(etcd.endpoint) as client:
            await client.put(name + "a", "1")
            async with client.mirror(name) as mirror:
                assert mirror.get(name + "a").text == "1"
                await client.put(name + "b", "2")
                assert (await mirror.next_changes(timeout=30))[0].text == "2"

    asyncio.run(main())
