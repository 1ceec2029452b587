"""Registry, discovery, pickers."""

import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import until

import coord
from coord import ops


@pytest.fixture
def registry(client, name):
    with client.registry(prefix=name + "services") as opened:
        yield opened


def ids(instances):
    return [instance.id for instance in instances]


def test_an_instance_is_there_as_long_as_with_lasts(client, registry, name):
    assert registry.discover("web") == () and registry.first("web") is None and registry.services() == []
    with registry.register(
        "web", address="10.0.0.7", port=8080, metadata={"zone": "eu"}, weight=3, version="1.2", ttl=5, extra={"rack": 7}
    ) as me:
        assert me.id == "10.0.0.7:8080" and me.state == "registered" and 0 < me.remaining <= 5
        assert client.get(f"{name}services/web/10.0.0.7:8080").lease_id
        until(lambda: registry.discover("web"))
        (found,) = registry.discover("web")
        assert found == me.instance == registry.first("web") == registry.fetch("web")[0]
        assert registry.discover("web")[0] is found
        assert (found.name, found.address, found.port, found.endpoint) == ("web", "10.0.0.7", 8080, "10.0.0.7:8080")
        assert (found.metadata, found.weight, found.version, found.status) == ({"zone": "eu"}, 3, "1.2", "up")
        assert found.extra == {"rack": 7} and '"rack"' in found.json
        assert registry.services() == ["web"] and registry.staleness is not None
        assert repr(found) == "<Instance web/10.0.0.7:8080 at 10.0.0.7:8080>"
        assert pickle.loads(pickle.dumps(found)) == found
        with pytest.raises(AttributeError, match="read-only"):
            found.weight = 5
    assert me.state == "closed" and registry.fetch("web") == ()
    assert [event.type for event in me.events()] == ["acquired", "closed"]
    until(lambda: registry.discover("web") == ())
    with pytest.raises(coord.Closed):
        me.update(weight=1)
    with pytest.raises(coord.Closed):
        me.instance


def test_update_and_drain(registry):
    with registry.register("web", address="::1", port=1, id="a", metadata={"zone": "eu", "old": "1"}) as me:
        me.update(metadata={"zone": "us", "old": None, "new": "2"}, weight=0, version="2", extra={"rack": 1})
        found = registry.fetch("web")[0]
        assert found == me.instance and found.metadata == {"zone": "us", "new": "2"}
        assert found.weight == 0 and found.version == "2" and found.extra == {"rack": 1} and found.endpoint == "[::1]:1"
        with pytest.raises(coord.Invalid, match="weight"):
            me.update(weight=-1)
        picker = registry.picker("web", "random")
        until(lambda: registry.first("web"))
        assert picker.pick().id == "a"
        me.drain(0.01)
        until(lambda: registry.first("web") is None)
        assert ids(registry.discover("web")) == ["a"]
        with pytest.raises(coord.NotFound, match="'web'"):
            picker.pick()


def test_it_is_draining_before_it_leaves(registry):
    with registry.watch("web") as watch, ThreadPoolExecutor(1) as pool:
        assert watch.next_change(15).instances == ()
        with registry.register("web", address="a", drain=0.5):
            assert [c.type for c in watch.next_change(15).changes] == ["up"]
            task = pool.submit(lambda: [watch.next_change(15), watch.next_change(15)])
        told = [change for told in task.result() for change in told.changes]
        assert [(c.type, c.instance.status) for c in told] == [("changed", "draining"), ("down", "draining")]


def test_an_id_is_registered_once(registry, client, name):
    with registry.register("web", address="a", id="one"):
        with pytest.raises(coord.Conflict):
            registry.register("web", address="b", id="one")
        with client.registry(prefix=name + "services", replace=True) as other:
            with other.register("web", address="c", id="one"):
                assert registry.fetch("web")[0].address == "c"


def test_what_is_wrong_is_named(registry, client):
    for wrong, what in (({"address": "a", "port": 70000}, "port"), ({}, "address"), ({"address": "a", "weight": -1}, "weight")):
        with pytest.raises(coord.Invalid, match=what):
            registry.register("web", **wrong)
    with pytest.raises(coord.Invalid, match="ttl"):
        registry.register("web", address="a", ttl=0)
    with pytest.raises(coord.Invalid, match="round_robin"):
        registry.picker("web", "best")
    with pytest.raises(coord.Invalid, match="registry.format"):
        client.registry(format="xml")
    registry.close()
    with pytest.raises(coord.Error):
        registry.discover("web")


def test_watch_tells_who_comes_changes_and_goes(registry):
    with registry.watch("web") as watch:
        first = watch.next_change(15)
        assert first.changes == () and first.instances == () and not first.guarded
        a = registry.register("web", address="a", id="a")
        change = next(watch)
        assert [(c.type, c.instance.id) for c in change.changes] == [("up", "a")] and change.revision
        assert registry.discover("web") == change.instances and registry.discover("web")[0] is change.instances[0]
        with registry.register("web", address="b", id="b"):
            assert ids(next(watch).instances) == ["a", "b"]
            a.update(status="starting")
            change = next(watch)
            assert [(c.type, c.instance.id, c.instance.status) for c in change.changes] == [("changed", "a", "starting")]
            assert ids(change.instances) == ["a", "b"]
        change = next(watch)
        assert [(c.type, c.instance.id) for c in change.changes] == [("down", "b")] and ids(change.instances) == ["a"]
        a.close()
        assert next(watch).instances == ()
        assert watch.next_change(0) is None
    assert watch.next_change() is None and list(watch) == []


def picked(picker, times, key=None):
    return [picker.pick(key).id for _ in range(times)]


def test_policies(registry):
    with registry.register("web", address="a", id="a", weight=1, metadata={"zone": "eu"}), registry.register(
        "web", address="b", id="b", weight=3, metadata={"zone": "us"}
    ):
        until(lambda: len(registry.discover("web")) == 2)
        assert sorted(picked(registry.picker("web"), 4)) == ["a", "a", "b", "b"]
        assert picked(registry.picker("web", "first"), 3) == ["a", "a", "a"]
        assert 250 < picked(registry.picker("web", "weighted"), 400).count("b") < 350  # 3 of 4
        assert set(picked(registry.picker("web", "random"), 100)) == {"a", "b"}
        assert set(picked(registry.picker("web", subset={"zone": "us"}), 5)) == {"b"}
        hashing = registry.picker("web", "consistent_hash")
        assert len(set(picked(hashing, 20, "user 7"))) == 1
        assert {hashing.pick(str(i)).id for i in range(200)} == {"a", "b"}
        with pytest.raises(coord.Invalid, match="key"):
            hashing.pick()
        least = registry.picker("web", "least_pending")
        with least.pick() as busy:
            assert set(picked(least, 5)) == {"a", "b"} - {busy.id}
            with least.pick() as other:
                assert other.id != busy.id
        first = registry.picker("web", "first")
        first.failed(first.pick(), 60)
        assert picked(first, 2) == ["b", "b"]
        registry.discover("web")[0].failed(0)
        assert first.pick().id == "a"
        assert least.pick() in registry.discover("web")
    with pytest.raises(coord.Closed):
        least.close()
        least.pick()


def test_decorator(registry):
    @registry.service("job", address="a")
    def main(what):
        assert ids(registry.fetch("job")) == ["a"]
        return what

    assert registry.fetch("job") == ()
    assert main(7) == 7 and main(8) == 8
    assert registry.fetch("job") == ()


def test_grpc_names(client, name):
    with client.registry(prefix=name + "grpc", format="etcd-naming") as registry:
        with registry.register("web", address="10.0.0.1", port=5, id="x", metadata={"zone": "eu"}):
            assert '"Addr":"10.0.0.1:5"' in client.get(name + "grpc/web/x").text.replace(" ", "")
            assert registry.fetch("web")[0].metadata == {"zone": "eu"}


def test_lost_and_restored(own_etcd):
    seen = []
    with coord.Client(own_etcd.endpoint) as client, client.registry() as registry:
        with registry.register("web", address="a", ttl=2, on_event=seen.append) as me:
            assert me.poll() and [event.type for event in seen] == ["acquired"]
            until(lambda: registry.discover("web"))
            own_etcd.kill()
            until(lambda: me.poll(0.1) and seen[-1].type == "lost", 60)
            assert me.state == "lost" and me.remaining == 0
            assert ids(registry.discover("web")) == ["a"]  # what was there last
            own_etcd.start()
            until(lambda: me.poll(0.1) and seen[-1].type == "restored", 60)
            assert me.state == "registered" and me.remaining > 0
            assert ids(registry.fetch("web")) == ["a"]
        me.run()
        assert seen[-1].type == "closed" and seen[-1].reason is None


def test_another_takes_the_id_while_it_is_lost(client, registry, name):
    key = f"{name}services/web/one"
    with registry.register("web", address="a", id="one") as me:
        lease = client.get(key).lease_id
        with client.lease(30) as other:
            client.txn().then(ops.put(key, '{"name":"web","id":"one","address":"b"}', lease=other)).commit()
            client.lease_revoke(lease)
            events = [event for event in me.events()]
            assert events[-1].type == "closed" and isinstance(events[-1].reason, coord.Conflict)
            with pytest.raises(coord.Conflict):
                me.update(weight=2)
    assert me.state == "closed"


def test_nobody_answers(own_etcd, caplog):
    with coord.Client(own_etcd.endpoint, request_timeout=0.5) as client:
        own_etcd.stall()
        registry = client.registry()
        with pytest.raises(coord.Timeout):
            registry.discover("web", timeout=0.3)
        with pytest.raises(coord.Timeout):
            registry.register("web", address="a", timeout=0.3)
        me = registry.register("web", address="b", wait=False)
        assert me.state == "registering"
        own_etcd.resume()
        assert me.next_event(60).type == "acquired"
        until(lambda: registry.discover("web", timeout=30))
        own_etcd.stall()
        me.close()
        assert "'b' leaves the registry" in caplog.text
        own_etcd.resume()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_is_told(registry):
    me = registry.register("web", address="a")
    registry.discover("web")
    child = os.fork()
    if child == 0:
        answer = 1
        try:
            registry._seen.clear()
            registry.discover("web")
        except coord.Forked:
            try:
                me.update(weight=2)
            except coord.Forked:
                answer = 0
        os._exit(answer)
    assert os.waitpid(child, 0)[1] == 0
    me.update(weight=3)
    me.close()
