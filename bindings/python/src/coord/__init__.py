"""A client of etcd: keys, leases, watches, locks, elections, mirrors.

``coord.Client`` is for synchronous code, ``coord.aio.Client`` for asyncio; both have the same methods.
"""

from __future__ import annotations

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

__version__ = "0.1.0"

__all__ = [
    "Auth", "Canceled", "Change", "Client", "Closed", "Compacted", "Compaction", "Conflict", "Deleted", "Error", "Event",
    "Exhausted", "Forked", "Internal", "Invalid", "KeyValue", "LeaseInfo", "Lost", "NoMemory", "NotFound", "NotHeld", "Protocol",
    "Put", "Range", "TLS", "Timeout", "TooLarge", "Txn", "Unavailable", "Unsupported", "after_fork", "errors", "key",
    "ops", "version",
]  # fmt: skip
