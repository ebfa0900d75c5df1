"""Attention over rows of very different lengths, without reading the padding between them.

In a batch a demonstrated lane of 4 000 tokens stands beside a fine-tuned one of 100, whose keys and values
begin with 3 900 columns of padding. A mask hides them, but they are multiplied all the same, and a decoding
step is as slow as the memory it reads. So where that costs more than the calls it saves, every row attends
to its own columns alone.
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
"""Numbers read from memory in about the time that a call for one more row takes."""


def install(model: PreTrainedModel) -> None:
    """Let a model on a CPU attend this way, if it uses PyTorch's attention now."""
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
    """What Transformers asks of an attention function.

    Args:
        module: the layer.
        query: (B, heads, new, D).
        key: (B, key/value heads, T, D).
        value: likewise.
        attention_mask: (B, 1, new, T), True where a query may look; None if everywhere.

    Returns:
        (B, new, heads, D), and None for the weights.
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
    """The first column that each row's one query may look at; empty if it may not look at all after that.

    All layers of a step share a mask, so this is kept with it.
    """
    starts: list[int] | None = getattr(mask, "first_columns", None)
    if starts is None:
        rows = mask[:, 0, 0]
        first = rows.int().argmax(-1)
        whole = bool((rows.sum(-1) == rows.shape[-1] - first).all()) and mask.dtype == torch.bool
        starts = first.tolist() if whole else []
        mask.first_columns = starts  # type: ignore[attr-defined]
    return starts
