"""Freed memory: shared by all threads, and returned to the operating system (glibc only)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, cast

POOLS = 2
"""Number of memory pools (arenas) that all threads share."""
M_ARENA_MAX = -8
"""glibc's number for that limit, in `malloc.h`."""


def _find(name: str) -> Callable[..., int] | None:
    """Look up a function of the C library; None without it, since only glibc has and needs these."""
    try:
        library: Any = ctypes.CDLL(None)
        return cast(Callable[..., int], getattr(library, name))
    except (AttributeError, OSError, TypeError):
        return None


_trim, _option = _find("malloc_trim"), _find("mallopt")


def share_freed_memory() -> None:
    """Let all threads of this process use the same few pools of memory; call it before they start.

    glibc gives threads pools of their own, up to eight for each processor, and memory that is freed in one is
    not used by another. The page's threads allocate one after the other, never at once, so their pools only
    doubled the memory that was left after an hour with visitors.
    """
    if _option is not None:
        _option(M_ARENA_MAX, POOLS)


def release_freed_memory() -> None:
    """Return unused memory pages to the operating system; other threads keep running meanwhile.

    glibc keeps freed memory for later. Prompts of many lengths leave gaps that later ones do not fit, so
    without this the process would keep the peak of a busy hour.
    """
    if _trim is not None:
        _trim(0)
