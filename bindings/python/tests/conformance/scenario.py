"""A scenario that runs: its clients, handles, calls and variables, and its steps one after the other."""

import inspect
import keyword
import os
import tempfile

import handles
from fronts import LOOK, WAIT
from results import failure_map
from values import Failed, Skip, compare, save, value_of
from verbs import LACKS, VERBS, is_text, keyword_of

import coord

WAITING = {"acquire", "release", "campaign", "proclaim", "resign", "registered", "update", "deregister"}
READING = {"get", "scan", "lease_info", "lease_list", "lock_queue", "leader", "discover", "config_history"}
NO_ARGUMENTS = {"do", "client", "of", "as", "start", "expect", "until", "save", "line", "timeout_ms"}
AGAIN = 0.02  # seconds


def python_name(argument):
    """The name of an argument; those that Python has taken get a _ behind it."""
    return argument + "_" if keyword.iskeyword(argument) else argument


class Scenario:
    """One scenario on one front end. `command` asks conformance_etcd."""

    def __init__(self, front, endpoint, door, command):
        self.front = front
        self.wait = front.wait
        self._endpoints = {False: endpoint, True: door}
        self._command = command
        self._handles = {}
        self._calls = {}
        self.variables = {}
        self.line = 0

    # ---- names ----

    def handle(self, name):
        if name not in self._handles:
            raise Failed(f"there is no {name}")
        return self._handles[name]

    def keep(self, name, handle):
        self._handles[name] = handle
        return handle

    async def open_client(self, name, options=(), door=False):
        given = {"wire": os.environ.get("COORD_TEST_WIRE") or "grpc", "log_level": "off", "request_timeout": 30}
        texts = {option: text for option, text in dict(options).items() if is_text(option, text)}
        for option, text in dict(options).items():
            if option not in texts:
                word, value = keyword_of(option, text)
                given[word] = value
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            if texts:
                file.write("defaults:\n" + "".join(f"  {option}: {text}\n" for option, text in texts.items()))
                file.flush()
                given["file"] = file.name
            client = self.front.client(given.pop("endpoints", self._endpoints[door]), **given)
        await self.front.enter(client)
        return self.keep(name, handles.Client(self.front, client))

    async def client(self, name="c"):
        if name not in self._handles:
            await self.open_client(name)
        return self._handles[name].it

    # ---- steps ----

    async def run(self, steps):
        """Do them; in the end all is closed, also when one has failed."""
        try:
            for step in steps:
                self.line = step["line"]
                await self._step(step)
        finally:
            await self._end()

    async def _step(self, step):
        until = step.get("until")
        if until is None or step["do"] == "event":
            result = await self._once(step)
            compare(step.get("expect"), result, self.variables)
        else:
            for _ in range(int(WAIT / AGAIN)):
                result = await self._once(step)
                if self._fitting(until, result):
                    break
                await self.front.sleep(AGAIN)
            compare(until, result, self.variables)
        save(step.get("save"), result, self.variables)

    def _fitting(self, expected, result):
        try:
            compare(expected, result, self.variables)
        except Failed:
            return False
        return True

    async def _once(self, step):
        verb = step["do"]
        own = getattr(self, f"_{verb}", None)
        if own is not None:
            return await own(step) or {}
        if "start" in step:
            self._calls[step["start"]] = (verb, self.front.start(self._operate(verb, step)))
            await self.front.sleep(0)
            return {}
        return await self._operate(verb, step)

    async def _operate(self, verb, step):
        """A verb of verbs.py: the call, and its answer or its failure as a map."""
        if verb in LACKS:
            raise Skip(f"no verb {verb}: {LACKS[verb]}")
        function = VERBS[verb]
        given = {}
        for name, value in step.items():
            if name in ("json", "if", "then", "else"):
                given[python_name(name)] = value
            elif name not in NO_ARGUMENTS:
                given[python_name(name)] = value_of(value, self.variables)
        unknown = given.keys() - inspect.signature(function).parameters.keys()
        if unknown:
            raise Failed(f"the runner has no argument {', '.join(unknown)} of {verb}")
        timeout_ms = value_of(step.get("timeout_ms", WAIT * 1000 if verb in WAITING else None), self.variables)
        timeout = None if timeout_ms is None else timeout_ms / 1000
        subject = self.handle(step["of"]).it if "of" in step else await self.client(step.get("client", "c"))
        if "timeout" in inspect.signature(function).parameters:
            given["timeout"] = timeout
        try:
            return await function(self, subject, as_=step["as"], **given) if "as" in step else await function(
                self, subject, **given
            )
        except coord.Error as failure:
            return failure_map(failure)

    # ---- verbs about what is there ----

    async def _client(self, step):
        try:
            await self.open_client(step["as"], step.get("options", {}), step.get("door", False))
        except coord.Error as failure:
            return failure_map(failure)

    async def _look(self, step):
        return self.handle(step["of"]).look()

    async def _event(self, step):
        return await handles.next_event(self.handle(step["of"]), step, self._fitting)

    async def _changes(self, step):
        return await handles.changes(self.handle(step["of"]), step["count"])

    async def _quiet(self, step):
        await handles.quiet(self.handle(step["of"]))

    async def _close(self, step):
        try:
            await self.wait(self.handle(step["of"]).close())
        except coord.Error as failure:
            return failure_map(failure)

    async def _free(self, step):
        """What has no close goes with its last name; so does a client, once nothing hangs on it."""
        self._handles.pop(step["of"]).drop()

    async def _observe(self, step):
        election = self.handle(step["of"])
        client, name = election.origin
        election.observer = client.observe(name)

    # ---- calls ----

    def _call(self, step):
        if step["call"] not in self._calls:
            raise Failed(f"there is no call {step['call']}")
        return self._calls[step["call"]]

    async def _join(self, step):
        verb, call = self._call(step)
        if not await call.ended(WAIT):
            raise Failed("it does not end")
        result = await call.result()
        if result is None:  # a cancelled task tells no more
            applied = verb not in READING
            return {"error": "CANCELED", "message": "cancelled", "retriable": False, "maybe_applied": applied}
        return result

    async def _cancel(self, step):
        self._call(step)[1].cancel()

    async def _pending(self, step):
        call = self._call(step)[1]
        if await call.ended(LOOK):
            raise Failed(f"it has ended: {await call.result()!r:.300}")

    # ---- the server ----

    async def _tell(self, step):
        answer = self._command(f"{step['do']} {step['action']}")
        if not answer.startswith("ok"):
            raise Failed(f"conformance_etcd said: {answer}")

    _server = _door = _auth = _tell

    # ---- the end ----

    async def _end(self):
        """Clients last: what hangs on them goes first."""
        for _, call in self._calls.values():
            call.cancel()
            await call.ended(WAIT)
        for last in (False, True):
            for name, handle in list(self._handles.items()):
                if isinstance(handle, handles.Client) is last:
                    del self._handles[name]
                    if last:
                        await self.wait(handle.it.close(0))
                    handle.drop()
