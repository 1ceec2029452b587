"""What the store answers: immutable, with names. Fields may be added at the end: use the names."""

from __future__ import annotations

from typing import NamedTuple, Optional, Union


class KeyValue(NamedTuple):
    """A key, its value, and what etcd knows of both. Keys and values are bytes; ``text`` and ``key_text`` are str."""

    key: bytes
    value: bytes
    mod_revision: int
    """The revision of the last change."""
    create_revision: int
    """The revision at which the key came to be."""
    version: int
    """How often it was written since then, 1 at first."""
    lease_id: int
    """The lease that it hangs on; 0: none."""

    @property
    def text(self) -> str:
        """The value as UTF-8. UnicodeDecodeError when it is not."""
        return self.value.decode()

    @property
    def key_text(self) -> str:
        """The key as UTF-8. UnicodeDecodeError when it is not."""
        return self.key.decode()

    def __repr__(self) -> str:
        lease = f", lease_id={self.lease_id:#x}" if self.lease_id else ""
        return f"KeyValue({_short(self.key)} = {_short(self.value)}, mod_revision={self.mod_revision}{lease})"


def _short(data: bytes) -> str:
    return repr(data) if len(data) <= 60 else f"{data[:50]!r}... ({len(data)} bytes)"


class Put(NamedTuple):
    """The answer to a put."""

    revision: int
    previous: Optional[KeyValue] = None
    """With ``prev_kv``: what was there before."""


class Deleted(NamedTuple):
    """The answer to a delete."""

    revision: int
    deleted: int
    """How many keys there were."""
    previous: tuple[KeyValue, ...] = ()
    """With ``prev_kv``: those keys."""


class Range(NamedTuple):
    """The answer to a read of a range, all of it of one revision."""

    revision: int
    kvs: tuple[KeyValue, ...]
    total: int
    """How many keys there are, whatever the limit."""
    more: bool
    """The limit has cut some."""

    def __repr__(self) -> str:
        return f"Range({len(self.kvs)} of {self.total} keys, revision={self.revision})"


class Compaction(NamedTuple):
    """The answer to a compaction."""

    revision: int


class LeaseInfo(NamedTuple):
    """What the server says of a lease; times in seconds."""

    id: int
    ttl: int
    """What it has left; -1: there is no such lease."""
    granted_ttl: int
    """What it was granted; 0: not told."""
    keys: tuple[bytes, ...] = ()
    """The keys that hang on it, if they were asked for."""


TxnPart = Union[Optional[KeyValue], Put, Deleted, Range, "Txn"]
"""What an op of a transaction answers: what it would answer alone."""


class Txn(NamedTuple):
    """The answer to a transaction."""

    revision: int
    succeeded: bool
    """All compares held, and what was done is ``then``."""
    results: tuple[TxnPart, ...]
    """One for each op that was done."""


class Change(NamedTuple):
    """What has happened to a key."""

    type: str
    """``"put"`` or ``"delete"``."""
    kv: KeyValue
    """The key as it is since then; of a delete there are only key and mod_revision."""
    previous: Optional[KeyValue] = None
    """As it was before, if that was asked for, and known."""

    @property
    def key(self) -> bytes:
        """The key."""
        return self.kv.key

    @property
    def value(self) -> bytes:
        """The value since then; empty for a delete."""
        return self.kv.value

    @property
    def text(self) -> str:
        """The value as UTF-8."""
        return self.kv.text

    @property
    def revision(self) -> int:
        """The revision of the change."""
        return self.kv.mod_revision

    @property
    def is_create(self) -> bool:
        """A put of a key that was not there before."""
        return self.type == "put" and self.kv.create_revision == self.kv.mod_revision

    def __repr__(self) -> str:
        if self.type == "delete":
            return f"Change(delete {_short(self.key)}, revision={self.revision})"
        return f"Change(put {_short(self.key)} = {_short(self.value)}, revision={self.revision})"
