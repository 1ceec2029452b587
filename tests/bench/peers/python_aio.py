"""Benchmark of an asynchronous client for Python: one loop, one client, as many tasks as ops in flight."""
import argparse
import asyncio
import json
import time

from python_peer import cpu_us, rank


class Coord:
    def __init__(self, endpoint):
        import coord.aio
        self.client = coord.aio.Client(endpoint, request_timeout=60)

    async def open(self):
        await self.client.connect()
        client = self.client

        async def get(key):
            return (await client.get(key)).value
        return client.put, get

    async def close(self):
        await self.client.close()


class Aetcd:
    def __init__(self, endpoint):
        import aetcd
        host, port = endpoint.rsplit(":", 1)
        self.client = aetcd.Client(host=host, port=int(port), timeout=60)

    async def open(self):
        await self.client.connect()
        client = self.client

        async def put(key, value):
            await client.put(key.encode(), value)

        async def get(key):
            return (await client.get(key.encode())).value
        return put, get

    async def close(self):
        await self.client.close()


class EtcdClientPy:
    """Rust's etcd-client underneath."""

    def __init__(self, endpoint):
        import etcd_client
        self.connection = etcd_client.Client(["http://" + endpoint]).connect()

    async def open(self):
        client = await self.connection.__aenter__()

        async def put(key, value):
            await client.put(key.encode(), value)

        async def get(key):
            return bytes(await client.get(key.encode()))
        return put, get

    async def close(self):
        await self.connection.__aexit__(None, None, None)


class Etcd3aio:
    def __init__(self, endpoint):
        import etcd3aio
        self.client = etcd3aio.Etcd3Client([endpoint])

    async def open(self):
        client = await self.client.__aenter__()

        async def get(key):
            return (await client.kv.get(key)).kvs[0].value
        return client.kv.put, get

    async def close(self):
        await self.client.__aexit__(None, None, None)


CLIENTS = {"coord": Coord, "aetcd": Aetcd, "etcd_client": EtcdClientPy, "etcd3aio": Etcd3aio}


class Runner:
    def __init__(self, args, put, get):
        self.args = args
        self.put = put
        self.get = get
        self.value = b"v" * args.size
        self.errors = 0
        self.error = None

    async def one(self):
        if self.args.verb == "put":
            await self.put(self.args.key, self.value)
        elif len(await self.get(self.args.key)) != self.args.size:
            raise ValueError("the answer is not the one value of %d bytes" % self.args.size)

    async def worker(self, left, latencies):
        clock = time.perf_counter_ns
        for _ in left:
            start = clock()
            try:
                await self.one()
            except Exception as error:  # a peer reports whatever its library raises
                self.errors += 1
                self.error = self.error or "%s: %s" % (type(error).__name__, error)
            latencies.append(clock() - start)

    async def run(self, ops):
        left = iter(range(ops))
        latencies = []
        await asyncio.gather(*(self.worker(left, latencies) for _ in range(self.args.n)))
        return sorted(latencies)


async def measure(args):
    client = CLIENTS[args.library](args.endpoint)
    runner = Runner(args, *await client.open())
    await runner.run(args.warmup)
    cpu = cpu_us()
    start = time.perf_counter()
    latencies = await runner.run(args.ops)
    elapsed = time.perf_counter() - start
    cpu = cpu_us() - cpu
    await client.close()
    report = {"ops_per_s": args.ops / elapsed, "p50_us": rank(latencies, 50), "p99_us": rank(latencies, 99),
              "client_cpu_us": cpu / args.ops, "errors": runner.errors}
    if runner.error:
        report["error"] = runner.error
    print(json.dumps(report))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=CLIENTS)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--verb", choices=("put", "get"), required=True)
    parser.add_argument("--mode", choices=("async", "sync"), default="async", help="both are tasks here")
    parser.add_argument("--n", type=int, default=1)
    parser.add_argument("--size", type=int, default=3)
    parser.add_argument("--ops", type=int, default=100)
    parser.add_argument("--warmup", type=int, default=0)
    parser.add_argument("--key", required=True)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
