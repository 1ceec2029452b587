"""What a configuration holds and tells, and how an application is named."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, NamedTuple, Optional, cast

from . import errors
from .kv import KeyValue


class Setting(NamedTuple):
    """A value as the server has it, in the layer of the application's whole name."""

    key: str
    text: str
    """The value as JSON."""
    version: int
    """The revision that wrote it; what ``expected_version`` is compared with."""
    revision_created: int
    """The revision at which the key came to be."""

    @property
    def value(self) -> Any:
        """The value. Raises Invalid: it is no JSON."""
        return decoded(self.text, self.key)

    def __repr__(self) -> str:
        return f"Setting({self.key} = {self.text if len(self.text) <= 60 else self.text[:50] + '...'}, version={self.version})"


class ConfigChange(NamedTuple):
    """What has become of one key."""

    key: str
    value: Any
    """What is current since then; None when it is gone."""
    previous: Any
    """What was current before; None when there was nothing."""
    version: int
    """For ``expected_version``: 0 when the value is from a layer beneath, or a default, or gone."""
    is_deleted: bool
    """No layer has it any more, nor is there a default."""


class ConfigChanges(NamedTuple):
    """What has changed at once: all of one revision is together."""

    changes: tuple[ConfigChange, ...]
    revision: int
    """Of the store."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Whose value it is another one."""
        return tuple([change.key for change in self.changes])


class Rejected(NamedTuple):
    """A change that is not taken over: what was before it stays."""

    what: str
    """Which view has refused it; "" when the value is no JSON."""
    reason: str
    """Why."""
    revision: int
    """Of the change; 0: it is not known."""


def decoded(text: str, key: str) -> Any:
    """A value of JSON."""
    try:
        return json.loads(text)
    except ValueError as failure:
        raise errors.Invalid(f"config: {key!r} is no JSON: {failure}") from None


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        from dataclasses import asdict

        return asdict(value)
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    if isinstance(value, (set, frozenset)):
        return sorted(cast("set[Any]", value))
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def encoded(value: Any) -> bytes:
    """A value as JSON; dataclasses, pydantic models, enums and sets, too. TypeError: it has no place in JSON."""
    return json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False).encode()


def setting_of(kv: KeyValue, skip: int) -> Setting:
    """A key-value of the server; `skip`: what comes before its name."""
    return Setting(kv.key[skip:].decode(), kv.value.decode("utf-8", "replace"), kv.mod_revision, kv.create_revision)


def application_name(application: str, environment: Optional[str], component: Optional[str]) -> str:
    """The whole name: what is behind a dot has what is before it as a layer beneath."""
    return ".".join([part for part in (environment, application, component) if part is not None])
