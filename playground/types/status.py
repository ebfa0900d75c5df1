"""Engine status: the base model, its adapters, and whether the engine is ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from playground.types.adapters import AdapterCard


@dataclass(frozen=True, kw_only=True)
class AdapterStatus:
    """Whether one adapter could be loaded, and how it is served."""

    card: AdapterCard
    error: str | None = None
    """Why the adapter cannot be used, in one sentence; None if it can."""
    kl: float | None = None
    """KL divergence of the adapter's next-token distributions from the base's on a fixed text, in nats per
    token.
    """
    warning: str | None = None
    """A warning about a usable adapter, in one sentence."""
    serving: str = ""
    """What the adapter changes and how that is computed, in a few words; "" if it cannot be used."""
    ends: tuple[str, ...] = ()
    """Tokens and stop sequences that end an answer with this adapter, as spelled out in the output."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """The state of an engine and the models that it serves."""

    state: Literal["loading", "ready", "failed"]
    note: str
    """One line for the user: what is being loaded, what is running, or why it failed."""
    base: str
    progress: float | None = None
    """Loading progress from 0 to 1, while it is known."""
    device: str | None = None
    precision: str | None = None
    """Number format of the weights: "float32", "bfloat16", "4-bit NF4"..."""
    parameters: int | None = None
    context: int | None = None
    """Context length in tokens, for prompt and answer together."""
    layers: tuple[tuple[str, int], ...] = ()
    """Number of linear and embedding layers in each precision."""
    warnings: tuple[str, ...] = ()
    """Warnings about a usable base, one sentence each."""
    ends: tuple[str, ...] = ()
    """Tokens that end any answer from the base, as spelled out in the output."""
    adapters: tuple[AdapterStatus, ...] = ()
    plain: str | None = None
    """Why rows are decoded one at a time instead of as one batch; None if they are batched."""
    prefix_limit: int | None = None
    """Maximum size of the prefix cache (keys and values) in bytes."""
    prefix_bytes: int | None = None
    """Current size of the prefix cache in bytes."""
    memory: int | None = None
    """Main memory used by this process, in bytes."""
    device_memory: int | None = None
    """GPU memory used by this process, in bytes; None without a GPU."""
