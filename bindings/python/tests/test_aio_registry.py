"""Registry, discovery, pickers, with asyncio."""

import asyncio

import pytest
from test_aio import run
from test_registry import ids

import coord


async def eventually(holds, seconds=15):
    async def wait():
        while not await holds():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), seconds)


def test_life_of_an_instance(etcd, name):
    async def story(client):
        async with client.registry(prefix=name) as registry:
            assert await registry.discover("web") == () and await registry.services() == []
            async with registry.register("web", address="10.0.0.7", port=8080, metadata={"zone": "eu"}) as me:
                assert me.id == "10.0.0.7:8080" and me.remaining > 0

                async def is_there():
                    return await registry.discover("web")

                await eventually(is_there)
                (found,) = await registry.fetch("web")
                assert found == me.instance == await registry.first("web")
                await me.update(weight=7, metadata={"zone": None})
                assert me.instance.weight == 7 and not me.instance.metadata
                with pytest.raises(coord.Conflict):
                    await registry.register("web", address="10.0.0.7", port=8080)
                await me.drain()
                assert (await registry.fetch("web"))[0].status == "draining"
            assert me.state == "closed" and await registry.fetch("web") == ()
            me = await registry.register("web", address="b")
            assert (await me.next_event(15)).type == "acquired"
            await me.close()
            assert [event.type async for event in me.events()][-1] == "closed"

    run(etcd, story)


async def two(watch):
    found = []
    async for change in watch:
        found.append(change)
        if len(found) == 2:
            return found


def test_watch(etcd, name):
    async def story(client):
        registry = client.registry(prefix=name)
        async with registry.watch("web") as watch:
            assert (await watch.next_change(15)).instances == ()
            async with registry.register("web", address="a", drain=0.5):
                change = await watch.next_change()
                assert [(c.type, c.instance.id) for c in change.changes] == [("up", "a")]
                assert ids(change.instances) == ["a"] == ids(await registry.discover("web"))
                task = asyncio.ensure_future(two(watch))
            told = [change for told in await task for change in told.changes]
            assert [(c.type, c.instance.status) for c in told] == [("changed", "draining"), ("down", "draining")]
            assert await watch.next_change(0.01) is None

    run(etcd, story)


def test_picker(etcd, name):
    async def story(client):
        registry = client.registry(prefix=name)
        a = await registry.register("web", address="a")
        b = await registry.register("web", address="b")
        async with registry.picker("web", "least_pending") as picker:

            async def both():
                return len(await registry.discover("web")) == 2

            await eventually(both)
            with picker.pick() as one, picker.pick() as other:
                assert {one.id, other.id} == {"a", "b"}
            picker.failed(one)
            assert picker.pick().id == other.id
        await a.close()
        await b.close()
        with pytest.raises(coord.NotFound):
            (await registry.picker("nothing")).pick()

    run(etcd, story)


def test_decorator(etcd, name):
    async def story(client):
        registry = client.registry(prefix=name)

        @registry.service("job", address="a")
        async def main(what):
            assert ids(await registry.fetch("job")) == ["a"]
            return what

        assert await main(7) == 7
        assert await registry.fetch("job") == ()

    run(etcd, story)


def test_lost_and_restored(own_etcd):
    seen, later = [], []

    async def on_event(event):
        seen.append(event.type)
        await asyncio.sleep(0)
        later.append(event.type)

    async def story(client):
        async with client.registry().register("web", address="a", ttl=2, on_event=on_event) as me:
            own_etcd.kill()

            async def is_lost():
                return "lost" in seen

            await eventually(is_lost, 50)
            assert me.state == "lost"
            await asyncio.get_running_loop().run_in_executor(None, own_etcd.start)

            async def is_restored():
                return later[-1] == "restored" and me.state == "registered"

            await eventually(is_restored, 50)

    async def main():
        async with coord.aio.Client(own_etcd.endpoint) as client:
            await story(client)

    asyncio.run(main())
    assert seen[:1] == ["acquired"] and seen.index("lost") < len(seen) - 1


def test_a_callback_that_fails_is_told_to_the_loop(etcd, name):
    told = []

    async def story(client):
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        async with client.registry(prefix=name).register("web", address="a", on_event=lambda event: 1 / 0) as me:
            while not told:
                await asyncio.sleep(0.01)
            await me.update(weight=2)

    run(etcd, story)
    assert isinstance(told[0]["exception"], ZeroDivisionError)


def test_registering_is_cancelled(own_etcd):
    async def limited():
        async with coord.aio.Client(own_etcd.endpoint) as client:
            own_etcd.stall()
            registry = client.registry()
            for waiting in (registry.discover("web"), registry.register("web", address="a")):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(_awaited(waiting), 0.2)
            own_etcd.resume()
            assert await registry.discover("web", timeout=30) == ()

    asyncio.run(limited())


async def _awaited(waiting):
    return await waiting
