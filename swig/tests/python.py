"""The module that SWIG makes for Python: the typemaps that each language needs, beside a real etcd."""

import gc
import itertools
import os
import sys
import threading
import traceback

try:
    import coord_core as core
except ImportError as error:
    print(f"skip swig_python: the module is not built, or for another Python: {error}")
    sys.exit(0)

ENDPOINT = os.environ["COORD_ENDPOINT"]
CASES = []


def case(body):
    CASES.append(body)
    return body


def connect():
    options = core.options_new()
    core.options_set(options, "endpoints", ENDPOINT)
    core.options_set(options, "log.level", "off")
    return core.client_open(options)


def fails(exception, body, *arguments):
    try:
        body(*arguments)
    except exception as raised:
        return raised
    raise AssertionError("it did not fail")


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@case
def failures():
    client = connect()
    raised = fails(core.Error, core.put, client, b"", b"x")
    assert raised.code == core.INVALID == -1 and raised.flags == 0 and "key" in str(raised)
    assert raised.grpc_status == -1
    assert "no.such" in str(fails(core.Error, core.options_set, core.options_new(), "no.such", "1"))
    raised = fails(core.Error, core.op_if_int, core.op_get(b"a"), b"a", 0, 0, 0)
    assert str(raised) == "INVALID" and raised.endpoint == ""
    raised = fails(core.Error, core.call, client, core.op_lease_keepalive(12345), 0)
    assert raised.code == core.NOT_FOUND and ":" in raised.endpoint


@case
def wrong_arguments():
    client = connect()
    assert "client" in str(fails(TypeError, core.put, None, b"a", b"b"))
    fails(TypeError, core.put, core.op_get(b"a"), b"a", b"b")
    fails(TypeError, core.put, client, b"a")
    fails(TypeError, core.put, client, "text", b"b")
    fails(TypeError, core.op_compact, 1.5)
    fails(OverflowError, core.op_compact, 2**63)
    fails(OverflowError, core.op_if_int, core.op_txn(), b"a", 2**40, 0, 0)
    fails(TypeError, core.lock_open_many, client, [b"a", {}], None, None, 0)
    fails(TypeError, core.lock_open_many, client, 1, None, None, 0)


@case
def bytes_both_ways():
    client = connect()
    key, value = b"py/\0\xff", bytes(range(256)) * 20
    core.put(client, key, value)
    result = core.get(client, bytearray(key))
    assert core.kv_key(result, -1, 0) == key and core.kv_value(result, -1, 0) == value
    assert core.kv_value(result, -1, 1) is None
    core.put(client, key, None)
    assert core.kv_value(core.get(client, key), -1, 0) == b""
    assert core.delete(client, key) == 1 and core.delete(client, key) == 0


@case
def text():
    options = core.options_new()
    core.options_set(options, "lock.owner", "\U0001f680 é")
    assert core.options_get(options, "lock.owner") == "\U0001f680 é"
    assert core.client_stats(connect()).startswith("{")
    config = core.config_open(connect(), "py", None, None, 0)
    core.config_default(config, "a", '"é"')
    assert core.config_get(config, "a") == ['"é"', 0]


@case
def integers_of_64_bits():
    client, queue, lease = connect(), core.queue_open(), 7587886321985764359
    assert core.result_lease_id(core.call(client, core.op_lease_grant(60, lease), 0)) == lease
    put = core.op_put(b"py/leased", b"x")
    core.op_set(put, core.OP_LEASE, lease)
    core.call(client, put, 0)
    assert core.kv_lease_id(core.get(client, b"py/leased"), -1, 0) == lease
    core.submit(client, core.op_get(b"a"), 0, queue, 2**64 - 2)
    assert core.event_tag(core.queue_next(queue, 60000)) == 2**64 - 2
    core.call(client, core.op_lease_revoke(lease), 0)


@case
def txn():
    client, txn = connect(), core.op_txn()
    core.op_if_int(txn, b"py/txn", core.COMPARE_VERSION, core.EQUAL, 0)
    core.op_then(txn, core.op_put(b"py/txn", b"mine"))
    core.op_then(txn, core.op_get(b"py/txn"))
    core.op_else(txn, core.op_get(b"py/txn"))
    result = core.call(client, txn, 0)
    assert core.result_succeeded(result) == 1 and core.kv_value(result, 1, 0) == b"mine"
    assert core.result_succeeded(core.call(client, txn, 0)) == 0


@case
def lock():
    client, queue = connect(), core.queue_open()
    held = core.lock_open(client, b"py/lock", None, queue, 5)
    core.call(client, core.op_acquire(held, True), 60000)
    assert core.lock_is_held(held) == 1
    other = core.lock_open(client, b"py/lock", None, None, 0)
    assert fails(core.Error, core.call, client, core.op_acquire(other, False), 60000).code == core.CONFLICT
    event = core.queue_next(queue, 60000)
    assert core.event_type(event) == core.EVENT_ACQUIRED and core.event_revision(event) == core.lock_token(held)
    both = core.lock_open_many(client, [b"py/a", b"py/b\0"], None, None, 0)
    core.call(client, core.op_acquire(both, True), 60000)
    assert core.lock_key_of(both, 1).startswith(b"py/b\0/")


@case
def watch_and_mirror():
    client, queue, get = connect(), core.queue_open(), core.op_get(b"py/w/")
    core.op_set_prefix(get)
    watch = core.watch_open(client, get, 0, queue, 77)
    assert core.event_type(core.queue_next(queue, 60000)) == core.EVENT_RESYNC
    core.put(client, b"py/w/a\0", b"1")
    event = core.queue_next(queue, 60000)
    assert core.event_type(event) == core.EVENT_CHANGES and core.event_tag(event) == 77
    assert core.change_key(event, 0) == b"py/w/a\0" and core.change_previous(event, 0) is None
    core.watch_close(watch)
    assert core.event_type(core.queue_next(queue, 60000)) == core.EVENT_CLOSED
    assert core.queue_next(queue, 0) is None
    mirror = core.mirror_open(client, b"py/w/", None, None, 0)
    del client
    assert core.kv_value(core.mirror_get(mirror, b"py/w/a\0"), -1, 0) == b"1"


@case
def others_run_while_a_call_waits():
    queue, got = core.queue_open(), []
    thread = threading.Thread(target=lambda: got.append(core.queue_next(queue, -1)))
    thread.start()
    while thread.is_alive():
        core.queue_wake(queue)  # with the interpreter's lock held in there this would not be reached
        thread.join(0.01)
    assert got == [None]


def family():
    """Handles that hang on each other, with things under way."""
    client, queue, get = connect(), core.queue_open(), core.op_get(b"py/g")
    lock = core.lock_open(client, b"py/gc", None, queue, 2)
    core.submit(client, core.op_acquire(lock, True), 30000, queue, 3)
    watch = core.watch_open(client, get, 0, queue, 1)
    return [client, queue, lock, watch, core.mirror_open(client, b"py/m/", None, queue, 4)]


@case
def collected_in_any_order():
    family()
    gc.collect()
    before = descriptors()
    for order in itertools.islice(itertools.permutations(range(5)), 0, None, 5):
        handles = family()
        for i in order:
            handles[i] = None
    ends = threading.Event()
    for _ in range(6000):
        if descriptors() <= before:
            break
        ends.wait(0.01)
    assert descriptors() <= before


def flat(times, body):
    for _ in range(times // 10):
        body()
    before = resident()
    for _ in range(times):
        body()
    grown = resident() - before
    assert grown < 16384, f"{times} times have grown it by {grown} KiB"


@case
def flat_memory():
    client, large = connect(), b"x" * 20000
    core.put(client, b"py/large", large)
    flat(3000, lambda: core.kv_value(core.get(client, b"py/large"), -1, 0))
    flat(20000, lambda: fails(core.Error, core.put, client, b"", large))
    flat(20000, lambda: fails(TypeError, core.lock_open_many, client, [large, 1], None, None, 0))


failed = False
for body in CASES:
    try:
        body()
        print("ok", body.__name__)
    except Exception as error:
        failed = True
        traceback.print_exc()
        print(f"not ok {body.__name__}: {error!r}")
sys.exit(failed)
