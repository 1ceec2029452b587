"""The two front ends of the runner: synchronous code with threads, and asyncio.

The verbs are coroutines for both. With synchronous code nothing in them ever waits for a loop, so that they end
when they are begun.
"""

import asyncio
import ctypes
import inspect
import threading
import time

import coord

WAIT = 30  # seconds
LOOK = 0.1


class Cancelled(BaseException):
    """What ends a synchronous call from outside, as a signal's handler does."""


def drive(coroutine):
    """What a coroutine returns that waits for no loop."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise RuntimeError("synchronous code waits for a loop")


class SyncCall:
    """A call that was begun, on a thread of its own."""

    def __init__(self, coroutine):
        self._coroutine = coroutine
        self._outcome = {}
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._begun.wait()

    def _run(self):
        try:
            self._begun.set()
            self._outcome["result"] = drive(self._coroutine)
        except Cancelled:
            self._outcome["cancelled"] = True
        except BaseException as failure:  # told by whoever joins
            self._outcome["failure"] = failure

    async def ended(self, seconds):
        """Whether it ends within that time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    async def result(self):
        """Its result. None: it was cancelled."""
        if "failure" in self._outcome:
            raise self._outcome["failure"]
        return self._outcome.get("result")

    def cancel(self):
        if self._thread.is_alive():
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread.ident), ctypes.py_object(Cancelled))


class Sync:
    """coord.Client."""

    client = staticmethod(coord.Client)
    start = SyncCall

    @staticmethod
    async def wait(value):
        return value

    @staticmethod
    async def enter(client):
        return client.__enter__()

    @staticmethod
    async def sleep(seconds):
        time.sleep(seconds)

    @staticmethod
    def run(coroutine):
        return drive(coroutine)


class AioCall:
    """A call that was begun, in a task."""

    def __init__(self, coroutine):
        self._task = asyncio.get_running_loop().create_task(coroutine)

    async def ended(self, seconds):
        await asyncio.wait([self._task], timeout=seconds)
        return self._task.done()

    async def result(self):
        try:
            return await self._task
        except asyncio.CancelledError:
            return None

    def cancel(self):
        self._task.cancel()


class Aio:
    """coord.aio.Client."""

    start = AioCall
    sleep = staticmethod(asyncio.sleep)

    @staticmethod
    def client(*arguments, **options):
        return coord.aio.Client(*arguments, **options)

    @staticmethod
    async def wait(value):
        return await value if inspect.isawaitable(value) else value

    @staticmethod
    async def enter(client):
        return await client.__aenter__()

    @staticmethod
    def run(coroutine):
        return asyncio.run(coroutine)
