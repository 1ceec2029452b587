"""Three etcds of our own for one run: who leads, and SIGKILL or SIGSTOP to one of them."""
import http.client
import os
import signal
import subprocess
import tempfile
import time

import server

NODES = 3


class Node(server.Etcd):
    """One server of a cluster. Its ports are known before it starts, since the others must know them."""

    def __init__(self, path, parent, number, client_port, peer_port):
        super().__init__(path, parent, False)
        self.number = number
        self.endpoint = "127.0.0.1:%d" % client_port
        self.peer = "127.0.0.1:%d" % peer_port

    def start(self, members, known):
        self.directory = tempfile.mkdtemp(prefix="etcd-", dir=self.parent)
        options = {"--name": "n%d" % self.number, "--data-dir": os.path.join(self.directory, "data"),
                   "--listen-client-urls": "http://" + self.endpoint,
                   "--advertise-client-urls": "http://" + self.endpoint,
                   "--listen-peer-urls": "http://" + self.peer, "--initial-advertise-peer-urls": "http://" + self.peer,
                   "--initial-cluster": members, "--logger": "zap", "--log-level": "error"}
        argv = [self.path] + ["%s=%s" % item for item in options.items() if item[0] in known]
        if "--unsafe-no-fsync" in known:
            argv.append("--unsafe-no-fsync")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ETCD_")}
        with open(os.path.join(self.directory, "log"), "wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)

    def status(self):
        """(its member id, the leader's; None for none)."""
        answer = self._post("maintenance/status", {})
        return answer["header"]["member_id"], answer.get("leader")

    def watchers(self):
        """How many watches are on it."""
        connection = http.client.HTTPConnection(self.endpoint, timeout=30)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        return sum(int(float(line.split()[1])) for line in text.splitlines()
                   if line.startswith("etcd_debugging_mvcc_watcher_total"))

    def stop(self):
        if self.process:
            self.process.kill()  # also when it is stopped; a cluster that ends has no use for an orderly end
        super().stop()


class Cluster:
    def __init__(self, path, parent):
        self.path = path
        self.parent = parent
        self.nodes = []

    def __enter__(self):
        try:
            for _ in range(3):  # another program may take a port between our look and etcd's
                self._start()
                if self._wait():
                    return self
                log = "\n".join(node._log() for node in self.nodes)
                self.stop()
            raise server.ServerError("%s did not form a cluster; the ends of the logs:\n%s" % (self.path, log))
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def _start(self):
        ports = server.free_ports(2 * NODES)
        known = subprocess.run([self.path, "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               check=False, timeout=30).stdout
        self.nodes = [Node(self.path, self.parent, i, ports[2 * i], ports[2 * i + 1]) for i in range(NODES)]
        members = ",".join("n%d=http://%s" % (node.number, node.peer) for node in self.nodes)
        for node in self.nodes:
            node.start(members, known)

    def _wait(self):
        deadline = time.monotonic() + server.START_SECONDS
        while time.monotonic() < deadline and all(node.process.poll() is None for node in self.nodes):
            try:
                for node in self.nodes:
                    node.put("bench/ready", b"")
                return self.leader() is not None
            except (OSError, http.client.HTTPException, server.ServerError):
                time.sleep(0.05)
        return False

    def leader(self):
        """The node that leads, as all agree; None while they do not."""
        found = [node.status() for node in self.nodes]
        leaders = {leader for _, leader in found}
        if len(leaders) != 1:
            return None
        return next((node for node, (member, leader) in zip(self.nodes, found) if member == leader), None)

    def lead(self, node):
        """Make this one the leader."""
        leader = self.leader()
        if leader is node:
            return
        if leader is not None:
            leader._post("maintenance/transfer-leadership", {"targetID": node.status()[0]})
        deadline = time.monotonic() + server.START_SECONDS
        while self.leader() is not node:
            if time.monotonic() > deadline:
                raise server.ServerError("the leader did not change")
            time.sleep(0.05)

    def watched(self):
        """The node that the only client's watches are on."""
        found = [node for node in self.nodes if node.watchers() > 0]
        if len(found) != 1:
            raise server.ServerError("%d nodes have watches instead of one" % len(found))
        return found[0]

    def hurt(self, node, how):
        """SIGKILL or SIGSTOP."""
        node.process.send_signal({"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[how])

    def stop(self):
        for node in self.nodes:
            if node.process:
                node.process.kill()
        for node in self.nodes:
            node.stop()
