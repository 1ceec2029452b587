"""The Lua package beside the C library, and beside a Lua program that has no client. README.md says more."""
import json
import os
import sys

import cases
import peers
import server
import suite
import timed

CASES = {
    "lua.put.sync.1": "puts that block, one after the other",
    "lua.get.sync.1": "the same with gets",
    "lua.put.luv.64": "puts by 64 coroutines under luv; core: those of the C library alone",
    "lua.put.cqueues.64": "the same under cqueues",
    "lua.local": "a key of a mirror, a value of a configuration, an instance of a service: no server is asked"}
TIMED = {"lua.put.sync.1": "put.sync.1.3", "lua.get.sync.1": "get.sync.1.3", "lua.put.luv.64": "put.async.64.3",
         "lua.put.cqueues.64": "put.async.64.3"}
LEAST = 0.6  # of the C library's rate
LOCAL_NS = 500

HELP = """\
Debian's Lua 5.4 with lua-luv and lua-cqueues. Each client runs once a round, on one etcd; each round begins with another one.
Ratios are our rate over the peer's in the same round, and of all rounds the median. No other client of etcd for Lua runs outside
of OpenResty: lua-http is Debian's HTTP library, with cjson, on etcd's JSON gateway, under LuaJIT and cqueues.

examples:
  ./dev bench lua                           all cases, 5 rounds
  ./dev bench lua --quick                   2 short rounds
  ./dev bench lua --only lua.put.luv.64 --rounds 9 --json lua.json

exit status: 0 measured; 1 a target was missed and --check was given; 2 a bad argument; 3 something needed is missing
or a case of ours was invalid."""

SUITE = suite.Suite("lua", "The Lua package beside the C library, and beside lua-http.", HELP, CASES,
                    "2 short rounds: a first look, too noisy to judge by", 5, 2, ("lua-http",))


class Coord(peers.Peer):
    """The package of this tree."""
    name = "coord"
    first_ops = 1000
    script = "lua_peer.lua"

    def prepare(self, refresh):
        peers.need("lua5.4", "package lua5.4")
        peers.need("swig", "package swig")
        self.core = peers.Coord()
        self.core.prepare(refresh)
        peers.build(["cmake", "--build", os.path.dirname(self.core.directory), "--target", "lua5.4"])
        self.version = self.core.version

    def program(self, script, *words):
        package = os.path.join(peers.ROOT, "bindings", "lua")
        module = os.path.join(os.path.dirname(self.core.directory), "swig", "lua5.4")
        paths = 'package.path = "%s/?.lua;" .. package.path; package.cpath = "%s/?.so;" .. package.cpath' % (package, module)
        return ["lua5.4", "-e", paths, os.path.join(peers.HERE, "peers", script), *words]


class Waiting(peers.Peer):
    """A client in one of its ways to wait."""

    def __init__(self, client, way):
        self.client, self.way = client, way
        self.name, self.version, self.first_ops = client.name, client.version, client.first_ops

    def command(self, case):
        return self.client.program(self.client.script, self.way)


class LuaHttp(peers.Peer):
    name = "lua-http"
    first_ops = 100
    script = "lua_http.lua"

    def prepare(self, refresh):
        peers.need("luajit", "package luajit2")
        script = 'require "http.client"; require "cjson"; require "basexx"; print(require "http.version".version)'
        self.version = peers.build(["luajit", "-e", script]).strip()

    def program(self, script, *words):
        return ["luajit", os.path.join(peers.HERE, "peers", script), *words]


def contestants(name, ready):
    coord, others = ready[0], ready[1:]
    way = name.split(".")[2]
    return [Waiting(coord, way), *(Waiting(one, "sync" if way == "sync" else "cqueues") for one in others), timed.Core(coord.core)]


def measure(name, args, path, ready, say):
    if name in TIMED:
        return timed.measure(name, cases.parse(TIMED[name]), args, path, peers.PLACE, contestants(name, ready), say)
    with server.Etcd(path, peers.PLACE, False) as etcd:
        text, _ = peers.measured(ready[0].program("lua_local.lua", etcd.endpoint))
    return {"name": name, **{what: round(value, 1) for what, value in json.loads(text).items()}}


def targets(entries):
    local = next((entry for entry in entries if entry["name"] == "lua.local"), {})
    slowest = max((value for what, value in local.items() if what.endswith("_ns")), default=None)
    return [*(timed.ratio(entries, name, LEAST, "core") for name in ("lua.put.luv.64", "lua.put.cqueues.64")),
            timed.goal("lua.local", "under 0.5 us", slowest, "%.0f ns", lambda value: value < LOCAL_NS)]


def main(words, progress):
    args = timed.parse(SUITE, words)
    wanted = [Coord(), *(one for one in [LuaHttp()] if one.name in args.peers)]

    def one(name, path, ready):
        entry = measure(name, args, path, ready, progress.say)
        timed.show(entry, progress.say)
        return entry
    return SUITE.run(args, wanted, progress, one, targets, seconds=args.seconds)


if __name__ == "__main__":
    sys.exit("run ./dev bench lua")
