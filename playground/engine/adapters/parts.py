"""What an adapter changes in one module of the base, as values that a row's pass can apply.

Each part takes the rows' output of the module so far and its input, and returns the rows' output with its own
change in it. The formulas are PEFT's (`peft.tuners.lora.layer`, `lora.dora`, `ia3.layer`,
`trainable_tokens.layer`), with what does not depend on the input computed once.
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
        """The output with the change.

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
    """(out,): the layer's bias, which DoRA leaves alone."""

    def is_plain(self) -> bool:
        return self.bias is None and self.dora is None

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        delta = F.linear(F.linear(x.to(self.a.dtype), self.a), self.b, self.bias) * self.scaling
        if self.dora is None:
            return result + delta.to(result.dtype)
        plain = result if self.base_bias is None else result - self.base_bias
        return (result + (self.dora - 1) * plain + self.dora * delta).to(result.dtype)


@dataclass(frozen=True)
class EmbeddingLora:
    """The same on an embedding."""

    a: Tensor
    """(V, r)"""
    b: Tensor
    """(r, out)"""
    scaling: float
    embed_scale: Tensor | None = None
    """What the embedding multiplies its rows by (Gemma)."""
    dora: Tensor | None = None

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
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
    """An embedding's rows for a few tokens (`trainable_token_indices`)."""

    ids: Tensor
    """(n,)"""
    rows: Tensor
    """(n, out), already multiplied by the embedding's scale."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        hit = x[..., None] == self.ids
        rows = self.rows[hit.int().argmax(-1)].to(result.dtype)
        return torch.where(hit.any(-1, keepdim=True), rows, result)


@dataclass(frozen=True)
class TokenColumns:
    """The same on an output layer that is tied to the embedding: the tokens' logits."""

    ids: Tensor
    rows: Tensor
    """(n, in)"""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        return result.index_copy(-1, self.ids, F.linear(x, self.rows.to(x.dtype)).to(result.dtype))


@dataclass(frozen=True)
class Bias:
    """A trained bias in place of the module's own."""

    change: Tensor
    """(out,): trained minus the module's own."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        return result + self.change.to(result.dtype)


@dataclass(frozen=True)
class Ia3:
    """IA3: the output multiplied by a learned vector."""

    vector: Tensor
    """(out,)"""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        return (result * self.vector).to(result.dtype)


@dataclass
class Part:
    """All that one adapter changes in one module."""

    copy: nn.Module | None = None
    """The adapter's own copy of the module, run on its rows in place of the base's."""
    input_scale: Tensor | None = None
    """(in,): what the input is multiplied by (IA3 on a feed-forward layer)."""
    steps: list[Step] = field(default_factory=list)
    """In the order in which PEFT takes them."""

    def plain_lora(self) -> Lora | None:
        """The one LoRA that this part is, if it is nothing else."""
        if self.copy is None and self.input_scale is None and len(self.steps) == 1:
            (step,) = self.steps
            if isinstance(step, Lora) and step.is_plain():
                return step
        return None

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor in it."""
        if self.copy is not None:
            yield from self.copy.parameters()
        if self.input_scale is not None:
            yield self.input_scale
        for step in self.steps:
            yield from (value for value in vars(step).values() if isinstance(value, Tensor))


@dataclass
class Adapter:
    """An adapter that was read and checked: what it changes, by the path of the module."""

    parts: dict[str, Part]
    serving: str
    """What it changes, in a few words for people."""
    embedding_rows: int | None = None
    """Tokens that its own embeddings have rows for; None: the base's."""
    logits: int | None = None
    """Tokens that its own output layer has; None: the base's."""
    warnings: list[str] = field(default_factory=list)


def features(module: Any) -> tuple[int, int] | None:
    """Numbers in and out of a linear layer, quantised or not; None for another module."""
    if hasattr(module, "in_features") and hasattr(module, "out_features"):
        return int(module.in_features), int(module.out_features)
    if type(module).__name__ == "Conv1D" and hasattr(module, "nf"):
        return int(module.weight.shape[0]), int(module.nf)
    return None
