"""From JSON to types: dataclasses, pydantic models, and what their fields may be."""

from __future__ import annotations

import dataclasses
import enum
from datetime import timedelta
from typing import Any, Callable, Literal, Union, get_args, get_origin, get_type_hints

try:
    from types import UnionType  # type: ignore[attr-defined,unused-ignore]
except ImportError:  # Python 3.9
    UnionType = None  # type: ignore[assignment,misc,unused-ignore]

Reader = Callable[[Any, str], Any]
"""Makes a value of JSON, named by the second argument in errors, what it should be. ValueError: it is not."""


def _wrong(value: Any, name: str, wanted: str) -> ValueError:
    shown = repr(value)
    return ValueError(f"{name} is {shown if len(shown) <= 60 else shown[:50] + '...'}: it must be {wanted}")


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind)  # here, so that type checkers do not take the items for unknown


def _array(value: Any, name: str, size: int = -1) -> list[Any]:
    if not _is(value, list) or (size >= 0 and len(value) != size):
        raise _wrong(value, name, "an array" if size < 0 else f"an array of {size}")
    return value  # type: ignore[no-any-return]


def _object(value: Any, name: str) -> dict[str, Any]:
    if not _is(value, dict):
        raise _wrong(value, name, "an object")
    return value  # type: ignore[no-any-return]


def _plain(kind: type, wanted: str, *accepted: type) -> Reader:
    def read(value: Any, name: str) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise _wrong(value, name, wanted)
        return kind(value)

    return read


def _none(value: Any, name: str) -> None:
    if value is not None:
        raise _wrong(value, name, "null")


def _any(value: Any, name: str) -> Any:
    return value


def _timedelta(value: Any, name: str) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(value, name, "a number of seconds")
    return timedelta(seconds=value)


PLAIN: dict[Any, Reader] = {
    Any: _any,
    object: _any,
    None: _none,
    type(None): _none,
    bool: _plain(bool, "true or false", bool),
    int: _plain(int, "a whole number", int),
    float: _plain(float, "a number", int, float),
    str: _plain(str, "a string", str),
    list: _plain(list, "an array", list),
    dict: _plain(dict, "an object", dict),
    timedelta: _timedelta,
}


def _union(kinds: tuple[Any, ...]) -> Reader:
    readers = [reader(kind) for kind in kinds]

    def read(value: Any, name: str) -> Any:
        reasons: list[str] = []
        for one in readers:
            try:
                return one(value, name)
            except ValueError as failure:
                reasons.append(str(failure).rsplit(": it must be ", 1)[-1])
        raise _wrong(value, name, " or ".join(reasons))

    return read


def _literal(values: tuple[Any, ...]) -> Reader:
    def read(value: Any, name: str) -> Any:
        for one in values:
            if type(one) is type(value) and one == value:
                return one
        raise _wrong(value, name, "one of " + ", ".join(map(repr, values)))

    return read


def _enum(kind: type[enum.Enum]) -> Reader:
    def read(value: Any, name: str) -> Any:
        try:
            return kind(value)
        except ValueError:
            raise _wrong(value, name, "one of " + ", ".join(repr(one.value) for one in kind)) from None

    return read


def _many(make: Any, kind: Any) -> Reader:
    one = reader(kind)

    def read(value: Any, name: str) -> Any:
        return make([one(item, f"{name}[{i}]") for i, item in enumerate(_array(value, name))])

    return read


def _fixed(kinds: tuple[Any, ...]) -> Reader:
    readers = [reader(kind) for kind in kinds]

    def read(value: Any, name: str) -> Any:
        items = _array(value, name, len(readers))
        return tuple([one(item, f"{name}[{i}]") for i, (one, item) in enumerate(zip(readers, items))])

    return read


def _mapping(kind: Any) -> Reader:
    one = reader(kind)

    def read(value: Any, name: str) -> Any:
        return {key: one(item, f"{name}.{key}") for key, item in _object(value, name).items()}

    return read


def _dataclass(kind: Any) -> Reader:
    hints = get_type_hints(kind)
    fields = {field.name: (reader(hints[field.name]), field) for field in dataclasses.fields(kind) if field.init}

    def read(value: Any, name: str) -> Any:
        given = _object(value, name)
        found: dict[str, Any] = {}
        for field, (one, about) in fields.items():
            where = f"{name}.{field}" if name else field
            if field in given:
                found[field] = one(given[field], where)
            elif about.default is dataclasses.MISSING and about.default_factory is dataclasses.MISSING:
                raise ValueError(f"{where} is missing")
        return kind(**found)

    return read


def _pydantic(kind: Any) -> Reader:
    validate = getattr(kind, "model_validate", None) or kind.parse_obj

    def read(value: Any, name: str) -> Any:
        return validate(value)  # its ValidationError is a ValueError

    return read


def is_record(kind: Any) -> bool:
    """Whether it has fields with names: a dataclass or a pydantic model."""
    return isinstance(kind, type) and (dataclasses.is_dataclass(kind) or _is_pydantic(kind))


def _is_pydantic(kind: Any) -> bool:
    return hasattr(kind, "model_validate") or (hasattr(kind, "parse_obj") and hasattr(kind, "__fields__"))


def reader(kind: Any) -> Reader:
    """What makes values of JSON a `kind`. TypeError: it cannot be read from JSON."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is None and _is_hashable(kind) and kind in PLAIN:
        return PLAIN[kind]
    if origin is Union or (UnionType is not None and origin is UnionType):
        return _union(arguments)
    if origin is Literal:
        return _literal(arguments)
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return _fixed(arguments)
    if origin in (list, tuple, set, frozenset) or getattr(origin, "__name__", "") in ("Sequence", "Iterable", "Collection"):
        return _many(origin if origin in (list, tuple, set, frozenset) else tuple, arguments[0])
    if (origin is dict or getattr(origin, "__name__", "") in ("Mapping", "MutableMapping")) and arguments[0] is str:
        return _mapping(arguments[1])
    if isinstance(kind, type):
        if dataclasses.is_dataclass(kind):
            return _dataclass(kind)
        if issubclass(kind, enum.Enum):
            return _enum(kind)
        if _is_pydantic(kind):
            return _pydantic(kind)
    raise TypeError(f"{kind!r} cannot be read from JSON: use dataclasses, pydantic models, and types that JSON has")


def _is_hashable(kind: Any) -> bool:
    try:
        hash(kind)
    except TypeError:
        return False
    return True
