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
    """Bytes that Python holds more, and that the process has more, after so many rounds; the first tenth warms up."""
    for _ in range(rounds // 10):
        story()
    gc.collect()
    tracemalloc.start()
    story()
    held, size = tracemalloc.get_traced_memory()[0], resident()
    tracemalloc.stop()
    for _ in range(rounds):
        story()
    gc.collect()
    tracemalloc.start()
    story()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return after - held, resident() - size


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
