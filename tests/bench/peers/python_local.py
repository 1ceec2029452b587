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
    with client.registry() as registry, registry.register("bench", "127.0.0.1:80"):
        registry.discover("bench", timeout=30)
        return nanoseconds(lambda: registry.discover("bench"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", required=True)
    args = parser.parse_args()
    found = {}
    with coord.Client(args.endpoint, request_timeout=60) as client:
        if hasattr(client, "registry"):
            found["discovery_ns"] = discovery_ns(client)
        found["mirror_of_bytes_ns"] = mirror_ns(client)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
