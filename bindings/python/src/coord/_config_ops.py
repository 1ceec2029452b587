"""What is asked of the server about a configuration: the layer of the application's whole name."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Optional

from . import errors
from ._convert import Seconds, deadline
from ._native import lib
from ._op import Op
from ._record import Record
from .setting import Setting, encoded, setting_of
from .txn import TxnBuilder, key as the_key

ANY_VERSION = -1


def _revision(record: Record) -> int:
    return int(record.revision)


class ConfigOps:
    """Builds ops for a configuration."""

    _ptr: Any
    _begin: str
    """What comes before the name of a key."""

    def _op(self, function: Any, *arguments: Any) -> Any:
        if not self._ptr:
            raise errors.Closed("this configuration is closed")
        return function(self._ptr, *arguments)

    def _setting(self, record: Record) -> Optional[Setting]:
        return setting_of(record.kvs[0], len(self._begin.encode())) if record.items else None

    def _settings(self, record: Record) -> tuple[Setting, ...]:
        skip = len(self._begin.encode())
        return tuple([setting_of(kv, skip) for kv in record.kvs])

    def _at(self, revision: int, function: Any, *arguments: Any) -> Any:
        raw = self._op(function, *arguments)
        if revision:
            lib.coord_op_set(raw, lib.COORD_OP_REVISION, revision)
        return raw

    def _get(self, key: str, *, revision: int = 0, timeout: Optional[Seconds] = None) -> Op[Optional[Setting]]:
        """Read a value from the server; None when this layer has none. revision: as it was then.

        Raises Compacted: that revision is gone.
        """
        name = key.encode()
        return Op(
            lambda: self._at(revision, lib.coord_op_config_get, name), self._setting, deadline(timeout), text=f"config get {key}"
        )

    def _list(self, *, revision: int = 0, timeout: Optional[Seconds] = None) -> Op[tuple[Setting, ...]]:
        """Read all values of this layer from the server, in the order of keys. revision: as it was then.

        Raises Compacted: that revision is gone.
        """
        return Op(lambda: self._at(revision, lib.coord_op_config_list), self._settings, deadline(timeout), text="config list")

    def _history(self, key: str, most: int = 10, *, timeout: Optional[Seconds] = None) -> Op[tuple[Setting, ...]]:
        """The values that a key had since it was last created, the newest first, as far as they are not compacted.

        most: how many, 1 to 1000.
        """
        name = key.encode()
        return Op(
            lambda: self._op(lib.coord_op_config_history, name, most), self._settings, deadline(timeout),
            text=f"config history {key}",
        )  # fmt: skip

    def _set(
        self, key: str, value: Any, *, expected_version: Optional[int] = None, timeout: Optional[Seconds] = None
    ) -> Op[int]:
        """Write a value: what JSON has, also dataclasses, pydantic models, enums. Returns its version.

        expected_version: 0: nothing is there; else what ``version(key)`` or ``Setting.version`` say; None: whatever is
        there. Raises Conflict: it is another one; TypeError, ValueError: the value has no place in JSON.
        """
        name, text = key.encode(), encoded(value)
        expected = ANY_VERSION if expected_version is None else expected_version
        return Op(
            lambda: self._op(lib.coord_op_config_set, name, text, expected), _revision, deadline(timeout),
            text=f"config set {key}",
        )  # fmt: skip

    def _delete(
        self, key: str, *, expected_version: Optional[int] = None, timeout: Optional[Seconds] = None
    ) -> Op[bool]:
        """Delete a value: whether this layer had one. expected_version: as ``set``. Raises Conflict."""
        name = key.encode()
        expected = ANY_VERSION if expected_version is None else expected_version
        return Op(
            lambda: self._op(lib.coord_op_config_delete, name, expected),
            lambda record: expected > 0 or bool(record.total),  # a delete under a version does not count
            deadline(timeout),
            text=f"config delete {key}",
        )

    def _batch(
        self,
        values: Optional[Mapping[str, Any]] = None,
        *,
        delete: Iterable[str] = (),
        expected: Optional[Mapping[str, int]] = None,
        timeout: Optional[Seconds] = None,
    ) -> Op[int]:
        """Write and delete several values at once: they become current together, or not at all. Returns the revision.

        expected: versions that keys must have (0: nothing is there), also keys that are not written.
        Raises Conflict: one has another version; TooLarge: more than request_max_ops.
        """
        versions = dict(expected or {})
        txn = TxnBuilder()
        txn.when(*[the_key(self._begin + name).mod_revision == version for name, version in versions.items()])
        txn.then(*[self._set(name, value) for name, value in (values or {}).items()])
        txn.then(*[self._delete(name) for name in delete])
        txn.otherwise(*[self._get(name) for name in versions])
        whole = txn.op(timeout=timeout)

        def read(record: Record) -> int:
            if not record.succeeded:
                found = [self._setting(part) for part in record.parts]
                raise errors.Conflict(_conflict(versions, found))
            return int(record.revision)

        return Op(whole.make, read, whole.timeout_ms, text="config batch")


def _conflict(expected: Mapping[str, int], found: list[Optional[Setting]]) -> str:
    wrong = [
        f"{name!r} is at version {setting.version if setting else 0}, {version} was expected"
        for (name, version), setting in zip(expected.items(), found)
        if version != (setting.version if setting else 0)
    ]
    return "config batch: " + "; ".join(wrong)
