"""Locks: fair, fenced, told when they are lost. docs/LOCKS.md says what they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional

from . import errors
from ._convert import Bytes, Seconds, deadline, patience, to_bytes
from ._native import ffi, lib
from ._record import Record, opened
from ._verb import method_of
from .lease import Event, event_of, patience_or_zero
from .ops import Op

if TYPE_CHECKING:
    from ._base import ClientBase
    from ._caller import Caller, Source



def lock_keywords(**given: Any) -> dict[str, Any]:
    """The options of a lock, without those that are None."""
    if "shared_lease" in given:
        shared = given.pop("shared_lease")
        given["lease"] = None if shared is None else "shared" if shared else "own"
    return {f"lock_{word}": value for word, value in given.items() if value is not None}


def read_token(record: Record) -> int:
    """The fencing token of what was acquired."""
    return int(record.revision)


class LockBase:
    """The library's lock."""

    def __init__(self, client: ClientBase, queue: Any, names: tuple[Bytes, ...], keywords: Mapping[str, Any]) -> None:
        if not names:
            raise errors.Invalid("a lock needs a name")
        self._client = client
        self._names = [to_bytes(name, "name") for name in names]
        texts = [ffi.new("char[]", name) for name in self._names]
        self._ptr: Any = ffi.gc(
            opened(
                "coord_lock *", lib.coord_lock_open_many, client._ptr, ffi.new("const void *[]", texts),
                [len(name) for name in self._names], len(texts), client._handle_options(keywords), queue, 0,
            ),
            lib.coord_lock_free,
        )  # fmt: skip

    @property
    def is_held(self) -> bool:
        """It is held: False as soon as its lease could have ended by this host's clock. Asks nobody."""
        return bool(lib.coord_lock_is_held(self._ptr))

    @property
    def token(self) -> int:
        """The fencing token, which grows from holder to holder: to be handed to what the lock protects. 0: not held."""
        return int(lib.coord_lock_token(self._ptr))

    @property
    def remaining(self) -> float:
        """Seconds for which it is held at least if nobody is heard of any more; 0: it is not held."""
        return float(lib.coord_lock_remaining_ms(self._ptr)) / 1000

    @property
    def key(self) -> bytes:
        """The key by which it is held (of several names: the first). Raises NotHeld."""
        kv = ffi.new("coord_kv *")
        code = lib.coord_lock_key(self._ptr, 0, kv)
        if code != 0:
            raise errors.make(code, "the lock is not held", 0, "", -1, -1)
        return bytes(ffi.buffer(kv.key, kv.key_len))

    def check(self) -> None:
        """Raise Lost unless ``is_held``: to be called before what only the holder may do."""
        if not self.is_held:
            raise errors.Lost(f"{self._text()} is not held, or could be lost")

    def add_to(self, txn: Any) -> int:
        """As a condition of a transaction, ``txn().when(lock)``: it does nothing once another could hold the lock."""
        return int(lib.coord_op_if_held(txn, self._ptr))

    def _acquire(self, *, wait: bool = True, timeout: Optional[Seconds] = None) -> Op[int]:
        """Acquire it and return the fencing token. timeout: None: as long as it takes. wait=False: only if it is free.

        Raises Timeout; Conflict: it is held by another (wait=False), or this object holds it, or waits for it, already;
        Lost: the lease ended meanwhile. Waiting that ends early leaves nothing behind.
        """
        ms = patience(timeout) if wait else deadline(timeout)
        return Op(
            lambda: lib.coord_op_acquire(self._ptr, wait), read_token, ms, undo=lambda _: self._release(), text="acquire"
        )

    def _release(self, *, timeout: Optional[Seconds] = None) -> Op[None]:
        """Release it. Raises NotHeld; Lost: it was lost before. Without an answer it goes on in the background."""
        return Op(lambda: lib.coord_op_release(self._ptr), lambda _: None, deadline(timeout), text="release")

    def _renew(self, *, timeout: Optional[Seconds] = None) -> Op[int]:
        """Give its lease the whole time again at once; the seconds that it has. Raises NotHeld, Lost."""
        return Op(lambda: lib.coord_op_lock_renew(self._ptr), lambda record: int(record.ttl), deadline(timeout), text="renew")

    def _text(self) -> str:
        return f"lock {', '.join(map(repr, self._names))}"

    def __repr__(self) -> str:
        return f"<{self._text()}{f', held with token {self.token}' if self.is_held else ''}>"


def swallow_at_exit(failure: errors.Error, others: bool) -> bool:
    """Whether what a release says at the end of ``with`` is of no interest: it was released, or is another process's."""
    return others or isinstance(failure, (errors.NotHeld, errors.Forked))


class Lock(LockBase):
    """A lock. ``with`` acquires it, as long as that takes, and releases it; leaving raises Lost if it was lost meanwhile.

    ::

        with client.lock("reports", ttl=30) as held:
            write(report, fence=held.token)
    """

    def __init__(
        self, client: ClientBase, caller: Caller, source: Source, names: tuple[Bytes, ...], keywords: Mapping[str, Any]
    ) -> None:
        super().__init__(client, source.queue, names, keywords)
        self._caller = caller
        self._source = source

    acquire = method_of(LockBase._acquire)
    release = method_of(LockBase._release)
    renew = method_of(LockBase._renew)

    def try_acquire(self) -> bool:
        """Acquire it if it is free at once."""
        try:
            self.acquire(wait=False)
        except errors.Conflict:
            return False
        return True

    def next_event(self, timeout: Optional[Seconds] = None) -> Optional[Event]:
        """Wait for what becomes of it. timeout: None: as long as it takes; else None is returned when it has passed."""
        record = self._source.next(patience_or_zero(timeout))
        return event_of(record) if record is not None else None

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        try:
            self.release()
        except errors.Error as failure:
            if not swallow_at_exit(failure, kind is not None):
                raise


class RWLock:
    """A lock that readers share and a writer has alone: ``with client.rwlock("x").read() as held``."""

    def __init__(self, client: ClientBase, caller: Caller, name: Bytes, keywords: Mapping[str, Any]) -> None:
        self._client = client
        self._caller = caller
        self._name = name
        self._keywords = keywords

    def _side(self, kind: str) -> Lock:
        from ._caller import Source

        return Lock(self._client, self._caller, Source(self._caller), (self._name,), {**self._keywords, "lock_kind": kind})

    def read(self) -> Lock:
        """The side of a reader, a lock of its own."""
        return self._side("read")

    def write(self) -> Lock:
        """The side of a writer."""
        return self._side("write")
