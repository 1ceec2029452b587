"""The conformance scenarios in Python: python conformance [--sync | --aio] [FILE...] [--only NAME].

tests/conformance/README.md has the rules. Scenarios wait more than they compute, so several run at once, each on an
etcd of its own.
"""

import glob
import json
import os
import queue
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "../../../.."))
BIN = os.environ.get("COORD_CONFORMANCE_BIN") or os.path.join(ROOT, "build/release/tests/conformance")
DIR = os.environ.get("COORD_CONFORMANCE_DIR") or os.path.join(ROOT, "tests/conformance")
AT_ONCE = 4
WIRE = os.environ.get("COORD_TEST_WIRE") or "grpc"

sys.path.insert(0, HERE)


class Server:
    """A conformance_etcd."""

    def __init__(self):
        self._process = subprocess.Popen(
            [os.path.join(BIN, "conformance_etcd")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.greeting = self._line()
        self.version = tuple(map(int, self.greeting[3:].split("."))) if self.greeting.startswith("ok ") else None

    def _line(self):
        return self._process.stdout.readline().rstrip("\n") or "nothing"

    def command(self, words):
        try:
            self._process.stdin.write(words + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        return self._line()

    def end(self):
        """Stop it; what it then finds wrong."""
        self._process.stdin.close()
        said = [line.rstrip("\n") for line in self._process.stdout]
        status = self._process.wait()
        wrong = [line for line in said if line.startswith("not ok")]
        if status != 0 and not wrong and self.version is not None:
            wrong.append(f"it ended with {status}")
        return wrong


class Runner:
    """Runs scenarios, and says how each has ended."""

    def __init__(self, front):
        self._front = front
        self._lock = threading.Lock()
        self.failed = 0
        self.count = 0

    def say(self, verdict, scenario, why=""):
        name = scenario["name"]
        with self._lock:
            self.failed += verdict == "not ok"
            self.count += 1
            print(f"{verdict} {name}{': ' + ' '.join(why.split()) if why else ''}", flush=True)

    def _reason_to_skip(self, server, needs):
        if needs.get("wire", WIRE) != WIRE:
            return needs["why"]
        wanted = tuple(map(int, needs.get("etcd", "0.0").split(".")))
        return needs["why"] if server.version < wanted else None

    def run(self, server, scenario):
        from scenario import Scenario
        from values import Skip

        if server.version is None:
            return self.say("skip" if server.greeting.startswith("skip") else "not ok", scenario, server.greeting)
        why = self._reason_to_skip(server, scenario.get("needs", {}))
        if why is not None:
            return self.say("skip", scenario, why)
        began = server.command("begin").split()
        if len(began) != 3:
            return self.say("not ok", scenario, f"conformance_etcd said: {' '.join(began)}")
        one = Scenario(self._front, began[1], began[2], server.command)
        try:
            self._front.run(one.run(scenario["steps"]))
        except Skip as why:
            return self.say("skip", scenario, str(why))
        except Exception as failure:
            kind = "" if type(failure).__name__ == "Failed" else f"{type(failure).__name__}: "
            return self.say("not ok", scenario, f"{scenario['file']}:{one.line}: {kind}{failure}")
        return self.say("ok", scenario)

    def run_all(self, scenarios):
        """All of a queue, on a server of its own."""
        server = Server()
        try:
            while True:
                self.run(server, scenarios.get_nowait())
        except queue.Empty:
            pass
        finally:
            for line in server.end():
                with self._lock:
                    self.failed += 1
                    print(f"# conformance_etcd: {line}", flush=True)


def read(files):
    """The scenarios of files. Exits when one is not well-formed."""
    done = subprocess.run([os.path.join(BIN, "conformance_scenarios"), *files], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        print(f"not ok {' '.join(files)}: not well-formed")
        sys.exit(1)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main(words):
    try:
        import fronts
    except ModuleNotFoundError as failure:
        if failure.name not in ("coord", "cffi", "_cffi_backend"):
            raise
        print(f"skip conformance: the package is not there, ./dev test builds it: {failure}")
        return 0
    only, files = None, []
    front = fronts.Aio if "--aio" in words else fronts.Sync
    words = [word for word in words if word not in ("--aio", "--sync")]
    while words:
        word = words.pop(0)
        if word == "--only" and words:
            only = words.pop(0)
        else:
            files.append(word)
    scenarios = queue.Queue()
    for one in read(files or sorted(glob.glob(os.path.join(DIR, "scenarios", "*.yaml")))):
        if only in (None, one["name"]):
            scenarios.put(one)
    runner, total = Runner(front), scenarios.qsize()
    threads = [threading.Thread(target=runner.run_all, args=(scenarios,)) for _ in range(min(AT_ONCE, total))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if total == 0:
        print("there is no such scenario", file=sys.stderr)
    if runner.count < total:  # a thread has ended before its time
        print(f"not ok runner: it has run {runner.count} of {total} scenarios")
    return 0 if runner.failed == 0 and 0 < total == runner.count else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
