"""Configuration: JSON values under an application, current without I/O, changed by compare-and-set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional

from ._config import ConfigBase
from ._config_ops import ConfigOps
from ._convert import Seconds
from ._follow import Follower
from ._verb import method_of
from .lease import patience_or_zero
from .view import ChangesBase

if TYPE_CHECKING:
    from ._base import ClientBase
    from ._caller import Caller
    from .setting import ConfigChanges


class ConfigWatch(ChangesBase):
    """Iterate over it for change sets. Raises Closed: the configuration or the client was closed; Auth and others."""

    _config: Config

    def next_changes(self, timeout: Optional[Seconds] = None) -> Optional[ConfigChanges]:
        """The next changes, which are current already. None: the time has passed, or it was closed."""
        found = self._config._follower.until(self._next, patience_or_zero(timeout))
        return found[0] if found is not None else None

    def __iter__(self) -> ConfigWatch:
        return self

    def __next__(self) -> ConfigChanges:
        changes = self.next_changes()
        if changes is None:
            raise StopIteration
        return changes

    def __enter__(self) -> ConfigWatch:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Config(ConfigBase):
    """The configuration of an application; made by ``client.config(...)``, dropped by ``close()`` or ``with``.

    What is current is read without asking anybody (``config["key"]``, ``current``, ``all``, ``view``); it follows the
    store within a millisecond of what has come, by whatever thread reads it. ``get``, ``set``, ``delete``, ``list``,
    ``batch`` and ``history`` ask the server. There is no thread: callbacks run in ``poll`` and ``run``.
    """

    def __init__(
        self, client: ClientBase, caller: Caller, application: str, keywords: Mapping[str, Any],
        defaults: Mapping[str, Any], wait_ms: Optional[int],
    ) -> None:  # fmt: skip
        self._caller = caller
        self._follower = Follower(caller, self._take_in)
        super().__init__(client, application, self._follower.queue, keywords, defaults)
        self._look = self._follower.look  # type: ignore[method-assign]
        if wait_ms is not None and self._follower.until(self._settled, wait_ms) is None:
            raise self._too_late()

    get = method_of(ConfigOps._get)
    list = method_of(ConfigOps._list)
    history = method_of(ConfigOps._history)
    set = method_of(ConfigOps._set)
    delete = method_of(ConfigOps._delete)
    batch = method_of(ConfigOps._batch)

    def watch(self, prefix: str = "") -> ConfigWatch:
        """What changes from now on, all of one revision together; keys that begin with `prefix`. Iterate over it."""
        self._follower.look()
        return ConfigWatch(self, prefix)

    def poll(self, timeout: Seconds = 0) -> bool:
        """Call the callbacks that are due; wait for one so long, in seconds. False: there was none.

        What a callback raises is raised here; the others are called by the next ``poll``.
        """
        due = self._follower.until(lambda: self._is_due() or self._ended is not None or None, patience_or_zero(timeout))
        if not due or not self._is_due():
            return False
        self._tell(_call)
        return True

    def run(self) -> None:
        """Call callbacks as they become due, until it is closed: for a thread of its own."""
        while self._ended is None:
            self.poll(1)

    def close(self) -> None:
        """Drop it; what was read stays."""
        self._close()

    def __enter__(self) -> Config:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _call(callback: Callable[..., Any], *arguments: Any) -> None:
    callback(*arguments)
