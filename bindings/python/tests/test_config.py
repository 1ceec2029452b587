"""Configuration: values, versions, layers, watches."""

import threading

import pytest
from conftest import until
from test_config_view import Limits, app

import coord
from coord import ops

__all__ = ["app"]


def test_values(app, client, name):
    assert len(app) == 0 and app and app.all() == {} and app.get("carts") is None and app.list() == ()
    version = app.set("carts", {"most": 5, "names": ["ä"]})
    found = app.get("carts")
    assert found.value == {"most": 5, "names": ["ä"]} and found.version == version == found.revision_created
    assert client.get(f"{name}config/shop/carts").text == found.text
    until(lambda: app.version("carts") == version)
    assert app["carts"] == app.current("carts") == found.value and "carts" in app and list(app) == ["carts"]
    assert app["carts"] is app["carts"]
    assert app.current("other") is None and app.current("other", 7) == 7 and app.version("other") == 0
    with pytest.raises(KeyError):
        app["other"]
    assert app.delete("carts") is True and app.delete("carts") is False
    until(lambda: "carts" not in app)
    assert repr(app) == f"<config shop: 0 values, revision {app.revision}>"


def test_compare_and_set(app):
    first = app.set("a", 1, expected_version=0)
    with pytest.raises(coord.Conflict, match="version"):
        app.set("a", 2, expected_version=0)
    second = app.set("a", 2, expected_version=first)
    assert second > first
    with pytest.raises(coord.Conflict):
        app.delete("a", expected_version=first)
    assert app.delete("a", expected_version=second) is True


def test_history_and_revisions(app):
    versions = [app.set("a", i) for i in range(4)]
    assert [(s.value, s.version) for s in app.history("a")] == list(zip([3, 2, 1, 0], reversed(versions)))
    assert [s.value for s in app.history("a", 2)] == [3, 2]
    assert app.get("a", revision=versions[1]).value == 1
    assert app.get("a", revision=versions[0] - 1) is None
    app.set("b", "x")
    assert [s.key for s in app.list()] == ["a", "b"] and [s.key for s in app.list(revision=versions[2])] == ["a"]


def test_batch(app):
    a = app.set("a", 1)
    app.set("gone", 1)
    revision = app.batch({"a": 2, "b": [1, 2]}, delete=["gone"], expected={"a": a, "b": 0})
    assert {s.key: (s.value, s.version) for s in app.list()} == {"a": (2, revision), "b": ([1, 2], revision)}
    with pytest.raises(coord.Conflict, match=f"'a' is at version {revision}, {a} was expected; 'b' is at"):
        app.batch({"c": 1}, expected={"a": a, "b": 0, "c": 0})
    assert app.get("c") is None


def test_layers_and_defaults(client, name):
    def opened(*names, **keywords):
        return client.config(*names, prefix=name + "config", **keywords)

    whole = opened("shop", environment="prod", component="cart", defaults={"a": "default", "d": "default"})
    assert whole.application == "prod.shop.cart" and whole.all() == {"a": "default", "d": "default"}
    watch = whole.watch()
    with opened("prod") as prod:
        prod.set("a", "prod")
    change = next(watch).changes[0]
    assert (change.key, change.value, change.previous, change.version) == ("a", "prod", "default", 0)
    assert whole["a"] == "prod" and whole.version("a") == 0
    version = whole.set("a", "cart")
    assert next(watch).changes[0].version == version == whole.version("a")
    assert whole["a"] == "cart"
    whole.delete("a")
    assert next(watch).changes[0].value == "prod"
    with opened("prod") as prod:
        prod.delete("a")
    change = next(watch).changes[0]
    assert (change.value, change.is_deleted) == ("default", False) and whole["a"] == "default"
    watch.close()
    assert watch.next_changes() is None
    whole.close()


def test_changes_of_one_revision_come_together(app):
    with app.watch() as watch, app.watch("b.") as part:
        assert watch.next_changes(0) is None
        revision = app.batch({"a": 1, "b.c": 2})
        changes = next(watch)
        assert changes.keys == ("a", "b.c") and changes.revision == revision == app.revision
        assert app.all() == {"a": 1, "b.c": 2}
        assert next(part).keys == ("b.c",)
        app.delete("a")
        change = next(watch).changes[0]
        assert (change.key, change.value, change.previous, change.is_deleted) == ("a", None, 1, True)
        assert part.next_changes(0) is None


def test_what_nobody_takes_becomes_one(app):
    watch = app.watch()
    for i in range(120):
        app.set("a", i)
        until(lambda: app.current("a") == i)
    assert len(watch._waiting) == 100
    first = next(watch)
    assert first.changes[0].previous is None and first.changes[0].value == 20


def test_run_in_a_thread(app):
    view, told = app.view(int, "n", default=0), []
    view.on_change(lambda new, old: told.append((new, old)))
    thread = threading.Thread(target=app.run)
    thread.start()
    app.set("n", 1)
    until(lambda: told == [(1, 0)])
    assert view.value == 1
    app.close()
    thread.join(10)
    assert not thread.is_alive() and view.value == 1
    with pytest.raises(coord.Closed):
        app.set("n", 2)


def test_many_threads_read(app):
    app.batch({"a": 0, "b": 0})
    until(lambda: len(app) == 2)
    wrong, stop = [], threading.Event()

    def read():
        last = 0
        while not stop.is_set():
            both = app.all()
            if both["a"] != both["b"] or both["a"] < last:
                wrong.append((both, last))
            last = both["a"]

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(1, 50):
        app.batch({"a": i, "b": i})
    until(lambda: app["a"] == 49)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_etcd_is_away(own_etcd, tmp_path):
    file = str(tmp_path / "kept")
    with coord.Client(own_etcd.endpoint) as client:
        with client.config("shop", file=file) as app:
            app.set("carts", 5)
            view = app.view(Limits)
            until(lambda: view.value.carts == 5)
            own_etcd.kill()
            assert view.value.carts == 5 and app["carts"] == 5
            own_etcd.start()
            app.set("carts", 6, timeout=30)
            until(lambda: view.value.carts == 6, 60)
        own_etcd.stall()
        with pytest.raises(coord.Timeout, match="other"):
            client.config("other", timeout=0.3)
        late = client.config("other", wait=False)
        waiting = late.view(Limits)
        with pytest.raises(coord.Unavailable):
            late["carts"]
        with pytest.raises(coord.Unavailable):
            waiting.value
        own_etcd.resume()
        until(lambda: late._is_loaded or late._look(), 60)
        assert waiting.value == Limits()


def test_wrong_names(client, app):
    with pytest.raises(coord.Invalid, match="slash"):
        client.config("a/b")
    with pytest.raises(coord.Invalid, match="empty"):
        client.config("")
    with pytest.raises(coord.Invalid):
        app.set("", 1)


def test_the_client_is_closed(etcd):
    client = coord.Client(etcd.endpoint)
    app = client.config("closing", defaults={"a": 1})
    watch = app.watch()
    client.close()
    with pytest.raises(coord.Closed):
        watch.next_changes(30)
    assert app["a"] == 1
    app.run()


def test_in_a_transaction(app, client, name):
    """Ops of a configuration are ops."""
    client.txn().then(app._set("a", 1), ops.put(name + "other", "x")).commit()
    until(lambda: app.current("a") == 1)
