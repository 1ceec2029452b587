"""Reading ranges of any size page by page, with asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncIterator, Iterator, Optional

from ..scan import ScanBase

if TYPE_CHECKING:
    from .._base import ClientBase
    from .._convert import Seconds
    from ..kv import KeyValue
    from ..ops import Op
    from ._caller import Caller


class Scan(ScanBase):
    """Iterate over it (``async for``) for key-values, or over ``pages()``; one page is in memory at a time.

    Raises Compacted: the revision was compacted while the scan went on.
    """

    def __init__(self, client: ClientBase, caller: Caller, get: Op[Any], page: int, timeout: Optional[Seconds]) -> None:
        super().__init__(client, get, page)
        self._caller = caller
        self._timeout = timeout
        self._rest: Iterator[KeyValue] = iter(())

    async def pages(self) -> AsyncIterator[tuple[KeyValue, ...]]:
        """The pages that are left."""
        while True:
            page = await self._caller.run(self._page(self._timeout))
            if not page:
                return
            yield page

    def __aiter__(self) -> Scan:
        return self

    async def __anext__(self) -> KeyValue:
        for kv in self._rest:
            return kv
        page = await self._caller.run(self._page(self._timeout))
        if not page:
            raise StopAsyncIteration
        self._rest = iter(page)
        return next(self._rest)
