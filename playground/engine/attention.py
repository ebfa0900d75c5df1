"""Attention that skips the padding in batches whose rows have very different lengths.

A batch can combine a lane with 4,000 tokens of demonstrations and a fine-tuned lane with only 100 tokens,
whose KV cache starts with 3,900 columns of padding. Masked columns are still read and multiplied. Decoding is
memory-bound, so the time of a step is proportional to the amount of memory read. If reading the padding takes
longer than one extra call per row, attention is computed separately for each row, over that row's columns
only.
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
"""Number of elements that can be read from memory in roughly the time of one additional attention call."""


def install(model: PreTrainedModel) -> None:
    """Replace a model's attention function if the model runs on CPU and uses PyTorch's `sdpa` attention."""
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
    """Compute attention, separately for each row if the batch contains much padding.

    The signature is the one that Transformers requires of an attention function.

    Args:
        module: the attention layer.
        query: queries of shape (B, heads, new, D), where `new` is the number of new tokens per row.
        key: keys of shape (B, key/value heads, T, D).
        value: values of shape (B, key/value heads, T, D).
        attention_mask: mask of shape (B, 1, new, T), True where a query attends; None if queries attend to
            all positions.
        **kwargs: passed to Transformers' `sdpa_attention_forward`.

    Returns:
        The output of shape (B, new, heads, D), and None in place of the attention weights.
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
    """Return, for each row, the first column that its single query attends to.

    All layers share one mask per step, so the result is cached as an attribute of the mask.

    Args:
        mask: the attention mask of shape (B, 1, 1, T), True where the query attends.

    Returns:
        One column index per row, or an empty list if any row has a masked column after its first unmasked
        one.
    """
    starts: list[int] | None = getattr(mask, "first_columns", None)
    if starts is None:
        rows = mask[:, 0, 0]
        first = rows.int().argmax(-1)
        whole = bool((rows.sum(-1) == rows.shape[-1] - first).all()) and mask.dtype == torch.bool
        starts = first.tolist() if whole else []
        mask.first_columns = starts  # type: ignore[attr-defined]
    return starts
