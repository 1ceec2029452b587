"""Reading ranges of any size page by page, all of it as it was at one revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, Optional

from ._convert import Seconds, deadline
from ._native import ffi, lib
from ._record import opened
from .kv import KeyValue
from .ops import Op

if TYPE_CHECKING:
    from ._base import ClientBase
    from ._caller import Caller
    from ._record import Record


def _read_page(record: Record) -> tuple[KeyValue, ...]:
    return record.kvs


class ScanBase:
    """The library's scan."""

    def __init__(self, client: ClientBase, get: Op[Any], page: int) -> None:
        raw = get.make()
        try:
            self._ptr: Any = ffi.gc(
                opened("coord_scan *", lib.coord_scan_open, client._ptr, raw, page),  # pyright: ignore[reportPrivateUsage]
                lib.coord_scan_free,
            )
        finally:
            lib.coord_op_free(raw)

    @property
    def revision(self) -> int:
        """The revision that all of it is of; 0 before the first page."""
        return int(lib.coord_scan_revision(self._ptr))

    @property
    def total(self) -> int:
        """How many keys there are at that revision; -1 before it is known."""
        return int(lib.coord_scan_total(self._ptr))

    @property
    def delivered(self) -> int:
        """How many of them were read so far."""
        return int(lib.coord_scan_delivered(self._ptr))

    def _page(self, timeout: Optional[Seconds]) -> Op[tuple[KeyValue, ...]]:
        return Op(lambda: lib.coord_op_scan_next(self._ptr), _read_page, deadline(timeout), text="page of a scan")

    def __repr__(self) -> str:
        return f"<scan: {self.delivered} of {self.total} keys, revision {self.revision}>"


class Scan(ScanBase):
    """Iterate over it for key-values, or over ``pages()``; one page is in memory at a time.

    Raises Compacted: the revision was compacted while the scan went on.
    """

    def __init__(self, client: ClientBase, caller: Caller, get: Op[Any], page: int, timeout: Optional[Seconds]) -> None:
        super().__init__(client, get, page)
        self._caller = caller
        self._timeout = timeout
        self._rest: Iterator[KeyValue] = iter(())

    def pages(self) -> Iterator[tuple[KeyValue, ...]]:
        """The pages that are left."""
        while True:
            page = self._caller.run(self._page(self._timeout))
            if not page:
                return
            yield page

    def __iter__(self) -> Scan:
        return self

    def __next__(self) -> KeyValue:
        for kv in self._rest:
            return kv
        page = self._caller.run(self._page(self._timeout))
        if not page:
            raise StopIteration
        self._rest = iter(page)
        return next(self._rest)
