"""Makes coord._native: cffi's API mode, against Python's stable ABI, so one module serves every CPython from 3.9 on.

libcoord is looked for in this order: the build folder that COORD_BUILD names (build/release of the source tree),
pkg-config, build/release of the source tree around this file. With COORD_LINK, the words in it are what the module is linked
with instead of a shared libcoord: packaging/python-wheel names the archives there.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import cffi

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parents[1]  # bindings/python, or an unpacked sdist
TREE = HERE.parents[3]
GLUE = ("_glue", "_glue_registry")
SOURCES = [f"{name}.{kind}" for name in GLUE for kind in "hc"]
CDEF = PYTHON / "cdef.h"  # only an sdist has it


def pkg_config(*words: str) -> list[str]:
    """What pkg-config says of libcoord; nothing when it, or libcoord, is not there."""
    try:
        done = subprocess.run(["pkg-config", *words, "coord"], text=True, capture_output=True, check=False)
    except OSError:
        return []
    return done.stdout.split() if done.returncode == 0 else []


def in_tree(build: Path) -> dict[str, Any]:
    core = build / "core"
    includes = [str(TREE / "core" / "include")]
    if os.environ.get("COORD_LINK"):
        return {"include_dirs": includes, "extra_link_args": shlex.split(os.environ["COORD_LINK"])}
    return {
        "include_dirs": includes,
        "library_dirs": [str(core)],
        "libraries": ["coord"],
        "extra_link_args": [f"-Wl,-rpath,{core.resolve()}"],
    }


def installed() -> dict[str, Any]:
    return {
        "include_dirs": [word[2:] for word in pkg_config("--cflags-only-I")],
        "library_dirs": [word[2:] for word in pkg_config("--libs-only-L")],
        "libraries": ["coord"],
    }


def library() -> dict[str, Any]:
    """Where libcoord is, as arguments of an extension module."""
    named = os.environ.get("COORD_BUILD")
    if named:
        if not list(Path(named, "core").glob("libcoord.*")):
            sys.exit(f"COORD_BUILD={named}: there is no core/libcoord.so in it")
        return in_tree(Path(named))
    if pkg_config("--libs"):
        return installed()
    if (TREE / "build" / "release" / "core" / "libcoord.so").exists():
        return in_tree(TREE / "build" / "release")
    sys.exit("libcoord is not found: install it (pkg-config coord), or build it here (./dev build)")


def include_dir(where: dict[str, Any]) -> Path:
    for directory in [*where["include_dirs"], "/usr/include", "/usr/local/include"]:
        if (Path(directory) / "coord.h").exists():
            return Path(directory)
    sys.exit("the headers of libcoord (coord.h) are not found")


def cdef(where: dict[str, Any]) -> str:
    """The declarations of libcoord: of an sdist as it brought them, else made from the headers."""
    if CDEF.exists():
        return CDEF.read_text(encoding="utf-8")
    script = TREE / "tools" / "cdef.py"
    done = subprocess.run([sys.executable, str(script), str(include_dir(where))], text=True, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{script}: {done.stderr}")
    return done.stdout


def builder() -> cffi.FFI:
    where = library()
    ffi = cffi.FFI()
    ffi.cdef(cdef(where))
    for name in GLUE:
        ffi.cdef((HERE / f"{name}.h").read_text(encoding="utf-8"))
    where["include_dirs"] = [*where["include_dirs"], str(HERE)]
    where["depends"] = [str(HERE / name) for name in ("_build.py", *SOURCES)]
    where["define_macros"] = [("Py_LIMITED_API", "0x03090000")]
    source = "\n".join(["#include <coord.h>", *[f'#include "{name}"' for name in SOURCES]])
    ffi.set_source("coord._native", source, py_limited_api=True, **where)
    return ffi


if __name__ != "coord._build":
    ffi = builder()
