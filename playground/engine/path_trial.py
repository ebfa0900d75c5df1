"""Load-time tests of the fast and plain code paths, which must reproduce the model's own logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from playground.engine.kv import KV, BatchKV, PlainKV
from playground.engine.model import Model
from playground.engine.positions import lower_limits, names_limit

TOLERANCE = {torch.float32: 0.01, torch.bfloat16: 0.3, torch.float16: 0.1}
"""Maximum difference between a code path's logits and the model's own logits, in standard deviations of the
logits. Rounding errors stay below these values; a wrong mask or position far exceeds them."""
STEPS = 3
"""Number of tokens decoded one at a time in a trial, after the rows are prefilled."""
SHORT = 24
"""Number of tokens in the longer row of the trial with lowered length limits. The row is short so that the
trial is fast."""
STATE_TYPES = {"full_attention", "sliding_attention", "chunked_attention"}
"""Layer types whose state consists only of keys and values."""


def find_mismatch(model: Model, probe: Sequence[int]) -> str | None:
    """Return why the fast code path cannot be used, or None if it reproduces the model's own logits.

    If a model has an attention window or an original context length (the context length before RoPE scaling),
    it is tested a second time with these limits lowered below the length of the test text. A test with text
    that exceeds the real limits would take too long.
    """
    kinds = set(getattr(model.hf.config.get_text_config(), "layer_types", None) or ())
    if unknown := kinds - STATE_TYPES:
        return f"its {', '.join(sorted(unknown))} layers do not store plain keys and values"
    allowed = TOLERANCE[model.hf.dtype]
    # A single pass is cheaper, but correct only if positions do not depend on the length of the text.
    truth = _run_like_generate if model.rope else _run_one_pass
    try:
        off = _path_error(model, _rows(probe), lambda: BatchKV(model.layers), truth)
        if off <= allowed and names_limit(model.hf) and len(probe) >= SHORT:
            off, where = _error_past_limits(model, probe), " beyond its configured limits"
        else:
            where = ""
    except Exception as error:
        return f"it does not work with a standard cache ({type(error).__name__}: {error})"[:300]
    if not off <= allowed:
        return f"its logits in a batch are off by {off:.2g} standard deviations (allowed: {allowed:g}){where}"
    return None


def own_cache_works(model: Model, probe: Sequence[int]) -> bool:
    """Return whether decoding with the model's own cache gives the same logits as a single forward pass."""
    try:
        off = _path_error(
            model, _rows(probe), lambda: PlainKV.begin(model.hf.config, cached=True), _run_one_pass
        )
    except Exception:
        return False
    return off <= TOLERANCE[model.hf.dtype]


def own_cache_keeps_rows_apart(model: Model, probe: Sequence[int]) -> bool:
    """Return whether rows decoded in turn, each with its own cache, get the same logits as when run alone."""

    def run_alone(model: Model, row: list[int]) -> Tensor:
        kv = PlainKV.begin(model.hf.config, cached=True)
        logits = [model.forward(kv, [None], [row[: len(row) - STEPS]])]
        logits += [model.forward(kv, [None], [[token]]) for token in row[len(row) - STEPS :]]
        return torch.cat(logits)

    off = _path_error(model, _rows(probe), lambda: PlainKV.begin(model.hf.config, cached=True), run_alone)
    return off <= TOLERANCE[model.hf.dtype]


def is_stateless(model: Model, probe: Sequence[int]) -> bool:
    """Return whether a forward pass without a cache depends only on its own tokens, not on earlier passes."""
    model.select([None])
    first = model.run([probe], every=True, use_cache=False).float()
    model.run([probe[len(probe) // 2 :]], every=True, use_cache=False)
    again = model.run([probe], every=True, use_cache=False).float()
    return bool((first - again).abs().max() <= TOLERANCE[model.hf.dtype] * first.std())


def matches_generate(model: Model, probe: Sequence[int], begin: Callable[[], KV]) -> bool | None:
    """Return whether a code path produces the same logits as `generate` for one row.

    Args:
        model: the model.
        probe: token ids of the test text.
        begin: function that creates an empty KV cache for one row on this code path.

    Returns:
        Whether the logits are the same, or None if `generate` itself fails.
    """
    model.select([None])
    prompt = torch.tensor([probe[: len(probe) - STEPS]], device=model.device)
    try:
        written = model.hf.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=STEPS,
            do_sample=False,
            num_beams=1,
            output_logits=True,
            return_dict_in_generate=True,
        )
    except Exception:
        return None
    ids = written.sequences[0].tolist()
    kv = begin()
    try:
        got = [model.forward(kv, [None], [ids[: prompt.shape[1]]])]
        got += [model.forward(kv, [None], [[token]]) for token in ids[prompt.shape[1] : -1]]
    except Exception:  # the model does not accept this kind of cache
        return False
    want = torch.cat(written.logits).float()
    off = (torch.cat(got).float() - want).abs().max() / want.std().clamp_min(1e-30)
    return bool(off <= TOLERANCE[model.hf.dtype])


def _rows(probe: Sequence[int]) -> list[list[int]]:
    """Return the test text and its second half, as two rows of different lengths."""
    return [list(probe), list(probe[len(probe) // 2 :])]


def _error_past_limits(model: Model, probe: Sequence[int]) -> float:
    """Return `_path_error` of the fast code path, with length limits lowered below the rows' lengths.

    The longer row exceeds the limits from the start. The shorter row exceeds the original context length at
    its second decoding step.
    """
    rows = _rows(probe[:SHORT])
    with lower_limits(model.hf, window=4, length=len(rows[1]) - STEPS + 1):
        return _path_error(model, rows, lambda: BatchKV(model.layers), _run_like_generate)


def _path_error(
    model: Model,
    rows: Sequence[list[int]],
    begin: Callable[[], KV],
    truth: Callable[[Model, list[int]], Tensor],
) -> float:
    """Return the maximum error of a code path's logits, in standard deviations of the correct logits.

    Each row is prefilled in two chunks. The rows are then joined into one batch, which decodes `STEPS`
    tokens.

    Args:
        model: the model.
        rows: token ids of two rows.
        begin: function that creates an empty KV cache for one row on this code path.
        truth: function that computes the correct logits at the last `STEPS` + 1 positions of a row.
    """
    want = torch.stack([truth(model, row) for row in rows]).float()
    splits = [len(row) - STEPS for row in rows]
    batch: Any = None  # has the class that `begin` returns
    first = []
    for row, split in zip(rows, splits, strict=True):
        kv = begin()
        if isinstance(kv, BatchKV):  # the plain code path prefills a prompt in one pass
            model.forward(kv, [None], [row[: split // 2]], whole=[split])
        first.append(model.forward(kv, [None], [row[kv.lengths[0] : split]], whole=[split]))
        batch = kv if batch is None else batch.insert(kv, at=1)
    got = [torch.cat(first)]
    for step in range(STEPS):
        batch, logits = _step(model, batch, rows, [split + step + 1 for split in splits])
        got.append(logits)
    return float((torch.stack(got, dim=1).float() - want).abs().max() / want.std().clamp_min(1e-30))


def _step(model: Model, batch: Any, rows: Sequence[list[int]], lengths: Sequence[int]) -> tuple[Any, Tensor]:
    """Run one decoding step (one token per row), as the decode thread does.

    After the step, the batch contains the first `lengths[index]` tokens of each row.

    Returns:
        The batch, and the logits of shape (B, V).
    """
    again = [
        index
        for index, length in enumerate(lengths)
        if isinstance(batch, BatchKV) and model.must_prefill_again(length)
    ]
    stay = [index for index in range(len(rows)) if index not in again]
    logits: dict[int, Tensor] = {}
    if again:
        batch = batch.select(stay) if stay else None
    if stay:
        tokens = [rows[index][lengths[index] - 1 : lengths[index]] for index in stay]
        logits |= zip(stay, model.forward(batch, [None] * len(stay), tokens), strict=True)
    for index in again:
        kv = BatchKV(model.layers)
        logits[index] = model.forward(kv, [None], [rows[index][: lengths[index]]])[0]
        batch = kv if batch is None else batch.insert(kv, at=index)
    return batch, torch.stack([logits[index] for index in range(len(rows))])


def _run_one_pass(model: Model, row: list[int]) -> Tensor:
    """Compute the logits of shape (STEPS + 1, V) at a row's last `STEPS` + 1 positions, in one pass."""
    model.select([None])
    return model.run([row], every=True, use_cache=False)[0, len(row) - STEPS - 1 :]


def _run_like_generate(model: Model, row: list[int]) -> Tensor:
    """Compute the logits of shape (STEPS + 1, V) at a row's last `STEPS` + 1 positions, as `generate` does.

    The prompt is prefilled in one pass and the remaining tokens follow one at a time, using the model's own
    cache and `prepare_inputs_for_generation`.
    """
    model.select([None])
    cache: Any = DynamicCache(config=model.hf.config)
    logits = []
    with model.rope.remove_temporarily():
        for length in range(len(row) - STEPS, len(row) + 1):
            ids = torch.tensor([row[:length]], device=model.device)
            inputs = model.hf.prepare_inputs_for_generation(
                ids,
                next_sequence_length=length - cache.get_seq_length(),
                past_key_values=cache,
                attention_mask=torch.ones_like(ids),
                position_ids=torch.arange(length, device=model.device)[None],
                use_cache=True,
            )
            output = model.hf(**inputs, return_dict=True)
            cache = output.past_key_values
            logits.append(output.logits[0, -1])
    return torch.stack(logits)
