"""Into the library: text and bytes, durations. The rules are in the README, section "Text, bytes, time"."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Optional, Union

from . import errors

Bytes = Union[str, bytes, bytearray, memoryview]
"""What keys and values may be: bytes as they are, ``str`` in UTF-8."""

Seconds = Union[int, float, timedelta]
"""A duration: seconds, or a timedelta."""

LONGEST_MS = 2**31 - 1


def to_bytes(given: Bytes, what: str) -> bytes:
    """The bytes of a key or value."""
    if type(given) is bytes:
        return given
    if isinstance(given, str):
        return given.encode()
    if isinstance(given, (bytes, bytearray, memoryview)):
        return bytes(given)
    raise TypeError(f"{what} must be str or bytes, not {type(given).__name__}")


def seconds(given: Seconds, what: str) -> float:
    """A duration in seconds."""
    if isinstance(given, timedelta):
        return given.total_seconds()
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return float(given)
    raise TypeError(f"{what} must be seconds or a timedelta, not {type(given).__name__}")


def millis(given: Seconds, what: str) -> int:
    """A duration in milliseconds, rounded up: one that is not 0 never becomes 0."""
    value = seconds(given, what)
    if not 0 <= value <= LONGEST_MS / 1000:
        raise errors.Invalid(f"{what} is {given!r}: it must be 0 to {LONGEST_MS // 1000} seconds")
    return min(math.ceil(value * 1000), LONGEST_MS)


def whole_seconds(given: Seconds, what: str) -> int:
    """A duration in whole seconds, rounded up, at least 1: a time to live."""
    value = seconds(given, what)
    if not 0 < value <= 9_000_000_000:
        raise errors.Invalid(f"{what} is {given!r}: it must be more than 0 and at most 9,000,000,000 seconds")
    return math.ceil(value)


def deadline(timeout: Optional[Seconds]) -> int:
    """The timeout of a call in milliseconds. None: the client's request_timeout; math.inf: none."""
    if timeout is None:
        return 0
    if timeout == math.inf:
        return -1
    found = millis(timeout, "timeout")
    if found == 0:
        raise errors.Invalid("timeout is 0: it must be more than 0 seconds; None is the client's request_timeout")
    return found


def patience(timeout: Optional[Seconds]) -> int:
    """The timeout of a wait in milliseconds. None and math.inf: as long as it takes."""
    return -1 if timeout is None else deadline(timeout)
