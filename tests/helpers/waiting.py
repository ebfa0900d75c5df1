"""Wait for conditions that another thread or process fulfils."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT = 60
"""Timeout in seconds; generous, because test machines may have only two busy cores."""


def until(holds: Callable[[], object], seconds: float = WAIT) -> None:
    """Wait until `holds` returns a true value; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
