"""Give memory that was freed back to the operating system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import cast


def _find_trim() -> Callable[[int], int] | None:
    """`malloc_trim` of the C library; only glibc has it, and only glibc needs it."""
    try:
        return cast(Callable[[int], int], ctypes.CDLL(None).malloc_trim)
    except (AttributeError, OSError, TypeError):
        return None


_trim = _find_trim()


def release_freed_memory() -> None:
    """Give back the pages that hold nothing; other threads keep running meanwhile.

    glibc keeps freed memory for later. Prompts of many lengths leave gaps that later ones do not fit, so that
    without this a busy hour would keep its peak for good.
    """
    if _trim is not None:
        _trim(0)
