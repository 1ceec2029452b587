"""A client of etcd: keys, leases, watches, locks, elections, mirrors.

``coord.Client`` is for synchronous code, ``coord.aio.Client`` for asyncio; both have the same methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import errors, ops
from ._base import after_fork, version
from .client import Client
from .errors import (
    TLS, Auth, Canceled, Closed, Compacted, Conflict, Error, Exhausted, Forked, Internal, Invalid, Lost, NoMemory,
    NotFound, NotHeld, Protocol, Timeout, TooLarge, Unavailable, Unsupported,
)  # fmt: skip
from .kv import Change, Compaction, Deleted, KeyValue, LeaseInfo, Put, Range, Txn
from .lease import Event
from .txn import key

if TYPE_CHECKING:
    from . import aio as aio

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """``coord.aio`` without importing it: asyncio is loaded only when it is wanted."""
    if name == "aio":
        from importlib import import_module

        return import_module("coord.aio")
    raise AttributeError(f"module 'coord' has no attribute {name!r}")


__all__ = [
    "Auth", "Canceled", "Change", "Client", "Closed", "Compacted", "Compaction", "Conflict", "Deleted", "Error", "Event",
    "Exhausted", "Forked", "Internal", "Invalid", "KeyValue", "LeaseInfo", "Lost", "NoMemory", "NotFound", "NotHeld", "Protocol",
    "Put", "Range", "TLS", "Timeout", "TooLarge", "Txn", "Unavailable", "Unsupported", "after_fork", "aio", "errors", "key",
    "ops", "version",
]  # fmt: skip
