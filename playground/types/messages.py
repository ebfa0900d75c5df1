"""One message of a conversation, as an aligner sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["user", "assistant"]


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message of a conversation, as an aligner sees it."""

    role: Role
    text: str
