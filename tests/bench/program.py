"""A program under measurement that says "ready", waits for a word on its standard input and prints its figures."""
import json
import queue
import subprocess
import tempfile
import threading

import peers

READY_SECONDS = 60


class Program:
    """Use it in a with statement: at its end the process is gone."""

    def __init__(self, argv):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, env=peers.environment())
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.errors.close()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _line(self, seconds):
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise peers.Invalid("no word from it for %d s" % seconds) from None
        if line is None:
            status = self.process.wait()
            self.errors.seek(0)
            last = (self.errors.read().decode(errors="replace").strip().splitlines() or ["no message"])[-1]
            raise peers.Invalid("exit code %s: %s" % (status, last[:300]))
        return line

    def wait_ready(self):
        if self._line(READY_SECONDS).strip() != b"ready":
            raise peers.Invalid("it did not say that it is ready")

    def go(self):
        try:
            self.process.stdin.write(b"go\n")
            self.process.stdin.flush()
        except OSError as error:  # it has ended: its figures say why
            raise peers.Invalid("it does not listen: %s" % error) from error

    def finish(self):
        self.process.stdin.close()

    def figures(self, seconds):
        line = self._line(seconds)
        try:
            return json.loads(line)
        except ValueError as error:
            raise peers.Invalid("printed no figures: %s" % line[:200]) from error
