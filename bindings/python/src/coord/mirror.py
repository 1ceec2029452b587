"""Mirrors: a live copy of all keys under a prefix, read without asking anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, Optional

from . import errors
from ._clock import now_ms
from ._convert import Bytes, Seconds, patience, to_bytes
from ._native import ffi, lib
from ._record import CHANGES, CLOSED, RESYNC, Record, opened, records
from .kv import Change, KeyValue, Range
from .lease import patience_or_zero

if TYPE_CHECKING:
    from ._base import ClientBase
    from ._caller import Source


class MirrorBase:
    """The library's mirror; all reading of it. A read is a snapshot and asks nobody."""

    def __init__(
        self, client: ClientBase, queue: Any, prefix: Bytes, file: Optional[str], interval: Optional[Seconds]
    ) -> None:
        keywords: dict[str, Any] = {"mirror_wait": False}
        if file is not None:
            keywords["mirror_file"] = file
        if interval is not None:
            keywords["mirror_file_interval"] = interval
        self._client = client
        self._prefix = to_bytes(prefix, "prefix")
        self._ptr: Any = ffi.gc(
            opened(
                "coord_mirror *", lib.coord_mirror_open, client._ptr, self._prefix, len(self._prefix),
                client._handle_options(keywords), queue, 0,
            ),
            lib.coord_mirror_free,
        )  # fmt: skip

    def _settled(self, record: Optional[Record]) -> bool:
        """While opening: the content is that of the server. None: the time has passed."""
        if record is None:
            if self.is_loaded:
                return True  # what the file had
            raise errors.Timeout("the content of the mirror has not come in time")
        if record.type == CLOSED:
            raise record.error()
        return bool(record.type == RESYNC and record.code == 0)

    def _told(self, record: Record) -> Optional[list[Change]]:
        """The changes that a record tells. Raises what has ended the mirror."""
        if record.type == CLOSED:
            raise record.error() if record.code else errors.Closed()
        return record.changes() if record.type == CHANGES and record.items else None

    def _read(self, function: Any, *arguments: Any) -> Record:
        out = ffi.new("coord_result **")
        code = function(self._ptr, *arguments, out)
        if code != 0:
            why = {errors.Invalid.code: "the key is not below the prefix of the mirror", errors.Unavailable.code: "the content is not there yet"}
            raise errors.make(code, why.get(code, ""), 0, "", -1, -1)
        return records(lib.py_result(out[0]))[0]

    def _range(self, record: Record) -> Range:
        return Range(record.revision, record.kvs, record.total, record.more)

    def get(self, key: Bytes) -> Optional[KeyValue]:
        """One key; None when there is none. Raises Invalid: it is not below the prefix; Unavailable: not loaded yet."""
        name = to_bytes(key, "key")
        return self._read(lib.coord_mirror_get, name, len(name)).kv

    def range(self, start: Bytes = b"", end: Bytes = b"", *, limit: int = 0) -> Range:
        """The keys from `start` up to `end`, without `end`; empty: the first of the mirror, its end."""
        low, high = to_bytes(start, "start"), to_bytes(end, "end")
        return self._range(self._read(lib.coord_mirror_range, low, len(low), high, len(high), limit))

    def get_prefix(self, prefix: Bytes) -> Range:
        """The keys that begin with `prefix`, which begins with that of the mirror."""
        name = to_bytes(prefix, "prefix")
        return self._range(self._read(lib.coord_mirror_prefix, name, len(name)))

    def all(self) -> Range:
        """All of it."""
        return self._range(self._read(lib.coord_mirror_all))

    @property
    def revision(self) -> int:
        """The revision that the content is of; 0: it is not loaded."""
        return int(lib.coord_mirror_revision(self._ptr))

    @property
    def is_loaded(self) -> bool:
        """There is something to read."""
        return self.staleness is not None

    @property
    def staleness(self) -> Optional[float]:
        """How many seconds ago the content was surely that of the server; 0: it is now. None: it is not loaded."""
        ms = int(lib.coord_mirror_staleness_ms(self._ptr))
        return ms / 1000 if ms >= 0 else None

    def __len__(self) -> int:
        return int(lib.coord_mirror_count(self._ptr))

    def __bool__(self) -> bool:
        return True

    def __contains__(self, key: Bytes) -> bool:
        return self.get(key) is not None

    def __iter__(self) -> Iterator[KeyValue]:
        """The key-values, as they are now."""
        return iter(self.all().kvs)

    def close(self) -> None:
        """Drop it; what was read stays valid."""
        self._ptr = ffi.NULL

    def __repr__(self) -> str:
        return f"<mirror of {self._prefix!r}: {len(self)} keys, revision {self.revision}>"


class Mirror(MirrorBase):
    """A mirror. ``with`` drops it in the end."""

    def __init__(
        self, client: ClientBase, source: Source, prefix: Bytes, file: Optional[str], interval: Optional[Seconds],
        wait_ms: Optional[int],
    ) -> None:  # fmt: skip
        super().__init__(client, source.queue, prefix, file, interval)
        self._source = source
        if wait_ms is not None:
            end = now_ms() + wait_ms
            while not self._settled(source.next(-1 if wait_ms < 0 else max(0, end - now_ms()))):
                pass

    def next_changes(self, timeout: Optional[Seconds] = None) -> Optional[list[Change]]:
        """The next changes, which can be read already. None: the time has passed.

        Raises Closed: the client was closed; Auth and others: the server refuses it.
        """
        while True:
            record = self._source.next(patience_or_zero(timeout))
            if record is None:
                return None
            changes = self._told(record)
            if changes:
                return changes

    def __enter__(self) -> Mirror:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def wait_ms(client: ClientBase, wait: bool, timeout: Optional[Seconds]) -> Optional[int]:
    """How long opening waits, in ms: None: not at all; -1: as long as it takes."""
    if not wait:
        return None
    return int(client._option("request.timeout.ms")) if timeout is None else patience(timeout)
