"""Watches: every change of a key or a range, once, in order, whatever happens to connections."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Iterator, Optional

from ._native import ffi, lib
from ._record import CHANGES, CLOSED, RESYNC, Record, opened
from .lease import patience_or_zero

if TYPE_CHECKING:
    from ._base import ClientBase
    from ._caller import Source
    from ._convert import Seconds
    from .kv import Change
    from .ops import Op


class WatchBase:
    """The library's watch, and what has come of it."""

    def __init__(self, client: ClientBase, queue: Any, get: Op[Any], start_revision: int) -> None:
        raw = get.make()
        try:
            self._ptr: Any = ffi.gc(
                opened("coord_watch *", lib.coord_watch_open, client._ptr, raw, start_revision, queue, 0),
                lib.coord_watch_free,
            )
        finally:
            lib.coord_op_free(raw)
        self._client = client
        self._text = get.text
        self._ready: deque[list[Change]] = deque()
        self._rest: deque[Change] = deque()
        self.revision = 0
        """All changes up to this revision were told; 0: it does not stand yet."""
        self.interruptions = 0
        """How often it was interrupted, and stood again; nothing was left out."""
        self.is_closed = False

    def _feed(self, record: Record) -> None:
        """Take in a record. Raises what has ended the watch."""
        if record.type == CHANGES:
            self.revision = max(self.revision, record.revision)
            if record.items:
                self._ready.append(record.changes())
        elif record.type == RESYNC:
            self.interruptions += record.code != 0
            self.revision = max(self.revision, record.revision)
        elif record.type == CLOSED:
            self.is_closed = True
            if record.code != 0:
                raise record.error()

    def _end(self) -> None:
        self.is_closed = True
        if self._ptr:
            lib.coord_watch_close(self._ptr)

    def __repr__(self) -> str:
        return f"<watch: {self._text}, revision {self.revision}{', closed' if self.is_closed else ''}>"


class Watch(WatchBase):
    """Iterate over it for changes, or over ``batches()``; it ends after ``close()``, also of another thread.

    ``with`` waits until the watch stands, so that no change after that is missed, and closes it in the end.
    Raises Compacted: what comes next was compacted before it could be told: read the keys, and watch from the revision
    after that. Closed: the client was closed. Auth and others: the server refuses it.
    """

    def __init__(self, client: ClientBase, source: Source, get: Op[Any], start_revision: int) -> None:
        super().__init__(client, source.queue, get, start_revision)
        self._source = source

    def ready(self, timeout: Optional[Seconds] = None) -> bool:
        """Wait until it stands. False: not within that time; None: as long as it takes."""
        while not self.revision and not self.is_closed:
            record = self._source.next(patience_or_zero(timeout))
            if record is None:
                return False
            self._feed(record)
        return True

    def next_batch(self, timeout: Optional[Seconds] = None) -> Optional[list[Change]]:
        """The next changes; those of one revision are never divided. None: the time has passed, or it was closed."""
        while not self._ready:
            if self.is_closed:
                return None
            record = self._source.next(patience_or_zero(timeout))
            if record is None:
                return None
            self._feed(record)
        return self._ready.popleft()

    def next_change(self, timeout: Optional[Seconds] = None) -> Optional[Change]:
        """The next change. None: the time has passed, or it was closed."""
        if not self._rest:
            self._rest.extend(self.next_batch(timeout) or ())
        return self._rest.popleft() if self._rest else None

    def batches(self) -> Iterator[list[Change]]:
        """The changes, as ``next_batch`` has them."""
        while True:
            batch = self.next_batch()
            if batch is None:
                return
            yield batch

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> Change:
        change = self.next_change()
        if change is None:
            raise StopIteration
        return change

    def close(self) -> None:
        """End it. Changes that have come are still told; from any thread."""
        if self._ptr:
            lib.coord_watch_close(self._ptr)

    def __enter__(self) -> Watch:
        self.ready()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()
        self._ptr = ffi.NULL
