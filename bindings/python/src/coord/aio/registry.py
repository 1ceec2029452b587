"""Registries, with asyncio."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Callable, Coroutine, Mapping, Optional, TypeVar, Union, cast

from .._clock import now_ms
from .._convert import Seconds
from ..picker import Picker
from ..registry import RegistryBase, up
from ._caller import Source
from ._opening import Opening
from ._verb import method_of
from .discovery import ServiceWatch
from .registration import Registration

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..instance import Description, Instance
    from ._caller import Caller

F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])


class Registry(RegistryBase):
    """As ``coord.registry.Registry``."""

    _caller: Caller

    fetch = method_of(RegistryBase._fetch)

    def register(
        self, name: str, *, wait: bool = True, timeout: Optional[Seconds] = None, **described: Unpack[Description]
    ) -> Opening[Registration]:
        """Register an instance: ``await`` it, or ``async with``. Nothing happens before that.

        The arguments are those of ``coord.registry.Registry.register``.
        """
        return Opening(lambda: Registration(self, name, described)._open(wait, timeout))

    def service(
        self, name: str, *, wait: bool = True, timeout: Optional[Seconds] = None, **described: Unpack[Description]
    ) -> Callable[[F], F]:
        """A decorator of a coroutine function: while it runs an instance is registered. Arguments as ``register``."""

        def decorate(function: F) -> F:
            @wraps(function)
            async def registered(*arguments: Any, **keywords: Any) -> Any:
                async with self.register(name, wait=wait, timeout=timeout, **described):
                    return await function(*arguments, **keywords)

            return cast(F, registered)

        return decorate

    async def _ready(self, service: str, timeout: Optional[Seconds]) -> None:
        wait_ms = self._patience(timeout)
        end = now_ms() + wait_ms
        async with ServiceWatch(self, service, Source(self._caller)) as watch:
            left = -1 if wait_ms < 0 else wait_ms
            while not self._settled(watch, await watch._source.next(left)):
                left = -1 if wait_ms < 0 else max(0, end - now_ms())

    async def discover(self, service: str, *, timeout: Optional[Seconds] = None) -> tuple[Instance, ...]:
        """The instances of a service, whatever their status, in the order of their ids; perhaps none."""
        if not self._is_read:
            await self._ready(service, timeout)
        return self._look(service)

    async def first(self, service: str, *, timeout: Optional[Seconds] = None) -> Optional[Instance]:
        """The instance with the lowest id among those that are "up". None: there is none."""
        return up(await self.discover(service, timeout=timeout))

    async def services(self, *, timeout: Optional[Seconds] = None) -> list[str]:
        """The names of all services that have an instance."""
        if not self._is_read:
            await self._ready("-", timeout)
        return self._services()

    def watch(self, service: str) -> ServiceWatch:
        """Who comes, goes or changes among the instances of a service; ``async for``. The first one tells who is there."""
        return ServiceWatch(self, service, Source(self._caller))

    def picker(
        self,
        service: str,
        policy: str = "round_robin",
        *,
        subset: Union[str, Mapping[str, str], None] = None,
        timeout: Optional[Seconds] = None,
    ) -> Opening[Picker]:
        """A picker: ``await`` it, or ``async with``; picking needs no await. As ``coord.registry.Registry.picker``."""

        async def open_it() -> Picker:
            picker = Picker(self, service, policy, subset)
            if not self._is_read:
                await self._ready(service, timeout)
            return picker

        return Opening(open_it)

    async def __aenter__(self) -> Registry:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()
