"""Executing ops and waiting, for synchronous code.

A wait is cut into slices, so that Python sees signals: Ctrl-C ends it within a slice and cancels the call.
"""

from __future__ import annotations

from collections import deque
from itertools import groupby
from typing import TYPE_CHECKING, Any, Callable, Final, Optional, TypeVar

from ._clock import now_ms
from ._native import ffi, lib
from ._record import CODE, LOG, RESULT, Record, opened, records

if TYPE_CHECKING:
    from .ops import Op

T = TypeVar("T")

py_call = lib.py_call

SLICE_MS: Final = 100
FAREWELL_MS: Final = 150
"""How long a call that was interrupted is waited for, so that what it leaves behind is taken away."""


def new_queue() -> Any:
    """A queue of its own, freed with the object."""
    return ffi.gc(opened("coord_queue *", lib.coord_queue_open), lib.coord_queue_free)


def make_all(ops: list[Op[Any]]) -> list[Any]:
    """What each op makes; all of it, or an exception."""
    made: list[Any] = []
    try:
        for op in ops:
            made.append(op.make())
    except BaseException:
        for raw in made:
            lib.coord_op_free(raw)
        raise
    return made


class Caller:
    """Executes ops of one client, on any number of threads."""

    def __init__(self, client: Any, side: Any, on_log: Callable[[Record], None]) -> None:
        self.client = client
        self._side = side
        self._on_log = on_log
        self._idle: list[Any] = []  # queues; appending and popping are atomic

    def run(self, op: Op[T]) -> T:
        """Execute and wait."""
        raw = op.make()
        queue = self._idle.pop() if self._idle else new_queue()
        block = None
        try:
            block = py_call(self.client, queue, raw, op.timeout_ms, SLICE_MS, self._side)
            while not block:
                self.drain()
                block = lib.py_wait(queue, SLICE_MS, 1)
        except BaseException:
            self._abandon(op, queue, lib.py_call_id(), block)
            raise
        self._idle.append(queue)
        found = records(block)
        answer = found[0]
        if len(found) > 1:
            for line in found[1:]:
                self._on_log(line)
        if answer.head[CODE] != 0:
            raise answer.error()
        return op.read(answer)

    def _abandon(self, op: Op[Any], queue: Any, call_id: int, block: Any) -> None:
        found = records(block) if block else records(unclaimed) if (unclaimed := lib.py_unclaimed()) else []
        if not found or found[0].type != RESULT:
            lib.coord_cancel(self.client, call_id)
            block = lib.py_wait(queue, FAREWELL_MS, 1)
            found = records(block) if block else []
        if found and found[0].code == 0 and op.undo is not None:
            lib.py_submit(self.client, queue, op.undo(found[0]).make(), 0, 0)
            lib.py_wait(queue, FAREWELL_MS, 1)

    def run_many(self, ops: list[Op[Any]]) -> list[Any]:
        """Execute independent ops at once: for each its answer, or the exception that it ended with."""
        queue = new_queue()
        results: list[Any] = [None] * len(ops)
        started: dict[int, int] = {}
        try:
            for _, group in groupby(range(len(ops)), lambda i: ops[i].timeout_ms):
                self._start_all(queue, ops, list(group), started, results)
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

    def _start_all(
        self, queue: Any, ops: list[Op[Any]], numbers: list[int], started: dict[int, int], results: list[Any]
    ) -> None:
        """Start those of one timeout, as one; if that is refused, each for itself, to learn which one it is."""
        count = len(numbers)
        ids = ffi.new("uint64_t[]", count)
        made = make_all([ops[i] for i in numbers])
        if lib.py_submit_many(self.client, queue, made, count, ops[numbers[0]].timeout_ms, numbers[0], ids):
            started.update(zip(numbers, ids))
            return
        for i in numbers:
            call_id = lib.py_submit(self.client, queue, ops[i].make(), ops[i].timeout_ms, i)
            if call_id:
                started[i] = call_id
            else:
                results[i] = records(lib.py_failure())[0].error()

    def drain(self) -> None:
        """Pass on the lines of the log that have come."""
        block = lib.py_wait(self._side, 0, 64) if self._side else None
        for record in records(block) if block else ():
            if record.type == LOG:
                self._on_log(record)


class Source:
    """What a handle tells: a queue of its own, to be waited for."""

    def __init__(self, caller: Caller, at_once: int = 16) -> None:
        self._caller = caller
        self._at_once = at_once
        self.queue = new_queue()
        self._records: deque[Record] = deque()

    def next(self, timeout_ms: int) -> Optional[Record]:
        """The next record. None: there was none within that time; -1: as long as it takes."""
        if self._records:
            return self._records.popleft()
        end = None if timeout_ms < 0 else now_ms() + timeout_ms
        slice_ms = 0
        while True:
            block = lib.py_wait(self.queue, slice_ms, self._at_once)
            if block:
                self._records.extend(records(block))
                return self._records.popleft()
            left = SLICE_MS if end is None else end - now_ms()
            if left <= 0:
                return None
            slice_ms = min(SLICE_MS, left)
            self._caller.drain()

    def settle(self, settled: Callable[[Optional[Record]], bool], timeout_ms: int) -> None:
        """Give records to `settled` until it says so; None when the time has passed, for which it may raise."""
        end, left = now_ms() + timeout_ms, timeout_ms
        while not settled(self.next(left)):
            left = -1 if timeout_ms < 0 else max(0, end - now_ms())
