"""The clock that waits go by."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Milliseconds since some moment; never set back."""
    return time.monotonic_ns() // 1_000_000
