"""consumer.py BUILD_DIR: installs the build and compiles a program against the installed tree in every offered way."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import report

build = sys.argv[1]
SOURCE = Path(__file__).resolve().parent / "consumer"
CC = ["cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

work = tempfile.TemporaryDirectory()
prefix = Path(work.name) / "prefix"
report.command("cmake", "--install", build, "--prefix", str(prefix))
libdir = next(prefix.rglob("libcoord.so.0")).parent


def pkg_config(root, *words):
    path = next(root.rglob("coord.pc")).parent
    return shlex.split(report.command("pkg-config", *words, env={**os.environ, "PKG_CONFIG_PATH": str(path)}))


def uses_shared_library(program):
    return "libcoord.so.0" in report.command("readelf", "-d", str(program))


def works(program, shared):
    assert uses_shared_library(program) == shared, f"{program} is linked to the wrong library"
    output = report.command(str(program), env={**os.environ, "LD_LIBRARY_PATH": str(libdir)})
    assert output == "0.1.0 INVALID\n", f"it printed {output!r}"


def with_pkg_config():
    program = Path(work.name) / "pc_shared"
    report.command(*CC, str(SOURCE / "consumer.c"), "-o", str(program), *pkg_config(prefix, "--cflags", "--libs", "coord"))
    works(program, shared=True)


def with_pkg_config_coord_static():
    program = Path(work.name) / "pc_coord_static"
    report.command(*CC, str(SOURCE / "consumer.c"), "-o", str(program),
                   *pkg_config(prefix, "--cflags", "--libs", "coord-static"))
    works(program, shared=False)


def with_pkg_config_static():
    # --static asks for everything below libcurl too; not every system has all of that for development.
    lonely = Path(work.name) / "static_prefix"
    shutil.copytree(prefix, lonely, symlinks=True)
    for path in lonely.rglob("libcoord.so*"):
        path.unlink()
    for path in lonely.rglob("*.pc"):
        path.write_text(path.read_text().replace(str(prefix), str(lonely)))
    flags = pkg_config(lonely, "--static", "--cflags", "--libs", "coord")
    missing = []
    for flag in sorted(set(flags)):
        if flag.startswith("-l") and flag != "-lcoord" and subprocess.run(
                ["cc", "-shared", "-o", "/dev/null", flag], capture_output=True).returncode:
            missing.append(flag)
    if missing:
        raise report.Skip(f"no development files of {' '.join(missing)}")
    program = Path(work.name) / "pc_static"
    report.command(*CC, str(SOURCE / "consumer.c"), "-o", str(program), *flags)
    works(program, shared=False)


def with_cmake(target, shared):
    def case():
        tree = Path(work.name) / target.replace("::", "_")
        report.command("cmake", "-S", str(SOURCE), "-B", str(tree), f"-DCMAKE_PREFIX_PATH={prefix}",
                       f"-DTARGET={target}", "-DCMAKE_BUILD_TYPE=Release")
        report.command("cmake", "--build", str(tree))
        works(tree / "consumer", shared)

    return case


def cmake_version_is_checked():
    tree = Path(work.name) / "future"
    tree.mkdir()
    (tree / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(future NONE)\nfind_package(coord 0.99 REQUIRED)\n")
    done = subprocess.run(["cmake", "-S", str(tree), "-B", str(tree / "build"), f"-DCMAKE_PREFIX_PATH={prefix}"],
                          text=True, capture_output=True)
    assert done.returncode != 0 and "0.99" in done.stderr, "find_package(coord 0.99) found 0.1.0"


with work:
    report.run([
        ("with_pkg_config", with_pkg_config),
        ("with_pkg_config_coord_static", with_pkg_config_coord_static),
        ("with_pkg_config_static", with_pkg_config_static),
        ("with_cmake_shared", with_cmake("coord::coord", True)),
        ("with_cmake_static", with_cmake("coord::static", False)),
        ("cmake_version_is_checked", cmake_version_is_checked),
    ])
