"""What scenarios hold: each kind of handle, how it tells events, and what a look at it shows."""

import time

from fronts import LOOK, WAIT
from results import (
    change_map,
    changes_map,
    closed_map,
    config_change_map,
    event_map,
    instance_map,
)  # fmt: skip
from values import Failed

import coord

PASSED_OVER = ("AT_RISK", "RESTORED", "RESYNC")
"""Unless they are wanted: a slow machine may bring them."""


class Handle:
    """A handle of the binding."""

    def __init__(self, front, it):
        self.front = front
        self.it = it
        self.left = []  # changes that were taken, and asked for by no step yet
        self.has_ended = False

    async def next(self, seconds, wanted):
        """The next event as a map; None: there is none within that time."""
        event = await self.front.wait(self.it.next_event(seconds))
        return event_map(event) if event else None

    def look(self):
        """Its state, without asking anybody."""
        raise Failed("there is nothing to look at")

    def close(self):
        raise Failed("it cannot be closed")

    def drop(self):
        """Let go of it. What has no such method goes with its last name."""
        if type(self) in CLOSED_BY_DROPPING:
            self.it.close()
        self.it = None

    async def take(self, wanted, seconds):
        """The next event that is not passed over."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0 or self.has_ended:
                return None
            told = await self.next(left, wanted)
            if told is None or told["type"] == wanted or told["type"] not in PASSED_OVER:
                return told


class Lease(Handle):
    def look(self):
        return {"lease": self.it.id, "ttl": self.it.ttl, "remaining_ms": int(self.it.remaining * 1000)}

    def close(self):
        return self.it.close()


class Held(Handle):
    """A lock or an election."""

    def look(self):
        held = self.it.is_leader if isinstance(self, Election) else self.it.is_held
        state = {"held": held, "token": self.it.token, "remaining_ms": int(self.it.remaining * 1000)}
        try:
            return {**state, "key": self.it.key, "lease": self.it.lease_id}
        except coord.NotHeld:
            return state


class Lock(Held):
    pass


class Election(Held):
    observer = None

    async def next(self, seconds, wanted):
        if self.observer is None:
            return await super().next(seconds, wanted)
        try:
            leader = await self.front.wait(self.observer.next_leader(seconds))
        except coord.Timeout:
            return None
        except coord.Error as failure:
            self.has_ended = True
            return closed_map(failure)
        if leader is None:
            return changes_map([{"type": "DELETE", "key": b""}], 0)
        return changes_map([change_map(coord.Change("put", leader))], leader.mod_revision)

    def drop(self):
        self.observer = None
        super().drop()


class Telling(Handle):
    """What tells changes, and raises what ends it."""

    async def next(self, seconds, wanted):
        try:
            return await self.told(seconds, wanted)
        except coord.Error as failure:
            self.has_ended = True
            return closed_map(failure)


class Watch(Telling):
    stands = False

    async def told(self, seconds, wanted):
        if wanted == "RESYNC" and not self.stands:
            self.stands = await self.front.wait(self.it.ready(seconds))
            return {"type": "RESYNC", "code": "OK", "revision": self.it.revision} if self.stands else None
        batch = await self.front.wait(self.it.next_batch(seconds))
        if batch is not None:
            return changes_map([change_map(change) for change in batch], self.it.revision)
        self.has_ended = self.it.is_closed
        return closed_map() if self.has_ended else None

    def close(self):
        return self.it.close()


class Mirror(Telling):
    async def told(self, seconds, wanted):
        changes = await self.front.wait(self.it.next_changes(seconds))
        return changes_map([change_map(change) for change in changes], self.it.revision) if changes else None

    def look(self):
        age = self.it.staleness
        staleness_ms = -1 if age is None else int(age * 1000)
        return {"count": len(self.it), "revision": self.it.revision, "staleness_ms": staleness_ms}


class Registry(Handle):
    async def next(self, seconds, wanted):
        raise Failed("it has no events")


class Registration(Handle):
    async def next(self, seconds, wanted):
        told = await super().next(seconds, wanted)
        self.has_ended = told is not None and told["type"] == "CLOSED"
        return told

    def look(self):
        return {"remaining_ms": int(self.it.remaining * 1000), "instance": instance_map(self.it.instance)}


class Discovery(Telling):
    async def told(self, seconds, wanted):
        change = await self.front.wait(self.it.next_change(seconds))
        if change is None:
            return None
        changes = [{"type": one.type.upper(), "instance": instance_map(one.instance)} for one in change.changes]
        return changes_map(changes, change.revision, instances=[instance_map(one) for one in change.instances])


class Config(Telling):
    """Its events come in several ways: RESYNC is that it was opened, REJECTED a callback, changes a watch."""

    SLICE = 0.02

    def __init__(self, front, it):
        super().__init__(front, it)
        self.watch = it.watch()
        self.is_told_loaded = False
        self.rejected = []
        it.on_reject(self.rejected.append)

    async def told(self, seconds, wanted):
        if wanted == "RESYNC" and not self.is_told_loaded:
            self.is_told_loaded = True
            return {"type": "RESYNC", "code": "OK", "revision": self.it.revision}
        end = time.monotonic() + seconds
        while True:
            if hasattr(self.it, "poll"):
                self.it.poll()
            if self.rejected:
                rejected = self.rejected.pop(0)
                return {"type": "REJECTED", "code": "INVALID", "message": rejected.reason, "revision": rejected.revision}
            changes = await self.front.wait(self.watch.next_changes(self.SLICE))
            if changes is not None:
                return changes_map([config_change_map(change) for change in changes.changes], changes.revision)
            if time.monotonic() >= end:
                return None

    def drop(self):
        super().drop()
        self.watch = None
        self.rejected.clear()


CLOSED_BY_DROPPING = (Registry, Discovery, Config, Mirror)


class Client(Handle):
    async def next(self, seconds, wanted):
        raise Failed("it has no events")

    def close(self):
        return self.it.close()


async def next_event(handle, step, fitting):
    """The verb event: the next one, or with `until` the next one that fits."""
    if handle.left:
        raise Failed(f"there are changes that no step has asked for: {handle.left!r:.300}")
    until = step.get("until")
    wanted = (until or step.get("expect") or {}).get("type")
    end = time.monotonic() + WAIT
    while True:
        told = await handle.take(wanted if isinstance(wanted, str) else None, end - time.monotonic())
        if told is None:
            raise Failed("no event came")
        if until is None or fitting(until, told):
            return told


async def changes(handle, count):
    """The verb changes: as many, from however many events."""
    end = time.monotonic() + WAIT
    while len(handle.left) < count:
        told = await handle.take(None, end - time.monotonic())
        if told is None or told["type"] != "CHANGES":
            raise Failed(f"{len(handle.left)} of {count} changes came: {handle.left!r:.300}, then {told!r:.300}")
        handle.left.extend(told["changes"])
    taken, handle.left = handle.left[:count], handle.left[count:]
    return {"changes": taken}


async def quiet(handle):
    """The verb quiet: nothing comes."""
    if handle.left:
        raise Failed(f"there are changes that no step has asked for: {handle.left!r:.300}")
    told = await handle.take(None, LOOK)
    if told is not None:
        raise Failed(f"an event came: {told!r:.600}")
