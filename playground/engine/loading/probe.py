"""The fixed text on which a model and its adapters are checked at load, and functions for its logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

PROBE = (
    "A tandem is a bicycle for two. The rider in front steers and changes gear, the one behind adds as much "
    "power as they can, and both turn the pedals at the same time. What do you think: is it faster than two "
    "bicycles?"
)
"""Long enough that `linear`'s special matrix products for few rows are not used on it."""


def probe_logits(model: Any, probe: Sequence[int]) -> torch.Tensor:
    """Compute a model's logits at every position of a text, (T, V), without any cache."""
    return probe_rows(model, probe, 1)[0]


def probe_rows(model: Any, probe: Sequence[int], rows: int) -> torch.Tensor:
    """Compute the logits, (B, T, V), of a batch with the same text in each of its B rows."""
    ids = torch.tensor([list(probe)] * rows, device=model.device)
    # On a CPU with AVX512-BF16, a 4-bit layer repacks its weights in its first pass. A DoRA adapter, which
    # dequantises the weights, would then get wrong values. Layers in training mode are not repacked.
    quantised = [module for module in model.modules() if type(module).__name__ == "Linear4bit"]
    for module in quantised:
        module.training = True
    try:
        logits: torch.Tensor = model(input_ids=ids, use_cache=False).logits
    finally:
        for module in quantised:
            module.training = False
    return logits
