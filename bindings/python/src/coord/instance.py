"""An instance of a service, as the registry knows it."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Callable, Mapping, TypedDict
from weakref import WeakValueDictionary

from ._convert import Seconds, millis
from ._native import ffi, lib

if TYPE_CHECKING:
    from .lease import Event


class Instance:
    """One instance: where it is and what it is. Two are equal when they are described alike.

    As a context manager it counts as busy, for pickers with the policy "least_pending"::

        with picker.pick() as instance:
            call(instance.endpoint)
    """

    __slots__ = (
        "name", "id", "address", "port", "metadata", "weight", "status", "version", "extra", "_json", "_ptr", "__weakref__",
    )  # fmt: skip

    name: str
    """The service."""
    id: str
    """Which instance of it."""
    address: str
    """Host name or IP address, without the port."""
    port: int
    """0: it has none."""
    metadata: Mapping[str, str]
    weight: int
    """How much of the work it takes beside others."""
    status: str
    """"up", "starting", "draining", "down", or one that is unknown here; only "up" is picked."""
    version: str
    """Of the program; "" when it tells none."""
    extra: Mapping[str, Any]
    """Fields of its description that mean nothing to the registry."""
    _json: str
    _ptr: Any

    def __init__(self, text: str, ptr: Any = ffi.NULL) -> None:
        fields = json.loads(text)
        put = object.__setattr__
        for field in ("name", "id", "address", "status", "version"):
            put(self, field, str(fields.get(field, "")))
        put(self, "port", int(fields.get("port", 0)))
        put(self, "weight", int(fields.get("weight", 1)))
        put(self, "metadata", MappingProxyType(fields.get("metadata", {})))
        put(self, "extra", MappingProxyType({name: value for name, value in fields.items() if name not in FIELDS}))
        put(self, "_json", text)
        put(self, "_ptr", ptr)

    @property
    def endpoint(self) -> str:
        """"address:port", with brackets around an IPv6 address; without a port only the address."""
        if not self.port:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def json(self) -> str:
        """The whole description, with what was left out filled in."""
        return self._json

    def failed(self, seconds: Seconds = 5) -> None:
        """It has failed: pickers of its registry leave it out for so long, as long as there is another. 0: it is well again."""
        lib.coord_instance_failed(self._ptr, millis(seconds, "seconds"))

    def __enter__(self) -> Instance:
        lib.coord_instance_begin(self._ptr)
        return self

    def __exit__(self, *exception: object) -> None:
        lib.coord_instance_done(self._ptr)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an instance is read-only: {name}; registration.update(...) changes one's own")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Instance) and (self._json == other._json or self._fields() == other._fields())

    def _fields(self) -> tuple[object, ...]:
        return tuple([getattr(self, field) for field in FIELDS]) + (self.extra,)

    def __hash__(self) -> int:
        return hash((self.name, self.id))

    def __reduce__(self) -> tuple[object, ...]:
        return (Instance, (self._json,))

    def __repr__(self) -> str:
        status = "" if self.status == "up" else f", {self.status}"
        return f"<Instance {self.name}/{self.id} at {self.endpoint}{status}>"


class Instances:
    """The instances that a registry has shown, so that each of the library's becomes one object here."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[int, Instance] = WeakValueDictionary()

    def take(self, ptr: Any) -> Instance:
        """The object for a coord_instance, whose reference is taken over."""
        address = int(ffi.cast("uintptr_t", ptr))
        found = self._known.get(address)
        if found is not None:
            lib.coord_instance_free(ptr)
            return found
        made = Instance(ffi.string(lib.coord_instance_json(ptr)).decode(), ffi.gc(ptr, lib.coord_instance_free))
        self._known[address] = made
        return made

    def take_address(self, address: int) -> Instance:
        """The same for its address, as a record has it."""
        return self.take(ffi.cast("coord_instance *", address))

    def all_of(self, listed: Any) -> tuple[Instance, ...]:
        """Those of a coord_instances, which stays the caller's."""
        return tuple(
            [
                self.take(lib.coord_instance_keep(lib.coord_instances_at(listed, i)))
                for i in range(lib.coord_instances_count(listed))
            ]
        )



class Description(TypedDict, total=False):
    """What ``register`` and ``service`` take beside the name of the service."""

    address: str
    """Host name or IP address, without the port. It must be there."""
    port: int
    """Left out: none."""
    id: str
    """Which instance it is; left out: "address:port"."""
    metadata: Mapping[str, str]
    weight: int
    """0 to 1,000,000, how much of the work it takes beside others; left out: 1."""
    status: str
    """"up", "starting", "draining" or "down"; only "up" is picked. Left out: "up"."""
    version: str
    """Of the program."""
    extra: Mapping[str, Any]
    """Further fields, which mean nothing to the registry."""
    ttl: Seconds
    """How long it outlives its process, in whole seconds; left out: 15."""
    drain: Seconds
    """How long it is shown as "draining" before it leaves at the end of ``with``; left out: 0."""
    on_event: Callable[[Event], Any]
    """Called with each event of the registration. Synchronous: by ``poll`` and ``run``; aio: by the event loop, and it
    may be a coroutine function."""


FIELDS = ("name", "id", "address", "port", "metadata", "weight", "status", "version")


def description(given: Mapping[str, Any]) -> str:
    """The JSON of an instance, or of changes to one: what of `given` is not None."""
    fields = {field: given[field] for field in FIELDS if given.get(field) is not None}
    if "metadata" in fields:
        fields["metadata"] = dict(fields["metadata"])
    return json.dumps({**(given.get("extra") or {}), **fields})
