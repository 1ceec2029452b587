"""What a handle tells is taken in by whoever asks: there is no thread for it."""

from __future__ import annotations

import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable, Final, Optional, TypeVar

from ._caller import SLICE_MS, new_queue
from ._clock import now_ms
from ._native import lib
from ._record import Record, records

if TYPE_CHECKING:
    from ._caller import Caller

T = TypeVar("T")

AT_MOST_OLD: Final = 0.001
"""A call into the library costs more than what it is for here, and lets other threads of Python go first."""


class Follower:
    """Takes the records of a queue, in order, one thread at a time, and gives them to `take_in`.

    A thread that looks while another one is at it goes on with what is there.
    """

    def __init__(self, caller: Caller, take_in: Callable[[Record], None]) -> None:
        self._caller = caller
        self.queue: Any = new_queue()
        self._take_in = take_in
        self._lock = threading.Lock()
        self._until = 0.0
        self._records: deque[Record] = deque()

    def look(self) -> None:
        """Take in what has come, unless that was done less than AT_MOST_OLD seconds ago."""
        if monotonic() < self._until or not self._lock.acquire(False):
            return
        try:
            self._take(0)
            self._until = monotonic() + AT_MOST_OLD
        finally:
            self._lock.release()

    def _take(self, slice_ms: int) -> None:
        block = lib.py_wait(self.queue, slice_ms, 16)
        while block or self._records:
            if block:
                self._records.extend(records(block))
            while self._records:
                # It is removed when it was taken in: Ctrl-C between the two must not lose it.
                self._take_in(self._records[0])
                self._records.popleft()
            block = lib.py_wait(self.queue, 0, 16)

    def until(self, found: Callable[[], Optional[T]], timeout_ms: int) -> Optional[T]:
        """Wait until `found` returns something. None: it has not within that time; -1: as long as it takes."""
        self.look()
        end = None if timeout_ms < 0 else now_ms() + timeout_ms
        while True:
            answer = found()
            left = SLICE_MS if end is None else end - now_ms()
            if answer is not None or left <= 0:
                return answer
            self._wait(min(SLICE_MS, left))
            self._caller.drain()

    def _wait(self, slice_ms: int) -> None:
        if not self._lock.acquire(timeout=slice_ms / 1000):
            return
        try:
            self._take(slice_ms)
        finally:
            self._lock.release()
