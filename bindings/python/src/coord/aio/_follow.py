"""What a handle tells is taken in by the event loop, in a task of the handle's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from .._clock import now_ms
from ._caller import Source

if TYPE_CHECKING:
    from .._record import Record
    from ._caller import Caller

T = TypeVar("T")


class Follower:
    """Gives the records of a queue, in order, to `take_in`; callbacks run after it."""

    def __init__(self, caller: Caller, take_in: Callable[[Record], None], deliver: Callable[[], None]) -> None:
        self._source = Source(caller)
        self.queue = self._source.queue
        self._take_in = take_in
        self._deliver = deliver
        self._waiting: set[asyncio.Future[None]] = set()
        self._task: Optional[asyncio.Task[None]] = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_over = False

    def start(self) -> None:
        """Begin, on the running loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        while True:
            record = await self._source.next(-1)
            while record is not None:
                self._guarded(self._take_in, record)
                record = await self._source.next(0)
            for waiter in self._waiting:
                if not waiter.done():
                    waiter.set_result(None)
            self._guarded(self._deliver)

    def call(self, callback: Callable[..., Any], *arguments: Any) -> None:
        """Call a callback of the program; a coroutine becomes a task."""
        answer = callback(*arguments)
        if asyncio.iscoroutine(answer):
            task = asyncio.get_running_loop().create_task(answer)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _guarded(self, function: Callable[..., None], *arguments: Any) -> None:
        """What fails in a callback is told to the loop, and following goes on."""
        try:
            function(*arguments)
        except Exception as failure:
            context = {"message": "a callback of coord has failed", "exception": failure}
            asyncio.get_running_loop().call_exception_handler(context)

    async def until(self, found: Callable[[], Optional[T]], timeout_ms: int) -> Optional[T]:
        """Wait until `found` returns something. None: it has not within that time; -1: as long as it takes."""
        self.start()
        loop = asyncio.get_running_loop()
        end = None if timeout_ms < 0 else now_ms() + timeout_ms
        while True:
            answer = found()
            left = None if end is None else (end - now_ms()) / 1000
            if answer is not None or self._is_over or (left is not None and left <= 0):
                return answer
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiting.add(waiter)
            try:
                await asyncio.wait([waiter], timeout=left)
            finally:
                self._waiting.discard(waiter)

    def stop(self) -> None:
        """No more is taken in; who waits goes on."""
        self._is_over = True
        if self._task is not None:
            self._task.cancel()
        self._source.stop()
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
