"""Leases, with asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from .. import errors, ops
from .._native import ffi
from ..lease import Event, LeaseBase, event_of, patience_or_zero

if TYPE_CHECKING:
    from .._base import ClientBase
    from .._convert import Seconds
    from ._caller import Caller, Source


class Lease(LeaseBase):
    """A lease that is kept alive: ``await client.lease(30)``, or ``async with``, which revokes it in the end."""

    def __init__(
        self, client: ClientBase, caller: Caller, source: Source, ttl: Seconds, lease_id: int, timeout: Optional[Seconds]
    ) -> None:
        super().__init__(client, source.queue, ttl, lease_id, timeout)
        self._caller = caller
        self._source = source

    async def _open(self) -> Lease:
        try:
            self._opened(await self._source.next(-1))
        except BaseException:
            self._ptr = ffi.NULL
            raise
        return self

    async def next_event(self, timeout: Optional[Seconds] = None) -> Optional[Event]:
        """Wait for what becomes of it. timeout: None: as long as it takes; else None is returned when it has passed."""
        record = await self._source.next(patience_or_zero(timeout))
        return event_of(record) if record is not None else None

    async def close(self, timeout: Optional[Seconds] = None) -> None:
        """Revoke it, and with it all keys that hang on it. One that is gone already is fine."""
        try:
            await self._caller.run(ops.lease_revoke(self.id, timeout=timeout))
        except (errors.NotFound, errors.Forked):
            pass  # it has ended; or it is the parent's
        finally:
            self._source.stop()
            self._ptr = ffi.NULL

    async def __aenter__(self) -> Lease:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()
