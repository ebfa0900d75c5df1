"""Engine status: state, base model and adapters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from playground.types.adapters import AdapterCard


@dataclass(frozen=True, kw_only=True)
class AdapterStatus:
    """The status of one adapter, including whether the adapter is usable and how it is served."""

    card: AdapterCard
    error: str | None = None
    """One-sentence reason why the adapter cannot be used; None if the adapter is usable."""
    kl: float | None = None
    """KL divergence between the next-token distributions with and without the adapter, measured on fixed
    text, in nats per token.
    """
    warning: str | None = None
    """One-sentence warning that does not prevent the adapter from being used; None if there is no warning."""
    serving: str = ""
    """Short description of what the adapter changes and how the change is computed; "" if the adapter cannot
    be used.
    """
    ends: tuple[str, ...] = ()
    """EOS tokens and stop sequences that end an answer with this adapter, as they appear in the output."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """The state of an engine and the models it serves."""

    state: Literal["loading", "ready", "failed"]
    note: str
    """One line of display text: what is being loaded, what is running, or why the engine failed."""
    base: str
    progress: float | None = None
    """Loading progress from 0 to 1, if known."""
    device: str | None = None
    precision: str | None = None
    """Data type of the weights, such as "float32", "bfloat16" or "4-bit NF4"."""
    parameters: int | None = None
    context: int | None = None
    """Context length in tokens, shared by prompt and answer."""
    layers: tuple[tuple[str, int], ...] = ()
    """Number of linear and embedding layers per precision, as (precision, count) pairs."""
    warnings: tuple[str, ...] = ()
    """Warnings that do not prevent the base model from being used, one sentence each."""
    ends: tuple[str, ...] = ()
    """EOS tokens that end an answer from the base model, as they appear in the output."""
    adapters: tuple[AdapterStatus, ...] = ()
    server: str | None = None
    """The servers that generate the answers, for display; None for a model on this machine."""
    tokens: str = ""
    """Where the tokens of a server's prompts are known from, as a phrase; "" for a model on this machine."""
    gaps: tuple[str, ...] = ()
    """What the server lacks compared with a model on this machine, one phrase each."""
    is_checking: bool = False
    """Whether a check is running after which `warnings` can change."""
    is_retrying: bool = False
    """Whether the engine has failed but keeps trying, so that it can become ready on its own."""
    plain: str | None = None
    """Reason why rows are decoded one at a time; None if rows are decoded in a batch."""
    prefix_limit: int | None = None
    """Maximum size, in bytes, of the prefix cache, which stores the KV cache of earlier prompts."""
    prefix_bytes: int | None = None
    """Current size of the prefix cache, in bytes."""
    memory: int | None = None
    """Resident memory of this process in bytes."""
    device_memory: int | None = None
    """GPU memory used by this process, in bytes; None without a GPU."""

    def adapter_error(self, name: str | None) -> str | None:
        """Return why the engine cannot use an adapter, or None if it can or if there is none."""
        return next((each.error for each in self.adapters if each.card.name == name), None)
