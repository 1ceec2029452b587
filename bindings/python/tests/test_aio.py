"""asyncio: the same verbs, cancelling, one client on one loop."""

import asyncio

import pytest

import coord
import coord.aio
from coord import key, ops


def run(etcd, story, **options):
    async def main():
        async with coord.aio.Client(etcd.endpoint, **options) as client:
            return await asyncio.wait_for(story(client), 60)

    return asyncio.run(main())


def test_verbs(etcd, name):
    async def story(client):
        await client.put(name + "a", "1")
        assert (await client.get(name + "a")).text == "1"
        done = await client.txn().when(key(name + "a").value == "1").then(ops.get(name + "a")).commit()
        assert done.succeeded and done.results[0].text == "1"
        await client.pipeline([ops.put(f"{name}{i:03}", "x") for i in range(120)])
        assert [kv async for kv in client.get_prefix(name, page=50)][0].key_text == name + "000"
        sizes = [len(page) async for page in client.get_prefix(name, page=50).pages()]
        assert sum(sizes) == 121 and max(sizes) <= 50  # a server that streams chooses them itself
        assert (await client.delete(name, prefix=True)).deleted == 121
        assert "3." in (await client.status())["version"]
        with pytest.raises(coord.NotFound):
            await client.put(name, "x", lease=4711)
        with pytest.raises(coord.Invalid) as failure:
            await client.pipeline([ops.put(name, "1"), ops.put("", "1")])
        assert failure.value.results[0].revision

    run(etcd, story)


def test_many_at_once(etcd, name):
    async def story(client):
        answers = await asyncio.gather(*(client.put(f"{name}{i}", "x") for i in range(500)))
        assert len({answer.revision for answer in answers}) == 500

    run(etcd, story)


def test_cancelling_a_task_cancels_the_call(own_etcd, name):
    async def story(client):
        own_etcd.stall()
        task = asyncio.ensure_future(client.put(name, "1", timeout=30))
        await asyncio.sleep(0.1)
        assert client._caller._waiting
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while client._caller._waiting:  # its completion has come
            await asyncio.sleep(0.01)
        own_etcd.resume()

    run(own_etcd, story)


def test_timeout(own_etcd, name):
    async def story(client):
        own_etcd.stall()
        with pytest.raises(coord.Timeout) as failure:
            await client.put(name, "1", timeout=0.2)
        assert failure.value.maybe_applied
        own_etcd.resume()

    run(own_etcd, story)


def test_another_loop_is_refused(etcd, name):
    client = coord.aio.Client(etcd.endpoint)
    asyncio.run(client.put(name, "1"))
    with pytest.raises(RuntimeError, match="belongs to another event loop"):
        asyncio.run(client.put(name, "1"))
    asyncio.run(client.close())


def test_nobody_answers():
    async def main():
        async with coord.aio.Client("127.0.0.1:1", connect_timeout=0.3):
            pass

    with pytest.raises(coord.Unavailable):
        asyncio.run(main())
