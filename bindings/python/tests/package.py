"""package.py BUILD: the package as pip makes it, of the tree and of an sdist, against the libcoord of BUILD and against an
installed one, each used in a virtual environment of its own; and that every place states the same version."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TREE = Path(__file__).resolve().parents[3]
PYTHON = TREE / "bindings" / "python"
sys.path.insert(0, str(TREE / "tests" / "abi"))

import report  # noqa: E402

build = Path(sys.argv[1]).resolve()
work = tempfile.TemporaryDirectory()
place = Path(work.name)
clean = {word: value for word, value in os.environ.items() if not word.startswith(("COORD_", "PYTHON", "PKG_CONFIG"))}
clean["COORD_TEST_ETCD"] = os.environ.get("COORD_TEST_ETCD", "")
clean["CFLAGS"] = "-O0"  # quick to compile


def copy_of_the_tree(name):
    """What pip writes stays out of the tree."""
    tree = place / name
    (tree / "bindings").mkdir(parents=True)
    shutil.copytree(PYTHON, tree / "bindings" / "python", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    (tree / "core").symlink_to(TREE / "core")
    (tree / "tools").symlink_to(TREE / "tools")
    return tree / "bindings" / "python"


def venv(name):
    """A virtual environment with Debian's setuptools and cffi, so that none of this wants a network."""
    report.command("/usr/bin/python3", "-m", "venv", "--system-site-packages", str(place / name))
    return place / name


def pip(environment, *words, env):
    report.command(environment / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-index",
                   "--no-deps", "--no-build-isolation", *words, env=env, cwd=place)


def used(environment, **env):
    """What its user does, away from the tree."""
    words = (environment / "bin" / "python", "-I", TREE / "packaging" / "python-wheel-test.py")
    report.command(*words, env={**clean, "PACKAGED": str(environment), **env}, cwd=place)


def loaded(environment, **env):
    """The libcoord that the module finds; None: none."""
    module = next(environment.rglob("_native.abi3.so"))
    found = re.search(r"libcoord\.so\.0 => (/\S+)", report.command("ldd", module, env={**clean, **env}))
    return Path(found.group(1)).resolve() if found else None


def installed_core():
    """libcoord below a prefix, and the environment that finds it there."""
    prefix = place / "prefix"
    if not prefix.exists():
        report.command("cmake", "--install", build, "--prefix", prefix)
    library = next(prefix.rglob("libcoord.so.0")).parent
    return library, {**clean, "PKG_CONFIG_PATH": str(next(prefix.rglob("coord.pc")).parent)}


def sdist():
    made = place / "sdist"
    if not made.exists():
        env = {**clean, "COORD_BUILD": str(build)}
        report.command("/usr/bin/python3", "setup.py", "-q", "sdist", "-d", made, cwd=copy_of_the_tree("for-sdist"), env=env)
    return next(made.glob("*.tar.gz"))


def of_the_tree_with_the_build():
    environment = venv("of-the-tree")
    pip(environment, copy_of_the_tree("tree"), env={**clean, "COORD_BUILD": str(build)})
    assert loaded(environment) == (build / "core" / "libcoord.so.0").resolve(), loaded(environment)
    used(environment)


def of_an_sdist_with_an_installed_core():
    library, env = installed_core()
    environment = venv("of-an-sdist")
    pip(environment, sdist(), env=env)
    assert loaded(environment, LD_LIBRARY_PATH=str(library)) == (library / "libcoord.so.0").resolve()
    assert loaded(environment) is None, f"it goes on using {loaded(environment)}"
    used(environment, LD_LIBRARY_PATH=str(library))


def says_what_is_missing():
    environment = venv("without")
    done = subprocess.run(
        [environment / "bin" / "python", "-m", "pip", "install", "--no-index", "--no-deps", "--no-build-isolation", sdist()],
        text=True, capture_output=True, cwd=place, env={**clean, "PKG_CONFIG_LIBDIR": str(place)})
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "libcoord is not found: install it (pkg-config coord)" in said, said


def one_version():
    def found(path, pattern):
        match = re.search(pattern, (TREE / path).read_text(encoding="utf-8"), re.M)
        assert match, f"{path} has no line {pattern}"
        return match.group(1)

    stated = {
        "CMakeLists.txt": found("CMakeLists.txt", r"^project\(coord VERSION (\S+)"),
        "CHANGELOG.md": found("CHANGELOG.md", r"^## (\S+)"),
        "pyproject.toml": found("bindings/python/pyproject.toml", r'^version = "(.+)"'),
        "coord.__version__": found("bindings/python/src/coord/__init__.py", r'^__version__ = "(.+)"'),
        "packaging/deb/changelog": found("packaging/deb/changelog", r"^coord \((.+)\)"),
    }
    assert len(set(stated.values())) == 1, stated


NEEDS = "cffi, setuptools, wheel, venv, ensurepip"
if subprocess.run(["/usr/bin/python3", "-c", f"import {NEEDS}"], capture_output=True).returncode != 0:
    print(f"skip python_package: /usr/bin/python3 has not all of {NEEDS}")
    sys.exit(0)
report.run([(case.__name__, case) for case in (
    one_version, of_the_tree_with_the_build, of_an_sdist_with_an_installed_core, says_what_is_missing)])
