"""Verbs as data. An op is built here, and executed by a client: the same ones by both kinds of client.

``client.put("a", "1")`` is ``ops.put("a", "1")`` executed; use the functions themselves to build transactions
and pipelines::

    client.pipeline([ops.put("a", "1"), ops.get("b")])

An op can be executed any number of times. ``timeout``, everywhere: seconds or timedelta for the whole call, retries
and connecting included; None: the client's ``request_timeout``; ``math.inf``: none. All ops raise the classes of
``coord.errors``; what a method names are those that it adds to Invalid, Timeout, Unavailable, Auth and Closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from ._convert import Bytes, Seconds, deadline, to_bytes, whole_seconds
from ._native import lib
from ._op import DELETE, GET, PUT, Lease, attributes, id_of, kv_op, read_json
from ._op import Op as Op
from .errors import Error
from .kv import Compaction, Deleted, KeyValue, LeaseInfo, Put, Range

if TYPE_CHECKING:
    from ._record import Record

T = TypeVar("T")


def _read_get(record: Record) -> Optional[KeyValue]:
    return record.kv


def _read_range(record: Record) -> Range:
    return Range(record.revision, record.kvs, record.total, record.more)


def _read_put(record: Record) -> Put:
    return Put(record.revision, record.kv)


def _read_kvs(record: Record) -> tuple[KeyValue, ...]:
    return record.kvs


def _read_lease(record: Record) -> LeaseInfo:
    return LeaseInfo(record.lease_id, record.ttl, record.granted_ttl, tuple(kv.key for kv in record.kvs))


def _read_leases(record: Record) -> list[int]:
    return [int(one["ID"], 16) for one in read_json(record).get("leases", [])]


def _read_deleted(record: Record) -> Deleted:
    return Deleted(record.revision, record.total, record.kvs)


def get(
    key: Bytes, *, revision: int = 0, serializable: bool = False, keys_only: bool = False, timeout: Optional[Seconds] = None
) -> Op[Optional[KeyValue]]:
    """Read one key; None when there is none.

    revision: read the store as it was then. serializable: answer from any member, perhaps stale.
    Raises Compacted: that revision is gone.
    """
    chosen: list[int] = []
    if revision or serializable or keys_only:
        chosen = attributes(
            (lib.COORD_OP_REVISION, revision), (lib.COORD_OP_SERIALIZABLE, serializable), (lib.COORD_OP_KEYS_ONLY, keys_only)
        )
    return kv_op(GET, key, _read_get, chosen, timeout=timeout)


def range(
    key: Bytes,
    end: Optional[Bytes] = None,
    *,
    prefix: bool = False,
    limit: int = 0,
    revision: int = 0,
    serializable: bool = False,
    keys_only: bool = False,
    count_only: bool = False,
    sort_by: str = "key",
    descending: bool = False,
    min_mod_revision: int = 0,
    max_mod_revision: int = 0,
    min_create_revision: int = 0,
    max_create_revision: int = 0,
    timeout: Optional[Seconds] = None,
) -> Op[Range]:
    """Read all keys from `key` up to `end`, without `end`, in one answer; with `prefix` those that begin with `key`.

    end: ``b"\\0"`` means no upper bound; None: the one key. limit: how many at most, 0: all. sort_by: "key", "version",
    "create", "mod" or "value". For ranges of any size see ``get_prefix``.
    Raises Compacted; TooLarge: the answer exceeds response_max_bytes.
    """
    chosen = attributes(
        (lib.COORD_OP_LIMIT, limit),
        (lib.COORD_OP_REVISION, revision),
        (lib.COORD_OP_SERIALIZABLE, serializable),
        (lib.COORD_OP_KEYS_ONLY, keys_only),
        (lib.COORD_OP_COUNT_ONLY, count_only),
        (lib.COORD_OP_SORT_BY, _sort(sort_by)),
        (lib.COORD_OP_SORT_DESCENDING, descending),
        (lib.COORD_OP_MIN_MOD_REVISION, min_mod_revision),
        (lib.COORD_OP_MAX_MOD_REVISION, max_mod_revision),
        (lib.COORD_OP_MIN_CREATE_REVISION, min_create_revision),
        (lib.COORD_OP_MAX_CREATE_REVISION, max_create_revision),
    )
    return kv_op(GET, key, _read_range, chosen, end=_end(end), prefix=prefix, timeout=timeout)


def _end(end: Optional[Bytes]) -> Optional[bytes]:
    return None if end is None else to_bytes(end, "end")


def _sort(by: str) -> int:
    order = ("key", "version", "create", "mod", "value")
    if by not in order:
        raise ValueError(f"sort_by is {by!r}: it must be one of {', '.join(order)}")
    return order.index(by)


def put(
    key: Bytes,
    value: Bytes,
    *,
    lease: Optional[Lease] = None,
    prev_kv: bool = False,
    ignore_lease: bool = False,
    idempotent: bool = False,
    timeout: Optional[Seconds] = None,
) -> Op[Put]:
    """Write one key.

    lease: the key goes when it ends. prev_kv: return what was there before. ignore_lease: keep the present lease.
    idempotent: doing it twice is as good as once, so it may be repeated when an answer was lost.
    Raises NotFound: there is no such lease; TooLarge; Exhausted: the database is full.
    """
    chosen: list[int] = []
    if lease is not None or prev_kv or ignore_lease or idempotent:
        chosen = attributes(
            (lib.COORD_OP_LEASE, id_of(lease)), (lib.COORD_OP_PREV_KV, prev_kv),
            (lib.COORD_OP_IGNORE_LEASE, ignore_lease), (lib.COORD_OP_IDEMPOTENT, idempotent),
        )  # fmt: skip
    return kv_op(PUT, key, _read_put, chosen, value=to_bytes(value, "value"), timeout=timeout)


def touch(key: Bytes, lease: Optional[Lease] = None, *, prev_kv: bool = False, timeout: Optional[Seconds] = None) -> Op[Put]:
    """Write a key again with the value that it has, and attach it to `lease` (None: to none).

    Raises Invalid: there is no such key.
    """
    chosen = attributes(
        (lib.COORD_OP_IGNORE_VALUE, 1), (lib.COORD_OP_LEASE, id_of(lease)), (lib.COORD_OP_PREV_KV, prev_kv)
    )
    return kv_op(PUT, key, _read_put, chosen, timeout=timeout)


def delete(
    key: Bytes,
    end: Optional[Bytes] = None,
    *,
    prefix: bool = False,
    prev_kv: bool = False,
    idempotent: bool = False,
    timeout: Optional[Seconds] = None,
) -> Op[Deleted]:
    """Delete a key, or a range as in ``range``. A key that is not there is no error: ``deleted`` is 0.

    prev_kv: return what was there. idempotent: see ``put``; ``deleted`` may then miss what a lost answer told.
    """
    chosen: list[int] = []
    if prev_kv or idempotent:
        chosen = attributes((lib.COORD_OP_PREV_KV, prev_kv), (lib.COORD_OP_IDEMPOTENT, idempotent))
    return kv_op(DELETE, key, _read_deleted, chosen, end=_end(end), prefix=prefix, timeout=timeout)


def compact(revision: int, *, physical: bool = False, timeout: Optional[Seconds] = None) -> Op[Compaction]:
    """Forget history before `revision`. physical: answer when the space is reclaimed.

    Raises Compacted: that was done already; Invalid: the revision is of the future.
    """

    def make() -> Any:
        raw = lib.coord_op_compact(revision)
        if physical:
            lib.coord_op_set(raw, lib.COORD_OP_PHYSICAL, 1)
        return raw

    return Op(make, lambda record: Compaction(record.revision), deadline(timeout), text=f"compact {revision}")


def status(*, timeout: Optional[Seconds] = None) -> Op[dict[str, Any]]:
    """What the endpoint in use says of itself: etcd's fields; 64-bit numbers are decimal strings, ids hexadecimal."""
    return Op(lib.coord_op_status, read_json, deadline(timeout), text="status")


def members(*, timeout: Optional[Seconds] = None) -> Op[dict[str, Any]]:
    """The members of the cluster; as ``status``."""
    return Op(lib.coord_op_members, read_json, deadline(timeout), text="members")


def lease_grant(ttl: Seconds, *, lease_id: int = 0, timeout: Optional[Seconds] = None) -> Op[LeaseInfo]:
    """Make a lease, which ends after `ttl` (whole seconds) unless it is kept alive: ``client.lease`` does that too.

    lease_id: 0: one that is free. Raises Conflict: it exists.
    """
    seconds = whole_seconds(ttl, "ttl")
    return Op(lambda: lib.coord_op_lease_grant(seconds, lease_id), _read_lease, deadline(timeout), text="lease_grant")


def lease_revoke(lease: Lease, *, timeout: Optional[Seconds] = None) -> Op[None]:
    """End a lease and delete all keys that hang on it. Raises NotFound: there is none."""
    number = id_of(lease)
    return Op(lambda: lib.coord_op_lease_revoke(number), lambda _: None, deadline(timeout), text="lease_revoke")


def lease_keepalive(lease: Lease, *, timeout: Optional[Seconds] = None) -> Op[LeaseInfo]:
    """Give a lease its whole time again, once. Raises NotFound: there is none."""
    number = id_of(lease)
    return Op(lambda: lib.coord_op_lease_keepalive(number), _read_lease, deadline(timeout), text="lease_keepalive")


def lease_info(lease: Lease, *, keys: bool = False, timeout: Optional[Seconds] = None) -> Op[LeaseInfo]:
    """Ask what is left of a lease; its ``ttl`` is -1 when there is none. keys: and for the keys that hang on it."""
    number = id_of(lease)
    return Op(lambda: lib.coord_op_lease_info(number, keys), _read_lease, deadline(timeout), text="lease_info")


def leases(*, timeout: Optional[Seconds] = None) -> Op[list[int]]:
    """The ids of all leases."""
    return Op(lib.coord_op_lease_list, _read_leases, deadline(timeout), text="leases")


def lock_queue(name: Bytes, *, timeout: Optional[Seconds] = None) -> Op[tuple[KeyValue, ...]]:
    """Who holds a lock and who waits for it, the oldest first; docs/LOCKS.md says what the values are."""
    lock = to_bytes(name, "name")
    return Op(lambda: lib.coord_op_lock_queue(lock, len(lock)), _read_kvs, deadline(timeout), text="lock_queue")


def leader(name: Bytes, *, timeout: Optional[Seconds] = None) -> Op[Optional[KeyValue]]:
    """Who leads an election: its value is what it proclaims, its create_revision the token; None: nobody."""
    election = to_bytes(name, "name")
    return Op(lambda: lib.coord_op_leader(election, len(election)), _read_get, deadline(timeout), text="leader")


def raw(make: Callable[[], Any], read: Callable[[Record], T], timeout: Optional[Seconds] = None) -> Op[T]:
    """An op of any function of the library, for bindings of what has no method here."""
    return Op(make, read, deadline(timeout))


def watched(
    key: Bytes, end: Optional[Bytes], *, prefix: bool, prev_kv: bool, puts: bool, deletes: bool, progress: bool
) -> Op[Range]:
    """What a watch watches."""
    chosen = attributes(
        (lib.COORD_OP_PREV_KV, prev_kv),
        (lib.COORD_OP_NO_PUTS, not puts),
        (lib.COORD_OP_NO_DELETES, not deletes),
        (lib.COORD_OP_PROGRESS, progress),
    )
    return kv_op(GET, key, _read_range, chosen, end=_end(end), prefix=prefix)


PERMISSION_DENIED = 7


def probe(timeout_ms: int) -> Op[Range]:
    """The least that can be asked; an answer, also a refusal for want of permission, shows that there is a server."""
    op = range("health", count_only=True, serializable=True)
    op.timeout_ms = timeout_ms
    return op


def unless_failed(results: list[Any]) -> list[Any]:
    """The results of a pipeline, unless one is an exception."""
    for result in results:
        if isinstance(result, Error):
            result.results = results
            raise result
    return results
