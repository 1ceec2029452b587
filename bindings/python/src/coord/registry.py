"""A registry of services: instances that register themselves, and those who look for them."""

from __future__ import annotations

import json
from functools import wraps
from time import monotonic
from typing import TYPE_CHECKING, Any, Callable, Final, Mapping, Optional, TypeVar, Union, cast

from . import errors
from ._caller import Source
from ._clock import now_ms
from ._convert import Seconds, deadline, patience
from ._native import ffi, lib
from ._op import Op
from ._record import Record, opened, records
from ._verb import method_of
from .discovery import ServiceWatch, ServiceWatchBase
from .instance import Instance, Instances
from .picker import Picker
from .registration import Registration

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._base import ClientBase
    from ._caller import Caller
    from .instance import Description

F = TypeVar("F", bound=Callable[..., Any])

AT_ONCE_MS = 1
AT_MOST_OLD: Final = 0.001
"""Seconds that an answer is used again before the library is asked anew: a call into it costs more than the answer."""


def registry_keywords(
    prefix: Optional[str],
    format: Optional[str],
    replace: Optional[bool],
    guard_percent: Optional[int],
    guard: Optional[Seconds],
    file: Optional[str],
) -> dict[str, Any]:
    """The options of a registry, as keywords of a client."""
    given = {
        "registry_prefix": prefix, "registry_format": format, "registry_replace": replace,
        "registry_guard_percent": guard_percent, "registry_guard": guard, "mirror_file": file,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


def up(instances: tuple[Instance, ...]) -> Optional[Instance]:
    """The first one that is "up"."""
    for instance in instances:
        if instance.status == "up":
            return instance
    return None


def _read_instances(record: Record) -> tuple[Instance, ...]:
    return tuple([Instance(json.dumps(one)) for one in json.loads(record.text)])


class Seen:
    """The instances of a service as they were read last."""

    __slots__ = ("listed", "instances", "until")

    def __init__(self, listed: Any = ffi.NULL, instances: tuple[Instance, ...] = ()) -> None:
        self.listed = listed
        self.instances = instances
        self.until = 0.0


class RegistryBase:
    """The library's registry, and reading of its local copy."""

    def __init__(self, client: ClientBase, caller: Any, keywords: Mapping[str, Any]) -> None:
        self._client = client
        self._caller = caller
        self._instances = Instances()
        self._is_read = False
        self._seen: dict[str, Seen] = {}
        self._prefix = str(keywords.get("registry_prefix") or client._option("registry.prefix"))
        self._ptr: Any = ffi.gc(
            opened("coord_registry *", lib.coord_registry_open, client._ptr, client._handle_options(keywords)),
            lib.coord_registry_free,
        )

    @property
    def staleness(self) -> Optional[float]:
        """How many seconds ago the local copy was surely what the server has; 0: it is now. None: there is none yet."""
        ms = int(lib.coord_registry_staleness_ms(self._ptr))
        return ms / 1000 if ms >= 0 else None

    def _patience(self, timeout: Optional[Seconds]) -> int:
        return int(self._client._option("request.timeout.ms")) if timeout is None else patience(timeout)

    def _settled(self, watch: ServiceWatchBase, record: Optional[Record]) -> bool:
        """While the local copy is made: whether it is there. None: the time has passed."""
        if record is None:
            raise errors.Timeout("the registry could not be read in time")
        self._is_read = watch._told(record) is not None
        return self._is_read

    def _look(self, service: str) -> tuple[Instance, ...]:
        """The instances of a service. While nothing has changed nothing is decoded."""
        seen = self._seen.get(service)
        if seen is None:
            seen = Seen()
        elif monotonic() < seen.until:
            return seen.instances
        known = seen.listed
        found = lib.py_discover(self._ptr, service.encode(), AT_ONCE_MS, known)
        if not found:
            raise records(lib.py_failure())[0].error()
        if found != known:
            listed = ffi.gc(found, lib.coord_instances_free)
            seen = Seen(listed, self._instances.all_of(listed))
            if seen.instances or service in self._seen:  # names that nobody has registered are not collected
                self._seen[service] = seen
        seen.until = monotonic() + AT_MOST_OLD
        return seen.instances

    def _changed(self, service: str) -> None:
        """A watch has told a change: who reads after it sees it."""
        seen = self._seen.get(service)
        if seen is not None:
            seen.until = 0.0

    def _services(self) -> list[str]:
        text = opened("char *", lib.coord_registry_services, self._ptr, AT_ONCE_MS)
        try:
            return cast("list[str]", json.loads(ffi.string(text)))
        finally:
            lib.coord_memory_free(text)

    def _fetch(self, service: str, *, timeout: Optional[Seconds] = None) -> Op[tuple[Instance, ...]]:
        """Ask the server for the instances of a service, whatever their status, in the order of their ids."""

        def make() -> Any:
            if not self._ptr:
                raise errors.Closed("this registry is closed")
            return lib.coord_op_discover(self._ptr, service.encode())

        return Op(make, _read_instances, deadline(timeout), text=f"discover {service}")

    def close(self) -> None:
        """Drop it; registrations stay."""
        self._ptr = ffi.NULL
        self._seen.clear()

    def __repr__(self) -> str:
        return f"<registry {self._prefix}/>"


class Registry(RegistryBase):
    """A registry; made by ``client.registry()``.

    ``register`` and ``service`` put this process into it. ``discover``, ``first``, ``services`` and ``picker`` answer from
    a local copy, which the first of them reads from the server, for `timeout` at most (None: request_timeout), and which
    follows the server from then on; what was there last stays when no server is reached: see ``staleness``. They raise
    Timeout when it could not be read, Auth and others when the server refuses it. ``fetch`` asks the server each time.
    """

    _caller: Caller

    fetch = method_of(RegistryBase._fetch)

    def register(
        self, name: str, *, wait: bool = True, timeout: Optional[Seconds] = None, **described: Unpack[Description]
    ) -> Registration:
        """Register an instance of the service `name`, for as long as it lives and ``with`` lasts.

        ::

            with registry.register("web", address="10.0.0.7", port=8080, metadata={"zone": "eu"}):
                serve()

        wait: until it is registered, for `timeout` at most (None: request_timeout); with False that is done in the
        background, also later when no server is reached now. The other keywords: ``coord.instance.Description``.
        Raises Invalid: a field is wrong; Conflict: another has registered this id; Timeout; Auth.
        """
        registration = Registration(self, name, described)
        if wait:
            registration.registered(timeout=timeout)
        return registration

    def service(
        self, name: str, *, wait: bool = True, timeout: Optional[Seconds] = None, **described: Unpack[Description]
    ) -> Callable[[F], F]:
        """A decorator: while the function runs an instance is registered. The arguments are those of ``register``."""

        def decorate(function: F) -> F:
            @wraps(function)
            def registered(*arguments: Any, **keywords: Any) -> Any:
                with self.register(name, wait=wait, timeout=timeout, **described):
                    return function(*arguments, **keywords)

            return cast(F, registered)

        return decorate

    def _ready(self, service: str, timeout: Optional[Seconds]) -> None:
        wait_ms = self._patience(timeout)
        end = now_ms() + wait_ms
        with ServiceWatch(self, service, Source(self._caller)) as watch:
            left = -1 if wait_ms < 0 else wait_ms
            while not self._settled(watch, watch._source.next(left)):
                left = -1 if wait_ms < 0 else max(0, end - now_ms())

    def discover(self, service: str, *, timeout: Optional[Seconds] = None) -> tuple[Instance, ...]:
        """The instances of a service, whatever their status, in the order of their ids; perhaps none."""
        if not self._is_read:
            self._ready(service, timeout)
        return self._look(service)

    def first(self, service: str, *, timeout: Optional[Seconds] = None) -> Optional[Instance]:
        """The instance with the lowest id among those that are "up". None: there is none."""
        return up(self.discover(service, timeout=timeout))

    def services(self, *, timeout: Optional[Seconds] = None) -> list[str]:
        """The names of all services that have an instance."""
        if not self._is_read:
            self._ready("-", timeout)
        return self._services()

    def watch(self, service: str) -> ServiceWatch:
        """Who comes, goes or changes among the instances of a service; iterate over it. The first one tells who is there."""
        return ServiceWatch(self, service, Source(self._caller))

    def picker(
        self,
        service: str,
        policy: str = "round_robin",
        *,
        subset: Union[str, Mapping[str, str], None] = None,
        timeout: Optional[Seconds] = None,
    ) -> Picker:
        """A picker of instances for calls to a service.

        policy: "first", "round_robin", "random", "weighted", "least_pending" or "consistent_hash". subset: only
        instances with this metadata.
        """
        picker = Picker(self, service, policy, subset)
        if not self._is_read:
            self._ready(service, timeout)
        return picker

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
