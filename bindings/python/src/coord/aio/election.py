"""Elections, with asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncIterator, Mapping, Optional

from .. import errors
from ..election import ElectionBase, ObserverBase
from ..lease import Event, event_of, patience_or_zero
from ..lock import swallow_at_exit
from ._verb import method_of

if TYPE_CHECKING:
    from .._base import ClientBase
    from .._convert import Bytes, Seconds
    from ..kv import KeyValue
    from ._caller import Caller, Source


class Election(ElectionBase):
    """As ``coord.election.Election``: ``async with client.election("cron", value=hostname) as leader``."""

    def __init__(
        self, client: ClientBase, caller: Caller, source: Source, name: Bytes, value: Bytes, keywords: Mapping[str, Any]
    ) -> None:
        super().__init__(client, source.queue, name, value, keywords)
        self._caller = caller
        self._source = source

    campaign = method_of(ElectionBase._campaign)
    proclaim = method_of(ElectionBase._proclaim)
    resign = method_of(ElectionBase._resign)

    async def next_event(self, timeout: Optional[Seconds] = None) -> Optional[Event]:
        """Wait for what becomes of the leadership; None: the time has passed."""
        record = await self._source.next(patience_or_zero(timeout))
        return event_of(record) if record is not None else None

    async def __aenter__(self) -> Election:
        await self.campaign()
        return self

    async def __aexit__(self, kind: object, *rest: object) -> None:
        self._source.stop()
        try:
            await self.resign()
        except errors.Error as failure:
            if not swallow_at_exit(failure, kind is not None):
                raise


class Observer(ObserverBase):
    """``async for`` over it: the key-value of each leader, None when nobody leads. Raises Closed with the client."""

    def __init__(self, client: ClientBase, source: Source, name: Bytes) -> None:
        super().__init__(client, source.queue, name)
        self._source = source

    async def __aiter__(self) -> AsyncIterator[Optional[KeyValue]]:
        while True:
            record = await self._source.next(-1)
            tells, leader = self._leader(record) if record is not None else (False, None)
            if tells:
                yield leader
