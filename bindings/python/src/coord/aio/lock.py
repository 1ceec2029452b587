"""Locks, with asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

from .. import errors
from ..lock import LockBase, swallow_at_exit
from ._verb import method_of
from .lease import Told

if TYPE_CHECKING:
    from .._base import ClientBase
    from .._convert import Bytes
    from ._caller import Caller, Source


class Lock(Told, LockBase):
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
