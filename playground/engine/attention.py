"""Attention over rows of very different lengths that does not read their padding.

A batch can hold a lane with demonstrations of 4 000 tokens and a fine-tuned lane of 100 tokens, whose keys
and values start with 3 900 columns of padding. A mask hides these columns, but they are still multiplied, and
the time of a decoding step is proportional to the memory that it reads. If the padding costs more than one
call for each row, attention is computed separately for each row, over its own columns only.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "tandem"
WORTH_A_CALL = 80_000
"""Number of elements that are read from memory in about the time that a call for one more row takes."""


def install(model: PreTrainedModel) -> None:
    """Replace the attention of a model on a CPU if the model uses PyTorch's attention (`sdpa`)."""
    if model.device.type == "cpu" and model.config._attn_implementation == "sdpa":
        AttentionInterface.register(NAME, attend)
        AttentionMaskInterface.register(NAME, sdpa_mask)
        model.set_attn_implementation(NAME)


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Compute attention, with the interface that Transformers expects.

    Args:
        module: the attention layer.
        query: (B, heads, new, D).
        key: (B, key/value heads, T, D).
        value: (B, key/value heads, T, D).
        attention_mask: (B, 1, new, T), True where a query attends; None if it attends everywhere.
        **kwargs: passed to Transformers' `sdpa_attention_forward`.

    Returns:
        The output, (B, new, heads, D), and None in place of the attention weights.
    """
    if query.shape[0] > 1 and query.shape[2] == 1 and attention_mask is not None:
        starts = first_columns(attention_mask)
        padding = sum(starts) * key.shape[1] * (key.shape[3] + value.shape[3])
        if padding > len(starts) * WORTH_A_CALL:
            rows = [
                sdpa_attention_forward(
                    module,
                    query[row : row + 1],
                    key[row : row + 1, :, start:],
                    value[row : row + 1, :, start:],
                    None,
                    **kwargs,
                )[0]
                for row, start in enumerate(starts)
            ]
            return torch.cat(rows), None
    output: Tensor = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)[0]
    return output, None


def first_columns(mask: Tensor) -> list[int]:
    """Find the first column that the single query of each row attends to.

    All layers of a step share a mask, so the result is cached as an attribute of the mask.

    Args:
        mask: (B, 1, 1, T), True where the query attends.

    Returns:
        One column for each row; empty if a row does not attend to all columns after its first one.
    """
    starts: list[int] | None = getattr(mask, "first_columns", None)
    if starts is None:
        rows = mask[:, 0, 0]
        first = rows.int().argmax(-1)
        whole = bool((rows.sum(-1) == rows.shape[-1] - first).all()) and mask.dtype == torch.bool
        starts = first.tolist() if whole else []
        mask.first_columns = starts  # type: ignore[attr-defined]
    return starts
