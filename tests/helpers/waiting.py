"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT = 60
"""Seconds; generous, since two cores may be shared with much else."""


def until(holds: Callable[[], object], seconds: float = WAIT) -> None:
    """Come back once it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
