"""A service that registers itself while it is healthy, and a caller that finds it.

Run:  python service.py serve --etcd localhost:2379 --port 8080        (several, with other ports)
      python service.py call --etcd localhost:2379
"""

from __future__ import annotations

import argparse
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional

import coord
from coord.picker import Picker

NAME = "example-web"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"hello from {self.connection.getsockname()[1]}\n".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def is_healthy() -> bool:
    """What a service would ask: its database, its disk."""
    return True


def serve(client: coord.Client, port: int, stop: threading.Event) -> None:
    """Serve until `stop`. Callers see the instance while it lives and is not "down"."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        described: dict[str, Any] = {"address": "127.0.0.1", "port": server.server_address[1], "metadata": {"zone": "eu"}}
        with client.registry() as registry, registry.register(NAME, **described) as me:
            status = "up"
            while not stop.wait(1):
                wanted = "up" if is_healthy() else "down"
                if wanted != status:
                    me.update(status=wanted)
                    status = wanted
    finally:  # it was taken out of the registry first
        server.shutdown()
        server.server_close()
        thread.join()


def call(picker: Picker) -> str:
    """Ask one instance; leave one that does not answer alone for a while, and ask the next."""
    for _ in range(3):
        with picker.pick() as instance:
            try:
                with urllib.request.urlopen(f"http://{instance.endpoint}/", timeout=5) as answer:
                    return str(answer.read().decode()).strip()
            except OSError:
                picker.failed(instance, 5)
    raise SystemExit("no instance answers")


def main(words: Optional[list[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("serve", "call"))
    parser.add_argument("--etcd", default="localhost:2379")
    parser.add_argument("--port", type=int, default=0, help="0: any")
    args = parser.parse_args(words)
    with coord.Client(args.etcd) as client:
        if args.what == "serve":
            serve(client, args.port, threading.Event())
        else:
            with client.registry() as registry:
                print(call(registry.picker(NAME, policy="least_pending")))


if __name__ == "__main__":
    main()
