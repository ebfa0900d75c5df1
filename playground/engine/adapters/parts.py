"""An adapter's changes to base model modules, in a form that can be applied to individual rows of a batch.

A step takes a module's input and current output for the adapter's rows, and returns the output with the
change applied. The formulas are the same as in PEFT (`peft.tuners.lora.layer`, `lora.dora`, `ia3.layer`,
`trainable_tokens.layer`), but terms that do not depend on the input are computed only once.
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
            result: the rows' output so far, of shape (n, T, out).
            x: the rows' input of shape (n, T, in), or token ids of shape (n, T).
        """


@dataclass(frozen=True)
class Lora:
    """LoRA on a linear layer, ``scaling * B A x``, optionally with DoRA magnitudes."""

    a: Tensor
    """LoRA A matrix, shape (r, in)."""
    b: Tensor
    """LoRA B matrix, shape (out, r)."""
    scaling: float
    bias: Tensor | None = None
    """Bias of the LoRA B layer, shape (out,); present only if `lora_bias` is set."""
    dora: Tensor | None = None
    """DoRA factors, shape (out,): magnitude / |W + scaling * BA| for each output feature. None without
    DoRA."""
    base_bias: Tensor | None = None
    """Bias of the base layer, shape (out,), which DoRA does not scale. Set only if the adapter uses DoRA and
    the layer has a bias."""

    def is_plain(self) -> bool:
        """Return whether this step is plain LoRA, without DoRA or a LoRA bias."""
        return self.bias is None and self.dora is None

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """Add the LoRA update to the rows' output; see `Step.apply`."""
        delta = F.linear(F.linear(x.to(self.a.dtype), self.a), self.b, self.bias) * self.scaling
        if self.dora is None:
            return result + delta.to(result.dtype)
        plain = result if self.base_bias is None else result - self.base_bias
        return (result + (self.dora - 1) * plain + self.dora * delta).to(result.dtype)


@dataclass(frozen=True)
class EmbeddingLora:
    """LoRA on an embedding layer, ``scaling * A[x] B``, optionally with DoRA magnitudes."""

    a: Tensor
    """LoRA A matrix, shape (V, r), where V is the number of rows in the embedding matrix."""
    b: Tensor
    """LoRA B matrix, shape (r, out)."""
    scaling: float
    embed_scale: Tensor | None = None
    """Factor by which the embedding layer scales its output, as in Gemma."""
    dora: Tensor | None = None

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """Add the LoRA update to the rows' embeddings; see `Step.apply`."""
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
    """Trained embedding rows of the tokens listed in the setting `trainable_token_indices`."""

    ids: Tensor
    """Ids of the trained tokens, shape (n,)."""
    rows: Tensor
    """Embedding rows of shape (n, out), already multiplied by the embedding layer's scale."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """Replace the embeddings of the trained tokens; see `Step.apply`."""
        hit = x[..., None] == self.ids
        rows = self.rows[hit.int().argmax(-1)].to(result.dtype)
        return torch.where(hit.any(-1, keepdim=True), rows, result)


@dataclass(frozen=True)
class TokenColumns:
    """Trained rows of an output layer tied to the embeddings, used to compute the trained tokens' logits."""

    ids: Tensor
    """Ids of the trained tokens, shape (n,)."""
    rows: Tensor
    """Trained rows of the output layer, shape (n, in)."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """Replace the logits of the trained tokens; see `Step.apply`."""
        return result.index_copy(-1, self.ids, F.linear(x, self.rows.to(x.dtype)).to(result.dtype))


@dataclass(frozen=True)
class Bias:
    """A trained bias that replaces the module's original bias."""

    change: Tensor
    """The trained bias minus the module's original bias, shape (out,)."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """Add the difference between the trained and the original bias to the output; see `Step.apply`."""
        return result + self.change.to(result.dtype)


@dataclass(frozen=True)
class Ia3:
    """IA3 step that multiplies a module's output by a learned vector."""

    vector: Tensor
    """The learned vector, shape (out,)."""

    def apply(self, result: Tensor, x: Tensor) -> Tensor:
        """Multiply the output by the learned vector; see `Step.apply`."""
        return (result * self.vector).to(result.dtype)


@dataclass
class Part:
    """All changes that one adapter makes to one module."""

    copy: nn.Module | None = None
    """The adapter's own copy of the module, which the adapter's rows use instead of the base module."""
    input_scale: Tensor | None = None
    """Factor by which the module's input is multiplied, shape (in,); used by IA3 on feed-forward layers."""
    steps: list[Step] = field(default_factory=list)
    """Changes to the module's output, in the order in which PEFT applies them."""

    def plain_lora(self) -> Lora | None:
        """Return the part's LoRA step if it is plain and the part contains nothing else, else None."""
        if self.copy is None and self.input_scale is None and len(self.steps) == 1:
            (step,) = self.steps
            if isinstance(step, Lora) and step.is_plain():
                return step
        return None

    def tensors(self) -> Iterator[Tensor]:
        """Yield all tensors in the part."""
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
    """User-facing description of the adapter's changes."""
    embedding_rows: int | None = None
    """Number of rows in the adapter's own embeddings; None if the adapter uses the base model's
    embeddings."""
    logits: int | None = None
    """Vocabulary size of the adapter's own output layer; None if the adapter uses the base model's output
    layer."""
    warnings: list[str] = field(default_factory=list)
    """Warnings about the adapter, as clauses without a final period."""


def features(module: Any) -> tuple[int, int] | None:
    """Return the numbers of input and output features of a linear layer, quantised or not.

    Returns:
        (in, out), or None if the module is not a linear layer.
    """
    if hasattr(module, "in_features") and hasattr(module, "out_features"):
        return int(module.in_features), int(module.out_features)
    if type(module).__name__ == "Conv1D" and hasattr(module, "nf"):
        return int(module.weight.shape[0]), int(module.nf)
    return None
