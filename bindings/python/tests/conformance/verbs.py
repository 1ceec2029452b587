"""The verbs that call the binding: each takes the scenario, the client or handle, and the step's arguments."""

import handles
from results import answer, instance_map, kv_map, kvs_map, setting_map
from values import Skip, value_of

import coord
from coord import key as the_key, ops
from coord._options import TABLE

LACKS = {"accept": "the validators of a view decide what is taken over", "config.manual": "as accept"}
"""What the binding has no place for, and why."""

KEYWORDS = {name: (keyword, kind) for keyword, (name, kind) in TABLE.items()}
RELATIONS = {"equal": "__eq__", "not_equal": "__ne__", "greater": "__gt__", "less": "__lt__"}
TARGETS = {"version": "version", "create": "create_revision", "mod": "mod_revision", "value": "value", "lease": "lease"}
INSTANCE = {"address", "port", "id", "metadata", "weight", "status", "version"}


def keyword_of(option, text):
    """The keyword of an option, and its value as Python has it."""
    if option in LACKS:
        raise Skip(f"no option {option}: {LACKS[option]}")
    if option == "endpoints":
        return option, text
    keyword, kind = KEYWORDS[option]
    text = str(text)
    if kind == "bool":
        return keyword, text.lower() == "true"
    return keyword, int(text) / 1000 if kind == "ms" else int(text) if kind in ("s", "int") else text


def is_text(option, text):
    """Whether it can only be text in a file of options: keywords have types."""
    if option in LACKS or option == "endpoints":
        return False
    kind = KEYWORDS.get(option, ("", None))[1]
    return kind is None or (kind in ("ms", "s", "int") and not str(text).isdigit())


def options_of(given, prefix):
    """The options of a handle as keywords of the client's method."""
    found = {}
    for option, text in (given or {}).items():
        keyword, value = keyword_of(option, text)
        found["file" if keyword == "mirror_file" else keyword[len(prefix) :]] = value
    return found


# ---- keys ----


def range_keywords(
    prefix=False, limit=0, revision=0, serializable=False, keys_only=False, count_only=False, sort="key",
    descending=False, min_mod=0, max_mod=0, min_create=0, max_create=0,
):  # fmt: skip
    return {
        "prefix": prefix, "limit": limit, "revision": revision, "serializable": serializable, "keys_only": keys_only,
        "count_only": count_only, "sort_by": sort, "descending": descending, "min_mod_revision": min_mod,
        "max_mod_revision": max_mod, "min_create_revision": min_create, "max_create_revision": max_create,
    }  # fmt: skip


def get_op(key, end=None, timeout=None, **given):
    """One key by get, all else by range."""
    if end is None and not given.keys() - {"revision", "serializable"}:
        return ops.get(key, timeout=timeout, **given)
    return ops.range(key, end, timeout=timeout, **range_keywords(**given))


def put_op(key, value=None, lease=None, prev=False, ignore_value=False, ignore_lease=False, idempotent=False, timeout=None):
    if ignore_value:
        return ops.touch(key, lease, prev_kv=prev, timeout=timeout)
    return ops.put(
        key, value or b"", lease=lease, prev_kv=prev, ignore_lease=ignore_lease, idempotent=idempotent, timeout=timeout
    )


def delete_op(key, end=None, prefix=False, prev=False, timeout=None):
    return ops.delete(key, end, prefix=prefix, prev_kv=prev, timeout=timeout)


async def get(
    run, client, *, key, prefix=False, end=None, limit=0, revision=0, serializable=False, keys_only=False,
    count_only=False, sort="key", descending=False, min_mod=0, max_mod=0, min_create=0, max_create=0, timeout=None,
):  # fmt: skip
    usual = get.__kwdefaults__
    given = {name: value for name, value in locals().items() if name not in ("run", "client", "usual")}
    given = {name: value for name, value in given.items() if value != usual.get(name)}
    return answer(await run.wait(client.execute(get_op(**given))))


async def put(
    run, client, *, key, value=None, lease=None, prev=False, ignore_value=False, ignore_lease=False, idempotent=False,
    timeout=None,
):  # fmt: skip
    if ignore_value:
        return answer(await run.wait(client.touch(key, lease, prev_kv=prev, timeout=timeout)))
    put = client.put(
        key, value or b"", lease=lease, prev_kv=prev, ignore_lease=ignore_lease, idempotent=idempotent, timeout=timeout
    )
    return answer(await run.wait(put))


async def delete(run, client, *, key, end=None, prefix=False, prev=False, timeout=None):
    return answer(await run.wait(client.delete(key, end, prefix=prefix, prev_kv=prev, timeout=timeout)))


async def compact(run, client, *, revision, physical=False, timeout=None):
    await run.wait(client.compact(revision, physical=physical, timeout=timeout))
    return {}


async def scan(run, client, *, key, prefix=False, end=None, page=0):
    if not prefix:
        raise Skip("scan has no end")
    scan = client.get_prefix(key, page=page)
    kvs = [kv async for kv in scan] if hasattr(scan, "__aiter__") else list(scan)
    return {**kvs_map(kvs), "revision": scan.revision}


# ---- transactions ----


def condition(run, given):
    for guard in ("held", "leader"):
        if guard in given:
            return run.handle(given[guard]).it
    given = value_of(given, run.variables)
    attribute = getattr(the_key(given["key"], given.get("end")), TARGETS[given["target"]])
    return getattr(attribute, RELATIONS[given["is"]])(given["to"])


def op_of(run, step):
    """An op of a transaction."""
    if step["do"] == "txn":
        return build(run, coord.txn.TxnBuilder(), step.get("if"), step.get("then"), step.get("else"))
    given = {name: value_of(value, run.variables) for name, value in step.items() if name not in ("do", "line")}
    return {"get": get_op, "put": put_op, "delete": delete_op}[step["do"]](**given)


def build(run, txn, when, then, otherwise):
    txn.when(*[condition(run, one) for one in when or ()])
    txn.then(*[op_of(run, one) for one in then or ()])
    return txn.otherwise(*[op_of(run, one) for one in otherwise or ()])


async def txn(run, client, *, if_=None, then=None, else_=None, timeout=None):
    if any(step["do"] == "config_set" for step in then or ()):
        config = run.handle(then[0]["of"]).it
        revision = await run.wait(config.batch({step["key"]: step["json"] for step in then}, timeout=timeout))
        return {"revision": revision, "succeeded": True, "parts": []}
    return answer(await run.wait(build(run, client.txn(), if_, then, else_).commit(timeout=timeout)))


# ---- leases ----


def lease_map(info):
    return {
        "lease": info.id, "ttl": info.ttl, "granted_ttl": info.granted_ttl, "kvs": [{"key": key} for key in info.keys],
    }  # fmt: skip


async def lease_grant(run, client, *, ttl, id=0, timeout=None):
    return lease_map(await run.wait(client.lease_grant(ttl, lease_id=id, timeout=timeout)))


async def lease_revoke(run, client, *, lease, timeout=None):
    await run.wait(client.lease_revoke(lease, timeout=timeout))
    return {}


async def lease_keepalive(run, client, *, lease, timeout=None):
    return lease_map(await run.wait(client.lease_keepalive(lease, timeout=timeout)))


async def lease_info(run, client, *, lease, keys=False, timeout=None):
    return lease_map(await run.wait(client.lease_info(lease, keys=keys, timeout=timeout)))


async def lease_list(run, client, *, timeout=None):
    return {"leases": await run.wait(client.leases(timeout=timeout))}


async def lease(run, client, *, as_, ttl):
    return run.keep(as_, handles.Lease(run.front, await run.wait(client.lease(ttl)))).look()


async def adopt(run, client, *, as_, lease):
    return run.keep(as_, handles.Lease(run.front, await run.wait(client.lease(lease_id=lease)))).look()


async def watch(run, client, *, as_, key, prefix=False, end=None, prev=False, no_puts=False, no_deletes=False, from_=0):
    watch = client.watch(
        key, end, prefix=prefix, start_revision=from_, prev_kv=prev, puts=not no_puts, deletes=not no_deletes
    )
    run.keep(as_, handles.Watch(run.front, watch))
    return {}


# ---- locks and elections ----


async def lock(run, client, *, as_, name=None, names=None, options=None):
    given = options_of(options, "lock_")
    kind = given.pop("kind", "mutex")
    if kind in ("read", "write"):
        lock = getattr(client.rwlock(name, **given), kind)()
    elif kind == "semaphore":
        lock = client.semaphore(name, **given)
    else:
        lock = client.lock(*(names or [name]), **given)
    run.keep(as_, handles.Lock(run.front, lock))
    return {}


async def acquire(run, lock, *, wait=True, timeout=None):
    return {"token": await run.wait(lock.acquire(wait=wait, timeout=timeout))}


async def release(run, lock, *, timeout=None):
    await run.wait(lock.release(timeout=timeout))
    return {}


async def renew(run, lock, *, timeout=None):
    return {"ttl": await run.wait(lock.renew(timeout=timeout))}


async def lock_queue(run, client, *, name, timeout=None):
    return kvs_map(await run.wait(client.lock_queue(name, timeout=timeout)))


async def election(run, client, *, as_, name, options=None):
    made = run.keep(as_, handles.Election(run.front, client.election(name, **options_of(options, "lock_"))))
    made.origin = (client, name)
    return {}


async def campaign(run, election, *, value, timeout=None):
    return {"token": await run.wait(election.campaign(value, timeout=timeout))}


async def proclaim(run, election, *, value, timeout=None):
    await run.wait(election.proclaim(value, timeout=timeout))
    return {}


async def resign(run, election, *, timeout=None):
    await run.wait(election.resign(timeout=timeout))
    return {}


async def leader(run, client, *, name, timeout=None):
    kv = await run.wait(client.leader(name, timeout=timeout))
    return kvs_map([kv] if kv else [])


# ---- the registry ----


async def registry(run, client, *, as_, options=None):
    run.keep(as_, handles.Registry(run.front, client.registry(**options_of(options, "registry_"))))
    return {}


def description(json):
    known = {name: value for name, value in json.items() if name in INSTANCE}
    extra = {name: value for name, value in json.items() if name not in INSTANCE and name != "name"}
    return {**known, "extra": extra} if extra else known


async def register(run, registry, *, as_, json, ttl):
    described = description(json)
    made = registry.register(json.get("name", ""), wait=False, ttl=ttl, **described)
    run.keep(as_, handles.Registration(run.front, await run.wait(made)))
    return {}


async def registered(run, registration, *, timeout=None):
    return {"revision": await run.wait(registration.registered(timeout=timeout))}


async def update(run, registration, *, json, timeout=None):
    await run.wait(registration.update(timeout=timeout, **description(json)))
    return {}


async def deregister(run, registration, *, timeout=None):
    await run.wait(registration.deregister(timeout=timeout))
    return {}


async def discover(run, registry, *, service, timeout=None):
    return {"instances": [instance_map(one) for one in await run.wait(registry.fetch(service, timeout=timeout))]}


async def instances(run, registry, *, service):
    return {"instances": [instance_map(one) for one in await run.wait(registry.discover(service))]}


async def services(run, registry):
    return {"services": await run.wait(registry.services())}


async def discovery(run, registry, *, as_, service):
    run.keep(as_, handles.Discovery(run.front, registry.watch(service)))
    return {}


# ---- configuration ----


async def config(run, client, *, as_, application, options=None):
    made = client.config(application, **options_of(options, "config_"))
    run.keep(as_, handles.Config(run.front, await run.wait(made)))
    return {}


async def config_default(run, config, *, key, json):
    config.set_default(key, json)
    return {}


async def config_get(run, config, *, key):
    try:
        return {"json": config[key], "version": config.version(key)}
    except KeyError:
        return {"error": "NOT_FOUND", "message": "KeyError", "retriable": False, "maybe_applied": False}


async def config_all(run, config):
    values = config.all()
    return {"entries": [{"key": key, "json": values[key], "version": config.version(key)} for key in sorted(values)]}


async def config_set(run, config, *, key, json, version=None, timeout=None):
    return {"revision": await run.wait(config.set(key, json, expected_version=version, timeout=timeout))}


async def config_delete(run, config, *, key, version=None, timeout=None):
    await run.wait(config.delete(key, expected_version=version, timeout=timeout))
    return {}


async def config_history(run, config, *, key, most, timeout=None):
    found = await run.wait(config.history(key, most, timeout=timeout))
    return {"entries": [setting_map(setting) for setting in found], "more": found.more}


# ---- mirrors ----


async def mirror(run, client, *, as_, prefix, options=None):
    made = client.mirror(prefix, **options_of(options, "mirror_"))
    run.keep(as_, handles.Mirror(run.front, await run.wait(made)))
    return {}


async def mirror_get(run, mirror, *, key):
    kv = mirror.get(key)
    return {"revision": mirror.revision, "kvs": [kv_map(kv)] if kv else []}


async def mirror_all(run, mirror):
    return answer(mirror.all())


VERBS = {name: value for name, value in globals().items() if hasattr(value, "__code__") and value.__code__.co_flags & 0x80}
"""The coroutine functions above, by name."""
