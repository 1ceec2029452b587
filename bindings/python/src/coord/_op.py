"""What an op is. The verbs are in ops.py."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Generic, Optional, TypeVar, Union, cast

from ._convert import Bytes, Seconds, deadline, to_bytes
from ._native import ffi, lib

if TYPE_CHECKING:
    from ._record import Record
    from .lease import LeaseBase

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

NULL = ffi.NULL
GET, PUT, DELETE = 0, 1, 2
VERBS = ("get", "put", "delete")


class Op(Generic[T_co]):
    """A verb, ready to be executed: how the library's op is made, and what its answer becomes."""

    __slots__ = ("make", "read", "timeout_ms", "undo", "text")

    def __init__(
        self,
        make: Callable[[], Any],
        read: Callable[[Record], T_co],
        timeout_ms: int = 0,
        *,
        undo: Optional[Callable[[Record], Op[Any]]] = None,
        text: Union[str, tuple[str, bytes]] = "",
    ) -> None:
        self.make = make
        """A new coord_op, which its execution frees."""
        self.read = read
        self.timeout_ms = timeout_ms
        self.undo = undo
        """What takes back a success that comes when nobody waits for it any more."""
        self.text = text

    def __repr__(self) -> str:
        text = self.text if isinstance(self.text, str) else f"{self.text[0]} {self.text[1]!r}"
        return f"<coord op {text}>"


Lease = Union[int, "LeaseBase"]
"""A lease: its handle, or its id."""


def id_of(lease: Optional[Lease]) -> int:
    """The id of a lease; 0 for none."""
    if lease is None:
        return 0
    return lease if isinstance(lease, int) else lease.id


def kv_op(
    verb: int,
    key: Bytes,
    read: Callable[[Record], T],
    attributes: list[int],
    *,
    value: bytes = b"",
    end: Optional[bytes] = None,
    prefix: bool = False,
    timeout: Optional[Seconds] = None,
) -> Op[T]:
    """An op on a key or a range. `attributes`: pairs of COORD_OP_... and value, without those that are 0."""
    name = to_bytes(key, "key")
    end_size = -1 if prefix else len(end) if end is not None else 0
    make = partial(
        lib.py_op, verb, name, len(name), value, len(value), NULL if end is None else end, end_size,
        attributes or NULL, len(attributes) // 2,
    )  # fmt: skip
    return Op(make, read, 0 if timeout is None else deadline(timeout), text=(VERBS[verb], name))


def attributes(*pairs: tuple[int, int]) -> list[int]:
    """Those that are not 0, flat."""
    return [number for pair in pairs if pair[1] for number in pair]


def read_json(record: Record) -> dict[str, Any]:
    """The answer of those that speak JSON."""
    import json  # here, for the sake of a quick import

    return cast("dict[str, Any]", json.loads(record.text))
