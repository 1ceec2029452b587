"""Benchmark peer: the lock of python-etcd3. The same script as lock.c, of which it does the uncontended case."""
import argparse
import json
import resource
import time

import etcd3


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--case", choices=("uncontended",), required=True)
    parser.add_argument("--name", default="bench/lock")
    parser.add_argument("--ops", type=int, default=1000)
    parser.add_argument("--warmup", type=int, default=50)
    args = parser.parse_args()
    host, port = args.endpoint.split(":")
    client = etcd3.client(host=host, port=int(port), timeout=30)
    samples = []
    began = used = 0
    for i in range(args.warmup + args.ops):
        start = time.perf_counter()
        if i == args.warmup:
            began, used = start, cpu()
        lock = client.lock(args.name, ttl=60)
        if not lock.acquire() or not lock.release():
            raise SystemExit("the lock was not acquired or not released")
        samples.append(time.perf_counter() - start)
    took, used = time.perf_counter() - began, cpu() - used
    samples = sorted(samples[args.warmup:])

    def rank(percent):
        return 1e6 * samples[max(-(-len(samples) * percent // 100), 1) - 1]
    print(json.dumps({"ops": args.ops, "ops_per_s": args.ops / took, "p50_us": rank(50), "p99_us": rank(99),
                      "client_cpu_us": 1e6 * used / args.ops}))


if __name__ == "__main__":
    main()
