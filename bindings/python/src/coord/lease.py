"""Leases: keys that hang on one go when it ends. A handle keeps its lease alive, whatever the program does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from . import errors, ops
from ._convert import Seconds, deadline, millis, patience, whole_seconds
from ._native import ffi, lib
from ._record import ACQUIRED, AT_RISK, CLOSED, LOST, RESTORED, Record, opened

if TYPE_CHECKING:
    from ._base import ClientBase
    from ._caller import Caller, Source

NAMES = {ACQUIRED: "acquired", AT_RISK: "at_risk", LOST: "lost", RESTORED: "restored", CLOSED: "closed"}


class Event(NamedTuple):
    """What has become of a lease, a lock or a leadership."""

    type: str
    """"acquired"; "at_risk": a renewal is overdue; "restored": it is well again; "lost"; "closed": the last one."""
    reason: Optional[errors.Error] = None
    """Why it is at risk, lost or closed, if there is a reason."""
    token: int = 0
    """Of acquired: the fencing token."""


def event_of(record: Record) -> Event:
    """The event that a record tells."""
    return Event(NAMES.get(record.type, "unknown"), record.error() if record.code else None, record.revision)


class LeaseBase:
    """The library's lease."""

    def __init__(self, client: ClientBase, queue: Any, ttl: Seconds, lease_id: int, timeout: Optional[Seconds]) -> None:
        self._client = client
        seconds = whole_seconds(ttl, "ttl") if not lease_id else 0
        self._ptr: Any = ffi.gc(
            opened("coord_lease *", lib.coord_lease_start, client._ptr, seconds, lease_id, deadline(timeout), queue, 0),
            lib.coord_lease_free,
        )
        self._id = int(lib.coord_lease_id(self._ptr))

    @staticmethod
    def _opened(record: Optional[Record]) -> None:
        """Take the first event."""
        if record is not None and record.type == CLOSED:
            raise record.error()

    @property
    def id(self) -> int:
        """Its id, for ``put(..., lease=...)``, which also takes the lease itself."""
        return self._id

    @property
    def ttl(self) -> int:
        """The time to live that the server has granted, in seconds."""
        return int(lib.coord_lease_ttl_s(self._ptr))

    @property
    def remaining(self) -> float:
        """Seconds that it lives at least, by this host's clock and without asking anybody. 0: act as if it is lost."""
        return float(lib.coord_lease_remaining_ms(self._ptr)) / 1000

    @property
    def is_alive(self) -> bool:
        """It is kept alive, and cannot have ended."""
        return self.remaining > 0

    def check(self) -> None:
        """Raise Lost unless ``is_alive``: to be called before what only the owner of the lease may do."""
        if not self.is_alive:
            raise errors.Lost(f"lease {self.id:#x} is lost, or could be")

    def __repr__(self) -> str:
        return f"<lease {self.id:#x}, {self.remaining:.1f} of {self.ttl} s>"


class Lease(LeaseBase):
    """A lease that is kept alive. Leaving ``with`` revokes it, and its keys go; dropping it lets it end with its time."""

    def __init__(
        self, client: ClientBase, caller: Caller, source: Source, ttl: Seconds, lease_id: int, timeout: Optional[Seconds]
    ) -> None:
        super().__init__(client, source.queue, ttl, lease_id, timeout)
        self._caller = caller
        self._source = source
        self._opened(source.next(-1))

    def next_event(self, timeout: Optional[Seconds] = None) -> Optional[Event]:
        """Wait for what becomes of it. timeout: None: as long as it takes; else None is returned when it has passed."""
        record = self._source.next(patience_or_zero(timeout))
        return event_of(record) if record is not None else None

    def close(self, timeout: Optional[Seconds] = None) -> None:
        """Revoke it, and with it all keys that hang on it. One that is gone already is fine."""
        try:
            self._caller.run(ops.lease_revoke(self.id, timeout=timeout))
        except (errors.NotFound, errors.Forked):
            pass  # it has ended; or it is the parent's
        finally:
            self._ptr = ffi.NULL

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def patience_or_zero(timeout: Optional[Seconds]) -> int:
    """Milliseconds to wait; 0: only a look."""
    return millis(timeout, "timeout") if timeout == 0 else patience(timeout)
