"""Queues of work: each item is done once, and that of a worker that died returns to its place. docs/RECIPES.md has more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Optional

from ._convert import Bytes, Seconds, deadline, patience, to_bytes
from ._native import ffi, lib
from ._op import OfHandle, Op, read_nothing
from ._record import Record, opened
from ._verb import method_of
from .kv import Put
from .lease import Told

if TYPE_CHECKING:
    from ._base import ClientBase
    from ._caller import Caller, Source
    from .txn import Ending


class WorkItem(NamedTuple):
    """An item that was taken."""

    key: bytes
    """Of the item in the store."""
    value: bytes
    """What is to be done."""
    token: int
    """By which it is taken; it grows from worker to worker, for fencing."""

    @property
    def text(self) -> str:
        """The value as UTF-8."""
        return self.value.decode()


def _read_item(record: Record) -> WorkItem:
    kv = record.items[0][1]
    return WorkItem(kv.key, kv.value, record.revision)


def _read_put(record: Record) -> Put:
    return Put(record.revision)


class _Ending:
    parts = 2  # it deletes the item, and the mark of who has taken it

    def __init__(self, queue: WorkQueueBase, item: WorkItem) -> None:
        self._queue = queue
        self._item = item

    def add_to(self, txn: Any) -> None:
        def add(ptr: Any) -> None:
            lib.coord_op_then_done(txn, ptr, self._item.key, len(self._item.key), self._item.token)

        self._queue._op(add)

    def __repr__(self) -> str:
        return f"<the end of {self._item.key!r}>"


class WorkQueueBase(OfHandle):
    """The library's queue of work."""

    _closed_says = "this queue of work is closed"

    def __init__(self, client: ClientBase, queue: Any, name: Bytes, keywords: Mapping[str, Any]) -> None:
        self._client = client
        self._name = to_bytes(name, "name")
        self._ptr: Any = ffi.gc(
            opened(
                "coord_workqueue *", lib.coord_workqueue_open, client._ptr, self._name, len(self._name),
                client._handle_options(keywords), queue, 0,
            ),
            lib.coord_workqueue_free,
        )  # fmt: skip

    def remaining(self, item: WorkItem) -> float:
        """Seconds for which a taken item is this worker's at least, if nobody is heard of any more; 0: it may not be."""
        return float(lib.coord_workqueue_remaining_ms(self._ptr, item.token)) / 1000

    def ending(self, item: WorkItem) -> Ending:
        """That a taken item is done, as part of a transaction: what that writes besides is written once for each item, or not at
        all (``succeeded`` is False) when another may have it. In the results it is None.

        ::

            client.txn().then(mails.ending(item), ops.put("sent/7", "yes")).commit()
        """
        return _Ending(self, item)

    def _put(self, value: Bytes, *, timeout: Optional[Seconds] = None) -> Op[Put]:
        """Put an item in. After a failure with ``maybe_applied`` it may be there, and a second ``put`` a second item."""
        data = to_bytes(value, "value")
        return Op(
            lambda: lib.coord_op_work_put(self._name, len(self._name), data, len(data)), _read_put, deadline(timeout),
            text="work put",
        )  # fmt: skip

    def _take(self, *, wait: bool = True, timeout: Optional[Seconds] = None) -> Op[WorkItem]:
        """Take the oldest item that nobody has taken. timeout: None: as long as it takes. wait=False: only what is there.

        What ends early has taken nothing. Raises Timeout; NotFound: there is none (wait=False).
        """
        ms = patience(timeout) if wait else deadline(timeout)
        return Op(
            lambda: self._op(lib.coord_op_work_take, wait), _read_item, ms,
            undo=lambda record: self._give_back(_read_item(record)), text="work take",
        )  # fmt: skip

    def _done(self, item: WorkItem, *, timeout: Optional[Seconds] = None) -> Op[None]:
        """A taken item is done, and gone. Raises Lost: it is not taken by this token any more; another may do it."""
        return self._end_of(item, lib.coord_op_work_done, timeout, "work done")

    def _give_back(self, item: WorkItem, *, timeout: Optional[Seconds] = None) -> Op[None]:
        """Return a taken item, undone, to its place. Raises Lost."""
        return self._end_of(item, lib.coord_op_work_return, timeout, "work return")

    def _end_of(self, item: WorkItem, function: Any, timeout: Optional[Seconds], text: str) -> Op[None]:
        return Op(lambda: self._op(function, item.key, len(item.key), item.token), read_nothing, deadline(timeout), text=text)

    def close(self) -> None:
        """Drop it. What it has taken and not done returns to its place in the background."""
        self._ptr = ffi.NULL

    def __repr__(self) -> str:
        return f"<work queue {self._name!r}>"


class WorkQueue(Told, WorkQueueBase):
    """A queue of work. ``with`` returns in the end what was taken and not done. Events tell what becomes of the lease under all
    that was taken; "lost": others may take it.

    ::

        with client.work_queue("mails", ttl=30) as mails:
            item = mails.take()
            send(item.text)
            mails.done(item)
    """

    def __init__(
        self, client: ClientBase, caller: Caller, source: Source, name: Bytes, keywords: Mapping[str, Any]
    ) -> None:
        super().__init__(client, source.queue, name, keywords)
        self._caller = caller
        self._source = source

    put = method_of(WorkQueueBase._put)
    take = method_of(WorkQueueBase._take)
    done = method_of(WorkQueueBase._done)
    give_back = method_of(WorkQueueBase._give_back)

    def __enter__(self) -> WorkQueue:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
