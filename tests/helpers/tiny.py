"""A tiny model on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tiny:
    """Where a tiny model and its adapters are."""

    base: Path
    adapters: dict[str, Path]
