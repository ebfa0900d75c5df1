"""The changes of an adapter to one module of the base, as values that a row's pass can apply.

Each step takes the rows' output of the module so far and its input, and returns the rows' output with its
change applied. The formulas are PEFT's (`peft.tuners.lora.layer`, `lora.dora`, `ia3.layer`,
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
    """One change to a module's output."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """Return the output with the change applied.

        Args:
            result: the rows' output so far, (n, T, out).
            x: the rows' input, (n, T, in), or token ids, (n, T).
        """


@dataclass(frozen=True)
class Lora:
    """``scaling * (x A) B`` on a linear layer, with DoRA's magnitudes where it has them."""

    a: Tensor
    """(r, in)"""
    b: Tensor
    """(out, r)"""
    scaling: float
    bias: Tensor | None = None
    """(out,): B's own bias (`lora_bias`)."""
    dora: Tensor | None = None
    """(out,): magnitude / |W + scaling * BA|, by output."""
    base_bias: Tensor | None = None
    """(out,): the layer's bias, which DoRA does not scale."""

    def is_plain(self) -> bool:
        """Whether it is a LoRA without a bias of its own and without DoRA."""
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
    """``scaling * A[x] B`` on an embedding, with DoRA's magnitudes where it has them."""

    a: Tensor
    """(V, r)"""
    b: Tensor
    """(r, out)"""
    scaling: float
    embed_scale: Tensor | None = None
    """Factor by which the embedding multiplies its rows (Gemma)."""
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
    """New rows of an embedding for a few tokens (`trainable_token_indices`)."""

    ids: Tensor
    """(n,)"""
    rows: Tensor
    """(n, out), already multiplied by the embedding's scale."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """See `Step.apply`."""
        hit = x[..., None] == self.ids
        rows = self.rows[hit.int().argmax(-1)].to(result.dtype)
        return torch.where(hit.any(-1, keepdim=True), rows, result)


@dataclass(frozen=True)
class TokenColumns:
    """New logits of a few tokens, on an output layer that is tied to the embedding."""

    ids: Tensor
    rows: Tensor
    """(n, in)"""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """See `Step.apply`."""
        return result.index_copy(-1, self.ids, F.linear(x, self.rows.to(x.dtype)).to(result.dtype))


@dataclass(frozen=True)
class Bias:
    """A trained bias in place of the module's own."""

    change: Tensor
    """(out,): trained minus the module's own."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """See `Step.apply`."""
        return result + self.change.to(result.dtype)


@dataclass(frozen=True)
class Ia3:
    """IA3: the output multiplied by a learned vector."""

    vector: Tensor
    """(out,)"""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """See `Step.apply`."""
        return (result * self.vector).to(result.dtype)


@dataclass
class Part:
    """All changes of one adapter to one module."""

    copy: nn.Module | None = None
    """The adapter's own copy of the module, run on its rows in place of the base's."""
    input_scale: Tensor | None = None
    """(in,): factor of the input (IA3 on a feed-forward layer)."""
    steps: list[Step] = field(default_factory=list)
    """In the order in which PEFT applies them."""

    def plain_lora(self) -> Lora | None:
        """Return the plain LoRA that this part is, or None if it is anything else."""
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
    """A loaded and checked adapter: its changes, by the path of the module."""

    parts: dict[str, Part]
    serving: str
    """Description of the changes, for users."""
    embedding_rows: int | None = None
    """Number of tokens that its own embeddings have rows for; None: it uses the base's."""
    logits: int | None = None
    """Number of tokens that its own output layer has; None: it uses the base's."""
    warnings: list[str] = field(default_factory=list)


def features(module: Any) -> tuple[int, int] | None:
    """Return the numbers of features in and out of a linear layer, quantised or not; None for others."""
    if hasattr(module, "in_features") and hasattr(module, "out_features"):
        return int(module.in_features), int(module.out_features)
    if type(module).__name__ == "Conv1D" and hasattr(module, "nf"):
        return int(module.weight.shape[0]), int(module.nf)
    return None
