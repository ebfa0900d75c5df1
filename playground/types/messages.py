"""A conversation message, as passed to an aligner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["user", "assistant"]


@dataclass(frozen=True, kw_only=True)
class Message:
    """A conversation message, as passed to an aligner."""

    role: Role
    text: str
