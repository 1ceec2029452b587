"""Picking an instance of a service for each call that goes there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Mapping, Optional, Union

from . import errors
from ._convert import Bytes, Seconds, to_bytes
from ._native import ffi, lib
from ._record import opened
from .instance import Instance

if TYPE_CHECKING:
    from .registry import RegistryBase

POLICIES: Final = ("first", "round_robin", "random", "weighted", "least_pending", "consistent_hash")
MOST_HELD: Final = 1000
"""Objects of instances that are kept, so that a pick makes none."""


def policy_number(name: str) -> int:
    """The number of a policy."""
    if name not in POLICIES:
        raise errors.Invalid(f"policy is {name!r}: it must be one of {', '.join(POLICIES)}")
    return POLICIES.index(name)


def subset_text(given: Union[str, Mapping[str, str], None]) -> str:
    """What metadata the instances must have, as the library reads it."""
    if given is None or isinstance(given, str):
        return given or ""
    return ",".join(f"{key}={value}" for key, value in given.items())


class Picker:
    """Picks instances that are "up" and have not failed; when all have failed, that is overlooked.

    ::

        picker = registry.picker("web", policy="least_pending")
        with picker.pick() as instance:
            call(instance.endpoint)

    A pick asks nobody and never waits; any number of threads may pick. ``with`` tells the policy "least_pending" for
    how long the instance is busy; for others it makes no difference.
    """

    def __init__(
        self, registry: RegistryBase, service: str, policy: str, subset: Union[str, Mapping[str, str], None]
    ) -> None:
        self.service = service
        self.policy = policy
        self._needs_key = policy == "consistent_hash"
        self._registry = registry
        self._held: dict[Any, Instance] = {}
        self._ptr: Any = ffi.gc(
            opened(
                "coord_picker *", lib.coord_picker_open, registry._ptr, service.encode(), policy_number(policy),
                subset_text(subset).encode(),
            ),
            lib.coord_picker_free,
        )  # fmt: skip

    def pick(self, key: Optional[Bytes] = None) -> Instance:
        """Pick an instance. key: for "consistent_hash" what it is for: the same instance for the same key.

        Raises NotFound: there is none to be picked; Unavailable: the registry has not been read
        yet; Invalid: "consistent_hash" without a key.
        """
        if key is None and self._needs_key:
            raise errors.Invalid("policy consistent_hash needs a key: pick(key)")
        what = to_bytes(key, "key") if key is not None else b""
        ptr = lib.py_pick(self._ptr, what, len(what))
        if not ptr:
            raise self._failure(lib.py_pick_code() if self._ptr else errors.Closed.code)
        found = self._held.get(ptr)
        if found is not None:
            lib.coord_instance_free(ptr)
            return found
        if len(self._held) >= MOST_HELD:
            self._held.clear()
        found = self._held[ptr] = self._registry._instances.take(ptr)
        return found

    def _failure(self, code: int) -> errors.Error:
        why = {
            errors.NotFound.code: f"no instance of {self.service!r} can be picked",
            errors.Unavailable.code: "the registry has not been read yet",
            errors.Closed.code: "this picker is closed",
        }
        return errors.make(code, why.get(code, ""), 0, "", -1, -1)

    def failed(self, instance: Instance, seconds: Seconds = 5) -> None:
        """Leave an instance out for so many seconds, in all pickers of the registry, as long as there is another one."""
        instance.failed(seconds)

    def close(self) -> None:
        """Drop it."""
        self._ptr = ffi.NULL
        self._held.clear()

    def __enter__(self) -> Picker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def __aenter__(self) -> Picker:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<picker of {self.service!r}, {self.policy}>"
