"""Discovery, with asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from .._native import ffi
from ..discovery import ServiceChange, ServiceWatchBase
from ..lease import patience_or_zero

if TYPE_CHECKING:
    from .._convert import Seconds
    from ..registry import RegistryBase
    from ._caller import Source


class ServiceWatch(ServiceWatchBase):
    """As ``coord.discovery.ServiceWatch``: ``async for change in registry.watch("web")``."""

    def __init__(self, registry: RegistryBase, service: str, source: Source) -> None:
        super().__init__(registry, service, source.queue)
        self._source = source

    async def next_change(self, timeout: Optional[Seconds] = None) -> Optional[ServiceChange]:
        """The next change. None: the time has passed, or it was closed; timeout None: as long as it takes."""
        while not self._is_closed:
            record = await self._source.next(patience_or_zero(timeout))
            if record is None:
                return None
            told = self._told(record)
            if told is not None:
                return told
        return None

    def __aiter__(self) -> ServiceWatch:
        return self

    async def __anext__(self) -> ServiceChange:
        change = await self.next_change()
        if change is None:
            raise StopAsyncIteration
        return change

    def close(self) -> None:
        """End it."""
        self._is_closed = True
        self._source.stop()
        self._ptr = ffi.NULL

    async def __aenter__(self) -> ServiceWatch:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()
