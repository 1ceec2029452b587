"""Watches, with asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncIterator, Optional

from .._native import ffi, lib
from ..lease import patience_or_zero
from ..watch import WatchBase

if TYPE_CHECKING:
    from .._base import ClientBase
    from .._convert import Seconds
    from ..kv import Change
    from ..ops import Op
    from ._caller import Source


class Watch(WatchBase):
    """As ``coord.watch.Watch``: ``async for change in watch``; ``async with`` waits until it stands, and closes it."""

    def __init__(self, client: ClientBase, source: Source, get: Op[Any], start_revision: int) -> None:
        super().__init__(client, source.queue, get, start_revision)
        self._source = source

    async def ready(self, timeout: Optional[Seconds] = None) -> bool:
        """Wait until it stands. False: not within that time; None: as long as it takes."""
        while not self.revision and not self.is_closed:
            record = await self._source.next(patience_or_zero(timeout))
            if record is None:
                return False
            self._feed(record)
        return True

    async def next_batch(self, timeout: Optional[Seconds] = None) -> Optional[list[Change]]:
        """The next changes; those of one revision are never divided. None: the time has passed, or it was closed."""
        while not self._ready:
            if self.is_closed:
                return None
            record = await self._source.next(patience_or_zero(timeout))
            if record is None:
                return None
            self._feed(record)
        return self._ready.popleft()

    async def next_change(self, timeout: Optional[Seconds] = None) -> Optional[Change]:
        """The next change. None: the time has passed, or it was closed."""
        if not self._rest:
            self._rest.extend(await self.next_batch(timeout) or ())
        return self._rest.popleft() if self._rest else None

    async def batches(self) -> AsyncIterator[list[Change]]:
        """The changes, as ``next_batch`` has them."""
        while True:
            batch = await self.next_batch()
            if batch is None:
                return
            yield batch

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> Change:
        change = await self.next_change()
        if change is None:
            raise StopAsyncIteration
        return change

    def close(self) -> None:
        """End it. Changes that have come are still told."""
        if self._ptr:
            lib.coord_watch_close(self._ptr)

    async def __aenter__(self) -> Watch:
        await self.ready()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._end()
        self._source.stop()
        self._ptr = ffi.NULL
