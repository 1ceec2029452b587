"""Users, roles and permissions."""

import asyncio

import pytest

import coord
import coord.aio
from coord import auth


def test_a_user_may_what_its_role_may(own_etcd):
    endpoint = own_etcd.endpoint
    with coord.Client(endpoint) as client:
        for op in (
            auth.user_add("root", "rootpw"), auth.role_add("root"), auth.user_grant("root", "root"), auth.user_add("ann", "x"),
            auth.user_password("ann", "annpw"), auth.role_add("dev"), auth.user_grant("ann", "dev"),
            auth.role_grant("dev", "readwrite", "ann/", prefix=True), auth.role_grant("dev", "read", "a", "c"), auth.enable(),
        ):  # fmt: skip
            assert client.execute(op) is None
    with coord.Client(endpoint, username="root", password="rootpw") as root:
        assert root.execute(auth.user_list()) == ["ann", "root"] and root.execute(auth.user_get("ann")) == ["dev"]
        assert root.execute(auth.role_list()) == ["dev", "root"]
        assert root.execute(auth.role_get("dev")) == [
            auth.Permission("read", b"a", b"c"), auth.Permission("readwrite", b"ann/", b"ann0"),
        ]  # fmt: skip
        with pytest.raises(coord.NotFound):
            root.execute(auth.role_get("nobody"))
    with coord.Client(endpoint, username="ann", password="annpw") as ann:
        ann.put("ann/a", "1")
        assert ann.get("b") is None
        with pytest.raises(coord.Auth):
            ann.put("b", "1")
        with pytest.raises(coord.Auth):
            ann.execute(auth.role_add("mine"))
    with coord.Client(endpoint) as nobody:  # there is a server; what it refuses are calls
        with pytest.raises(coord.Auth):
            nobody.get("ann/a")
    with pytest.raises(coord.Auth):
        coord.Client(endpoint, username="ann", password="guess")

    async def by_root():
        async with coord.aio.Client(endpoint, username="root", password="rootpw") as root:
            with pytest.raises(coord.Conflict):
                await root.execute(auth.user_add("ann", "x"))
            await root.execute(auth.role_revoke("dev", "ann/", prefix=True))
            await root.execute(auth.user_revoke("ann", "dev"))
            await root.execute(auth.role_delete("dev"))
            await root.execute(auth.user_delete("ann"))
            with pytest.raises(coord.NotFound):
                await root.execute(auth.user_delete("ann"))
            await root.execute(auth.disable())

    asyncio.run(by_root())
    with pytest.raises(coord.Invalid, match="permission is 'all'"):
        auth.role_grant("dev", "all", "a")
