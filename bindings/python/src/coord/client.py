"""The synchronous client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, Optional, Union

from . import errors, ops
from ._caller import Caller, Source, new_queue
from ._convert import Bytes, Seconds, millis
from ._native import lib
from ._record import checked
from ._services import Services
from ._verb import verb
from .election import Election, Observer
from .lease import Lease
from .lock import Lock, RWLock, lock_keywords
from .mirror import Mirror, wait_ms
from .scan import Scan
from .txn import TxnBuilder
from .watch import Watch

if TYPE_CHECKING:
    import logging

    from typing_extensions import Unpack

    from ._options import Options
    from .kv import Txn


class Txns(TxnBuilder):
    """A transaction; ``commit()`` executes it. See ``coord.txn``."""

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self._caller = caller

    def commit(self, *, timeout: Optional[Seconds] = None) -> Txn:
        """Execute it. Conditions that do not hold are no error: ``succeeded`` is False.

        Raises Conflict: two ops write the same key; TooLarge: more than request_max_ops.
        """
        return self._caller.run(self.op(timeout=timeout))


class Client(Services):
    """A client of one etcd cluster, for synchronous code. One serves a process and all its threads.

    ::

        with coord.Client("localhost:2379") as client:
            client.put("a", "1")
            print(client.get("a").text)

    endpoints: "host:port", several in a list or separated by commas, or a URL (etcd://user@host/namespace); None: those
    of `env` or `file`, else 127.0.0.1:2379. env: read ETCDCTL_* and COORD_* variables. file, section: read options from a
    YAML file. logger: gets the client's log; default ``logging.getLogger("coord")``. The rest are the options of
    docs/CONFIGURATION.md with ``_`` for dots and without the unit: ``request_timeout=2.5``, ``lock_ttl=30``. They win
    over `file` and `env`.

    Waits until one endpoint has answered, unless ``connect_lazy=True``.
    Raises Invalid: an option; Unavailable: no endpoint answered; Timeout, Protocol, TLS, Auth.

    Any call can be ended by a signal whose handler raises, such as Ctrl-C, within 0.3 s; the call is cancelled.
    """

    def __init__(
        self,
        endpoints: Union[str, list[str], tuple[str, ...], None] = None,
        *,
        env: bool = False,
        file: Optional[str] = None,
        section: Optional[str] = None,
        logger: Optional[logging.Logger] = None,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(endpoints, env=env, file=file, section=section, logger=logger, keywords=options)
        if not self.is_lazy:
            self.connect()

    def _open(self) -> None:
        super()._open()
        side = new_queue()
        self._send_log_to(side)
        self._caller = Caller(self._ptr, side, self._log)

    def connect(self) -> None:
        """Wait until an endpoint has answered; opening the client has done that, unless it is lazy."""
        try:
            self._caller.run(ops.probe(int(self._option("connect.timeout.ms"))))
        except errors.Auth as refused:
            if refused.grpc_status != ops.PERMISSION_DENIED:
                raise

    def _after_fork(self) -> None:
        try:
            self._handle()
        except errors.Forked:
            self._open()

    get = verb(ops.get)
    range = verb(ops.range)
    put = verb(ops.put)
    touch = verb(ops.touch)
    delete = verb(ops.delete)
    compact = verb(ops.compact)
    status = verb(ops.status)
    members = verb(ops.members)
    lease_grant = verb(ops.lease_grant)
    lease_revoke = verb(ops.lease_revoke)
    lease_keepalive = verb(ops.lease_keepalive)
    lease_info = verb(ops.lease_info)
    leases = verb(ops.leases)
    lock_queue = verb(ops.lock_queue)
    leader = verb(ops.leader)

    def get_prefix(
        self,
        prefix: Bytes,
        *,
        limit: int = 0,
        revision: int = 0,
        keys_only: bool = False,
        serializable: bool = False,
        page: int = 0,
        timeout: Optional[Seconds] = None,
    ) -> Scan:
        """All keys that begin with `prefix`, in their order, as they were at one revision; read page by page.

        limit: how many in all, 0: all. page: keys to a page, 0: the option scan_page_keys. timeout: for each page.
        """
        get = ops.range(
            prefix, prefix=True, limit=limit, revision=revision, keys_only=keys_only, serializable=serializable
        )
        return Scan(self, self._caller, get, page, timeout)

    def txn(self) -> Txns:
        """A transaction, to be built and committed."""
        return Txns(self._caller)

    def execute(self, op: ops.Op[ops.T]) -> ops.T:
        """Execute an op of ``coord.ops``."""
        return self._caller.run(op)

    def pipeline(self, batch: Iterable[ops.Op[Any]]) -> list[Any]:
        """Execute independent ops all at once: the answer of each, in their order.

        Nothing is atomic among them and no order is promised; all are tried whatever happens to the others. Raises
        the error of the first that failed, with all answers and errors in its attribute ``results``.
        """
        results = self._caller.run_many(list(batch))
        return ops.unless_failed(results)

    def lease(self, ttl: Seconds = 15, *, lease_id: int = 0, timeout: Optional[Seconds] = None) -> Lease:
        """A lease that is kept alive. ttl: whole seconds. lease_id: keep one alive that exists already.

        Raises Conflict: this client keeps it already; NotFound: there is no such lease.
        """
        return Lease(self, self._caller, Source(self._caller), ttl, lease_id, timeout)

    def watch(
        self,
        key: Bytes,
        end: Optional[Bytes] = None,
        *,
        prefix: bool = False,
        start_revision: int = 0,
        prev_kv: bool = False,
        puts: bool = True,
        deletes: bool = True,
        progress: bool = False,
    ) -> Watch:
        """Watch a key, or a range as in ``range``: every change, once, in order, through lost connections.

        start_revision: the first revision to tell, such as ``answer.revision + 1`` of a read; 0: what comes once the
        watch stands. prev_kv: tell what was there before. progress: let ``revision`` grow without changes too.
        """
        get = ops.watched(key, end, prefix=prefix, prev_kv=prev_kv, puts=puts, deletes=deletes, progress=progress)
        return Watch(self, Source(self._caller), get, start_revision)

    def lock(
        self,
        *names: Bytes,
        ttl: Optional[Seconds] = None,
        reentrant: Optional[bool] = None,
        delay: Optional[Seconds] = None,
        owner: Optional[str] = None,
        shared_lease: Optional[bool] = None,
        lease_id: Optional[int] = None,
    ) -> Lock:
        """A lock; of several names: all of them, or none. Nothing is sent before it is acquired.

        ttl: how long it outlives its holder's death. reentrant: acquiring it again counts. delay: how long nobody who
        states this gets it after a holder was lost. owner: a text for those who look at ``lock_queue``.
        shared_lease: False: a lease of its own. lease_id: go on with the lease of a process before this one.
        """
        keywords = lock_keywords(
            ttl=ttl, reentrant=reentrant, delay=delay, owner=owner, shared_lease=shared_lease, lease_id=lease_id
        )
        return Lock(self, self._caller, Source(self._caller), names, keywords)

    def rwlock(
        self, name: Bytes, *, ttl: Optional[Seconds] = None, delay: Optional[Seconds] = None, owner: Optional[str] = None
    ) -> RWLock:
        """A lock that readers share and a writer has alone: ``rwlock("x").read()``, ``.write()``. Keywords as ``lock``."""
        return RWLock(self, self._caller, name, lock_keywords(ttl=ttl, delay=delay, owner=owner))

    def semaphore(
        self, name: Bytes, permits: int, *, ttl: Optional[Seconds] = None, owner: Optional[str] = None
    ) -> Lock:
        """A lock that `permits` may hold at once; all who contend should say the same number. Keywords as ``lock``."""
        keywords = lock_keywords(ttl=ttl, owner=owner, kind="semaphore", permits=permits)
        return Lock(self, self._caller, Source(self._caller), (name,), keywords)

    def election(
        self, name: Bytes, value: Bytes = b"", *, ttl: Optional[Seconds] = None, lease_id: Optional[int] = None
    ) -> Election:
        """A candidate of an election. value: what it proclaims. ttl, lease_id: as ``lock``."""
        keywords = lock_keywords(ttl=ttl, lease_id=lease_id)
        return Election(self, self._caller, Source(self._caller), name, value, keywords)

    def observe(self, name: Bytes) -> Observer:
        """Who leads an election, now and from now on."""
        return Observer(self, Source(self._caller), name)

    def mirror(
        self,
        prefix: Bytes,
        *,
        file: Optional[str] = None,
        file_interval: Optional[Seconds] = None,
        wait: bool = True,
        timeout: Optional[Seconds] = None,
    ) -> Mirror:
        """A live copy of all keys that begin with `prefix`.

        wait: until the content is there, for `timeout` at most (None: request_timeout; math.inf: as long as it takes);
        with wait=False reading raises Unavailable until then. file: keeps the last content, to begin with when etcd is
        away; file_interval: how often it is written at most. Raises Timeout; Auth and others: the server refuses it.
        """
        return Mirror(self, Source(self._caller), prefix, file, file_interval, wait_ms(self, wait, timeout))

    def close(self, timeout: Seconds = 1) -> None:
        """Say goodbye: refuse new calls, let those under way finish for so many seconds, end the rest with Closed."""
        grace = millis(timeout, "timeout")
        try:
            checked(lib.coord_client_close, self._ptr, grace)
        except (errors.Timeout, errors.Forked):
            pass  # some had to be ended; or it is the parent's
        self._caller.drain()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
