"""Weights as 4-bit NF4 will hold them: training that knows what quantisation does to it.

`Rounded` puts the NF4 round trip of linear weights in their places and takes it out again. Gradients
that were made in between are those of the rounded weights, and are applied to the unrounded ones (a
straight-through estimator, arXiv 1308.3432); so the network learns to do without what is rounded off.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from torch import Tensor

BLOCK = 64  # values that share a scale; the scales are in 8 bits, as in the playground


@torch.no_grad()
def round_trip(weight: Tensor) -> Tensor:
    """A (rows, columns) weight as it comes back from NF4, in its own type."""
    return dequantize_4bit(
        *quantize_4bit(weight.contiguous(), blocksize=BLOCK, compress_statistics=True, quant_type="nf4")
    ).to(weight.dtype)


class Rounded:
    """A context in which the weights are the round trip of what they were before and are after it."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        self.weights = list(weights)
        self.kept: list[Tensor] = []

    @torch.no_grad()
    def __enter__(self) -> None:
        self.kept = [weight.detach().clone() for weight in self.weights]
        for weight in self.weights:
            weight.copy_(round_trip(weight))

    @torch.no_grad()
    def __exit__(self, *_error: object) -> None:
        for weight, kept in zip(self.weights, self.kept, strict=True):
            weight.copy_(kept)
        self.kept = []
