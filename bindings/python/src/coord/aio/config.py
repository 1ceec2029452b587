"""Configuration, with asyncio. What is current is read without await."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional

from .._config import ConfigBase
from .._config_ops import ConfigOps
from ..lease import patience_or_zero
from ..view import ChangesBase
from ._follow import Follower
from ._verb import method_of

if TYPE_CHECKING:
    from .._base import ClientBase
    from .._convert import Seconds
    from ..setting import ConfigChanges
    from ._caller import Caller


class ConfigWatch(ChangesBase):
    """As ``coord.config.ConfigWatch``: ``async for changes in config.watch()``."""

    _config: Config

    async def next_changes(self, timeout: Optional[Seconds] = None) -> Optional[ConfigChanges]:
        """The next changes, which are current already. None: the time has passed, or it was closed."""
        found = await self._config._follower.until(self._next, patience_or_zero(timeout))
        return found[0] if found is not None else None

    def __aiter__(self) -> ConfigWatch:
        return self

    async def __anext__(self) -> ConfigChanges:
        changes = await self.next_changes()
        if changes is None:
            raise StopAsyncIteration
        return changes

    async def __aenter__(self) -> ConfigWatch:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()


class Config(ConfigBase):
    """As ``coord.config.Config``: ``await client.config(...)``, or ``async with``.

    A task of its own follows the store, and calls the callbacks: what is current changes only while the program awaits.
    An exception of a callback goes to the loop's exception handler.
    """

    def __init__(
        self, client: ClientBase, caller: Caller, application: str, keywords: Mapping[str, Any], defaults: Mapping[str, Any]
    ) -> None:
        self._caller = caller
        self._follower = Follower(caller, self._take_in, self._deliver)
        super().__init__(client, application, self._follower.queue, keywords, defaults)

    async def _open(self, wait_ms: Optional[int]) -> Config:
        self._follower.start()
        try:
            if wait_ms is not None and await self._follower.until(self._settled, wait_ms) is None:
                raise self._too_late()
        except BaseException:
            self.close()
            raise
        return self

    def _deliver(self) -> None:
        self._tell(self._follower.call)

    get = method_of(ConfigOps._get)
    list = method_of(ConfigOps._list)
    history = method_of(ConfigOps._history)
    set = method_of(ConfigOps._set)
    delete = method_of(ConfigOps._delete)
    batch = method_of(ConfigOps._batch)

    def watch(self, prefix: str = "") -> ConfigWatch:
        """What changes from now on, all of one revision together; keys that begin with `prefix`. ``async for``."""
        return ConfigWatch(self, prefix)

    def close(self) -> None:
        """Drop it; what was read stays."""
        self._close()
        self._follower.stop()

    async def __aenter__(self) -> Config:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()
