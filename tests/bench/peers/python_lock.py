"""Benchmark peer: the lock of python-etcd3. The same script as lock.c, of which it does two cases."""
import argparse
import json
import resource
import threading
import time

import etcd3

HOLD_S = 0.001


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def release(lock):
    if not lock.release():
        raise SystemExit("the lock %s was not held" % lock.name)


def uncontended(args, client):
    samples = []
    began = used = 0
    for i in range(args.warmup + args.ops):
        start = time.perf_counter()
        if i == args.warmup:
            began, used = start, cpu()
        lock = client.lock(args.name, ttl=60)
        if not lock.acquire():
            raise SystemExit("the lock %s was not acquired" % lock.name)
        release(lock)
        samples.append(time.perf_counter() - start)
    return samples, time.perf_counter() - began, cpu() - used


class Handover:
    """As many threads as wait, and one that holds."""

    def __init__(self, args, client):
        self.args = args
        self.client = client
        self.samples = []
        self.wanted = args.warmup + args.ops
        self.released = None

    def contend(self):
        more = True
        while more:
            lock = self.client.lock(self.args.name, ttl=60)
            while not lock.acquire():  # it may have missed the release that it waited for
                pass
            now = time.perf_counter()
            more = len(self.samples) < self.wanted
            if more and self.released is not None:
                self.samples.append(now - self.released)
            time.sleep(HOLD_S)
            self.released = time.perf_counter()
            release(lock)

    def run(self):
        began, used = time.perf_counter(), cpu()
        threads = [threading.Thread(target=self.contend, daemon=True) for _ in range(self.args.waiters + 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.samples, time.perf_counter() - began, cpu() - used


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--case", choices=("uncontended", "handover"), required=True)
    parser.add_argument("--name", default="bench/lock")
    parser.add_argument("--ops", type=int, default=1000)
    parser.add_argument("--warmup", type=int, default=50)
    parser.add_argument("--waiters", type=int, default=16)
    args = parser.parse_args()
    host, port = args.endpoint.split(":")
    client = etcd3.client(host=host, port=int(port), timeout=30)
    if args.case == "uncontended":
        samples, took, used = uncontended(args, client)
    else:
        samples, took, used = Handover(args, client).run()
    samples = sorted(samples[args.warmup:])

    def rank(percent):
        return 1e6 * samples[max(-(-len(samples) * percent // 100), 1) - 1]
    print(json.dumps({"ops": args.ops, "ops_per_s": args.ops / took, "p50_us": rank(50), "p99_us": rank(99),
                      "client_cpu_us": 1e6 * used / args.ops}))


if __name__ == "__main__":
    main()
