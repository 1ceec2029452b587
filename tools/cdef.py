#!/usr/bin/env python3
"""cdef.py [INCLUDE]: print the public headers as plain declarations, which cffi and LuaJIT read.

INCLUDE is the folder with coord.h; default: core/include of this tree. Needs a C preprocessor as cc.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[1] / "core" / "include"


def preprocessed(include=INCLUDE, api=""):
    """The declarations of all public headers, without those of the system's headers."""
    headers = sorted(str(path.relative_to(include)) for path in [include / "coord.h", *include.glob("coord/*.h")])
    with tempfile.TemporaryDirectory() as directory:
        for name in ("stddef.h", "stdint.h"):
            (Path(directory) / name).write_text("")
        return subprocess.run(
            ["cc", "-E", "-P", "-nostdinc", "-std=c11", f"-I{directory}", f"-I{include}", f"-DCOORD_API={api}", "-"],
            input="".join(f'#include "{name}"\n' for name in headers),
            text=True,
            check=True,
            capture_output=True,
        ).stdout


if __name__ == "__main__":
    print(preprocessed(Path(sys.argv[1]) if len(sys.argv) > 1 else INCLUDE), end="")
