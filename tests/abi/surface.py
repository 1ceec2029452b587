"""What the public headers declare and what core/spec/symbols lists."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "core" / "include"
HEADERS = sorted(str(path.relative_to(INCLUDE)) for path in INCLUDE.rglob("*.h"))


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


def preprocessed(directory, api=""):
    """The declarations of all public headers, without those of the system's headers."""
    for name in ("stddef.h", "stdint.h"):
        (Path(directory) / name).write_text("")
    return subprocess.run(
        ["cc", "-E", "-P", "-nostdinc", "-std=c11", f"-I{directory}", f"-I{INCLUDE}", f"-DCOORD_API={api}", "-"],
        input="".join(f'#include "{name}"\n' for name in HEADERS),
        text=True,
        check=True,
        capture_output=True,
    ).stdout


def declared(text):
    """Names of the functions that preprocessed text declares."""
    return re.findall(r"\b(coord_[a-z0-9_]+)\s*\(", text)
