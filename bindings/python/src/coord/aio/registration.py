"""Registrations, with asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, AsyncIterator, Mapping, Optional

from .. import errors
from .._convert import Seconds, seconds as in_seconds
from .._native import ffi
from ..lease import Event, patience_or_zero
from ..registration import RegistrationBase
from ._follow import Follower
from ._verb import method_of

if TYPE_CHECKING:
    from ..registry import RegistryBase


class Registration(RegistrationBase):
    """As ``coord.registration.Registration``: ``async with registry.register("web", ...)``. The loop calls `on_event`."""

    def __init__(self, registry: RegistryBase, name: str, given: Mapping[str, Any]) -> None:
        self._caller = registry._caller
        self._follower = Follower(self._caller, self._take_in, self._deliver)
        super().__init__(registry, name, self._follower.queue, given)
        self._follower.start()

    registered = method_of(RegistrationBase._registered)
    update = method_of(RegistrationBase._update)
    deregister = method_of(RegistrationBase._deregister)

    def _deliver(self) -> None:
        while self._on_event is not None and self._events:
            self._follower.call(self._on_event, self._events.popleft())

    @property
    def state(self) -> str:
        """"registering", "registered", "at_risk", "lost" (until it is registered again), or "closed" (for good)."""
        return self._state

    async def next_event(self, timeout: Optional[Seconds] = None) -> Optional[Event]:
        """Wait for what becomes of it, unless there is an `on_event`; as ``coord.registration.Registration.next_event``."""
        return await self._follower.until(self._event_or_end, patience_or_zero(timeout))

    async def events(self) -> AsyncIterator[Event]:
        """The events, as they come, up to "closed"."""
        while True:
            event = await self.next_event()
            if event is not None:
                yield event
            if event is None or event.type == "closed":
                return

    async def drain(self, seconds: Seconds = 0, *, timeout: Optional[Seconds] = None) -> None:
        """Show it as "draining", so that nobody picks it any more, and give all so many seconds to notice."""
        await self.update(status="draining", timeout=timeout)
        await asyncio.sleep(in_seconds(seconds, "seconds"))

    async def close(self) -> None:
        """Leave: as the end of ``async with``."""
        await self.__aexit__()

    async def _open(self, wait: bool, timeout: Optional[Seconds]) -> Registration:
        try:
            if wait:
                await self.registered(timeout=timeout)
        except BaseException:
            self._drop()
            raise
        return self

    def _drop(self) -> None:
        self._follower.stop()
        self._ptr = ffi.NULL

    async def __aenter__(self) -> Registration:
        return self

    async def __aexit__(self, *exception: object) -> None:
        try:
            if self._drain and self.state == "registered":
                await self.drain(self._drain)
            if self._ptr:
                await self.deregister()
        except errors.Error as failure:
            self._left(failure)
        finally:
            self._drop()
