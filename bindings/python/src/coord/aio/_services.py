"""What a client for asyncio has for services: registry and configuration, imported when they are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional

from .._base import ClientBase
from .._convert import Seconds
from ..mirror import wait_ms
from ._opening import Opening

if TYPE_CHECKING:
    from ._caller import Caller
    from .config import Config
    from .registry import Registry


class Services(ClientBase):
    """A client's registry and configuration."""

    _caller: Caller

    def registry(
        self,
        *,
        prefix: Optional[str] = None,
        format: Optional[str] = None,
        replace: Optional[bool] = None,
        guard_percent: Optional[int] = None,
        guard: Optional[Seconds] = None,
        file: Optional[str] = None,
    ) -> Registry:
        """A registry of services. Nothing is sent yet. What is left out is as the client's options say.

        prefix: keys are prefix/service/id. format: "json", or "etcd-naming" to meet gRPC-Go. replace: take over an id that
        is registered already. guard_percent, guard: when this much of a service goes at once, show it on for so many
        seconds. file: keeps what was discovered last, to begin with when etcd is away.
        """
        from ..registry import registry_keywords
        from .registry import Registry

        keywords = registry_keywords(prefix, format, replace, guard_percent, guard, file)
        return Registry(self, self._caller, keywords)

    def config(
        self,
        application: str,
        *,
        environment: Optional[str] = None,
        component: Optional[str] = None,
        prefix: Optional[str] = None,
        file: Optional[str] = None,
        defaults: Optional[Mapping[str, Any]] = None,
        wait: bool = True,
        timeout: Optional[Seconds] = None,
    ) -> Opening[Config]:
        """The configuration of an application: ``await`` it, or ``async with``. Its whole name is environment.application.component, and what that
        has not is that of the layers beneath: environment.application, environment, and in the end `defaults`.

        prefix: keys are prefix/whole name/key (None: option config_prefix). file: keeps what was read last, to begin with
        at once, also when etcd is away; each layer has its own. wait: until it is read, for `timeout` at most (None:
        request_timeout). Raises Timeout; Invalid: a name; Auth and others: the server refuses it.
        """
        from .._config import config_keywords
        from ..setting import application_name
        from .config import Config

        name = application_name(application, environment, component)
        keywords, ms = config_keywords(prefix, file), wait_ms(self, wait, timeout)
        return Opening(lambda: Config(self, self._caller, name, keywords, defaults or {})._open(ms))
