"""Out of the library: records, as _glue.c writes them."""

from __future__ import annotations

import struct
from typing import Any, Final

from . import errors
from ._native import ffi, lib
from .kv import Change, KeyValue

HEAD = struct.Struct("=20q")
ITEM = struct.Struct("=7q")
PREVIOUS: Final = 2

RESULT, CHANGES, RESYNC, AT_RISK, LOST, RESTORED, ACQUIRED, STATE, LOG, CLOSED, REJECTED = range(11)
"""Types of records, as in coord/event.h."""


class Record:
    """One event or result. ``head`` has the numbers, in the order of _glue.c."""

    __slots__ = ("head", "items", "parts", "text", "endpoint")

    def __init__(
        self, head: tuple[int, ...], items: list[tuple[int, KeyValue]], parts: list[Record], text: str, endpoint: str
    ) -> None:
        self.head = head
        self.items = items
        self.parts = parts
        self.text = text
        self.endpoint = endpoint

    type = property(lambda self: self.head[1], doc="RESULT, CHANGES, ...")
    tag = property(lambda self: self.head[2])
    code = property(lambda self: self.head[3], doc="0, or that of an error")
    revision = property(lambda self: self.head[4])
    flags = property(lambda self: self.head[9])
    total = property(lambda self: self.head[10])
    lease_id = property(lambda self: self.head[11])
    ttl = property(lambda self: self.head[12], doc="seconds")
    granted_ttl = property(lambda self: self.head[13], doc="seconds")
    number = property(lambda self: self.head[16], doc="level of a line, state of an endpoint")

    @property
    def succeeded(self) -> bool:
        return bool(self.head[9] & 1)

    @property
    def more(self) -> bool:
        return bool(self.head[9] & 2)

    @property
    def kvs(self) -> tuple[KeyValue, ...]:
        """The key-values of a result."""
        return tuple([kv for _, kv in self.items])

    @property
    def kv(self) -> KeyValue | None:
        """The only key-value of a result."""
        return self.items[0][1] if self.items else None

    def changes(self) -> list[Change]:
        """What CHANGES tells."""
        found: list[Change] = []
        items = iter(self.items)
        for kind, kv in items:
            previous = next(items)[1] if kind & PREVIOUS else None
            found.append(Change("delete" if kind & 1 else "put", kv, previous))
        return found

    def error(self) -> errors.Error:
        """The exception that a record with a code is."""
        head = self.head
        found = errors.make(head[3], self.text, head[9], self.endpoint, head[14], head[15])
        if isinstance(found, errors.Compacted):
            found.revision = head[4]
        return found


def _record(buffer: Any, at: int) -> tuple[Record, int]:
    """The record that begins at `at`, and where the next one does."""
    head = HEAD.unpack_from(buffer, at)
    if head[0] == HEAD.size:  # nothing but numbers: what a put answers
        return Record(head, [], [], "", ""), at + HEAD.size
    _, _, _, _, _, count, text_size, endpoint_size, part_count = head[:9]
    items: list[tuple[int, KeyValue]] = []
    begin = at + HEAD.size
    at = begin + count * ITEM.size
    for i in range(count):
        kind, key_size, value_size, create, mod, version, lease = ITEM.unpack_from(buffer, begin + i * ITEM.size)
        middle = at + key_size
        end = middle + value_size
        items.append((kind, KeyValue(buffer[at:middle], buffer[middle:end], mod, create, version, lease)))
        at = end
    text = endpoint = ""
    if text_size or endpoint_size:
        text = buffer[at : at + text_size].decode("utf-8", "replace")
        at += text_size
        endpoint = buffer[at : at + endpoint_size].decode("utf-8", "replace")
        at += endpoint_size
    at = at + 7 & ~7
    parts: list[Record] = []
    for _ in range(part_count):
        part, at = _record(buffer, at)
        parts.append(part)
    return Record(head, items, parts, text, endpoint), at


def records(block: Any) -> list[Record]:
    """All records of a block, which is freed."""
    try:
        size = block[0]
        buffer = ffi.buffer(block, size)
        record, at = _record(buffer, 8)
        found = [record]
        while at < size:
            record, at = _record(buffer, at)
            found.append(record)
        return found
    finally:
        lib.py_free(block)


def failure(code: int, box: Any) -> errors.Error:
    """The exception for a call that answered `code` and left its error in `box` (coord_error **)."""
    return records(lib.py_error(code, box[0]))[0].error()


def opened(kind: str, function: Any, *arguments: Any) -> Any:
    """Call `function(*arguments, out, err)` with an out-parameter of type `kind`; what it hands out."""
    out = ffi.new(kind + " *")
    box = ffi.new("coord_error **")
    code = function(*arguments, out, box)
    if code != 0:
        raise failure(code, box)
    return out[0]


def checked(function: Any, *arguments: Any) -> None:
    """Call `function(*arguments, err)`, which hands out nothing."""
    box = ffi.new("coord_error **")
    code = function(*arguments, box)
    if code != 0:
        raise failure(code, box)
