"""Paths of the tiny test model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tiny:
    """Paths of a tiny base model and its adapters."""

    base: Path
    adapters: dict[str, Path]
