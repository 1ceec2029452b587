"""What can go wrong: one exception class for each code of core/spec/errors.def.

``docs/ERRORS.md`` says what each means and what to do. A test compares this file with the library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, ClassVar, Final

RETRIABLE: Final = 1
MAYBE_APPLIED: Final = 2
FATAL: Final = 4


class Error(Exception):
    """Any failure of coord. Catch a subclass where you know what to do about it.

    ``str(error)`` is one line for a person; it never holds a secret.
    """

    code: ClassVar[int] = -19
    """The number of this failure, as in ``coord/error.h``; the same in every language."""
    name: ClassVar[str] = "INTERNAL"
    """Its name, as in ``docs/ERRORS.md``."""

    def __init__(
        self, message: str = "", *, flags: int = 0, endpoint: str = "", grpc_status: int = -1, http_status: int = -1
    ) -> None:
        super().__init__(message or self.name)
        self.flags = flags
        self.endpoint = endpoint
        """The server that the failing call talked to, ``""`` when there was none."""
        self.grpc_status = grpc_status
        """What the server sent, 0 to 16; -1: nothing."""
        self.http_status = http_status
        """What the server sent when it was not 200; -1: nothing."""
        self.results: list[Any] = []
        """Of a pipeline: all answers and errors."""

    @property
    def message(self) -> str:
        """What went wrong."""
        return str(self)

    @property
    def retriable(self) -> bool:
        """The same call may succeed later without any change."""
        return bool(self.flags & RETRIABLE)

    @property
    def maybe_applied(self) -> bool:
        """A write whose outcome is not known: it may have been applied, once. Read before repeating it."""
        return bool(self.flags & MAYBE_APPLIED)

    @property
    def fatal(self) -> bool:
        """The handle is of no further use."""
        return bool(self.flags & FATAL)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuilt, (type(self), str(self), self.flags, self.endpoint, self.grpc_status, self.http_status))


def _rebuilt(kind: type[Error], message: str, flags: int, endpoint: str, grpc: int, http: int) -> Error:
    return kind(message, flags=flags, endpoint=endpoint, grpc_status=grpc, http_status=http)


class Invalid(Error, ValueError):
    """An argument or option is wrong, or the server refused the request as malformed. Nothing was changed."""

    code, name = -1, "INVALID"


class Timeout(Error, TimeoutError):
    """The deadline passed before an answer came. For a write look at ``maybe_applied``."""

    code, name = -2, "TIMEOUT"


class Unavailable(Error, ConnectionError):
    """No endpoint could be reached, the connection broke, or the cluster has no leader."""

    code, name = -3, "UNAVAILABLE"


class Auth(Error):
    """The server refused the credentials, or the user may not do this."""

    code, name = -4, "AUTH"


class TLS(Error):
    """The secure connection could not be made."""

    code, name = -5, "TLS"


class Compacted(Error):
    """The revision that was asked for has been compacted away."""

    code, name = -6, "COMPACTED"

    revision: int = 0
    """Of a watch: the oldest revision that is left, if the server says so; else 0."""


class NotFound(Error, LookupError):
    """Something that must exist does not: a lease, a member. An absent key is no error."""

    code, name = -7, "NOT_FOUND"


class Conflict(Error):
    """Something else is in the way: it exists already, is held by another, or is under way."""

    code, name = -8, "CONFLICT"


class NotHeld(Error):
    """The lock to release or to guard with is not held."""

    code, name = -9, "NOT_HELD"


class Lost(Error):
    """The lease under the handle is gone, and with it everything that hung on it."""

    code, name = -10, "LOST"


class TooLarge(Error):
    """A request or an answer is over a size limit."""

    code, name = -11, "TOO_LARGE"


class Canceled(Error):
    """The caller cancelled it. For a write look at ``maybe_applied``."""

    code, name = -12, "CANCELED"


class Closed(Error):
    """The handle, or the client under it, is closed."""

    code, name = -13, "CLOSED"


class Forked(Error):
    """This process was forked after the handle was opened; the handle belongs to the parent."""

    code, name = -14, "FORKED"

    def __init__(
        self, message: str = "", *, flags: int = 0, endpoint: str = "", grpc_status: int = -1, http_status: int = -1
    ) -> None:
        if "coord.after_fork()" not in message:
            message = (
                f"{message or 'this handle belongs to the parent process'}: call coord.after_fork() in the child "
                "(gunicorn: in post_fork; multiprocessing: initializer=coord.after_fork), or open the client there"
            )
        super().__init__(message, flags=flags, endpoint=endpoint, grpc_status=grpc_status, http_status=http_status)


class Protocol(Error):
    """The peer sent what no etcd sends."""

    code, name = -15, "PROTOCOL"


class NoMemory(Error, MemoryError):
    """Memory is exhausted."""

    code, name = -16, "NO_MEMORY"


class Unsupported(Error):
    """The server, or this build or wire, cannot do this."""

    code, name = -17, "UNSUPPORTED"


class Exhausted(Error):
    """A quota or resource is used up: database space, request rate, file descriptors."""

    code, name = -18, "EXHAUSTED"


class Internal(Error):
    """The server failed inside, or the library met what it should have made impossible."""

    code, name = -19, "INTERNAL"


BY_CODE: Final[dict[int, type[Error]]] = {
    kind.code: kind
    for kind in (
        Invalid, Timeout, Unavailable, Auth, TLS, Compacted, NotFound, Conflict, NotHeld, Lost, TooLarge, Canceled,
        Closed, Forked, Protocol, NoMemory, Unsupported, Exhausted, Internal,
    )
}  # fmt: skip
"""The class of each code. A code that this version does not know is an ``Error``."""


def make(code: int, message: str, flags: int, endpoint: str, grpc_status: int, http_status: int) -> Error:
    """The exception for a code of the library."""
    kind = BY_CODE.get(code, Error)
    return kind(message, flags=flags, endpoint=endpoint, grpc_status=grpc_status, http_status=http_status)
