"""What both kinds of client are: options, the library's handle, its log, life after a fork."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Mapping, Optional, Union, cast

from . import errors
from ._convert import millis, to_text, whole_seconds
from ._native import ffi, lib
from ._record import Record, checked, opened

LEVELS = {1: 40, 2: 30, 3: 20, 4: 10}
"""The level of the logging module for each of the library."""

if TYPE_CHECKING:
    import logging

    Endpoints = Union[str, list[str], tuple[str, ...], None]


def option_text(keyword: str, value: Any) -> tuple[str, str]:
    """The option that a keyword means, and its value as text."""
    from ._options import TABLE  # here, for the sake of a quick import

    found = TABLE.get(keyword)
    if found is None:
        raise TypeError(f"there is no option {keyword!r}; docs/CONFIGURATION.md has them, with _ for dots and no unit")
    name, kind = found
    if kind == "ms":
        return name, str(millis(value, keyword))
    if kind == "s":
        return name, str(whole_seconds(value, keyword))
    if kind == "bool":
        if not isinstance(value, bool):
            raise TypeError(f"{keyword} must be True or False, not {value!r}")
        return name, "true" if value else "false"
    return name, str(value)


def build_options(
    endpoints: Endpoints, keywords: Mapping[str, Any], *, env: bool = False, file: Optional[str] = None,
    section: Optional[str] = None,
) -> Any:  # fmt: skip
    """A coord_options, freed with the object."""
    out = ffi.new("coord_options **")
    if lib.coord_options_new(out) != 0:
        raise errors.NoMemory()
    options = ffi.gc(out[0], lib.coord_options_free)
    if file is not None:
        checked(lib.coord_options_load, options, to_text(file, "file"), to_text(section or "", "section"))
    if env:
        checked(lib.coord_options_env, options)
    if endpoints is not None:
        listed = endpoints if isinstance(endpoints, str) else ",".join(endpoints)
        checked(lib.coord_options_set, options, b"endpoints", to_text(listed, "endpoints"))
    for keyword, value in keywords.items():
        name, text = option_text(keyword, value)
        checked(lib.coord_options_set, options, name.encode(), to_text(text, keyword))
    return options


_clients: weakref.WeakSet[ClientBase] = weakref.WeakSet()


class ClientBase:
    """The library's handle of a client, and what needs no waiting."""

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        env: bool,
        file: Optional[str],
        section: Optional[str],
        logger: Optional[logging.Logger],
        keywords: Mapping[str, Any],
    ) -> None:
        import logging  # here, for the sake of a quick import

        self.logger = logger or logging.getLogger("coord")
        self._keywords = dict(keywords)
        self._spec: dict[str, Any] = {"env": env, "file": file, "section": section}
        if "log_level" not in self._keywords and not env and file is None:
            self._keywords["log_level"] = _level_of(self.logger)
        # Waiting for a connection is done by a call, which can be interrupted.
        self.is_lazy = bool(self._keywords.pop("connect_lazy", False))
        self._endpoints = endpoints
        self._options = build_options(endpoints, {**self._keywords, "connect_lazy": True}, **self._spec)
        self._open()
        _clients.add(self)

    def _open(self) -> None:
        self._ptr = ffi.gc(opened("coord_client *", lib.coord_client_open, self._options), lib.coord_client_free)

    def _handle_options(self, keywords: Mapping[str, Any]) -> Any:
        """The options of a handle: NULL, those of the client, when none are given; else the client's with these."""
        if not keywords:
            return ffi.NULL
        return build_options(self._endpoints, {**self._keywords, **keywords}, **self._spec)

    def _send_log_to(self, queue: Any) -> None:
        checked(lib.coord_client_log_to, self._ptr, queue, 0)

    def _log(self, line: Record) -> None:
        self.logger.log(LEVELS.get(line.number, 10), "%s", line.text)

    def _option(self, name: str) -> str:
        out = ffi.new("const char **")
        checked(lib.coord_options_get, self._options, name.encode(), out)
        return cast(str, ffi.string(out[0]).decode())

    def stats(self) -> dict[str, Any]:
        """What this client has done so far: per method counts, errors, bytes, latencies; connections; endpoints."""
        import json

        text = opened("char *", lib.coord_client_stats, self._ptr)
        try:
            return cast("dict[str, Any]", json.loads(ffi.string(text)))
        finally:
            lib.coord_memory_free(text)

    def set_endpoints(self, endpoints: Union[str, list[str], tuple[str, ...]]) -> None:
        """Use other endpoints from now on, for what is started after this call and for what waits."""
        listed = endpoints if isinstance(endpoints, str) else ",".join(endpoints)
        checked(lib.coord_client_set_endpoints, self._ptr, to_text(listed, "endpoints"))

    def __repr__(self) -> str:
        kind = "coord.aio.Client" if type(self).__module__.startswith("coord.aio") else "coord.Client"
        namespace = self._option("namespace")
        return f"<{kind} {self._option('endpoints')}{' namespace=' + repr(namespace) if namespace else ''}>"

    def _handle(self) -> Any:
        """The library's handle. Raises Forked: it is the parent's."""
        text = opened("char *", lib.coord_client_stats, self._ptr)
        lib.coord_memory_free(text)
        return self._ptr

    def _after_fork(self) -> None:
        """Begin anew in a forked child."""


def _level_of(logger: logging.Logger) -> str:
    level = logger.getEffectiveLevel()
    for bound, name in ((10, "debug"), (20, "info"), (30, "warn"), (40, "error")):
        if level <= bound:
            return name
    return "off"


def after_fork() -> None:
    """Make the synchronous clients that this process got from its parent usable, each with a connection of its own.

    For a child of ``os.fork``: multiprocessing (``initializer=coord.after_fork``), gunicorn (``post_fork``), uWSGI
    (``postfork``), or everywhere with ``os.register_at_fork(after_in_child=coord.after_fork)``. Locks, leases, watches
    and all other handles stay the parent's, and answer Forked here; so does an asyncio client, and one that had a loop
    is refused on any other. In a process that was not forked it does nothing.
    """
    for client in list(_clients):
        client._after_fork()


def version() -> str:
    """The version of libcoord that is loaded."""
    return cast(str, ffi.string(lib.coord_version_string()).decode())
