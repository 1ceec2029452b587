"""What the binding answers and tells, as the maps that scenarios speak of."""

import json

import coord


def failure_map(failure):
    return {
        "error": failure.name,
        "message": str(failure),
        "retriable": failure.retriable,
        "maybe_applied": failure.maybe_applied,
    }


def kv_map(kv):
    return {
        "key": kv.key,
        "value": kv.value,
        "create_revision": kv.create_revision,
        "mod_revision": kv.mod_revision,
        "version": kv.version,
        "lease": kv.lease_id,
    }


def kvs_map(kvs):
    return {"kvs": [kv_map(kv) for kv in kvs], "count": len(kvs), "total": len(kvs), "more": False}


def answer(result):
    """What an op of keys answers, also as a part of a transaction."""
    if result is None:
        return kvs_map([])
    if isinstance(result, coord.KeyValue):
        return kvs_map([result])
    if isinstance(result, coord.Range):
        return {**kvs_map(result.kvs), "revision": result.revision, "total": result.total, "more": result.more}
    if isinstance(result, coord.Put):
        return {**kvs_map([result.previous] if result.previous else []), "revision": result.revision}
    if isinstance(result, coord.Deleted):
        return {**kvs_map(result.previous), "revision": result.revision, "deleted": result.deleted}
    if isinstance(result, coord.Txn):
        return {"revision": result.revision, "succeeded": result.succeeded, "parts": [answer(one) for one in result.results]}
    raise TypeError(f"an answer of a new kind: {result!r}")


def change_map(change):
    return {
        "type": change.type.upper(),
        **kv_map(change.kv),
        "prev": kv_map(change.previous) if change.previous else None,
    }


def setting_map(setting):
    return {"key": setting.key, "json": setting.value, "version": setting.version}


def config_change_map(change):
    return {
        "type": "DELETE" if change.is_deleted else "PUT",
        "key": change.key,
        "json": change.value,
        "prev_json": change.previous,
    }


def instance_map(instance):
    return json.loads(instance.json)


def event_map(event):
    """An event of a lease, a lock, an election or a registration."""
    return {
        "type": event.type.upper(),
        "code": event.reason.name if event.reason else "OK",
        "message": str(event.reason or ""),
        "token": event.token,
        "revision": event.token,
    }


def closed_map(failure=None):
    """The end of a handle. None: nothing is wrong with that."""
    return {
        "type": "CLOSED",
        "code": failure.name if failure else "OK",
        "message": str(failure or ""),
        "revision": getattr(failure, "revision", 0),
    }


def changes_map(changes, revision, **more):
    return {"type": "CHANGES", "code": "OK", "revision": revision, "changes": changes, **more}
