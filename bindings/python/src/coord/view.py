"""Typed views of a configuration, and what has changed for those who iterate."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Final, Generic, Iterable, Mapping, Optional, TypeVar

from . import errors
from .setting import ConfigChange, ConfigChanges, Rejected

if TYPE_CHECKING:
    from ._config import ConfigBase

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])

MISSING: Final[Any] = object()
MOST_WAITING: Final = 100
"""Change sets that wait for somebody; when there are more the oldest become one."""


class View(Generic[T]):
    """A part of a configuration as a type: the last content that was good.

    ::

        @dataclass
        class Limits:
            carts: int = 100
            names: list[str] = field(default_factory=list)

        limits = config.view(Limits)
        limits.value.carts

    A content that has not the type, or that a validator refuses, is not taken over: ``value`` stays what it was,
    ``rejected`` tells why, the client's log and ``config.on_reject`` too.
    """

    def __init__(
        self, config: ConfigBase, kind: Any, key: Optional[str], prefix: str, default: Any,
        validators: Iterable[Callable[[T], Any]],
    ) -> None:  # fmt: skip
        from ._typed import is_record, reader  # late: it takes a third of the time of importing coord

        if key is None and not is_record(kind):
            raise TypeError(f"a view of several keys is a dataclass or a pydantic model, not {kind!r}; or name a key")
        self._config = config
        self._key = key
        self._prefix = prefix
        self._default = default
        self._read = reader(kind)
        self._validators = list(validators)
        self._callbacks: list[Callable[[T, T], Any]] = []
        self._value: Any = default
        self._told: Any = default
        self.name: str = getattr(kind, "__name__", str(kind)) if key is None else key
        self._rejected: Optional[Rejected] = None

    @property
    def value(self) -> T:
        """The last good content; asks nobody. Do not change what is in it.

        Raises Unavailable: the configuration has not been read yet, and there is no default.
        """
        self._config._look()
        value: T = self._value
        if value is MISSING:
            raise errors.Unavailable(f"view {self.name}: the configuration has not been read yet, and there is no default")
        return value

    @property
    def rejected(self) -> Optional[Rejected]:
        """Why the newest content was not taken over; None: it was."""
        self._config._look()
        return self._rejected

    def on_change(self, callback: C) -> C:
        """Call ``callback(new, old)`` after a change that was taken over; of several in between only the last one.

        Synchronous: ``config.poll()`` and ``config.run()`` call it, in their thread. aio: the event loop; it may be a
        coroutine function. Can be used as a decorator.
        """
        self._callbacks.append(callback)
        return callback

    def concerns(self, keys: Iterable[str]) -> bool:
        """Whether one of these keys is part of it."""
        if self._key is not None:
            return self._key in keys
        return any(key.startswith(self._prefix) for key in keys)

    def _content(self, values: Mapping[str, Any]) -> T:
        if self._key is None:
            size = len(self._prefix)
            found = self._read(nested({k[size:]: v for k, v in values.items() if k.startswith(self._prefix)}), "")
        elif self._key in values:
            found = self._read(values[self._key], self._key)
        elif self._default is not MISSING:
            return self._default  # type: ignore[no-any-return]
        else:
            raise ValueError(f"{self._key} is missing")
        for validator in self._validators:
            if validator(found) is False:
                raise ValueError(f"{getattr(validator, '__name__', repr(validator))} says that {found!r} is wrong")
        return found  # type: ignore[no-any-return]

    def take_in(self, values: Mapping[str, Any], revision: int) -> Optional[Rejected]:
        """The content is now this. What is returned: it is not taken over."""
        try:
            found = self._content(values)
        except Exception as failure:  # of validators, too: whatever they raise says no
            self._rejected = Rejected(self.name, str(failure) or type(failure).__name__, revision)
            return self._rejected
        self._rejected = None
        if self._value is MISSING or found != self._value:
            self._value = found
        return None

    def begin(self, values: Mapping[str, Any], revision: int) -> Optional[Rejected]:
        """The first content. Raises Invalid: it is not good, and there is no default."""
        rejected = self.take_in(values, revision)
        if rejected is not None and self._default is MISSING:
            raise errors.Invalid(f"config: view {self.name}: {rejected.reason}")
        self._told = self._value
        return rejected

    @property
    def is_due(self) -> bool:
        """Callbacks are to be called."""
        return self._value is not self._told

    def tell(self, call: Callable[..., None]) -> None:
        """Call the callbacks, if there is something to tell."""
        new, old = self._value, self._told
        self._told = new
        if new is old or old is MISSING:
            return
        for callback in list(self._callbacks):
            call(callback, new, old)

    def __repr__(self) -> str:
        return f"<view {self.name}: {self._value!r}{', a change was rejected' if self._rejected else ''}>"


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, and of those with dots also objects: {"http.port": 80} has {"http": {"port": 80}} beside it."""
    found = dict(values)
    for key in sorted(values):
        first, dot, rest = key.partition(".")
        if not dot:
            continue
        place = found.get(first)
        if place is None or isinstance(place, dict):
            found[first] = nested({**(place or {}), rest: values[key]})
    return found


class ChangesBase:
    """Change sets of a configuration, as they wait for somebody."""

    def __init__(self, config: ConfigBase, prefix: str) -> None:
        self._config = config
        self._prefix = prefix
        self._waiting: deque[ConfigChanges] = deque()
        self._is_closed = False
        config._watches.add(self)

    def put(self, changes: ConfigChanges) -> None:
        """There is one more."""
        if self._prefix:
            changes = ConfigChanges(
                tuple([one for one in changes.changes if one.key.startswith(self._prefix)]), changes.revision
            )
        if not changes.changes:
            return
        self._waiting.append(changes)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.appendleft(merged(self._waiting.popleft(), self._waiting.popleft()))

    def take(self) -> Optional[ConfigChanges]:
        """The oldest one."""
        return self._waiting.popleft() if self._waiting else None

    def _next(self) -> Optional[tuple[Optional[ConfigChanges]]]:
        """The oldest one; (None,) at the end of all."""
        found = self.take()
        if found is not None:
            return (found,)
        if not self._is_closed and self._config._ended is not None:
            raise self._config._ended
        return (None,) if self._is_closed else None

    def close(self) -> None:
        """End it."""
        self._is_closed = True
        self._config._watches.discard(self)


def merged(older: ConfigChanges, newer: ConfigChanges) -> ConfigChanges:
    """Two change sets as one."""
    found: dict[str, ConfigChange] = {change.key: change for change in older.changes}
    for change in newer.changes:
        before = found.get(change.key)
        found[change.key] = change if before is None else change._replace(previous=before.previous)
    return ConfigChanges(tuple(found.values()), newer.revision)
