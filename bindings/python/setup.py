"""What pyproject.toml cannot say: the cffi module, the tag of the wheel, and the cdef that an sdist carries."""

from pathlib import Path

from setuptools import setup
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent


class Sdist(sdist):
    """An sdist has no tools/cdef.py beside it, so it brings what that makes."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        namespace = {"__name__": "coord._build", "__file__": str(HERE / "src" / "coord" / "_build.py")}
        exec((HERE / "src" / "coord" / "_build.py").read_text(encoding="utf-8"), namespace)
        (Path(base_dir) / "cdef.h").write_text(namespace["cdef"](namespace["library"]()), encoding="utf-8")


setup(
    cffi_modules=["src/coord/_build.py:ffi"],
    options={"bdist_wheel": {"py_limited_api": "cp39"}},
    cmdclass={"sdist": Sdist},
)
