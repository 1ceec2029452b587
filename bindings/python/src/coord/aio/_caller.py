"""Executing ops and waiting, for asyncio: the descriptor of a queue is a reader of the loop; there is no thread."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from .. import errors
from .._caller import new_queue
from .._native import lib
from .._record import RESULT, Record, records

if TYPE_CHECKING:
    from ..ops import Op

T = TypeVar("T")


def wake(reference: weakref.ref[Any]) -> None:
    """A descriptor is readable. The loop holds its reader weakly, so that one that nobody has any more goes."""
    reader = reference()
    if reader is not None:
        reader.on_readable()


def stop_reading(loop: Optional[asyncio.AbstractEventLoop], queue: Any) -> None:
    """The descriptor of a queue is no reader of the loop any more."""
    fd = lib.coord_queue_fd(queue)
    if loop is not None and not loop.is_closed() and fd >= 0:
        loop.remove_reader(fd)


class Caller:
    """Executes ops of one client, on one loop: the one that the first call is made on."""

    _loop: Optional[asyncio.AbstractEventLoop] = None

    def __init__(self, client: Any, on_log: Callable[[Record], None]) -> None:
        self.client = client
        self.queue = new_queue()
        self._on_log = on_log
        self._waiting: dict[int, tuple[asyncio.Future[Record], Op[Any]]] = {}
        self._tag = 0

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop of this client, and the running one."""
        running = asyncio.get_running_loop()
        if self._loop is None:
            fd = lib.coord_queue_fd(self.queue)
            if fd < 0:
                raise errors.Forked()
            self._loop = running
            running.add_reader(fd, wake, weakref.ref(self))
        elif self._loop is not running:
            raise RuntimeError("this coord.aio.Client belongs to another event loop: open one for each loop")
        return running

    def start(self, op: Op[Any]) -> tuple[asyncio.Future[Record], int]:
        """Start an op: the future of its record, and what coord_cancel needs."""
        future: asyncio.Future[Record] = self.loop.create_future()
        self._tag = tag = self._tag + 1
        self._waiting[tag] = (future, op)
        call_id = lib.py_submit(self.client, self.queue, op.make(), op.timeout_ms, tag)
        if not call_id:
            del self._waiting[tag]
            raise records(lib.py_failure())[0].error()
        return future, call_id

    async def run(self, op: Op[T]) -> T:
        """Execute and wait. Cancelling the task cancels the call."""
        future, call_id = self.start(op)
        try:
            return op.read(await future)
        except asyncio.CancelledError:
            lib.coord_cancel(self.client, call_id)
            raise

    async def run_many(self, ops: list[Op[Any]]) -> list[Any]:
        """Execute independent ops at once: for each its answer, or the exception that it ended with."""
        started: list[tuple[Op[Any], Any, int]] = []
        for op in ops:
            try:
                started.append((op, *self.start(op)))
            except errors.Error as failure:
                started.append((op, failure, 0))
        results: list[Any] = []
        try:
            for op, future, _ in started:
                try:
                    results.append(future if isinstance(future, errors.Error) else op.read(await future))
                except errors.Error as failure:
                    results.append(failure)
        except asyncio.CancelledError:
            for _, _, call_id in started[len(results) :]:
                lib.coord_cancel(self.client, call_id)
            raise
        return results

    def on_readable(self) -> None:
        """Pass on what has come."""
        block = lib.py_wait(self.queue, 0, 64)
        for record in records(block) if block else ():
            if record.type != RESULT:
                self._on_log(record)
                continue
            future, op = self._waiting.pop(record.tag, (None, None))
            if future is None or op is None:
                continue
            if future.done():  # cancelled
                self._take_back(op, record)
            elif record.code == 0:
                future.set_result(record)
            else:
                future.set_exception(record.error())

    def _take_back(self, op: Op[Any], record: Record) -> None:
        """It has succeeded although it was cancelled."""
        if op.undo is not None and record.code == 0:
            lib.py_submit(self.client, self.queue, op.undo(record).make(), 0, 0)

    async def drain(self, seconds: float) -> None:
        """Wait until no call is under way, for so long at most."""
        under_way = [future for future, _ in self._waiting.values()]
        if under_way and seconds > 0:
            await asyncio.wait(under_way, timeout=seconds)

    def stop(self) -> None:
        """Let go of the loop, once all that was under way has ended."""
        self.on_readable()
        stop_reading(self._loop, self.queue)

    def __del__(self) -> None:
        if self._loop is not None:
            stop_reading(self._loop, self.queue)


class Source:
    """What a handle tells: a queue of its own, which is a reader of the loop while somebody waits."""

    _is_reader = False

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.queue = new_queue()
        self._records: deque[Record] = deque()
        self._waiter: Optional[asyncio.Future[None]] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    def on_readable(self) -> None:
        """Wake who waits; when nobody does, the loop need not look until somebody does again."""
        if self._waiter is None:
            self.stop()
        elif not self._waiter.done():
            self._waiter.set_result(None)

    def _take(self) -> bool:
        block = lib.py_wait(self.queue, 0, 16)
        if block:
            self._records.extend(records(block))
        return bool(self._records)

    async def next(self, timeout_ms: int) -> Optional[Record]:
        """The next record. None: there was none within that time; -1: as long as it takes."""
        loop = self._caller.loop
        if self._records or self._take():
            return self._records.popleft()
        end = None if timeout_ms < 0 else loop.time() + timeout_ms / 1000
        while True:
            self._waiter = loop.create_future()
            if not self._is_reader:
                loop.add_reader(lib.coord_queue_fd(self.queue), wake, weakref.ref(self))
                self._loop = loop
                self._is_reader = True
            try:
                if end is None:
                    await self._waiter
                else:
                    await asyncio.wait([self._waiter], timeout=end - loop.time())
            finally:
                self._waiter = None
            if self._records or self._take():
                return self._records.popleft()
            if end is not None and loop.time() >= end:
                return None

    def stop(self) -> None:
        """Let go of the loop."""
        if self._is_reader:
            stop_reading(self._loop, self.queue)
        self._is_reader = False

    def __del__(self) -> None:
        self.stop()
