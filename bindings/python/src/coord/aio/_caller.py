"""Executing ops and waiting, for asyncio: the descriptor of a queue is a reader of the loop; there is no thread."""

from __future__ import annotations

import asyncio
import weakref
from asyncio import get_running_loop
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Final, Optional, TypeVar, Union

from .. import errors
from .._caller import new_queue
from .._clock import now_ms
from .._native import ffi, lib
from .._record import CODE, RESULT, TAG, TYPE, Record, records

if TYPE_CHECKING:
    from ..ops import Op

T = TypeVar("T")

py_submit = lib.py_submit
py_submit_many = lib.py_submit_many

MOST_AT_ONCE: Final = 32
"""Calls that wait for others to begin with; the server has something to do meanwhile."""


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


class Call:
    """One execution of an op that is under way."""

    __slots__ = ("op", "future", "id")

    def __init__(self, op: Op[Any], future: asyncio.Future[Record]) -> None:
        self.op = op
        self.future = future
        self.id = 0
        """What coord_cancel needs; 0: it has not begun."""


class Caller:
    """Executes ops of one client, on one loop: the one that the first call is made on.

    A call begins at once when no other one is under way. Those that come while others are under way begin together, when
    all tasks that can run now have had their turn: they go out in one write.
    """

    _loop: Optional[asyncio.AbstractEventLoop] = None

    def __init__(self, client: Any, on_log: Callable[[Record], None]) -> None:
        self.client = client
        self.queue = new_queue()
        self._on_log = on_log
        self._waiting: dict[int, Call] = {}
        self._next: list[Call] = []
        """Those that begin together, soon."""
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

    def start(self, op: Op[Any]) -> Call:
        """Start an op."""
        loop = get_running_loop()
        if loop is not self._loop:
            loop = self.loop
        call = Call(op, loop.create_future())
        if self._next:
            self._next.append(call)
            if len(self._next) == MOST_AT_ONCE:
                self.begin_next()
        elif self._waiting:
            self._next.append(call)
            loop.call_soon(self.begin_next)
        else:
            self._begin(call)
        return call

    def _begin(self, call: Call) -> None:
        op = call.op
        self._tag = tag = self._tag + 1
        call.id = py_submit(self.client, self.queue, op.make(), op.timeout_ms, tag)
        if not call.id:
            raise records(lib.py_failure())[0].error()
        self._waiting[tag] = call

    def begin_next(self) -> None:
        """Begin those that were asked for meanwhile."""
        if not self._next:
            return
        asked, self._next = self._next, []
        calls: list[Call] = []
        made: list[Any] = []
        for call in asked:
            if call.future.done():  # cancelled
                continue
            op = call.op
            if calls and calls[0].op.timeout_ms != op.timeout_ms:
                self._begin_all(calls, made)
                calls, made = [], []
            try:
                made.append(op.make())
                calls.append(call)
            except Exception as failure:
                call.future.set_exception(failure)
        if calls:
            self._begin_all(calls, made)

    def _begin_all(self, calls: list[Call], made: list[Any]) -> None:
        """Begin calls with one timeout."""
        count = len(calls)
        tag = self._tag
        ids = ffi.new("uint64_t[]", count)
        if py_submit_many(self.client, self.queue, made, count, calls[0].op.timeout_ms, tag + 1, ids):
            self._tag = tag + count
            waiting = self._waiting
            for call, call_id in zip(calls, ffi.unpack(ids, count)):
                call.id = call_id
                tag += 1
                waiting[tag] = call
            return
        for call in calls:  # none has begun: each for itself, and those that are refused learn why
            try:
                self._begin(call)
            except Exception as failure:
                call.future.set_exception(failure)

    def cancel(self, call: Call) -> None:
        """Nobody waits for it any more."""
        if call.id:
            lib.coord_cancel(self.client, call.id)

    async def run(self, op: Op[T]) -> T:
        """Execute and wait. Cancelling the task cancels the call."""
        call = self.start(op)
        try:
            return op.read(await call.future)
        except asyncio.CancelledError:
            self.cancel(call)
            raise

    async def run_many(self, ops: list[Op[Any]]) -> list[Any]:
        """Execute independent ops at once: for each its answer, or the exception that it ended with."""
        started: list[Union[Call, errors.Error]] = []
        for op in ops:
            try:
                started.append(self.start(op))
            except errors.Error as failure:
                started.append(failure)
        results: list[Any] = []
        try:
            for call in started:
                try:
                    results.append(call if isinstance(call, errors.Error) else call.op.read(await call.future))
                except errors.Error as failure:
                    results.append(failure)
        except asyncio.CancelledError:
            for call in started[len(results) :]:
                if isinstance(call, Call):
                    call.future.cancel()
                    self.cancel(call)
            raise
        return results

    def on_readable(self) -> None:
        """Pass on what has come."""
        block = lib.py_wait(self.queue, 0, 64)
        if not block:
            return
        end = self._waiting.pop
        for record in records(block):
            head = record.head
            if head[TYPE] != RESULT:
                self._on_log(record)
                continue
            call = end(head[TAG], None)
            if call is None:
                continue
            future = call.future
            if future.done():  # cancelled
                self._take_back(call.op, record)
            elif head[CODE] == 0:
                future.set_result(record)
            else:
                future.set_exception(record.error())

    def _take_back(self, op: Op[Any], record: Record) -> None:
        """It has succeeded although it was cancelled."""
        if op.undo is not None and record.code == 0:
            lib.py_submit(self.client, self.queue, op.undo(record).make(), 0, 0)

    async def drain(self, seconds: float) -> None:
        """Wait until no call is under way, for so long at most."""
        under_way = [call.future for call in (*self._waiting.values(), *self._next)]
        if under_way and seconds > 0:
            await asyncio.wait(under_way, timeout=seconds)

    def stop(self) -> None:
        """Let go of the loop, once all that was under way has ended."""
        self.begin_next()
        self.on_readable()
        stop_reading(self._loop, self.queue)

    def __del__(self) -> None:
        if self._loop is not None:
            stop_reading(self._loop, self.queue)


class Source:
    """What a handle tells: a queue of its own, which is a reader of the loop while somebody waits."""

    _is_reader = False

    def __init__(self, caller: Caller, at_once: int = 16) -> None:
        self._caller = caller
        self._at_once = at_once
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
        block = lib.py_wait(self.queue, 0, self._at_once)
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

    async def settle(self, settled: Callable[[Optional[Record]], bool], timeout_ms: int) -> None:
        """Give records to `settled` until it says so; None when the time has passed, for which it may raise."""
        end, left = now_ms() + timeout_ms, timeout_ms
        while not settled(await self.next(left)):
            left = -1 if timeout_ms < 0 else max(0, end - now_ms())

    def stop(self) -> None:
        """Let go of the loop."""
        if self._is_reader:
            stop_reading(self._loop, self.queue)
        self._is_reader = False

    def __del__(self) -> None:
        self.stop()
