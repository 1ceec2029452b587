"""Queues of work, with asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

from ..work import WorkQueueBase
from ._verb import method_of
from .lease import Told

if TYPE_CHECKING:
    from .._base import ClientBase
    from .._convert import Bytes
    from ._caller import Caller, Source


class WorkQueue(Told, WorkQueueBase):
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

    def close(self) -> None:
        """Drop it. What it has taken and not done returns to its place in the background."""
        self._source.stop()
        super().close()

    async def __aenter__(self) -> WorkQueue:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()
