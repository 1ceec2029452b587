"""size.py libcoord.so BUILD_TYPE: the stripped library is small, hardened and lets nothing be overridden."""

import subprocess
import sys
import tempfile
from pathlib import Path

import report

library, build_type = sys.argv[1:3]
LIMIT = 400 * 1024


def stripped_size():
    if build_type == "Debug":
        raise report.Skip("a debug build")
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "libcoord.so"
        report.command("strip", "--strip-unneeded", "-o", str(copy), library)
        size = copy.stat().st_size
    print(f"# {size} bytes stripped, limit {LIMIT}")
    assert size <= LIMIT, f"{size} bytes stripped, more than {LIMIT}"


def hardened():
    text = report.command("readelf", "-dlW", library)
    assert "GNU_RELRO" in text and "BIND_NOW" in text, "not linked with -z relro -z now"
    assert "TEXTREL" not in text, "has text relocations"
    assert not any("GNU_STACK" in line and "RWE" in line for line in text.splitlines()), "wants an executable stack"
    assert "RPATH" not in text and "RUNPATH" not in text, "carries a library search path"


UNLOADED = """
import _ctypes, ctypes, sys
library = ctypes.CDLL(sys.argv[1])
options, client, error = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
library.coord_options_new(ctypes.byref(options))
for name, value in ((b"endpoints", b"127.0.0.1:1"), (b"connect.lazy", b"true")):
    library.coord_options_set(options, name, value, None)
code = library.coord_client_open(options, ctypes.byref(client), ctypes.byref(error))
print(code)
_ctypes.dlclose(library._handle)
print("libcoord" in open("/proc/self/maps").read())
"""


def stays_loaded():
    """A language that unloads its modules, as Lua does, must not take the code from under the I/O thread."""
    ended = subprocess.run([sys.executable, "-c", UNLOADED, library], stdout=subprocess.PIPE, timeout=60)
    assert ended.stdout == b"0\nTrue\n" and ended.returncode == 0, f"printed {ended.stdout}, ended with {ended.returncode}"


report.run([("stripped_size", stripped_size), ("hardened", hardened), ("stays_loaded", stays_loaded)])
