"""Rotary positions with frequencies that depend on the sequence length, tracked separately for each row.

LongRoPE uses its long factors for every position once a sequence is longer than the original context, and
dynamic NTK uses a new base for every length beyond the original context. In Transformers, the frequencies
depend on the largest position in the batch and, with dynamic NTK, also on the lengths that the module has
seen before. A long row would therefore change a short row in the same batch, and a prompt prefilled in chunks
would differ from one prefilled in a single pass. Here, each row's frequencies depend only on its own length:
the length of its whole prompt during the prefill, and the length of the text so far at each decoding step, as
when `generate` runs on that row alone.

Models whose frequencies do not depend on length are left unchanged.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel

Regime = tuple[Hashable, ...]
"""State of the rotary frequencies. Text lengths for which the frequencies are the same have the same regime.
Attention keys depend on the regime as well as on the tokens."""


def rope_tables(config: Any) -> list[dict[str, Any]]:
    """Return the tables of rotary parameters in a text configuration.

    A configuration has one table for all layers, one table per layer type, or no table.
    """
    table = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None)
    if not isinstance(table, dict):
        return []
    nested = [value for value in table.values() if isinstance(value, dict)]
    return nested or [table]


class RowRope:
    """Wrapper for a model's rotary modules that gives each row of a batch its own frequencies.

    Only modules whose frequencies depend on the sequence length are wrapped.

    Creating an instance replaces the `forward` of these modules. If the model has none, the instance is
    falsy.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._modules = [module for module in model.modules() if _changing_types(module)]
        self._lengths: Sequence[int] | None = None
        self.prefills_again = bool(self._modules) and _drops_cache(model)
        """Whether `generate` prefills the text again from the start once the text exceeds the original
        context length."""
        self._install()

    def __bool__(self) -> bool:
        return bool(self._modules)

    def _install(self) -> None:
        for module in self._modules:
            module.forward = partial(self._forward, module)

    @contextmanager
    def remove_temporarily(self) -> Iterator[None]:
        """Within the block, restore the original `forward` and the initial state of the rotary modules."""
        for module in self._modules:
            del module.forward
            _reset(module)
        try:
            yield
        finally:
            self._install()

    @contextmanager
    def use_lengths(self, lengths: Sequence[int]) -> Iterator[None]:
        """Within the block, compute the rotary frequencies of each of the B rows from that row's length."""
        self._lengths = lengths
        try:
            yield
        finally:
            self._lengths = None

    def regime(self, length: int) -> Regime:
        """Return the RoPE regime for text of this length, or () if no rotary frequencies depend on length."""
        found: list[Hashable] = []
        for module in self._modules:
            for layer_type, rope_type in _changing_types(module):
                limit = _limit(module, layer_type, rope_type)
                found.append(length > limit if rope_type == "longrope" else max(length, limit))
        return tuple(found)

    def must_prefill_again(self, length: int) -> bool:
        """Return whether `generate` prefills the text again from the start before token number `length`."""
        return self.prefills_again and self.regime(length) != self.regime(length - 1)

    def _forward(
        self, module: Any, x: Tensor, position_ids: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, ...]:
        """Replacement for a rotary module's `forward`.

        `position_ids` has shape (B, T), and the results have shape (B, T, D). The module derives its
        frequencies from the largest position. Each row's final position, which is the row's length minus one,
        is therefore appended before the module runs, and the result for that position is removed afterwards.
        """
        rows = position_ids.shape[0]
        lengths = self._lengths
        if lengths is None or len(lengths) != rows:
            lengths = (position_ids.amax(dim=-1) + 1).tolist()
        last = torch.tensor(lengths, device=position_ids.device, dtype=position_ids.dtype)[:, None] - 1
        whole = torch.cat([position_ids, last], dim=-1)
        groups: dict[Regime, list[int]] = {}
        for row, length in enumerate(lengths):
            groups.setdefault(self.regime(length), []).append(row)
        if len(groups) == 1:
            return tuple(part[:, :-1] for part in _run_fresh(module, x, whole, *args, **kwargs))
        merged: list[Tensor] = []
        for members in groups.values():
            parts = _run_fresh(module, x, whole[members], *args, **kwargs)
            merged = merged or [part.new_empty(rows, part.shape[1] - 1, *part.shape[2:]) for part in parts]
            for one, part in zip(merged, parts, strict=True):
                one[members] = part[:, :-1]
        return tuple(merged)


def _run_fresh(module: Any, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
    """Run a rotary module's original `forward` from the initial state, and reset the module afterwards."""
    _reset(module)
    result: tuple[Tensor, ...] = type(module).forward(module, *args, **kwargs)
    _reset(module)
    return result


def _reset(module: Any) -> None:
    """Reset a rotary module to its initial state, as if it had not seen any lengths."""
    for layer_type, _ in _changing_types(module):
        prefix = f"{layer_type}_" if layer_type else ""
        original = getattr(module, f"{prefix}original_inv_freq")
        frequencies = getattr(module, f"{prefix}inv_freq")
        if frequencies.shape == original.shape and frequencies is not original:
            frequencies.copy_(original)
        else:
            setattr(module, f"{prefix}inv_freq", original.clone())
        if layer_type:
            module.__dict__.pop(f"{prefix}max_seq_len_cached", None)
    module.max_seq_len_cached = module.original_max_seq_len


def _changing_types(module: Any) -> list[tuple[str | None, str]]:
    """Return a module's (layer type, RoPE type) pairs for which the rotary frequencies depend on length."""
    types = getattr(module, "rope_type", None)
    if isinstance(types, str):
        types = {None: types}
    if not isinstance(types, dict) or not isinstance(module, nn.Module):
        return []
    return [(key, str(value)) for key, value in types.items() if value == "longrope" or "dynamic" in value]


def _limit(module: Any, layer_type: str | None, rope_type: str) -> int:
    """Return the maximum length for which a rotary module uses its initial frequencies."""
    if rope_type != "longrope":
        return int(module.original_max_seq_len)
    table = module.config.rope_parameters
    return int((table if layer_type is None else table[layer_type])["original_max_position_embeddings"])


def _drops_cache(model: PreTrainedModel) -> bool:
    """Return whether `prepare_inputs_for_generation` drops the cache past the original context length."""
    limit = getattr(model.config, "original_max_position_embeddings", None)
    if limit is None:
        return False
    ids = torch.zeros((1, int(limit) + 1), dtype=torch.long, device=model.device)
    cache = DynamicCache(config=model.config)
    inputs = model.prepare_inputs_for_generation(
        ids, past_key_values=cache, attention_mask=torch.ones_like(ids)
    )
    return inputs.get("past_key_values") is None
