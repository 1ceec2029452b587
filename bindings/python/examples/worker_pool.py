"""Workers on any number of hosts that share a list of jobs: each job is done by one of them, under a lock.

Run several:  python worker_pool.py --etcd localhost:2379 --jobs 20
What a job writes carries the token of the lock, so that a worker that was stopped for long cannot write over its successor.
"""

from __future__ import annotations

import argparse
import os
from typing import Callable, Optional

import coord
from coord import key, ops

JOBS, DONE = "example/jobs/", "example/done/"


def add_jobs(client: coord.Client, count: int) -> None:
    client.pipeline([ops.put(f"{JOBS}{number:05d}", f"square {number}") for number in range(count)])


def do(job: str) -> str:
    number = int(job.split()[1])
    return str(number * number)


def take_one(client: coord.Client, name: str, work: Callable[[str], str]) -> bool:
    """Do one job, unless another worker has it or has done it."""
    lock = client.lock(f"example/{name}", ttl=10, owner=f"pid {os.getpid()}")
    if not lock.try_acquire():
        return False
    try:
        job = client.get(JOBS + name)
        if job is None:  # done between the list and the lock
            return False
        done = (
            client.txn()
            .when(lock, key(JOBS + name).mod_revision == job.mod_revision)  # still ours, still this job
            .then(ops.put(DONE + name, f"{work(job.text)} by {os.getpid()}"), ops.delete(JOBS + name))
            .commit()
        )
        return done.succeeded
    finally:
        lock.release()


def work(client: coord.Client, work: Callable[[str], str] = do) -> int:
    """Work until no job is left; how many this worker did."""
    done = 0
    while True:
        names = [kv.key_text[len(JOBS) :] for kv in client.get_prefix(JOBS, keys_only=True)]
        if not names:
            return done
        done += sum(take_one(client, name, work) for name in names)


def main(words: Optional[list[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--etcd", default="localhost:2379")
    parser.add_argument("--jobs", type=int, default=0, help="add so many first")
    args = parser.parse_args(words)
    with coord.Client(args.etcd) as client:
        add_jobs(client, args.jobs)
        print(f"did {work(client)} jobs")


if __name__ == "__main__":
    main()
