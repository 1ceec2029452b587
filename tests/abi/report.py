"""Case lines for the tests written in Python: "ok NAME", "not ok NAME: why", "skip NAME: why"."""

import subprocess
import sys
import traceback


class Skip(Exception):
    """Raised by a case that cannot run here."""


def run(cases):
    """Run (name, function) pairs, print one line for each and exit with the verdict."""
    failed = 0
    for name, function in cases:
        try:
            function()
            line = f"ok {name}"
        except Skip as why:
            line = f"skip {name}: {why}"
        except AssertionError as why:
            failed += 1
            line = f"not ok {name}: {one_line(why)}"
        except Exception as why:  # a broken test is a failed one
            failed += 1
            traceback.print_exc()
            line = f"not ok {name}: {type(why).__name__}: {one_line(why)}"
        print(line, flush=True)
    sys.exit(1 if failed else 0)


def one_line(text):
    return " | ".join(part.strip() for part in str(text).splitlines() if part.strip())[:2000]


def command(*words, **options):
    """Run a command and return its output; a failure carries what it printed."""
    done = subprocess.run(words, text=True, capture_output=True, **options)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stderr or done.stdout}"
    return done.stdout
