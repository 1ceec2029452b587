"""Nothing grows: calls, watches and locks by the thousand, by tracemalloc and by the size of the process."""

import asyncio
import gc
import os
import tracemalloc

import coord
import coord.aio
from coord import ops


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grown(story, rounds):
    """Bytes that Python holds more after a tenth of so many rounds, and that the process has more after all of them."""

    def some():
        for _ in range(rounds // 10):
            story()
        gc.collect()

    some()
    tracemalloc.start()  # it knows of nothing that was made before
    some()
    before = tracemalloc.get_traced_memory()[0]
    some()
    held, size = tracemalloc.get_traced_memory()[0] - before, resident()
    tracemalloc.stop()
    for _ in range(rounds):
        story()
    gc.collect()
    return held, resident() - size


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_calls(client, name):
    """100,000 calls: most of them of the kinds that need no server, all through the same conversions."""
    batch = [ops.put(f"{name}{i % 10}", b"x" * 200) for i in range(10)] + [ops.get(f"{name}{i % 10}") for i in range(40)]
    client.pipeline(batch)
    refused = [ops.put("", b"fails") for _ in range(150)]
    with client.mirror(name) as mirror:

        def story():
            client.pipeline(batch)
            try:
                client.pipeline(refused)
            except coord.Invalid:
                pass
            for i in range(800):
                mirror.get(f"{name}{i % 12}")
            while mirror.next_changes(timeout=0):
                pass

        held, size = grown(story, 100)
    assert held < 50_000 and size < 8_000_000, (held, size)


def test_handles(client, name):
    def story():
        for _ in range(10):
            with client.watch(name, prefix=True) as watch, client.lock(name + "l", ttl=5):
                client.put(name, "x")
                assert watch.next_change(timeout=10)
            list(client.get_prefix(name))
            client.txn().then(ops.get(name)).commit()

    before = descriptors()
    held, size = grown(story, 20)
    gc.collect()
    assert held < 50_000 and size < 8_000_000, (held, size)
    assert descriptors() <= before + 4


def test_asyncio(etcd, name):
    async def main():
        async with coord.aio.Client(etcd.endpoint) as client:

            async def story():
                await asyncio.gather(*(client.get(f"{name}{i}") for i in range(100)))
                async with client.watch(name) as watch, client.lock(name + "l", ttl=5):
                    task = asyncio.ensure_future(watch.next_change())
                    await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)

            for _ in range(20):
                await story()
            gc.collect()
            size, fds = resident(), descriptors()
            for _ in range(60):
                await story()
            gc.collect()
            assert resident() - size < 8_000_000 and descriptors() <= fds + 4
            assert not client._caller._waiting

    asyncio.run(main())


def test_services(client, name):
    """Discovery, pickers, instances that change; changes that nobody has asked for when a watch is closed."""
    with client.registry(prefix=name + "services") as registry:
        many = [registry.register("web", address=f"10.0.0.{i}", port=1, ttl=60) for i in range(5)]
        blob = "x" * 50_000
        last = [0]

        def story():
            picker = registry.picker("web", "least_pending", subset={})
            for _ in range(50):
                with picker.pick():
                    pass
            picker.close()
            with registry.watch("web") as seen, registry.watch("web") as unseen:
                assert seen.next_change(timeout=10)
                for _ in range(4):
                    last[0] += 1
                    many[0].update(metadata={"blob": blob + str(last[0])})
                while seen.next_change(timeout=10).instances[0].metadata["blob"] != blob + str(last[0]):
                    pass
                assert unseen.next_change(timeout=10)
            assert len(registry.discover("web")) == 5

        held, size = grown(story, 40)
        for one in many:
            one.close()
    assert held < 60_000 and size < 5_000_000, (held, size)


def test_asyncio_handles_that_are_dropped(etcd, name):
    """What follows a registration or a configuration ends with it, also when nobody closes it."""

    async def main():
        async with coord.aio.Client(etcd.endpoint) as client:
            registry = client.registry(prefix=name + "services")

            async def story():
                await registry.register("web", address="10.0.0.1", port=1, ttl=60)
                await client.config("shop", prefix=name + "config")
                while await registry.fetch("web"):  # deregistered
                    await asyncio.sleep(0.01)

            await story()
            tasks, fds = len(asyncio.all_tasks()), descriptors()
            for _ in range(10):
                await story()
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) <= tasks and descriptors() <= fds + 4

    asyncio.run(main())
