"""The client for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, Optional, Union

from .. import errors, ops
from .._convert import Bytes, Seconds, seconds
from .._native import lib
from .._record import checked
from ..lock import lock_keywords
from ..mirror import wait_ms
from ..txn import TxnBuilder
from ._caller import Caller, Source
from ._opening import Opening
from ._services import Services
from ._verb import verb
from .election import Election, Observer
from .lease import Lease
from .lock import Lock, RWLock
from .mirror import Mirror
from .scan import Scan
from .watch import Watch

if TYPE_CHECKING:
    import logging

    from typing_extensions import Unpack

    from .._options import Options
    from ..kv import Txn


class Txns(TxnBuilder):
    """A transaction; ``await commit()`` executes it. See ``coord.txn``."""

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self._caller = caller

    async def commit(self, *, timeout: Optional[Seconds] = None) -> Txn:
        """Execute it. Conditions that do not hold are no error: ``succeeded`` is False.

        Raises Conflict: two ops write the same key; TooLarge: more than request_max_ops.
        """
        return await self._caller.run(self.op(timeout=timeout))


class Client(Services):
    """A client of one etcd cluster, for asyncio. It belongs to the loop that its first call is made on.

    ::

        async with coord.aio.Client("localhost:2379") as client:
            await client.put("a", "1")
            print((await client.get("a")).text)

    The arguments are those of ``coord.Client``. Opening does not wait: ``async with`` and ``connect()`` do.
    Cancelling a task cancels the call that it waits for. Not to be used from several threads at once.
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

    def _open(self) -> None:
        super()._open()
        self._caller = Caller(self._ptr, self._log)
        self._send_log_to(self._caller.queue)

    async def connect(self) -> None:
        """Wait until an endpoint has answered. Raises Unavailable, Timeout, Protocol, TLS, Auth."""
        try:
            await self._caller.run(ops.probe(int(self._option("connect.timeout.ms"))))
        except errors.Auth as refused:
            if refused.grpc_status != ops.PERMISSION_DENIED:
                raise

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

    async def execute(self, op: ops.Op[ops.T]) -> ops.T:
        """Execute an op of ``coord.ops``."""
        return await self._caller.run(op)

    async def pipeline(self, batch: Iterable[ops.Op[Any]]) -> list[Any]:
        """Execute independent ops all at once; as ``coord.Client.pipeline``."""
        return ops.unless_failed(await self._caller.run_many(list(batch)))

    def lease(self, ttl: Seconds = 15, *, lease_id: int = 0, timeout: Optional[Seconds] = None) -> Opening[Lease]:
        """A lease that is kept alive: ``await`` it, or ``async with``. ttl: whole seconds. lease_id: keep one alive that exists already.

        Raises Conflict: this client keeps it already; NotFound: there is no such lease.
        """
        return Opening(lambda: Lease(self, self._caller, Source(self._caller), ttl, lease_id, timeout)._open())

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
    ) -> Opening[Mirror]:
        """A live copy of all keys that begin with `prefix`: ``await`` it, or ``async with``.

        wait: until the content is there, for `timeout` at most (None: request_timeout; math.inf: as long as it takes);
        with wait=False reading raises Unavailable until then. file: keeps the last content, to begin with when etcd is
        away; file_interval: how often it is written at most. Raises Timeout; Auth and others: the server refuses it.
        """
        ms = wait_ms(self, wait, timeout)
        return Opening(lambda: Mirror(self, Source(self._caller), prefix, file, file_interval)._open(ms))

    async def close(self, timeout: Seconds = 1) -> None:
        """Say goodbye: let calls under way finish for so many seconds, end the rest with Closed."""
        await self._caller.drain(seconds(timeout, "timeout"))
        try:
            checked(lib.coord_client_close, self._ptr, 0)
        except (errors.Timeout, errors.Forked):
            pass  # some had to be ended; or it is the parent's
        self._caller.stop()

    async def __aenter__(self) -> Client:
        if not self.is_lazy:
            await self.connect()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()
