"""Keys: what a program does most."""

import pickle
from datetime import timedelta

import pytest

import coord
from coord import key, ops


def test_put_get_delete(client, name):
    put = client.put(name + "a", "1")
    found = client.get(name + "a")
    assert found.key == (name + "a").encode() and found.value == b"1" and found.text == "1"
    assert found.mod_revision == found.create_revision == put.revision and found.version == 1
    assert client.delete(name + "a").deleted == 1
    assert client.delete(name + "a").deleted == 0
    assert client.get(name + "a") is None


def test_bytes_of_all_kinds(client, name):
    for value in (b"", b"\0\xff", bytearray(b"x\0"), memoryview(b"yy"), "\u00e9\u20ac", "x" * 100_000):
        client.put(name, value)
        expected = value.encode() if isinstance(value, str) else bytes(value)
        assert client.get(name).value == expected
    with pytest.raises(TypeError, match="value must be str or bytes, not int"):
        client.put(name, 7)
    with pytest.raises(coord.Invalid, match="key"):
        client.put("", "x")


def test_previous_values(client, name):
    assert client.put(name, "1", prev_kv=True).previous is None
    assert client.put(name, "2", prev_kv=True).previous.text == "1"
    assert [kv.text for kv in client.delete(name, prefix=True, prev_kv=True).previous] == ["2"]


def test_ranges(client, name):
    for i in range(10):
        client.put(f"{name}{i}", str(i))
    page = client.range(name, prefix=True, limit=3)
    assert [kv.text for kv in page.kvs] == ["0", "1", "2"] and page.total == 10 and page.more
    assert client.range(name, prefix=True, count_only=True).total == 10
    assert [kv.text for kv in client.range(name + "3", name + "5").kvs] == ["3", "4"]
    last = client.range(name, prefix=True, sort_by="value", descending=True, limit=1)
    assert last.kvs[0].text == "9"
    with pytest.raises(ValueError, match="sort_by is 'size'"):
        client.range(name, sort_by="size")


def test_get_prefix_reads_pages_at_one_revision(client, name):
    client.pipeline([ops.put(f"{name}{i:03}", str(i)) for i in range(250)])
    scan = client.get_prefix(name, page=100)
    first = next(scan)
    client.put(name + "later", "x")
    rest = list(scan)
    assert first.text == "0" and [int(kv.value) for kv in rest] == list(range(1, 250))
    assert scan.total == 250 and scan.delivered == 250 and scan.revision > 0
    sizes = [len(page) for page in client.get_prefix(name, page=100).pages()]
    assert sum(sizes) == 251 and max(sizes) <= 100  # a server that streams chooses them itself
    assert len(list(client.get_prefix(name, limit=7))) == 7


def test_txn(client, name):
    create = (
        client.txn().when(key(name + "t").version == 0).then(ops.put(name + "t", "1")).otherwise(ops.get(name + "t"))
    )
    done = create.commit()
    assert done.succeeded and done.results[0].revision == done.revision
    again = create.commit()
    assert not again.succeeded and again.results[0].text == "1"
    nested = client.txn().then(client.txn().then(ops.put(name + "n", "1"), ops.delete(name + "t"))).commit()
    assert nested.results[0].results[1].deleted == 1


def test_compares(client, name):
    kv = client.put(name, "5")

    def holds(*conditions):
        return client.txn().when(*conditions).commit().succeeded

    assert holds(key(name).value == "5", key(name).value < "6", key(name).value != b"4", key(name).value > "4")
    assert holds(key(name).mod_revision == kv.revision, key(name).create_revision < kv.revision + 1)
    assert holds(key(name).lease == 0, key(name, prefix=True).version > 0)
    assert not holds(key(name).version > 1)
    with pytest.raises(TypeError, match="compared with a number"):
        key(name).version == "1"
    with pytest.raises(TypeError, match="no truth value"):
        bool(key(name).version)


def test_pipeline(client, name):
    answers = client.pipeline([ops.put(name + "a", "1"), ops.get(name + "none"), ops.range(name, prefix=True)])
    assert isinstance(answers[0], coord.Put) and answers[1] is None and isinstance(answers[2], coord.Range)
    with pytest.raises(coord.Invalid) as failure:
        client.pipeline([ops.put(name + "b", "1"), ops.put("", "1")])
    assert failure.value.results[0].revision and client.get(name + "b")
    assert client.pipeline([]) == []


def test_old_revisions(client, name):
    first = client.put(name, "1").revision
    second = client.put(name, "2").revision
    assert client.get(name, revision=first).text == "1"
    client.compact(second)
    with pytest.raises(coord.Compacted):
        client.get(name, revision=first)
    with pytest.raises(coord.Compacted):
        client.compact(first)


def test_errors_say_what_is_wrong(client, name):
    with pytest.raises(coord.NotFound) as failure:
        client.put(name, "1", lease=12345)
    error = failure.value
    assert error.code == -7 and error.name == "NOT_FOUND" and not error.retriable and not error.maybe_applied
    assert error.endpoint.startswith("127.0.0.1:") and error.grpc_status == 5 and isinstance(error, coord.Error)
    same = pickle.loads(pickle.dumps(error))
    assert type(same) is coord.NotFound and str(same) == str(error) and same.endpoint == error.endpoint


def test_timeouts_are_seconds_or_timedelta(client, name):
    client.put(name, "1", timeout=timedelta(seconds=3))
    client.put(name, "1", timeout=2.5)
    client.put(name, "1", timeout=float("inf"))
    with pytest.raises(coord.Invalid, match="timeout is 0"):
        client.put(name, "1", timeout=0)
    with pytest.raises(TypeError, match="timeout must be seconds or a timedelta"):
        client.put(name, "1", timeout="3")


def test_json_answers(client):
    assert client.status()["version"].startswith("3.")
    assert len(client.members()["members"]) == 1
    stats = client.stats()
    assert stats["endpoints"] == [client._option("endpoints")] and stats["connections"] >= 1 and stats["in_flight"] == 0
    members = stats["methods"]["members"]
    assert members["calls"] >= 1 and members["errors"] == 0 and members["bytes_received"] > 0 and members["latency_us"]


def test_reprs(client, name):
    client.put(name, "v" * 100)
    assert "... (100 bytes)" in repr(client.get(name))
    assert repr(client).startswith("<coord.Client 127.0.0.1:")
    assert "put 'x'" in repr(ops.put("x", "1")).replace("b'", "'")
