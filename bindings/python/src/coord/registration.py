"""A registration: an instance that stays in the registry as long as its process lives."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Optional

from . import errors
from ._convert import Seconds, deadline, seconds, whole_seconds
from ._follow import Follower
from ._native import ffi, lib
from ._op import Op
from ._record import ACQUIRED, AT_RISK, CLOSED, LOST, RESTORED, Record, opened
from ._verb import method_of
from .instance import Instance, description
from .lease import Event, event_of, patience_or_zero

if TYPE_CHECKING:
    from .registry import RegistryBase

STATES = {ACQUIRED: "registered", AT_RISK: "at_risk", LOST: "lost", RESTORED: "registered", CLOSED: "closed"}
MOST_EVENTS = 1000
"""Of those that nobody takes, the oldest are dropped."""


def _revision(record: Record) -> int:
    return int(record.revision)


def _nothing(record: Record) -> None:
    return None


class RegistrationBase:
    """The library's registration, and what has become of it."""

    def __init__(self, registry: RegistryBase, name: str, queue: Any, given: Mapping[str, Any]) -> None:
        self._registry = registry
        self._drain = seconds(given.get("drain", 0), "drain")
        self._on_event = given.get("on_event")
        self._state = "registering"
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        text = description({**given, "name": name})
        ttl = whole_seconds(given.get("ttl", 15), "ttl")
        self._ptr: Any = ffi.gc(
            opened("coord_registration *", lib.coord_registry_register, registry._ptr, text.encode(), ttl, queue, 0),
            lib.coord_registration_free,
        )
        self.id = self.instance.id
        """Which instance of the service it is."""

    def _take_in(self, record: Record) -> None:
        self._state = STATES.get(record.type, self._state)
        self._events.append(event_of(record))

    def _event(self) -> Optional[Event]:
        return self._events.popleft() if self._events else None

    def _event_or_end(self) -> Optional[Event]:
        return self._event() or (Event("closed") if self._state == "closed" or not self._ptr else None)

    @property
    def instance(self) -> Instance:
        """As it was described last. Raises Closed after the end of ``with``."""
        ptr = lib.coord_registration_instance(self._ptr)
        if not ptr:
            raise errors.Closed("this registration has ended")
        return Instance(ffi.string(lib.coord_instance_json(ptr)).decode(), ffi.gc(ptr, lib.coord_instance_free))

    @property
    def remaining(self) -> float:
        """Seconds that it is registered at least, if nobody is heard of any more. 0: it may not be, or not any more."""
        return float(lib.coord_registration_remaining_ms(self._ptr)) / 1000

    def _op(self, function: Any, *arguments: Any) -> Any:
        if not self._ptr:
            raise errors.Closed("this registration has ended")
        return function(self._ptr, *arguments)

    def _registered(self, *, timeout: Optional[Seconds] = None) -> Op[int]:
        """Wait until it is registered as it was described last: the revision of its key.

        Raises Timeout: it goes on in the background; Conflict: another has registered this id; Auth: the server refuses
        it; Closed: it was deregistered.
        """
        return Op(lambda: self._op(lib.coord_op_registered), _revision, deadline(timeout), text="registered")

    def _update(
        self,
        *,
        status: Optional[str] = None,
        weight: Optional[int] = None,
        metadata: Optional[Mapping[str, Optional[str]]] = None,
        address: Optional[str] = None,
        port: Optional[int] = None,
        version: Optional[str] = None,
        extra: Optional[Mapping[str, Any]] = None,
        timeout: Optional[Seconds] = None,
    ) -> Op[None]:
        """Describe it anew, and wait until that is stored: what is not None; all else stays.

        metadata, extra: a key with None is taken away, those that are not named stay. While it is lost this waits for
        its return. Raises Invalid, TooLarge: all is as before; Timeout: it goes on in the background.
        """
        given = {
            "status": status, "weight": weight, "metadata": metadata, "address": address, "port": port,
            "version": version, "extra": extra,
        }  # fmt: skip
        patch = description(given).encode()
        return Op(lambda: self._op(lib.coord_op_update_instance, patch), _nothing, deadline(timeout), text="update")

    def _deregister(self, *, timeout: Optional[Seconds] = None) -> Op[None]:
        """Take it out of the registry, and wait until it is gone. Raises Timeout: it goes on in the background."""
        return Op(lambda: self._op(lib.coord_op_deregister), _nothing, deadline(timeout), text="deregister")

    def _left(self, failure: errors.Error) -> None:
        """What a farewell at the end of ``with`` says is only logged: the instance ends with its lease anyway."""
        if not isinstance(failure, (errors.Forked, errors.Closed)):
            self._registry._client.logger.warning("coord: %r leaves the registry: %s", self.id, failure)

    def __repr__(self) -> str:
        return f"<registration {self.id}, {self._state}>"


class Registration(RegistrationBase):
    """An instance in the registry. Leaving ``with`` takes it out; what then fails is logged.

    Its lease is kept alive by the library, and when it was lost the instance is registered again as soon as that can
    be. Events tell: ``next_event``, ``events``, or `on_event`, which ``poll`` and ``run`` call in their thread.
    """

    def __init__(self, registry: RegistryBase, name: str, given: Mapping[str, Any]) -> None:
        self._caller = registry._caller
        self._follower = Follower(self._caller, self._take_in)
        super().__init__(registry, name, self._follower.queue, given)

    registered = method_of(RegistrationBase._registered)
    update = method_of(RegistrationBase._update)
    deregister = method_of(RegistrationBase._deregister)

    @property
    def state(self) -> str:
        """"registering", "registered", "at_risk", "lost" (until it is registered again), or "closed" (for good)."""
        self._follower.look()
        return self._state

    def next_event(self, timeout: Optional[Seconds] = None) -> Optional[Event]:
        """Wait for what becomes of it. timeout: None: as long as it takes; else None is returned when it has passed.

        "acquired": it is registered for the first time; "at_risk"; "lost": others see it no more; "restored"; "closed"
        (the last one): reason None: deregistered; Conflict: another has registered this id; Auth and others.
        """
        return self._follower.until(self._event_or_end, patience_or_zero(timeout))

    def events(self) -> Iterator[Event]:
        """The events, as they come, up to "closed"."""
        while True:
            event = self.next_event()
            if event is not None:
                yield event
            if event is None or event.type == "closed":
                return

    def poll(self, timeout: Seconds = 0) -> bool:
        """Give the events that have come to `on_event`; wait for one so long. False: none has come."""
        event = self._follower.until(self._event, patience_or_zero(timeout))
        found = event is not None
        while event is not None:
            if self._on_event is not None:
                self._on_event(event)
            event = self._event()
        return found

    def run(self) -> None:
        """Give events to `on_event` until the registration has ended: for a thread of its own."""
        while self.poll(1) or (self._state != "closed" and self._ptr):
            pass

    def drain(self, seconds: Seconds = 0, *, timeout: Optional[Seconds] = None) -> None:
        """Show it as "draining", so that nobody picks it any more, and give all so many seconds to notice."""
        self.update(status="draining", timeout=timeout)
        time.sleep(_pause(seconds))

    def close(self) -> None:
        """Leave: as the end of ``with``."""
        self.__exit__()

    def __enter__(self) -> Registration:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if self._drain and self.state == "registered":
                self.drain(self._drain)
            if self._ptr:
                self.deregister()
        except errors.Error as failure:
            self._left(failure)
        finally:
            self._follower.look()
            self._ptr = ffi.NULL


def _pause(given: Seconds) -> float:
    return seconds(given, "seconds")
