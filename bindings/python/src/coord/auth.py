"""Users, roles and permissions, as ops: ``client.execute(auth.user_add("ann", "secret"))``, awaited with ``coord.aio``.

With authentication on, the client's user needs the role root for all of them but ``status``. None can be part of a
transaction. They add to what ops raise: NotFound: there is no such user or role; Conflict: there is one already.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any, NamedTuple, Optional

from . import errors
from ._convert import Bytes, Seconds, deadline, to_bytes, to_text
from ._native import ffi, lib
from ._op import Op, read_json, read_nothing
from ._record import Record

PERMISSIONS = ("read", "write", "readwrite")


class Permission(NamedTuple):
    """What a role may do."""

    permission: str
    """``"read"``, ``"write"`` or ``"readwrite"``."""
    key: bytes
    """The key, or the first one of the range."""
    end: bytes
    """The first key behind the range; empty: the key alone; NUL: no upper bound."""


def _nothing(function: Any, words: dict[str, Optional[str]], timeout: Optional[Seconds], text: str) -> Op[None]:
    given = [ffi.NULL if word is None else to_text(word, what) for what, word in words.items()]
    return Op(lambda: function(*given), read_nothing, deadline(timeout), text=text)


def _names(function: Any, given: tuple[bytes, ...], field: str, timeout: Optional[Seconds], text: str) -> Op[list[str]]:
    return Op(lambda: function(*given), lambda record: list(read_json(record).get(field, [])), deadline(timeout), text=text)


def _read_permissions(record: Record) -> list[Permission]:
    return [
        Permission(one["permType"].lower(), b64decode(one.get("key", "")), b64decode(one.get("range_end", "")))
        for one in read_json(record).get("perm", [])
    ]


def enable(*, timeout: Optional[Seconds] = None) -> Op[None]:
    """Switch authentication on. The user root, with the role root, must exist."""
    return _nothing(lib.coord_op_auth_enable, {}, timeout, "auth enable")


def disable(*, timeout: Optional[Seconds] = None) -> Op[None]:
    """Switch authentication off."""
    return _nothing(lib.coord_op_auth_disable, {}, timeout, "auth disable")


def status(*, timeout: Optional[Seconds] = None) -> Op[bool]:
    """Whether it is on. Raises Unsupported before etcd 3.5."""
    return Op(lib.coord_op_auth_status, lambda record: record.succeeded, deadline(timeout), text="auth status")


def user_add(name: str, password: Optional[str] = None, *, timeout: Optional[Seconds] = None) -> Op[None]:
    """Add a user. password: at most 72 bytes; None: one who cannot log in but by a certificate of a client."""
    return _nothing(lib.coord_op_user_add, {"name": name, "password": password}, timeout, "user add")


def user_get(name: str, *, timeout: Optional[Seconds] = None) -> Op[list[str]]:
    """The roles of a user."""
    return _names(lib.coord_op_user_get, (to_text(name, "name"),), "roles", timeout, "user get")


def user_list(*, timeout: Optional[Seconds] = None) -> Op[list[str]]:
    """All users."""
    return _names(lib.coord_op_user_list, (), "users", timeout, "user list")


def user_delete(name: str, *, timeout: Optional[Seconds] = None) -> Op[None]:
    """Delete a user."""
    return _nothing(lib.coord_op_user_delete, {"name": name}, timeout, "user delete")


def user_password(name: str, password: str, *, timeout: Optional[Seconds] = None) -> Op[None]:
    """Change the password of a user, whose tokens end with that."""
    return _nothing(lib.coord_op_user_password, {"name": name, "password": password}, timeout, "user password")


def user_grant(name: str, role: str, *, timeout: Optional[Seconds] = None) -> Op[None]:
    """Give a role to a user."""
    return _nothing(lib.coord_op_user_grant, {"name": name, "role": role}, timeout, "user grant")


def user_revoke(name: str, role: str, *, timeout: Optional[Seconds] = None) -> Op[None]:
    """Take a role from a user."""
    return _nothing(lib.coord_op_user_revoke, {"name": name, "role": role}, timeout, "user revoke")


def role_add(name: str, *, timeout: Optional[Seconds] = None) -> Op[None]:
    """Add a role."""
    return _nothing(lib.coord_op_role_add, {"name": name}, timeout, "role add")


def role_get(name: str, *, timeout: Optional[Seconds] = None) -> Op[list[Permission]]:
    """What a role may do."""
    given = to_text(name, "name")
    return Op(lambda: lib.coord_op_role_get(given), _read_permissions, deadline(timeout), text="role get")


def role_list(*, timeout: Optional[Seconds] = None) -> Op[list[str]]:
    """All roles."""
    return _names(lib.coord_op_role_list, (), "roles", timeout, "role list")


def role_delete(name: str, *, timeout: Optional[Seconds] = None) -> Op[None]:
    """Delete a role, also from all users."""
    return _nothing(lib.coord_op_role_delete, {"name": name}, timeout, "role delete")


def _ranged(raw: Any, end: Optional[bytes], prefix: bool) -> Any:
    if prefix:
        lib.coord_op_set_prefix(raw)
    elif end is not None:
        lib.coord_op_set_range_end(raw, end, len(end))
    return raw


def role_grant(
    role: str, permission: str, key: Bytes, end: Optional[Bytes] = None, *, prefix: bool = False,
    timeout: Optional[Seconds] = None,
) -> Op[None]:  # fmt: skip
    """Permit a role something on a key, or a range as in ``ops.range``. permission: "read", "write" or "readwrite"."""
    if permission not in PERMISSIONS:
        raise errors.Invalid(f"permission is {permission!r}: it must be one of {', '.join(PERMISSIONS)}")
    number, name, to = PERMISSIONS.index(permission), to_bytes(key, "key"), to_text(role, "role")
    last = None if end is None else to_bytes(end, "end")

    def make() -> Any:
        return _ranged(lib.coord_op_role_grant(to, number, name, len(name)), last, prefix)

    return Op(make, read_nothing, deadline(timeout), text="role grant")


def role_revoke(
    role: str, key: Bytes, end: Optional[Bytes] = None, *, prefix: bool = False, timeout: Optional[Seconds] = None
) -> Op[None]:
    """Take a permission from a role: key and range exactly as they were granted."""
    name, last = to_bytes(key, "key"), None if end is None else to_bytes(end, "end")
    of = to_text(role, "role")

    def make() -> Any:
        return _ranged(lib.coord_op_role_revoke(of, name, len(name)), last, prefix)

    return Op(make, read_nothing, deadline(timeout), text="role revoke")
