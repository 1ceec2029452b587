"""The client for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable, Optional, Union

from .. import errors, ops
from .._base import ClientBase
from .._convert import Bytes, Seconds, seconds
from .._native import lib
from .._record import checked
from ..txn import TxnBuilder
from ._caller import Caller
from ._verb import verb
from .scan import Scan

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


class Client(ClientBase):
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
