"""Watches: iterating, batches, compaction, an interrupted server, closing."""

import asyncio
import threading

import pytest

import coord
import coord.aio
from coord import ops


def test_changes_in_order(client, name):
    with client.watch(name, prefix=True, prev_kv=True) as watch:
        first = client.put(name + "a", "1").revision
        client.put(name + "a", "2")
        client.delete(name + "a")
        changes = [next(watch) for _ in range(3)]
    assert [change.type for change in changes] == ["put", "put", "delete"]
    assert changes[0].is_create and changes[0].revision == first and changes[0].previous is None
    assert changes[1].previous.text == "1" and changes[1].text == "2" and not changes[1].is_create
    assert changes[2].key == (name + "a").encode() and changes[2].previous.text == "2"


def test_those_of_one_revision_come_together(client, name):
    with client.watch(name, prefix=True) as watch:
        client.txn().then(*[ops.put(f"{name}{i}", "x") for i in range(5)]).commit()
        batch = watch.next_batch(timeout=10)
        assert len(batch) == 5 and len({change.revision for change in batch}) == 1
        client.txn().then(*[ops.put(f"{name}{i}", "y") for i in range(3)]).commit()
        assert [change.text for change in next(iter(watch.batches()))] == ["y"] * 3


def test_from_the_past_and_only_deletes(client, name):
    start = client.put(name, "1").revision
    client.delete(name)
    with client.watch(name, start_revision=start, puts=False) as watch:
        assert next(watch).type == "delete"
    assert client.watch(name, start_revision=start).next_change(timeout=10).text == "1"


def test_waits_no_longer_than_asked(client, name):
    with client.watch(name) as watch:
        assert watch.next_change(timeout=0.05) is None and watch.next_change(timeout=0) is None
        assert "revision" in repr(watch)


def test_compacted(client, name):
    client.put(name, "1")
    second = client.put(name, "2").revision
    client.compact(second)
    with pytest.raises(coord.Compacted) as failure:
        next(client.watch(name, start_revision=second - 1))
    assert failure.value.revision in (0, second)


def test_close_from_another_thread_ends_the_loop(client, name):
    with client.watch(name) as watch:
        threading.Timer(0.1, watch.close).start()
        assert list(watch) == []


def test_goes_on_after_the_server(own_etcd):
    with coord.Client(own_etcd.endpoint) as client, client.watch("k") as watch:
        client.put("k", "1")
        assert next(watch).text == "1"
        own_etcd.kill()
        assert own_etcd.start()
        client.put("k", "2", timeout=30)
        assert watch.next_change(timeout=30).text == "2"


def test_closed_client_ends_it(etcd):
    client = coord.Client(etcd.endpoint)
    watch = client.watch("k")
    client.close()
    with pytest.raises(coord.Closed):
        next(watch)


def test_asyncio(etcd, name):
    async def main():
        async with coord.aio.Client(etcd.endpoint) as client:
            async with client.watch(name, prefix=True) as watch:
                await client.put(name + "a", "1")
                assert (await watch.next_change()).text == "1"
                assert await watch.next_change(timeout=0.05) is None
                waiter = asyncio.ensure_future(watch.next_change())
                await asyncio.sleep(0.05)
                waiter.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiter
                await client.pipeline([ops.put(f"{name}{i}", "x") for i in range(100)])
                seen = [await watch.next_change(timeout=10) for _ in range(100)]
                assert len({change.key for change in seen}) == 100
                await client.txn().then(ops.put(name + "a", "2"), ops.put(name + "b", "2")).commit()
                assert len(await watch.batches().__anext__()) == 2
                asyncio.get_running_loop().call_later(0.1, watch.close)
                assert [change async for change in watch] == []

    asyncio.run(main())
