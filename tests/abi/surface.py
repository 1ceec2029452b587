"""What the public headers declare and what core/spec/symbols lists."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "core" / "include"
HEADERS = sorted(str(path.relative_to(INCLUDE)) for path in INCLUDE.rglob("*.h"))

sys.path.insert(0, str(ROOT / "tools"))
from cdef import preprocessed  # noqa: E402,F401  (for the tests beside this file)


def listed():
    """{symbol: release node} of core/spec/symbols, and the symbols in order."""
    node, nodes, order = None, {}, []
    for line in (ROOT / "core" / "spec" / "symbols").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.endswith(":"):
            node = line[:-1]
        elif line:
            nodes[line] = node
            order.append(line)
    return nodes, order


def declared(text):
    """Names of the functions that preprocessed text declares."""
    return re.findall(r"\b(coord_[a-z0-9_]+)\s*\(", text)
