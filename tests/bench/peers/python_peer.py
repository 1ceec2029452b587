"""Benchmark of a synchronous client for Python: as many threads as ops in flight.

coord, python-etcd3 and etcd-sdk-python share one client and so one connection; etcd3gw, which speaks JSON over HTTP/1.1, has
one client, and so one connection, a thread.
"""
import argparse
import json
import resource
import threading
import time


def coord_client(endpoint):
    import coord
    client = coord.Client(endpoint, request_timeout=60)
    return lambda: (client.put, lambda key: client.get(key).value)


def etcd3_client(endpoint):
    import etcd3
    host, port = endpoint.rsplit(":", 1)
    client = etcd3.client(host=host, port=int(port), timeout=60)
    return lambda: (client.put, lambda key: client.get(key)[0])


def pyetcd_client(endpoint):
    import pyetcd
    host, port = endpoint.rsplit(":", 1)
    client = pyetcd.client(host=host, port=int(port), timeout=60)
    return lambda: (client.put, lambda key: client.get(key)[0])


def etcd3gw_client(endpoint):
    import etcd3gw
    host, port = endpoint.rsplit(":", 1)

    def make():
        client = etcd3gw.Etcd3Client(host=host, port=int(port), timeout=60, api_path="/v3/")
        return client.put, lambda key: client.get(key)[0]
    return make


CLIENTS = {"coord": coord_client, "etcd3": etcd3_client, "pyetcd": pyetcd_client, "etcd3gw": etcd3gw_client}


class Runner:
    def __init__(self, args, make):
        self.args = args
        self.clients = [make() for _ in range(args.n)]
        self.value = b"v" * args.size
        self.lock = threading.Lock()
        self.error = None
        self.errors = 0

    def one(self, put, get):
        if self.args.verb == "put":
            put(self.args.key, self.value)
        else:
            value = get(self.args.key)
            if value is None or len(value) != self.args.size:
                raise ValueError("the answer is not the one value of %d bytes" % self.args.size)

    def worker(self, client, left, latencies):
        put, get = client
        clock = time.perf_counter_ns
        for _ in left:
            start = clock()
            try:
                self.one(put, get)
            except Exception as error:  # a peer reports whatever its library raises
                with self.lock:
                    self.errors += 1
                    self.error = self.error or "%s: %s" % (type(error).__name__, error)
            latencies.append(clock() - start)

    def run(self, ops):
        left = iter(range(ops))  # next() on it is atomic under the interpreter lock
        latencies = []
        threads = [threading.Thread(target=self.worker, args=(client, left, latencies))
                   for client in self.clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(latencies)


def cpu_us():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e6


def rank(latencies, percent):
    if not latencies:
        return 0.0
    return latencies[max(-(-len(latencies) * percent // 100), 1) - 1] / 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=CLIENTS)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--verb", choices=("put", "get"), required=True)
    parser.add_argument("--mode", choices=("async", "sync"), default="sync", help="both are threads here")
    parser.add_argument("--n", type=int, default=1)
    parser.add_argument("--size", type=int, default=3)
    parser.add_argument("--ops", type=int, default=100)
    parser.add_argument("--warmup", type=int, default=0)
    parser.add_argument("--key", required=True)
    args = parser.parse_args()
    make = CLIENTS[args.library](args.endpoint)
    runner = Runner(args, make)
    runner.run(args.warmup)
    cpu = cpu_us()
    start = time.perf_counter()
    latencies = runner.run(args.ops)
    elapsed = time.perf_counter() - start
    cpu = cpu_us() - cpu
    report = {"ops_per_s": args.ops / elapsed, "p50_us": rank(latencies, 50), "p99_us": rank(latencies, 99),
              "client_cpu_us": cpu / args.ops, "errors": runner.errors}
    if runner.error:
        report["error"] = runner.error
    print(json.dumps(report))


if __name__ == "__main__":
    main()
