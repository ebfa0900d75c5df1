"""Share freed memory between threads and return it to the operating system (glibc only)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, cast

POOLS = 2
"""Number of memory arenas that all threads share."""
M_ARENA_MAX = -8
"""Parameter number of the limit of arenas in glibc's `malloc.h`."""


def _find(name: str) -> Callable[..., int] | None:
    """Return a function of the C library, or None if the library is not glibc and does not have it."""
    try:
        library: Any = ctypes.CDLL(None)
        return cast(Callable[..., int], getattr(library, name))
    except (AttributeError, OSError, TypeError):
        return None


_trim, _option = _find("malloc_trim"), _find("mallopt")


def share_freed_memory() -> None:
    """Make all threads of this process share a few memory arenas; call this before threads start.

    glibc gives threads their own arenas, up to eight for each processor, and memory that is freed in one
    arena is not reused by another. The page's threads allocate one after the other, never at the same time,
    so separate arenas only doubled the memory in use after an hour with users.
    """
    if _option is not None:
        _option(M_ARENA_MAX, POOLS)


def release_freed_memory() -> None:
    """Return unused memory pages to the operating system; other threads continue to run.

    glibc keeps freed memory for later allocations. Prompts of many lengths leave gaps that later prompts do
    not fit in, so without this call the process would keep the peak memory of a busy hour.
    """
    if _trim is not None:
        _trim(0)
