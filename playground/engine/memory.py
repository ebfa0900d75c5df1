"""Share freed memory between threads, and return it to the operating system (glibc only)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, cast

POOLS = 2
"""Number of memory arenas shared by all threads."""
M_ARENA_MAX = -8
"""The `mallopt` parameter that limits the number of arenas, from glibc's `malloc.h`."""


def _find(name: str) -> Callable[..., int] | None:
    """Return the C library's function `name`, or None if the library does not have it."""
    try:
        library: Any = ctypes.CDLL(None)
        return cast(Callable[..., int], getattr(library, name))
    except (AttributeError, OSError, TypeError):
        return None


_trim, _option = _find("malloc_trim"), _find("mallopt")


def share_freed_memory() -> None:
    """Make all threads of this process share a few memory arenas. Must be called before threads start.

    By default, glibc creates up to eight arenas per CPU core, and memory freed in one arena is not reused by
    another. The threads that serve the page never allocate at the same time, so separate arenas have no
    benefit. With separate arenas, memory usage doubled within an hour of use.
    """
    if _option is not None:
        _option(M_ARENA_MAX, POOLS)


def release_freed_memory() -> None:
    """Return unused memory pages to the operating system without stopping other threads.

    glibc keeps freed memory for later allocations. Prompts of different lengths fragment that memory, so
    without this call the process would stay at its peak memory usage.
    """
    if _trim is not None:
        _trim(0)
