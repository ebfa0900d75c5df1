"""What an engine reports about itself: its base model, its adapters, and whether it is ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from playground.types.adapters import AdapterCard


@dataclass(frozen=True, kw_only=True)
class AdapterStatus:
    """Whether one adapter could be loaded, and how it is run."""

    card: AdapterCard
    error: str | None = None
    """Why it cannot be used, in one sentence; None if it can."""
    kl: float | None = None
    """KL divergence of its next-token distributions from the base's on a fixed text, in nats per token."""
    warning: str | None = None
    """What is unusual about it though it can be used, in one sentence."""
    serving: str = ""
    """What it changes and how that is computed, in a few words; "" where it cannot be used."""
    ends: tuple[str, ...] = ()
    """What ends an answer of its lanes: tokens and texts, as they are written."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """What an engine is and whether it is ready."""

    state: Literal["loading", "ready", "failed"]
    note: str
    """One line for people: what is being loaded, what is running, or why it failed."""
    base: str
    progress: float | None = None
    """Share of the loading that is done, 0 to 1, while it is known."""
    device: str | None = None
    precision: str | None = None
    """How the weights are held: "float32", "bfloat16", "4-bit NF4"..."""
    parameters: int | None = None
    context: int | None = None
    """Positions the model has, prompt and answer together."""
    layers: tuple[tuple[str, int], ...] = ()
    """Of the linear and embedding layers, how many are held in each precision."""
    warnings: tuple[str, ...] = ()
    """What is unusual about the base though it can be used, one sentence each."""
    ends: tuple[str, ...] = ()
    """Tokens that end any answer of the base, as they are written."""
    adapters: tuple[AdapterStatus, ...] = ()
    plain: str | None = None
    """Why rows are decoded one after the other and not as one batch; None if they are one batch."""
    prefix_limit: int | None = None
    """Bytes that keys and values of prefixes may take."""
    prefix_bytes: int | None = None
    """Bytes that they take now."""
    memory: int | None = None
    """Bytes that this process holds in the machine's memory."""
    device_memory: int | None = None
    """Bytes that it holds on a GPU; None where there is none."""
