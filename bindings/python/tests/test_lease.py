"""Leases: alive while the handle is, revoked by with, lost when somebody else ends them."""

import asyncio

import pytest

import coord
import coord.aio
from conftest import until


def test_keys_go_with_the_lease(client, name):
    with client.lease(5) as lease:
        assert lease.ttl == 5 and 0 < lease.remaining <= 5 and lease.is_alive
        client.put(name, "1", lease=lease)
        assert client.get(name).lease_id == lease.id and lease.id in client.leases()
        assert client.lease_info(lease, keys=True).keys == (name.encode(),)
        lease.check()
    assert client.get(name) is None and not lease.is_alive
    assert client.lease_info(lease.id).ttl == -1
    with pytest.raises(coord.Lost):
        lease.check()


def test_adopted(client):
    granted = client.lease_grant(7)
    with client.lease(lease_id=granted.id) as lease:
        assert lease.ttl == 7 and lease.id == granted.id
        with pytest.raises(coord.Conflict):
            client.lease(lease_id=granted.id)
    with pytest.raises(coord.NotFound):
        client.lease(lease_id=granted.id)
    with pytest.raises(coord.Invalid, match="ttl is 0"):
        client.lease(0)


def test_told_when_it_is_lost(client):
    lease = client.lease(3)
    assert lease.next_event(timeout=0.05) is None
    client.lease_revoke(lease)
    event = lease.next_event(timeout=30)
    while event.type == "at_risk":
        event = lease.next_event(timeout=30)
    assert event.type == "lost" and isinstance(event.reason, coord.Lost) and not lease.is_alive
    assert lease.next_event(timeout=10).type == "closed"
    lease.close()


def test_a_dropped_one_is_not_kept(client):
    lease = client.lease(1)
    number = lease.id
    del lease
    until(lambda: client.lease_info(number).ttl == -1)


def test_asyncio(etcd, name):
    async def main():
        async with coord.aio.Client(etcd.endpoint) as client:
            async with client.lease(5) as lease:
                await client.put(name, "1", lease=lease)
                assert lease.is_alive
            assert await client.get(name) is None
            lease = await client.lease(3)
            with pytest.raises(coord.Conflict):
                await client.lease(lease_id=lease.id)
            await client.lease_revoke(lease)
            event = await lease.next_event(timeout=30)
            while event.type == "at_risk":
                event = await lease.next_event(timeout=30)
            assert event.type == "lost"

    asyncio.run(main())
