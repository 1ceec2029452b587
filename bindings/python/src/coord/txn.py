"""Transactions: compares, what to do when they all hold, what to do when not.

::

    from coord import key, ops

    done = (client.txn()
        .when(key("jobs/7").version == 0)
        .then(ops.put("jobs/7", "mine"))
        .otherwise(ops.get("jobs/7"))
        .commit())
    if not done.succeeded:
        owner = done.results[0]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Protocol, TypeVar, Union

from . import errors
from ._convert import Bytes, Seconds, deadline, to_bytes
from ._native import ffi, lib
from ._op import Lease, Op, id_of
from .kv import Txn, TxnPart

if TYPE_CHECKING:
    from ._record import Record

RELATIONS = {"==": 0, ">": 1, "<": 2, "!=": 3}


class Compare(NamedTuple):
    """One condition of a transaction; made by comparing an attribute of ``key(...)``."""

    key: bytes
    prefix: bool
    target: int
    relation: str
    operand: Union[int, bytes]
    end: Optional[bytes] = None

    def add_to(self, txn: Any) -> int:
        """Add it to a coord_op of a transaction."""
        relation, name = RELATIONS[self.relation], self.key
        if isinstance(self.operand, bytes):
            code = lib.coord_op_if_value(txn, name, len(name), relation, self.operand, len(self.operand))
        else:
            code = lib.coord_op_if_int(txn, name, len(name), self.target, relation, self.operand)
        if code or not (self.prefix or self.end):
            return int(code)
        end = self.end or b""
        return int(lib.coord_op_if_range(txn, ffi.NULL if self.prefix else end, 0 if self.prefix else len(end)))


class Attribute:
    """What a key is asked for: compare it with ``==``, ``!=``, ``<`` or ``>``."""

    __slots__ = ("_key", "_prefix", "_target", "_end")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, name: bytes, prefix: bool, target: int, end: Optional[bytes] = None) -> None:
        self._end = end
        self._key = name
        self._prefix = prefix
        self._target = target

    def _compare(self, relation: str, operand: Union[int, Bytes, Lease]) -> Compare:
        if self._target == lib.COORD_COMPARE_VALUE:
            given: Union[int, bytes] = to_bytes(operand, "the value to compare with")  # type: ignore[arg-type]
        elif isinstance(operand, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"a revision, version or lease is compared with a number, not with {operand!r}")
        else:
            given = id_of(operand)
        return Compare(self._key, self._prefix, self._target, relation, given, self._end)

    def __eq__(self, operand: Union[int, Bytes, Lease]) -> Compare:  # type: ignore[override]
        return self._compare("==", operand)

    def __ne__(self, operand: Union[int, Bytes, Lease]) -> Compare:  # type: ignore[override]
        return self._compare("!=", operand)

    def __lt__(self, operand: Union[int, Bytes]) -> Compare:
        return self._compare("<", operand)

    def __gt__(self, operand: Union[int, Bytes]) -> Compare:
        return self._compare(">", operand)

    def __bool__(self) -> bool:
        raise TypeError("an attribute of a key has no truth value: compare it, as in key('a').version == 0")


class Key:
    """A key, to state conditions on; or with ``prefix`` all that begin with it, or all from it up to ``end``: they must hold
    for each of them.

    A key that is not there has version, create_revision, mod_revision and lease 0; no compare of its value holds.
    """

    __slots__ = ("_name", "_prefix", "_end")

    def __init__(self, name: Bytes, prefix: bool = False, end: Optional[Bytes] = None) -> None:
        self._end = None if end is None else to_bytes(end, "end")
        self._name = to_bytes(name, "key")
        self._prefix = prefix

    def _attribute(self, target: int) -> Attribute:
        return Attribute(self._name, self._prefix, target, self._end)

    @property
    def version(self) -> Attribute:
        """How often it was written since it came to be; 0: it is not there."""
        return self._attribute(lib.COORD_COMPARE_VERSION)

    @property
    def create_revision(self) -> Attribute:
        """The revision at which it came to be."""
        return self._attribute(lib.COORD_COMPARE_CREATE)

    @property
    def mod_revision(self) -> Attribute:
        """The revision of its last change."""
        return self._attribute(lib.COORD_COMPARE_MOD)

    @property
    def value(self) -> Attribute:
        """Its value, compared as bytes."""
        return self._attribute(lib.COORD_COMPARE_VALUE)

    @property
    def lease(self) -> Attribute:
        """The lease that it hangs on."""
        return self._attribute(lib.COORD_COMPARE_LEASE)

    def __repr__(self) -> str:
        return f"key({self._name!r}{', prefix=True' if self._prefix else ''})"


def key(name: Bytes, end: Optional[Bytes] = None, *, prefix: bool = False) -> Key:
    """The key `name`, to state conditions on it: ``key("a").version == 0``; a range as in ``ops.range``."""
    return Key(name, prefix, end)


class Condition(Protocol):
    """A compare; or a lock or an election: that it is held."""

    def add_to(self, txn: Any) -> int:
        """Add it to a coord_op of a transaction."""
        ...


class Ending(Protocol):
    """What states a condition and is done if all hold: that an item of work is done (``WorkQueue.ending``)."""

    parts: int
    """So many ops of the library it comes to."""

    def add_to(self, txn: Any) -> None:
        """Add it to a coord_op of a transaction."""
        ...


Self = TypeVar("Self", bound="TxnBuilder")
AnyOp = Union[Op[Any], "TxnBuilder"]


def _op_of(given: Union[AnyOp, Ending]) -> Op[Any]:
    if isinstance(given, TxnBuilder):
        return given.op()
    if isinstance(given, Op):
        return given
    raise TypeError(f"a transaction is made of ops such as coord.ops.put('a', '1'), not of {given!r}")


def _part_of(given: Union[AnyOp, Ending]) -> Union[Op[Any], Ending]:
    return _op_of(given) if isinstance(given, (Op, TxnBuilder)) or not hasattr(given, "parts") else given


class TxnBuilder:
    """A transaction to be. Also an op of other transactions, with ``op()``."""

    def __init__(self) -> None:
        self._when: list[Condition] = []
        self._then: list[Union[Op[Any], Ending]] = []
        self._otherwise: list[Union[Op[Any], Ending]] = []
        self._idempotent = False

    def when(self: Self, *conditions: Condition) -> Self:
        """Add conditions, which must all hold: ``key("a").version == 0``, or a lock: it is held."""
        for condition in conditions:
            if not hasattr(condition, "add_to"):
                raise TypeError(f"a condition is a compare such as key('a').version == 0, not {condition!r}")
        self._when.extend(conditions)
        return self

    def then(self: Self, *ops: Union[AnyOp, Ending]) -> Self:
        """Add what is done when all conditions hold: get, range, put, delete, other transactions; that an item of work is done."""
        self._then.extend(map(_part_of, ops))
        return self

    def otherwise(self: Self, *ops: AnyOp) -> Self:
        """Add what is done when a condition does not hold."""
        self._otherwise.extend(map(_op_of, ops))
        return self

    def idempotent(self: Self) -> Self:
        """Doing it twice is as good as once, so it may be repeated when an answer was lost."""
        self._idempotent = True
        return self

    def op(self, *, timeout: Optional[Seconds] = None) -> Op[Txn]:
        """This transaction as an op."""
        return Op(self._make, self._read, deadline(timeout), text=repr(self))

    def _make(self) -> Any:
        txn = lib.coord_op_txn()
        try:
            for condition in self._when:
                _check(condition.add_to(txn))
            for add, some in ((lib.coord_op_then, self._then), (lib.coord_op_else, self._otherwise)):
                for op in some:
                    if not isinstance(op, Op):
                        op.add_to(txn)  # what is wrong with it the transaction itself says
                        continue
                    part = op.make()
                    try:
                        _check(add(txn, part))
                    finally:
                        lib.coord_op_free(part)
            if self._idempotent:
                _check(lib.coord_op_set(txn, lib.COORD_OP_IDEMPOTENT, 1))
        except BaseException:
            lib.coord_op_free(txn)
            raise
        return txn

    def _read(self, record: Record) -> Txn:
        done = self._then if record.succeeded else self._otherwise
        left = iter(record.parts)
        parts: list[TxnPart] = []
        for op in done:
            answers = [next(left) for _ in range(1 if isinstance(op, Op) else op.parts)]
            parts.append(op.read(answers[0]) if isinstance(op, Op) else None)
        return Txn(record.revision, record.succeeded, tuple(parts))

    def __repr__(self) -> str:
        return f"<txn: {len(self._when)} compares, then {len(self._then)} ops, otherwise {len(self._otherwise)} ops>"


def _check(code: int) -> None:
    if code != 0:
        raise errors.make(code, "this cannot be part of a transaction" if code == errors.Invalid.code else "", 0, "", -1, -1)
