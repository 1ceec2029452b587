"""What a packaged coord must do where there is nothing else: run by packaging/python-wheel, and by packaging/deb/build with
PACKAGED, the folder that the package was unpacked to."""
import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import coord
import coord.aio
from coord import _native

PACKAGED = os.environ.get("PACKAGED")
SYSTEM = ("linux-vdso", "ld-linux", "libc.so", "libm.so", "libpthread.so", "libdl.so", "librt.so", "libgcc_s.so")


def needs_only_libc():
    if PACKAGED:
        return
    listed = subprocess.run(["ldd", _native.__file__], text=True, capture_output=True, check=True).stdout
    others = [line.split()[0] for line in listed.splitlines() if not any(name in line for name in SYSTEM)]
    assert not others, f"it needs {others}"


def is_installed():
    assert coord.__file__.startswith(PACKAGED or sys.prefix), coord.__file__


def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def speaks(endpoint):
    with coord.Client(endpoint, connect_timeout=20) as client:
        client.put("wheel", "1")
        assert client.get("wheel").text == "1"
        with client.lock("wheel", ttl=10) as held:
            assert held.token > 0

    async def main():
        async with coord.aio.Client(endpoint) as client:
            await client.put("wheel", "2")
            assert (await client.get("wheel")).text == "2"
    asyncio.run(main())


def refuses_a_bad_server():
    """TLS is there, and says what is wrong."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        try:
            coord.Client(f"https://127.0.0.1:{server.getsockname()[1]}", connect_timeout=0.5)
        except coord.Error as error:
            assert isinstance(error, (coord.Timeout, coord.Unavailable, coord.TLS)), error
        else:
            raise AssertionError("it has connected")


def main():
    program = os.environ.get("COORD_TEST_ETCD") or shutil.which("etcd")
    if not program:
        sys.exit("there is no etcd: COORD_TEST_ETCD names it")
    with tempfile.TemporaryDirectory() as folder:
        client, peer = (f"http://127.0.0.1:{port()}" for _ in range(2))
        words = [program, "--data-dir", folder, "--listen-client-urls", client, "--advertise-client-urls", client,
                 "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
        etcd = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for case in (is_installed, needs_only_libc, lambda: speaks(client), refuses_a_bad_server):
                case()
        finally:
            etcd.send_signal(signal.SIGKILL)
            etcd.wait()
    print(f"coord {coord.__version__}, libcoord {coord.version()}, Python {sys.version.split()[0]}: it works")


if __name__ == "__main__":
    main()
