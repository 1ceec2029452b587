"""Barriers and queues of work."""

import asyncio

import pytest

import coord
from test_aio import run


def test_barrier(client, name):
    client.barrier_wait(name)  # it is not raised
    client.barrier_raise(name)
    with pytest.raises(coord.Conflict):
        client.barrier_raise(name)
    with pytest.raises(coord.Timeout):
        client.barrier_wait(name, timeout=0.1)
    client.barrier_lower(name)
    client.barrier_lower(name)
    client.barrier_wait(name, timeout=30)


def test_work_is_done_once(client, etcd, name):
    with coord.Client(etcd.endpoint) as other, client.work_queue(name + "q", ttl=30) as mine:
        with pytest.raises(coord.NotFound):
            mine.take(wait=False)
        with pytest.raises(coord.Timeout):
            mine.take(timeout=0.1)
        first = mine.put("one").revision
        mine.put(b"two")
        item = mine.take()
        assert (item.text, item.token > first) == ("one", True) and mine.remaining(item) <= 30
        with other.work_queue(name + "q", ttl=30) as theirs:
            second = theirs.take(timeout=30)
            assert second.value == b"two"
            theirs.give_back(second)
            second = theirs.take(timeout=30)
            assert second.value == b"two"
        mine.done(item)
        item = mine.take(timeout=60)  # that of the other, who has gone
        assert item.value == b"two" and item.token > second.token
        mine.give_back(item)
        with pytest.raises(coord.Lost):
            mine.done(item)
        assert repr(mine).startswith("<work queue b'")
    with pytest.raises(coord.Closed):
        mine.take()


def test_done_is_part_of_a_transaction(client, name):
    with client.work_queue(name + "q", ttl=30) as queue:
        queue.put("one")
        item = queue.take()
        once = client.txn().then(coord.ops.get(name), queue.ending(item), coord.ops.put(name, "done"))
        first = once.commit()
        assert first.succeeded and len(first.results) == 3 and first.results[1] is None
        assert first.results[0] is None and first.results[2].revision == first.revision
        assert not once.commit().succeeded and client.get(name).version == 1
        with pytest.raises(coord.NotFound):
            queue.take(wait=False)
        strange = coord.work.WorkItem(b"elsewhere", b"", 1)
        with pytest.raises(coord.Invalid, match="elsewhere"):
            client.txn().then(queue.ending(strange)).commit()
        with pytest.raises(TypeError, match="made of ops"):
            client.txn().otherwise(queue.ending(item))
    with pytest.raises(coord.Closed):
        once.commit()


def test_told_when_what_was_taken_is_lost(client, name):
    with client.work_queue(name, ttl=30) as queue:
        queue.put("one")
        item = queue.take()
        (lease,) = {kv.lease_id for kv in client.get_prefix(name) if kv.lease_id}
        client.lease_revoke(lease)
        event = queue.next_event(timeout=30)
        while event.type != "lost":
            event = queue.next_event(timeout=30)
        assert isinstance(event.reason, coord.Lost) and queue.remaining(item) == 0
        with pytest.raises(coord.Lost):
            queue.done(item)


def test_asyncio(etcd, name):
    async def story(client):
        await client.barrier_raise(name)
        waiter = asyncio.ensure_future(client.barrier_wait(name))
        await asyncio.sleep(0.05)
        assert not waiter.done()
        await client.barrier_lower(name)
        await waiter
        async with client.work_queue(name + "q", ttl=30) as queue:
            taking = asyncio.ensure_future(queue.take())
            await asyncio.sleep(0.05)
            await queue.put("one")
            item = await taking
            assert item.text == "one"
            await queue.done(item)
            with pytest.raises(coord.NotFound):
                await queue.take(wait=False)

    run(etcd, story)
