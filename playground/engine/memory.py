"""Memory that was freed: shared by all threads, and given back to the operating system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, cast

POOLS = 2
"""Pools of memory that the threads share."""
M_ARENA_MAX = -8
"""glibc's number for that limit, in `malloc.h`."""


def _find(name: str) -> Callable[..., int] | None:
    """A function of the C library; only glibc has these, and only glibc needs them."""
    try:
        library: Any = ctypes.CDLL(None)
        return cast(Callable[..., int], getattr(library, name))
    except (AttributeError, OSError, TypeError):
        return None


_trim, _option = _find("malloc_trim"), _find("mallopt")


def share_freed_memory() -> None:
    """Let all threads of this process use the same few pools of memory; to be called before they start.

    glibc gives threads pools of their own, up to eight for each processor, and what is freed in one is not
    used by another. The page's threads allocate by turns, never at once, and the pools doubled what an hour
    with visitors left behind.
    """
    if _option is not None:
        _option(M_ARENA_MAX, POOLS)


def release_freed_memory() -> None:
    """Give back the pages that hold nothing; other threads keep running meanwhile.

    glibc keeps freed memory for later. Prompts of many lengths leave gaps that later ones do not fit, so that
    without this a busy hour would keep its peak for good.
    """
    if _trim is not None:
        _trim(0)
