"""An adapter's changes to the modules of the base, in a form that can be applied to some rows of a batch.

A step takes the rows' input to a module and their output so far, and returns the output with its change
applied. The formulas are PEFT's (`peft.tuners.lora.layer`, `lora.dora`, `ia3.layer`,
`trainable_tokens.layer`); terms that do not depend on the input are computed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Step(Protocol):
    """A change to the output of one module."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """Return the output with the change applied.

        Args:
            result: the rows' output so far, (n, T, out).
            x: the rows' input, (n, T, in), or token ids, (n, T).
        """


@dataclass(frozen=True)
class Lora:
    """LoRA on a linear layer, ``scaling * (x A) B``, optionally with DoRA's magnitudes."""

    a: Tensor
    """(r, in)"""
    b: Tensor
    """(out, r)"""
    scaling: float
    bias: Tensor | None = None
    """The bias of B, (out,) (the setting `lora_bias`)."""
    dora: Tensor | None = None
    """magnitude / |W + scaling * BA| for each output, (out,)."""
    base_bias: Tensor | None = None
    """The base layer's bias, (out,), which DoRA does not scale."""

    def is_plain(self) -> bool:
        """Whether this is LoRA without DoRA and without a bias."""
        return self.bias is None and self.dora is None

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """See `Step.apply`."""
        delta = F.linear(F.linear(x.to(self.a.dtype), self.a), self.b, self.bias) * self.scaling
        if self.dora is None:
            return result + delta.to(result.dtype)
        plain = result if self.base_bias is None else result - self.base_bias
        return (result + (self.dora - 1) * plain + self.dora * delta).to(result.dtype)


@dataclass(frozen=True)
class EmbeddingLora:
    """LoRA on an embedding, ``scaling * A[x] B``, optionally with DoRA's magnitudes."""

    a: Tensor
    """(V, r), where V is the number of rows of the embedding."""
    b: Tensor
    """(r, out)"""
    scaling: float
    embed_scale: Tensor | None = None
    """Factor by which the embedding multiplies its rows, as in Gemma."""
    dora: Tensor | None = None

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """See `Step.apply`."""
        delta = (F.embedding(x, self.a) @ self.b) * self.scaling
        if self.dora is not None:
            delta = self.dora * delta
        if self.embed_scale is not None:
            delta = delta * self.embed_scale.to(delta.dtype)
        if self.dora is not None:
            return (self.dora * result + delta).to(result.dtype)
        return result + delta.to(result.dtype)


@dataclass(frozen=True)
class TokenRows:
    """New rows of an embedding for some tokens (the setting `trainable_token_indices`)."""

    ids: Tensor
    """Token ids, (n,)."""
    rows: Tensor
    """Rows, (n, out), already multiplied by the embedding's scale."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """See `Step.apply`."""
        hit = x[..., None] == self.ids
        rows = self.rows[hit.int().argmax(-1)].to(result.dtype)
        return torch.where(hit.any(-1, keepdim=True), rows, result)


@dataclass(frozen=True)
class TokenColumns:
    """New rows of an output layer that is tied to the embedding, for the logits of some tokens."""

    ids: Tensor
    """Token ids, (n,)."""
    rows: Tensor
    """Rows, (n, in)."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """See `Step.apply`."""
        return result.index_copy(-1, self.ids, F.linear(x, self.rows.to(x.dtype)).to(result.dtype))


@dataclass(frozen=True)
class Bias:
    """A trained bias that replaces the module's bias."""

    change: Tensor
    """The trained bias minus the module's bias, (out,)."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """See `Step.apply`."""
        return result + self.change.to(result.dtype)


@dataclass(frozen=True)
class Ia3:
    """IA3, which multiplies the output by a learned vector."""

    vector: Tensor
    """The learned vector, (out,)."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """See `Step.apply`."""
        return (result * self.vector).to(result.dtype)


@dataclass
class Part:
    """All changes of one adapter to one module."""

    copy: nn.Module | None = None
    """The adapter's own copy of the module, which its rows use instead of the base's module."""
    input_scale: Tensor | None = None
    """Factor of the input, (in,) (IA3 on a feed-forward layer)."""
    steps: list[Step] = field(default_factory=list)
    """Changes of the output, in the order in which PEFT applies them."""

    def plain_lora(self) -> Lora | None:
        """Return this part's LoRA if the part is only a plain LoRA, else None."""
        if self.copy is None and self.input_scale is None and len(self.steps) == 1:
            (step,) = self.steps
            if isinstance(step, Lora) and step.is_plain():
                return step
        return None

    def tensors(self) -> Iterator[Tensor]:
        """Yield every tensor of the part."""
        if self.copy is not None:
            yield from self.copy.parameters()
        if self.input_scale is not None:
            yield self.input_scale
        for step in self.steps:
            yield from (value for value in vars(step).values() if isinstance(value, Tensor))


@dataclass
class Adapter:
    """A loaded and checked adapter."""

    parts: dict[str, Part]
    """The adapter's changes, by module path."""
    serving: str
    """Description of the changes, for users."""
    embedding_rows: int | None = None
    """Number of rows of the adapter's own embeddings; None if it uses the base's embeddings."""
    logits: int | None = None
    """Number of tokens of the adapter's own output layer; None if it uses the base's output layer."""
    warnings: list[str] = field(default_factory=list)
    """Warnings about the adapter, as clauses without a final period."""


def features(module: Any) -> tuple[int, int] | None:
    """Return the numbers of input and output features of a linear layer, quantised or not.

    Returns:
        (in, out), or None for a module of another kind.
    """
    if hasattr(module, "in_features") and hasattr(module, "out_features"):
        return int(module.in_features), int(module.out_features)
    if type(module).__name__ == "Conv1D" and hasattr(module, "nf"):
        return int(module.weight.shape[0]), int(module.nf)
    return None
