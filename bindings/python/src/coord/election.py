"""Elections: one of many leads, and all know who."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, Mapping, Optional

from . import errors
from ._convert import Bytes, Seconds, deadline, patience, to_bytes
from ._native import ffi, lib
from ._record import CHANGES, CLOSED, Record, checked, opened
from ._verb import method_of
from .lease import Event, event_of, patience_or_zero
from .lock import read_token, swallow_at_exit
from .ops import Op

if TYPE_CHECKING:
    from ._base import ClientBase
    from ._caller import Caller, Source
    from .kv import KeyValue


class ElectionBase:
    """The library's election: one candidate."""

    def __init__(self, client: ClientBase, queue: Any, name: Bytes, value: Bytes, keywords: Mapping[str, Any]) -> None:
        self._client = client
        self._name = to_bytes(name, "name")
        self._value = value
        self._ptr: Any = ffi.gc(
            opened(
                "coord_election *", lib.coord_election_open, client._ptr, self._name, len(self._name),
                client._handle_options(keywords), queue, 0,
            ),
            lib.coord_election_free,
        )  # fmt: skip

    @property
    def is_leader(self) -> bool:
        """This candidate leads: False as soon as its lease could have ended by this host's clock. Asks nobody."""
        return bool(lib.coord_election_is_leader(self._ptr))

    @property
    def token(self) -> int:
        """The fencing token, which grows from leader to leader. 0: it does not lead."""
        return int(lib.coord_election_token(self._ptr))

    @property
    def remaining(self) -> float:
        """Seconds for which it leads at least if nobody is heard of any more; 0: it does not."""
        return float(lib.coord_election_remaining_ms(self._ptr)) / 1000

    def check(self) -> None:
        """Raise Lost unless ``is_leader``: to be called before what only the leader may do."""
        if not self.is_leader:
            raise errors.Lost(f"this candidate of election {self._name!r} does not lead, or could be replaced")

    def add_to(self, txn: Any) -> int:
        """As a condition of a transaction, ``txn().when(election)``: this candidate leads."""
        return int(lib.coord_op_if_leader(txn, self._ptr))

    def _campaign(self, value: Optional[Bytes] = None, *, timeout: Optional[Seconds] = None) -> Op[int]:
        """Wait until this candidate leads, and return the fencing token. timeout: None: as long as it takes.

        value: what its key says, from the beginning. Raises Timeout, Conflict, Lost as ``Lock.acquire``.
        """
        said = to_bytes(self._value if value is None else value, "value")
        return Op(
            lambda: lib.coord_op_campaign(self._ptr, said, len(said)), read_token, patience(timeout),
            undo=lambda _: self._resign(), text="campaign",
        )  # fmt: skip

    def _proclaim(self, value: Bytes, *, timeout: Optional[Seconds] = None) -> Op[None]:
        """Say something else as the leader. Raises NotHeld: it does not lead; Lost: not any more."""
        said = to_bytes(value, "value")
        return Op(
            lambda: lib.coord_op_proclaim(self._ptr, said, len(said)), lambda _: None, deadline(timeout), text="proclaim"
        )

    def _resign(self, *, timeout: Optional[Seconds] = None) -> Op[None]:
        """Lead no more. Raises NotHeld, Lost."""
        return Op(lambda: lib.coord_op_resign(self._ptr), lambda _: None, deadline(timeout), text="resign")

    def __repr__(self) -> str:
        return f"<election {self._name!r}{f', leads with token {self.token}' if self.is_leader else ''}>"


class Election(ElectionBase):
    """A candidate. ``with`` campaigns, as long as that takes, and resigns; leaving raises Lost if it was replaced.

    ::

        with client.election("cron", value=hostname) as leader:
            while leader.is_leader: ...
    """

    def __init__(
        self, client: ClientBase, caller: Caller, source: Source, name: Bytes, value: Bytes, keywords: Mapping[str, Any]
    ) -> None:
        super().__init__(client, source.queue, name, value, keywords)
        self._caller = caller
        self._source = source

    campaign = method_of(ElectionBase._campaign)
    proclaim = method_of(ElectionBase._proclaim)
    resign = method_of(ElectionBase._resign)

    def next_event(self, timeout: Optional[Seconds] = None) -> Optional[Event]:
        """Wait for what becomes of the leadership; None: the time has passed."""
        record = self._source.next(patience_or_zero(timeout))
        return event_of(record) if record is not None else None

    def __enter__(self) -> Election:
        self.campaign()
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        try:
            self.resign()
        except errors.Error as failure:
            if not swallow_at_exit(failure, kind is not None):
                raise


class ObserverBase(ElectionBase):
    """Tells who leads, beginning with how things stand."""

    def __init__(self, client: ClientBase, queue: Any, name: Bytes) -> None:
        super().__init__(client, queue, name, b"", {})
        checked(lib.coord_election_observe, self._ptr)

    @staticmethod
    def _leader(record: Record) -> tuple[bool, Optional[KeyValue]]:
        """Whether the record tells a leader, and it."""
        if record.type == CLOSED:
            raise record.error() if record.code else errors.Closed()
        if record.type != CHANGES:
            return False, None
        change = record.changes()[0]
        return True, change.kv if change.type == "put" else None


class Observer(ObserverBase):
    """Iterate over it: the key-value of each leader, None when nobody leads. Raises Closed with the client."""

    def __init__(self, client: ClientBase, source: Source, name: Bytes) -> None:
        super().__init__(client, source.queue, name)
        self._source = source

    def __iter__(self) -> Iterator[Optional[KeyValue]]:
        while True:
            record = self._source.next(-1)
            tells, leader = self._leader(record) if record is not None else (False, None)
            if tells:
                yield leader
