"""What is opened by waiting: awaited it is the handle, and ``async with`` closes it in the end."""

from __future__ import annotations

from typing import Any, Callable, Coroutine, Generator, Generic, Protocol, TypeVar


class Handle(Protocol):
    """What can be left."""

    async def __aexit__(self, *exception: object) -> None: ...


H = TypeVar("H", bound=Handle)


class Opening(Generic[H]):
    """``await`` it, or use it in ``async with``. Nothing happens before that."""

    __slots__ = ("_open", "_handle")

    def __init__(self, open_it: Callable[[], Coroutine[Any, Any, H]]) -> None:
        self._open = open_it

    def __await__(self) -> Generator[Any, Any, H]:
        return self._open().__await__()

    async def __aenter__(self) -> H:
        self._handle = await self._open()
        return self._handle

    async def __aexit__(self, *exception: object) -> None:
        await self._handle.__aexit__(*exception)
