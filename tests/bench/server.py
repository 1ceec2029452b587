"""An etcd of our own for one case: free loopback ports, its data in a temporary directory, gone afterwards."""
import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

START_SECONDS = 20


class ServerError(Exception):
    pass


def find(path):
    """The path of the etcd to run: what was asked for, $COORD_TEST_ETCD, or the one on PATH."""
    wanted = path or os.environ.get("COORD_TEST_ETCD") or "etcd"
    found = shutil.which(wanted)
    if not found:
        raise ServerError('no etcd at "%s"; install the package etcd-server or name one with --etcd PATH' % wanted)
    return found


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Etcd:
    def __init__(self, path, parent, large_values, doors=1):
        self.path = path
        self.parent = parent
        self.large_values = large_values
        self.doors = doors
        self.process = None
        self.argv = self.environment = None
        self.directory = None
        self.endpoint = None
        self.endpoints = None  # as many as doors

    def __enter__(self):
        try:
            for _ in range(3):  # another program may take a port between our look and etcd's
                self._start()
                if self._wait():
                    return self
                log = self._log()
                self.stop()
            raise ServerError("%s did not start; the end of its log:\n%s" % (self.path, log))
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def _start(self):
        self.directory = tempfile.mkdtemp(prefix="etcd-", dir=self.parent)
        peer, *clients = free_ports(1 + self.doors)
        self.endpoints = ["127.0.0.1:%d" % port for port in clients]
        self.endpoint = self.endpoints[0]
        urls = ",".join("http://" + endpoint for endpoint in self.endpoints)
        known = subprocess.run([self.path, "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               check=False, timeout=30).stdout
        options = {"--data-dir": os.path.join(self.directory, "data"),
                   "--listen-client-urls": urls, "--advertise-client-urls": urls,
                   "--listen-peer-urls": "http://127.0.0.1:%d" % peer,
                   "--initial-advertise-peer-urls": "http://127.0.0.1:%d" % peer,
                   "--initial-cluster": "default=http://127.0.0.1:%d" % peer,
                   "--quota-backend-bytes": "8589934592", "--logger": "zap", "--log-level": "error"}
        if self.large_values:  # the log since the last snapshot stays in etcd's memory
            options["--snapshot-count"] = "2000"
        argv = [self.path] + ["%s=%s" % item for item in options.items() if item[0] in known]
        if "--unsafe-no-fsync" in known:
            argv.append("--unsafe-no-fsync")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ETCD_")}
        self.argv, self.environment = argv, environment
        self._run()

    def _run(self):
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def again(self):
        """After kill: the same server, with the same data and ports."""
        self._run()
        if not self._wait():
            raise ServerError("%s did not start again; the end of its log:\n%s" % (self.path, self._log()))

    def _wait(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.put("bench/ready", b"")
                return True
            except (OSError, http.client.HTTPException, ServerError):
                time.sleep(0.02)
        return False

    def _log(self):
        with open(os.path.join(self.directory, "log"), errors="replace") as log:
            return "".join(log.readlines()[-8:]).strip() or "(empty)"

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None

    # The JSON gateway serves what the bench itself asks; no peer of the bench is used to check another.

    def _post(self, path, body):
        connection = http.client.HTTPConnection(self.endpoint, timeout=30)
        try:
            connection.request("POST", "/v3/" + path, json.dumps(body))
            response = connection.getresponse()
            text = response.read()
            if response.status != 200:
                raise ServerError("etcd answered %s with HTTP %d: %s" % (path, response.status, text[:200]))
            return json.loads(text)
        finally:
            connection.close()

    @staticmethod
    def _text(data):
        return base64.b64encode(data).decode()

    def put(self, key, value):
        self._post("kv/put", {"key": self._text(key.encode()), "value": self._text(value)})

    def version_of(self, key):
        """How often the key was written; 0 when it is not there."""
        answer = self._post("kv/range", {"key": self._text(key.encode()), "keys_only": True})
        return int(answer["kvs"][0]["version"]) if answer.get("kvs") else 0

    def revision(self):
        return int(self._post("kv/range", {"key": self._text(b"bench/ready"), "keys_only": True})["header"]["revision"])

    def count(self, prefix):
        """How many keys begin with this; the last byte is no 255."""
        key = prefix.encode()
        answer = self._post("kv/range", {"key": self._text(key), "range_end": self._text(key[:-1] + bytes([key[-1] + 1])),
                                         "count_only": True})
        return int(answer.get("count", 0))

    def leases(self):
        """How many leases there are."""
        return len(self._post("lease/leases", {}).get("leases", []))

    def version(self):
        connection = http.client.HTTPConnection(self.endpoint, timeout=30)
        try:
            connection.request("GET", "/version")
            return json.loads(connection.getresponse().read())["etcdserver"]
        finally:
            connection.close()
