"""The client for asyncio: the same names as in ``coord``, to be awaited. Works under uvloop, too."""

from .client import Client

__all__ = ["Client"]
