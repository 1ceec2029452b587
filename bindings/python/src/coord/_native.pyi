"""The C library, as cffi shows it."""

from typing import Any

ffi: Any
lib: Any
