"""Determine a model's context length and the lengths at which its position encoding or attention changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from playground.engine.rope import rope_tables

UNSTATED_CONTEXT = 2048
"""Context length assumed for models that do not specify a maximum number of positions, such as recurrent
models."""
UNSET = 10**9
"""A tokenizer's `model_max_length` of at least this value counts as unset."""
LENGTH_NAMES = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "max_sequence_length",
    "max_seq_length",
    "seq_length",
    "seq_len",
    "context_length",
    "max_context_length",
    "model_max_length",
)
"""Configuration keys for the maximum number of positions, in order of priority."""
WINDOW_NAMES = (
    "sliding_window",
    "sliding_window_size",
    "attention_window_size",
    "attention_chunk_size",
    "floor_scale",
    "keep_window_size",
    "index_topk",
    "index_block_size",
)
"""Configuration keys and layer attributes for limits beyond which attention changes. A limit is a distance
between positions, a number of keys or a position."""
BLOCK_NAMES = ("block_size", "topk_blocks")
"""Attributes of block-sparse attention layers (MiniMax M3): the size of a block and the number of blocks to
attend to."""


def context_length(config: Any, tokenizer: Any = None) -> int:
    """Return a model's context length, that is, the maximum total number of tokens in prompt and answer.

    A configuration with scaled rotary positions specifies either the length before scaling (linear and
    dynamic scaling, YaRN in Qwen 2.5) or the scaled length together with a shorter original length (Llama 3,
    Phi 3, GPT-OSS). In the second case, the specified length is the context length: Llama 3.2 specifies
    131,072, while the product of factor and original length would be twice as large. Published models that
    have separate scaling for each layer type (Gemma 3) also specify the scaled length.

    Args:
        config: the model's configuration. Only the text part of a composite configuration is used.
        tokenizer: the tokenizer whose `model_max_length` is used if the configuration specifies no length.
    """
    text = config.get_text_config()
    stated = next((length for name in LENGTH_NAMES if (length := _length(getattr(text, name, None)))), None)
    if stated is None:
        stated = _length(getattr(tokenizer, "model_max_length", None))
        return stated if stated and stated < UNSET else UNSTATED_CONTEXT
    tables = rope_tables(text)
    return max([stated, *(_scale_length(text, stated, table, alone=len(tables) == 1) for table in tables)])


def _length(value: Any) -> int | None:
    """Return a configured length as a positive integer, or None if the value is not a length."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1:
        return None
    return int(value)


def _scale_length(config: Any, stated: int, table: dict[str, Any], alone: bool) -> int:
    """Return the context length after scaling with one table of rotary parameters.

    Args:
        config: the text configuration.
        stated: the length specified in the configuration.
        table: the rotary parameters.
        alone: whether all layers share these parameters.
    """
    kind = table.get("rope_type") or table.get("type") or "default"
    original = _length(table.get("original_max_position_embeddings"))
    original = original or _length(getattr(config, "original_max_position_embeddings", None))
    factor = table.get("factor")
    scales = kind in ("linear", "dynamic", "yarn", "llama3", "longrope", "su")
    if not scales or not isinstance(factor, int | float) or (original is None and not alone):
        return stated
    if original is not None and stated > original:
        return stated
    return int((original or stated) * factor)


def names_limit(model: PreTrainedModel) -> bool:
    """Return whether a model has a length limit beyond which its position encoding or attention changes."""
    config = model.config.get_text_config()
    if any(_length(getattr(config, name, None)) for name in WINDOW_NAMES):
        return True
    if any(_depends_on_length(table) for table in rope_tables(config)):
        return True
    return any(_window_mask(module) is not None for module in model.modules())


def _depends_on_length(table: dict[str, Any]) -> bool:
    """Return whether, with these rotary parameters, the position encoding changes beyond a certain length."""
    kind = str(table.get("rope_type") or table.get("type"))
    return kind in ("longrope", "su") or "dynamic" in kind or "llama_4_scaling_beta" in table


@contextmanager
def lower_limits(model: PreTrainedModel, window: int, length: int) -> Iterator[None]:
    """Lower a model's attention windows and original context length so that short text exceeds them.

    Within the block, every window is at most `window` and the original context length at most `length`. The
    original values are restored afterwards.
    """
    with ExitStack() as undo:
        configs = {id(config): config for config in _configs(model)}
        for config in configs.values():
            for name in WINDOW_NAMES:
                _lower(undo, config, name, window)
            _lower(undo, config, "original_max_position_embeddings", length)
            tables = rope_tables(config)
            for table in tables:
                if limit := _length(table.get("original_max_position_embeddings")):
                    undo.callback(table.__setitem__, "original_max_position_embeddings", limit)
                    table["original_max_position_embeddings"] = min(limit, length)
            if any("dynamic" in str(table.get("rope_type")) for table in tables):
                _lower(undo, config, "max_position_embeddings", length)
        for module in model.modules():
            for name in WINDOW_NAMES:
                _lower(undo, module, name, window)
            if all(hasattr(module, name) for name in BLOCK_NAMES):
                for name in BLOCK_NAMES:
                    _lower(undo, module, name, window // 2)
            if "dynamic" in str(getattr(module, "rope_type", "")):
                _lower(undo, module, "original_max_seq_len", length)
                _lower(undo, module, "max_seq_len_cached", length)
            _narrow(undo, module, window)
        yield


def _configs(model: PreTrainedModel) -> Iterator[Any]:
    yield model.config.get_text_config()
    for module in model.modules():
        if (config := getattr(module, "config", None)) is not None and not isinstance(config, dict):
            yield config


def _lower(undo: ExitStack, owner: Any, name: str, most: int) -> None:
    """Lower the length `name` of a configuration or module to at most `most` until `undo` is closed."""
    stated = vars(owner).get(name)
    if (value := _length(stated)) is not None and value > most:
        undo.callback(setattr, owner, name, stated)
        setattr(owner, name, most)


def _narrow(undo: ExitStack, module: nn.Module, window: int) -> None:
    """Until `undo` is closed, narrow a module's attention window if the window is stored as a mask."""
    if (mask := _window_mask(module)) is not None:
        undo.callback(module._buffers.__setitem__, "bias", mask)
        ones = torch.ones_like(mask)
        module._buffers["bias"] = ones.tril() & ~ones.tril(-window)


def _window_mask(module: nn.Module) -> Tensor | None:
    """Return the mask of shape (1, 1, T, T) that stores a layer's attention window (GPT-Neo), or None."""
    mask = module._buffers.get("bias")
    if mask is None or mask.dtype != torch.bool or mask.dim() != 4 or bool(mask[0, 0, -1, 0]):
        return None
    return mask
