"""Fixed test text for checking models and adapters at load time, and functions that compute its logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

PROBE = (
    "A tandem is a bicycle for two. The rider in front steers and changes gear, the one behind adds as much "
    "power as they can, and both turn the pedals at the same time. What do you think: is it faster than two "
    "bicycles?"
)
"""The test text. It contains so many tokens that the module `linear` does not use its small-batch code
paths."""


def probe_logits(model: Any, probe: Sequence[int]) -> torch.Tensor:
    """Compute a model's logits of shape (T, V) at every position of the test text, without a KV cache."""
    return probe_rows(model, probe, 1)[0]


def probe_rows(model: Any, probe: Sequence[int], rows: int) -> torch.Tensor:
    """Compute logits of shape (B, T, V) for a batch of B rows that all contain the given tokens."""
    ids = torch.tensor([list(probe)] * rows, device=model.device)
    # On CPUs with AVX512-BF16, 4-bit layers repack their weights during the first forward pass. DoRA
    # adapters, which dequantise the weights, would then get wrong values. Training mode prevents this.
    quantised = [module for module in model.modules() if type(module).__name__ == "Linear4bit"]
    for module in quantised:
        module.training = True
    try:
        logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits
    finally:
        for module in quantised:
            module.training = False
    return logits
