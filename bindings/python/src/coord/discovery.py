"""Discovery: who has come, gone or changed among the instances of a service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Optional

from . import errors
from ._native import ffi, lib
from ._record import CHANGES, CLOSED, Record, opened
from .instance import Instance
from .lease import patience_or_zero

if TYPE_CHECKING:
    from ._caller import Source
    from ._convert import Seconds
    from .registry import RegistryBase

TYPES: Final = ("up", "down", "changed")


class InstanceChange(NamedTuple):
    """What has become of an instance."""

    type: str
    """"up": it has come; "down": it has gone; "changed": it is described anew, its status perhaps."""
    instance: Instance
    """As it is now; of "down" as it was last."""


class ServiceChange(NamedTuple):
    """What has become of a service."""

    changes: tuple[InstanceChange, ...]
    """What differs from what was told before; at first "up" for each that is there."""
    instances: tuple[Instance, ...]
    """All instances as they are now, in the order of their ids."""
    revision: int
    """Of the store."""
    guarded: bool
    """Some have gone, and are shown because of the option registry.guard.percent."""


class ServiceWatchBase:
    """The library's discovery of one service."""

    def __init__(self, registry: RegistryBase, service: str, queue: Any) -> None:
        self._registry = registry
        self._service = service
        self._is_closed = False
        self._ptr: Any = ffi.gc(
            opened("coord_discovery *", lib.coord_discovery_open, registry._ptr, service.encode(), queue, 0),
            lib.coord_discovery_free,
        )

    def _told(self, record: Record) -> Optional[ServiceChange]:
        """What a record tells. Raises what has ended the discovery."""
        if record.type == CLOSED:
            self._is_closed = True
            raise record.error() if record.code else errors.Closed()
        if record.type != CHANGES:
            return None
        self._registry._changed(self._service)
        take = self._registry._instances.take_address
        changes: list[InstanceChange] = []
        instances: list[Instance] = []
        for kind, item in record.items:
            instance = take(item.create_revision)
            if kind < 0:
                instances.append(instance)
            else:
                changes.append(InstanceChange(TYPES[kind], instance))
        return ServiceChange(tuple(changes), tuple(instances), record.revision, bool(record.flags))

    def __repr__(self) -> str:
        return f"<watch of service {self._service!r}{', closed' if self._is_closed else ''}>"


class ServiceWatch(ServiceWatchBase):
    """Iterate over it for changes; the first one tells who is there. ``with`` ends it; so does ``close``.

    What has changed while nobody looked comes as one change. Raises Closed: the client was closed; Auth and others:
    the server refuses it.
    """

    def __init__(self, registry: RegistryBase, service: str, source: Source) -> None:
        super().__init__(registry, service, source.queue)
        self._source = source

    def next_change(self, timeout: Optional[Seconds] = None) -> Optional[ServiceChange]:
        """The next change. None: the time has passed, or it was closed; timeout None: as long as it takes."""
        while not self._is_closed:
            record = self._source.next(patience_or_zero(timeout))
            if record is None:
                return None
            told = self._told(record)
            if told is not None:
                return told
        return None

    def __iter__(self) -> ServiceWatch:
        return self

    def __next__(self) -> ServiceChange:
        change = self.next_change()
        if change is None:
            raise StopIteration
        return change

    def close(self) -> None:
        """End it."""
        self._is_closed = True
        self._ptr = ffi.NULL

    def __enter__(self) -> ServiceWatch:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
