"""size.py libcoord.so BUILD_TYPE: the stripped library is small, hardened and lets nothing be overridden."""

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


report.run([("stripped_size", stripped_size), ("hardened", hardened)])
