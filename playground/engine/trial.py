"""Trials at load: whether the fast path gives what the model itself gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from playground.engine.kv import KV, BatchKV, PlainKV

if TYPE_CHECKING:
    from playground.engine.model import Model

TOLERANCE = {torch.float32: 0.01, torch.bfloat16: 0.3, torch.float16: 0.1}
"""How far the fast path's logits may lie from the plain path's, in standard deviations of the logits; what
rounding does is below, and a wrong mask or position is far above."""


def why_plain(model: Model, probe: Sequence[int]) -> str | None:
    """Why the fast path cannot be taken, or None if it gives what the model itself gives."""
    kinds = set(getattr(model.hf.config.get_text_config(), "layer_types", None) or ())
    odd = kinds - {"full_attention", "sliding_attention"}
    if odd:
        return f"its layers of type {', '.join(sorted(odd))} keep no plain keys and values"
    try:
        off = _path_error(model, probe, lambda: BatchKV(model.layers))
    except Exception as error:
        return f"its cache is of a kind of its own ({type(error).__name__}: {error})"[:300]
    allowed = TOLERANCE[model.hf.dtype]
    if not off <= allowed:
        return f"as one batch its logits were off by {off:.2g} standard deviations (allowed {allowed:g})"
    return None


def own_cache_works(model: Model, probe: Sequence[int]) -> bool:
    """Whether the model's own cache gives, step by step, what one pass over everything gives."""
    try:
        off = _path_error(model, probe, lambda: PlainKV.begin(model.hf.config, cached=True))
    except Exception:
        return False
    return off <= TOLERANCE[model.hf.dtype]


def _path_error(model: Model, probe: Sequence[int], begin: Callable[[], KV]) -> float:
    """Largest difference between a path's logits and a plain pass's, in standard deviations.

    Two rows of different lengths are read, joined to one batch, and read three tokens more.
    """
    rows = [list(probe), list(probe[len(probe) // 2 :])]
    splits = [len(row) - 3 for row in rows]
    model.select([None])
    want = torch.stack(
        [
            model.run([row], every=True, use_cache=False)[0, split - 1 :]
            for row, split in zip(rows, splits, strict=True)
        ]
    ).float()
    batch: Any = None  # of one kind with what `begin` gives, as every row's state is
    first = []
    for row, split in zip(rows, splits, strict=True):
        kv = begin()
        first.append(model.forward(kv, [None], [row[:split]]))
        batch = kv if batch is None else batch.joined(kv, at=1)
    got = [torch.cat(first)]
    for step in range(3):
        tokens = [row[split + step : split + step + 1] for row, split in zip(rows, splits, strict=True)]
        got.append(model.forward(batch, [None, None], tokens))
    return float((torch.stack(got, dim=1).float() - want).abs().max() / want.std().clamp_min(1e-30))
