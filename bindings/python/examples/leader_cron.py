"""A cron of which any number may run: the leader does what is due, the others wait to follow it.

Run several:  python leader_cron.py --etcd localhost:2379 --every 5
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Callable, Optional

import coord
from coord import ops
from coord.election import Election

ELECTION = "example/cron"  # what is below ELECTION/ belongs to the election
LAST = "example/cron-last"


def rest(leader: Election, seconds: float) -> bool:
    """Sleep, but not through a loss; whether we still lead."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        event = leader.next_event(timeout=left)
        if event is not None and event.type == "lost":
            return False
    return True


def lead(client: coord.Client, leader: Election, every: float, job: Callable[[], None], runs: Optional[int]) -> int:
    """Run the job again and again for as long as we lead; how often it was run."""
    count = 0
    while runs is None or count < runs:
        # Refused once another could lead: the note never says that a run was ours when it was not.
        if not client.txn().when(leader).then(ops.put(LAST, f"{time.time():.0f} by {os.getpid()}")).commit().succeeded:
            break
        job()
        count += 1
        if not rest(leader, every):
            break
    return count


def run(client: coord.Client, every: float, job: Callable[[], None], runs: Optional[int] = None) -> int:
    """Take part in the election until `runs` runs are done; None: for ever."""
    count = 0
    while runs is None or count < runs:
        try:
            with client.election(ELECTION, value=f"pid {os.getpid()}", ttl=10) as leader:
                count += lead(client, leader, every, job, None if runs is None else runs - count)
        except coord.Lost:
            print("no longer the leader")
    return count


def main(words: Optional[list[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--etcd", default="localhost:2379")
    parser.add_argument("--every", type=float, default=5, help="seconds")
    parser.add_argument("--runs", type=int, help="end after so many")
    args = parser.parse_args(words)
    with coord.Client(args.etcd) as client:
        run(client, args.every, lambda: print("cron: the job of", os.getpid()), args.runs)


if __name__ == "__main__":
    main()
