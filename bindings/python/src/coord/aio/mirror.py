"""Mirrors, with asyncio. Reading needs no await."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from .._clock import now_ms
from ..lease import patience_or_zero
from ..mirror import MirrorBase

if TYPE_CHECKING:
    from .._base import ClientBase
    from .._convert import Bytes, Seconds
    from ..kv import Change
    from ._caller import Source


class Mirror(MirrorBase):
    """A mirror: ``await client.mirror("config/")``, or ``async with``, which drops it in the end."""

    def __init__(
        self, client: ClientBase, source: Source, prefix: Bytes, file: Optional[str], interval: Optional[Seconds]
    ) -> None:
        super().__init__(client, source.queue, prefix, file, interval)
        self._source = source

    async def _open(self, wait_ms: Optional[int]) -> Mirror:
        try:
            end = now_ms() + (wait_ms or 0)
            while wait_ms is not None:
                left = -1 if wait_ms < 0 else max(0, end - now_ms())
                if self._settled(await self._source.next(left)):
                    break
        except BaseException:
            self.close()
            raise
        return self

    async def next_changes(self, timeout: Optional[Seconds] = None) -> Optional[list[Change]]:
        """The next changes, which can be read already. None: the time has passed.

        Raises Closed: the client was closed; Auth and others: the server refuses it.
        """
        while True:
            record = await self._source.next(patience_or_zero(timeout))
            if record is None:
                return None
            changes = self._told(record)
            if changes:
                return changes

    def close(self) -> None:
        """Drop it; what was read stays valid."""
        self._source.stop()
        super().close()

    async def __aenter__(self) -> Mirror:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()
