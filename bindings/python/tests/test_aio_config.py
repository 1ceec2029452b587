"""Configuration, with asyncio."""

import asyncio
from dataclasses import dataclass

import pytest
from test_aio import run

import coord


@dataclass
class Limits:
    carts: int = 100


async def until(holds):
    async def wait():
        while not holds():
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 15)


def test_values(etcd, name):
    async def story(client):
        async with client.config("shop", environment="prod", prefix=name, defaults={"d": 1}) as app:
            assert app.application == "prod.shop" and app["d"] == 1
            first = await app.set("a", [1], expected_version=0)
            with pytest.raises(coord.Conflict):
                await app.set("a", [2], expected_version=0)
            second = await app.batch({"a": [2], "b": 1}, expected={"a": first})
            with pytest.raises(coord.Conflict, match="'a' is at version"):
                await app.batch({"a": [3]}, expected={"a": first})
            assert [s.value for s in await app.history("a")] == [[2], [1]]
            assert (await app.get("a", revision=first)).value == [1]
            assert [s.key for s in await app.list()] == ["a", "b"]
            assert await app.delete("b", expected_version=second) is True
            await until(lambda: app.all() == {"a": [2], "d": 1})
            assert app.version("a") == second and "b" not in app
        with pytest.raises(coord.Closed):
            await app.set("a", 1)
        app = await client.config("other", prefix=name)
        with pytest.raises(KeyError):
            app["a"]
        app.close()

    run(etcd, story)


def test_watch(etcd, name):
    async def story(client):
        async with client.config("shop", prefix=name) as app, app.watch() as watch:
            revision = await app.batch({"a": 1, "b": 2})
            changes = await watch.next_changes(15)
            assert changes.keys == ("a", "b") and changes.revision == revision and app["b"] == 2
            assert await watch.next_changes(0.01) is None
            await app.delete("a")
            async for changes in watch:
                assert changes.changes[0].is_deleted
                break
            other = app.watch()
            waiting = asyncio.ensure_future(other.next_changes())
            await asyncio.sleep(0)
            app.close()
            with pytest.raises(coord.Closed):
                await asyncio.wait_for(waiting, 15)

    run(etcd, story)


def test_view_and_callbacks(etcd, name):
    told, later, rejected = [], [], []

    async def story(client):
        async with client.config("shop", prefix=name) as app:
            view = app.view(Limits, validators=[lambda limits: limits.carts > 0])
            view.on_change(lambda new, old: told.append((new.carts, old.carts)))
            app.on_reject(rejected.append)

            @view.on_change
            async def changed(new, old):
                await asyncio.sleep(0)
                later.append(new.carts)

            await app.set("carts", 5)
            await until(lambda: later == [5])
            assert view.value == Limits(5) and told == [(5, 100)]
            await app.set("carts", -5)
            await until(lambda: rejected)
            assert view.value == Limits(5) and view.rejected == rejected[0]
            await app.set("carts", 7)
            await until(lambda: later == [5, 7])
            assert told == [(5, 100), (7, 5)] and view.rejected is None

    run(etcd, story)


def test_a_callback_that_fails_is_told_to_the_loop(etcd, name):
    failures = []

    async def story(client):
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context["exception"]))
        async with client.config("shop", prefix=name) as app:
            view = app.view(Limits)
            view.on_change(lambda new, old: 1 / 0)
            await app.set("carts", 5)
            await until(lambda: failures)
            await app.set("carts", 6)
            await until(lambda: view.value.carts == 6 and len(failures) == 2)

    run(etcd, story)
    assert [type(failure) for failure in failures] == [ZeroDivisionError, ZeroDivisionError]


def test_etcd_is_away(own_etcd):
    async def main():
        async with coord.aio.Client(own_etcd.endpoint) as client:
            async with client.config("shop") as app:
                await app.set("a", 1)
                await until(lambda: app.current("a") == 1)
                own_etcd.stall()
                assert app["a"] == 1
                with pytest.raises(coord.Timeout):
                    await client.config("other", timeout=0.2)
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(awaited(client.config("other", timeout=30)), 0.2)
                late = await client.config("other", wait=False)
                with pytest.raises(coord.Unavailable):
                    late["a"]
                own_etcd.resume()
                await until(lambda: late._is_loaded)

    asyncio.run(main())


async def awaited(opening):
    return await opening
