"""Locks, with asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional

from .. import errors
from ..lease import Event, event_of, patience_or_zero
from ..lock import LockBase, swallow_at_exit
from ._caller import Source
from ._verb import method_of

if TYPE_CHECKING:
    from .._base import ClientBase
    from .._convert import Bytes, Seconds
    from ._caller import Caller


class Lock(LockBase):
    """As ``coord.lock.Lock``: ``async with client.lock("reports", ttl=30) as held``."""

    def __init__(
        self, client: ClientBase, caller: Caller, source: Source, names: tuple[Bytes, ...], keywords: Mapping[str, Any]
    ) -> None:
        super().__init__(client, source.queue, names, keywords)
        self._caller = caller
        self._source = source

    acquire = method_of(LockBase._acquire)
    release = method_of(LockBase._release)
    renew = method_of(LockBase._renew)

    async def try_acquire(self) -> bool:
        """Acquire it if it is free at once."""
        try:
            await self.acquire(wait=False)
        except errors.Conflict:
            return False
        return True

    async def next_event(self, timeout: Optional[Seconds] = None) -> Optional[Event]:
        """Wait for what becomes of it. timeout: None: as long as it takes; else None is returned when it has passed."""
        record = await self._source.next(patience_or_zero(timeout))
        return event_of(record) if record is not None else None

    async def __aenter__(self) -> Lock:
        await self.acquire()
        return self

    async def __aexit__(self, kind: object, *rest: object) -> None:
        self._source.stop()
        try:
            await self.release()
        except errors.Error as failure:
            if not swallow_at_exit(failure, kind is not None):
                raise


class RWLock:
    """A lock that readers share and a writer has alone: ``async with client.rwlock("x").read() as held``."""

    def __init__(self, client: ClientBase, caller: Caller, name: Bytes, keywords: Mapping[str, Any]) -> None:
        self._client = client
        self._caller = caller
        self._name = name
        self._keywords = keywords

    def _side(self, kind: str) -> Lock:
        return Lock(self._client, self._caller, Source(self._caller), (self._name,), {**self._keywords, "lock_kind": kind})

    def read(self) -> Lock:
        """The side of a reader, a lock of its own."""
        return self._side("read")

    def write(self) -> Lock:
        """The side of a writer."""
        return self._side("write")
