"""cdef.py libcoord.so: the preprocessed headers are declarations that cffi reads, for every exported function."""

import sys

import report
from surface import listed, preprocessed

library = sys.argv[1]


def load():
    try:
        import cffi
    except ImportError:
        raise report.Skip("no python3-cffi") from None
    ffi = cffi.FFI()
    ffi.cdef(preprocessed())
    return ffi, ffi.dlopen(library)


def headers_are_a_cdef():
    load()


def every_function_is_callable():
    ffi, lib = load()
    missing = [name for name in listed()[0] if not hasattr(lib, name)]
    assert not missing, f"not in the cdef: {', '.join(missing)}"
    assert ffi.string(lib.coord_version_string()).count(b".") == 2
    assert ffi.string(lib.coord_code_name(lib.COORD_INVALID)) == b"INVALID"


report.run([(f.__name__, f) for f in (headers_are_a_cdef, every_function_is_callable)])
