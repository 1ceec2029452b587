"""Queues of work, with asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional

from ..lease import Event, event_of, patience_or_zero
from ..work import WorkQueueBase
from ._verb import method_of

if TYPE_CHECKING:
    from .._base import ClientBase
    from .._convert import Bytes, Seconds
    from ._caller import Caller, Source


class WorkQueue(WorkQueueBase):
    """As ``coord.work.WorkQueue``: ``async with client.work_queue("mails", ttl=30) as mails``."""

    def __init__(
        self, client: ClientBase, caller: Caller, source: Source, name: Bytes, keywords: Mapping[str, Any]
    ) -> None:
        super().__init__(client, source.queue, name, keywords)
        self._caller = caller
        self._source = source

    put = method_of(WorkQueueBase._put)
    take = method_of(WorkQueueBase._take)
    done = method_of(WorkQueueBase._done)
    give_back = method_of(WorkQueueBase._give_back)

    async def next_event(self, timeout: Optional[Seconds] = None) -> Optional[Event]:
        """What becomes of the lease under all that was taken; None: the time has passed. "lost": others may take it."""
        record = await self._source.next(patience_or_zero(timeout))
        return event_of(record) if record is not None else None

    def close(self) -> None:
        """Drop it. What it has taken and not done returns to its place in the background."""
        self._source.stop()
        super().close()

    async def __aenter__(self) -> WorkQueue:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()
