"""Reads that need no server: nanoseconds of each, the best of several runs. Prints one JSON line."""
import argparse
import json
import timeit

import coord

RUNS, READS = 7, 20000


def nanoseconds(read):
    return min(timeit.repeat(read, number=READS, repeat=RUNS)) / READS * 1e9


def mirror_ns(client):
    client.put("bench/local/key", b"vvv")
    with client.mirror("bench/local/") as mirror:
        return nanoseconds(lambda: mirror.get("bench/local/key"))


def discovery_ns(client):
    with client.registry() as registry, registry.register("bench", address="127.0.0.1", port=80):
        registry.discover("bench", timeout=30)
        return nanoseconds(lambda: registry.discover("bench"))


def config_ns(client):
    with client.config("bench") as config:
        config.set("limit", 3)
        while config.current("limit") != 3:
            config.poll(0.1)
        return nanoseconds(lambda: config["limit"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", required=True)
    args = parser.parse_args()
    with coord.Client(args.endpoint, request_timeout=60) as client:
        found = {"discovery_ns": discovery_ns(client), "config_ns": config_ns(client), "mirror_of_bytes_ns": mirror_ns(client)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
