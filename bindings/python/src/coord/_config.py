"""What both kinds of configuration are: what is current, and who is told of changes."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Mapping, Optional, TypeVar
from weakref import WeakSet

from . import errors
from ._config_ops import ConfigOps
from ._native import ffi, lib
from ._record import CHANGES, CLOSED, REJECTED, RESYNC, Record, opened, records
from .setting import ConfigChange, ConfigChanges, Rejected
from .view import MISSING, ChangesBase, View

if TYPE_CHECKING:
    from ._base import ClientBase

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])


def config_keywords(prefix: Optional[str], file: Optional[str]) -> dict[str, Any]:
    """The options of a configuration, as keywords of a client."""
    given: dict[str, Any] = {"config_prefix": prefix, "mirror_file": file}
    return {"mirror_wait": False, **{name: value for name, value in given.items() if value is not None}}


class ConfigBase(ConfigOps):
    """The library's configuration, what is current of it, and who is told of changes."""

    def __init__(
        self, client: ClientBase, application: str, queue: Any, keywords: Mapping[str, Any], defaults: Mapping[str, Any]
    ) -> None:
        self._client = client
        self.application = application
        """Its whole name."""
        self._begin = f"{keywords.get('config_prefix', client._option('config.prefix'))}/{application}/"
        self._defaults = dict(defaults)
        self._values: dict[str, Any] = dict(defaults)
        self._versions: dict[str, int] = {}
        self._views: list[View[Any]] = []
        self._watches: WeakSet[ChangesBase] = WeakSet()
        self._rejections: deque[Rejected] = deque(maxlen=100)
        self._on_reject: list[Callable[[Rejected], Any]] = []
        self._is_loaded = False
        self._ended: Optional[errors.Error] = None
        self.revision = 0
        """The revision of the last change that was taken over; 0: nothing was read yet."""
        self._ptr: Any = ffi.gc(
            opened(
                "coord_config *", lib.coord_config_open, client._ptr, application.encode(),
                client._handle_options(keywords), queue, 0,
            ),
            lib.coord_config_free,
        )  # fmt: skip

    # ---- what the library tells ----

    def _take_in(self, record: Record) -> None:
        if record.type == RESYNC and record.code == 0 and not self._is_loaded:
            self._load(record)
        elif record.type == CHANGES:
            self._change(record)
        elif record.type == REJECTED:
            self._reject(Rejected("", record.text, record.revision), is_logged=True)
        elif record.type == CLOSED:
            self._ended = record.error() if record.code else errors.Closed()

    def _load(self, record: Record) -> None:
        box = ffi.new("coord_error **")
        out = ffi.new("coord_result **")
        code = lib.coord_config_all(self._ptr, out, box)
        if code != 0:
            raise records(lib.py_error(code, box[0]))[0].error()
        values = dict(self._defaults)
        for kv in records(lib.py_result(out[0]))[0].kvs:
            values[kv.key_text] = json.loads(kv.value)
            self._versions[kv.key_text] = kv.mod_revision if kv.version else 0
        self._values = values
        self._is_loaded = True
        self.revision = record.revision
        for view in self._views:
            self._reject(view.take_in(values, record.revision))

    def _change(self, record: Record) -> None:
        values = dict(self._values)
        changes: list[ConfigChange] = []
        for change in record.changes():
            key, gone = change.kv.key_text, change.type == "delete"
            previous = values.get(key)
            if not gone:
                values[key] = json.loads(change.kv.value)
            elif key in self._defaults:
                values[key] = self._defaults[key]
            else:
                values.pop(key, None)
            version = change.kv.mod_revision if change.kv.version and not gone else 0
            self._versions[key] = version
            if gone:
                del self._versions[key]
            changes.append(ConfigChange(key, values.get(key), previous, version, key not in values))
        self._values = values  # at once: a reader sees all of a revision, or nothing of it
        self.revision = record.revision
        told = ConfigChanges(tuple(changes), record.revision)
        for view in self._views:
            if view.concerns(told.keys):
                self._reject(view.take_in(values, record.revision))
        for watch in list(self._watches):
            watch.put(told)

    def _reject(self, rejected: Optional[Rejected], is_logged: bool = False) -> None:
        if rejected is None:
            return
        self._rejections.append(rejected)
        if not is_logged:
            where = f"{self.application}: {rejected.what}" if rejected.what else self.application
            self._client.logger.warning("coord: configuration %s: a change is rejected: %s", where, rejected.reason)

    def _is_due(self) -> bool:
        return bool(self._rejections and self._on_reject) or any(view.is_due for view in self._views)

    def _tell(self, call: Callable[..., None]) -> None:
        for view in self._views:
            view.tell(call)
        while self._rejections and self._on_reject:
            rejected = self._rejections.popleft()
            for callback in list(self._on_reject):
                call(callback, rejected)

    def _settled(self) -> Optional[bool]:
        """While it is opened: True, the content is there. Raises why it will not come."""
        if self._ended is not None:
            raise self._ended
        return True if self._is_loaded else None

    def _too_late(self) -> errors.Timeout:
        return errors.Timeout(f"the configuration of {self.application} could not be read in time")

    # ---- what is current ----

    def _look(self) -> None:
        """Take in what has come, where nobody else does."""

    def current(self, key: str, default: Any = None) -> Any:
        """What is current of a key; asks nobody. Do not change what is in it. default: when there is none."""
        self._look()
        return self._values.get(key, default)

    def __getitem__(self, key: str) -> Any:
        """What is current of a key. KeyError: there is none; Unavailable: nothing was read yet."""
        self._look()
        try:
            return self._values[key]
        except KeyError:
            if not self._is_loaded:
                raise errors.Unavailable("the configuration has not been read yet") from None
            raise

    def __contains__(self, key: str) -> bool:
        self._look()
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        """The keys that there are."""
        self._look()
        return iter(list(self._values))

    def __len__(self) -> int:
        self._look()
        return len(self._values)

    def __bool__(self) -> bool:
        return True

    def all(self) -> dict[str, Any]:
        """All that is current, at one moment, defaults too."""
        self._look()
        return dict(self._values)

    def version(self, key: str) -> int:
        """Of what is current, for ``expected_version``: 0 when it is from a layer beneath or a default, or not there."""
        self._look()
        return self._versions.get(key, 0)

    # ---- views ----

    def view(
        self,
        kind: type[T],
        key: Optional[str] = None,
        *,
        prefix: str = "",
        default: Any = MISSING,
        validators: Iterable[Callable[[T], Any]] = (),
    ) -> View[T]:
        """A typed view. kind: a dataclass or pydantic model whose fields are the keys (those that begin with `prefix`,
        without it; "http.port" is also the field `port` of a field `http`); or with `key` the type of that one value:
        what JSON has, ``Optional``, ``Literal``, enums, ``list[int]``, ``dict[str, str]``, ``timedelta`` in seconds.

        validators: called with each new value; one that raises, or returns False, rejects it. default: the value as long
        as there is no good one. Raises Invalid: what is there now is not good, and there is no default.
        """
        view: View[T] = View(self, kind, key, prefix, default, validators)
        self._look()
        if self._is_loaded:
            self._reject(view.begin(self._values, self.revision))
        self._views.append(view)
        return view

    def on_reject(self, callback: C) -> C:
        """Call ``callback(rejected)`` when a change is not taken over; called as those of ``View.on_change``."""
        self._on_reject.append(callback)
        return callback

    def _close(self) -> None:
        self._ended = self._ended or errors.Closed("this configuration is closed")
        self._ptr = ffi.NULL

    def __repr__(self) -> str:
        return f"<config {self.application}: {len(self._values)} values, revision {self.revision}>"
