"""Tests that per-row attention produces the same results as attention over a masked batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from playground.engine import attention
from playground.engine.kv import BatchKV

SHAPE = {
    "vocab_size": 200,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
MODELS: dict[str, Callable[[], Any]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE)),
    "shared key/value heads": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE, num_key_value_heads=2)),
    "sliding window": lambda: MistralForCausalLM(
        MistralConfig(**SHAPE, num_key_value_heads=4, sliding_window=20)
    ),
}


@torch.inference_mode()
@pytest.mark.parametrize("kind", MODELS)
def test_each_row_alone_is_the_batch_under_its_mask(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = MODELS[kind]().eval()
    rows = [torch.randint(200, (1, length)) for length in (90, 7, 33)]
    want = [model(row).logits[0, -2:] for row in rows]

    attention.install(model)
    assert model.config._attn_implementation == attention.NAME
    monkeypatch.setattr(attention, "WORTH_A_CALL", 0)
    alone: list[int] = []

    def count_rows(*args: Any, **kwargs: Any) -> Any:
        alone.append(args[1].shape[0])
        return sdpa_attention_forward(*args, **kwargs)

    monkeypatch.setattr(attention, "sdpa_attention_forward", count_rows)
    batch: BatchKV | None = None
    for row in rows:
        kv = BatchKV(2)
        model(row[:, :-2], past_key_values=kv, position_ids=kv.positions(row.shape[1] - 2))
        kv.advance(row.shape[1] - 2)
        batch = kv if batch is None else batch.insert(kv, at=len(batch.lengths))
    assert batch is not None
    alone.clear()
    for step in (-2, -1):
        ids = torch.cat([row[:, step, None] for row in rows])
        logits = model(
            ids, past_key_values=batch, attention_mask=batch.mask(1), position_ids=batch.positions(1)
        ).logits[:, 0]
        batch.advance(1)
        for got, row in zip(logits, want, strict=True):
            torch.testing.assert_close(got, row[step], atol=1e-5, rtol=1e-4)
    assert alone == [1] * (2 * 2 * 3), "two steps, two layers, three rows, each alone"
