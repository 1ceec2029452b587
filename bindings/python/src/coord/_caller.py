"""Executing ops and waiting, for synchronous code.

A wait is cut into slices, so that Python sees signals: Ctrl-C ends it within a slice and cancels the call.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Final, Optional, TypeVar

from ._clock import now_ms
from ._native import ffi, lib
from ._record import LOG, Record, opened, records

if TYPE_CHECKING:
    from .ops import Op

T = TypeVar("T")

SLICE_MS: Final = 100
FAREWELL_MS: Final = 150
"""How long a call that was interrupted is waited for, so that what it leaves behind is taken away."""


def new_queue() -> Any:
    """A queue of its own, freed with the object."""
    return ffi.gc(opened("coord_queue *", lib.coord_queue_open), lib.coord_queue_free)


class Caller:
    """Executes ops of one client, on any number of threads."""

    def __init__(self, client: Any, side: Any, on_log: Callable[[Record], None]) -> None:
        self.client = client
        self._side = side
        self._on_log = on_log
        self._idle: list[Any] = []  # queues; appending and popping are atomic

    def run(self, op: Op[T]) -> T:
        """Execute and wait."""
        return op.read(self._answer(op))

    def _answer(self, op: Op[Any]) -> Record:
        raw = op.make()
        queue = self._idle.pop() if self._idle else new_queue()
        block = None
        try:
            block = lib.py_call(self.client, queue, raw, op.timeout_ms, SLICE_MS, self._side)
            while not block:
                self.drain()
                block = lib.py_wait(queue, SLICE_MS, 1)
        except BaseException:
            self._abandon(op, queue, lib.py_call_id(), block)
            raise
        self._idle.append(queue)
        answer, *lines = records(block)
        for line in lines:
            self._on_log(line)
        if answer.code != 0:
            raise answer.error()
        return answer

    def _abandon(self, op: Op[Any], queue: Any, call_id: int, block: Any) -> None:
        if not block:
            lib.coord_cancel(self.client, call_id)
            block = lib.py_wait(queue, FAREWELL_MS, 1)
        record = records(block)[0] if block else None
        if record is not None and record.code == 0 and op.undo is not None:
            lib.py_submit(self.client, queue, op.undo(record).make(), 0, 0)
            lib.py_wait(queue, FAREWELL_MS, 1)

    def run_many(self, ops: list[Op[Any]]) -> list[Any]:
        """Execute independent ops at once: for each its answer, or the exception that it ended with."""
        queue = new_queue()
        results: list[Any] = [None] * len(ops)
        started: dict[int, int] = {}
        for i, op in enumerate(ops):
            call_id = lib.py_submit(self.client, queue, op.make(), op.timeout_ms, i)
            if call_id:
                started[i] = call_id
            else:
                results[i] = records(lib.py_failure())[0].error()
        try:
            while started:
                block = lib.py_wait(queue, SLICE_MS, 64)
                for record in records(block) if block else ():
                    tag: int = record.tag
                    results[tag] = ops[tag].read(record) if record.code == 0 else record.error()
                    del started[tag]
        except BaseException:
            for call_id in started.values():
                lib.coord_cancel(self.client, call_id)
            raise
        self.drain()
        return results

    def drain(self) -> None:
        """Pass on the lines of the log that have come."""
        block = lib.py_wait(self._side, 0, 64) if self._side else None
        for record in records(block) if block else ():
            if record.type == LOG:
                self._on_log(record)


class Source:
    """What a handle tells: a queue of its own, to be waited for."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.queue = new_queue()
        self._records: deque[Record] = deque()

    def next(self, timeout_ms: int) -> Optional[Record]:
        """The next record. None: there was none within that time; -1: as long as it takes."""
        if self._records:
            return self._records.popleft()
        end = None if timeout_ms < 0 else now_ms() + timeout_ms
        slice_ms = 0
        while True:
            block = lib.py_wait(self.queue, slice_ms, 16)
            if block:
                self._records.extend(records(block))
                return self._records.popleft()
            left = SLICE_MS if end is None else end - now_ms()
            if left <= 0:
                return None
            slice_ms = min(SLICE_MS, left)
            self._caller.drain()
