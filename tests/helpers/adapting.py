"""Create tiny random base models and adapters, and compare the engine's logits with PEFT's forward pass."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import PeftModel, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM

from playground.engine.adapters.load import checksum, read_adapter_weights
from playground.engine.row_adapters import RowAdapters

SHAPE = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
LINEAR = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "init_lora_weights": False}


def make_base(folder: Path, kind: str = "Llama", seed: int = 0, **config: Any) -> Path:
    """Save a random Transformers model in a folder and return the folder.

    Args:
        kind: prefix of the configuration class, such as "Llama".
        config: configuration values; None removes a value set in `SHAPE`.
    """
    torch.manual_seed(seed)
    values = {key: value for key, value in {**SHAPE, **config}.items() if value is not None}
    model = AutoModelForCausalLM.from_config(getattr(transformers, f"{kind}Config")(**values))
    for name, value in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(value, std=0.2)
    model.save_pretrained(folder)
    return folder


def make_adapter(base: Path, folder: Path, config: Any, seed: int = 2, tokens: int = 0, **edit: Any) -> Path:
    """Save an adapter with random trained weights and return its folder.

    Args:
        tokens: number of tokens to add to the base model's vocabulary first.
        edit: entries to change in the saved adapter_config.json.
    """
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForCausalLM.from_pretrained(base)
        if tokens:
            model.resize_token_embeddings(len_of(model) + tokens, mean_resizing=False)
        peft_model = get_peft_model(model, config)
        with torch.no_grad():
            for value in peft_model.parameters():
                if value.requires_grad:
                    value += 0.1 * torch.randn(value.shape)
        peft_model.save_pretrained(folder)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | edit))
    return folder


def len_of(model: Any) -> int:
    return int(model.get_input_embeddings().weight.shape[0])


@torch.inference_mode()
def by_peft(base: Path, adapter: Path | None, ids: Tensor, tokens: int = 0, **options: Any) -> Tensor:
    """Return the logits of PEFT's forward pass for one row, shape (T, V)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: Any = AutoModelForCausalLM.from_pretrained(base, **options)
        if tokens:
            model.resize_token_embeddings(len_of(model) + tokens, mean_resizing=False)
        if adapter is not None:
            model = PeftModel.from_pretrained(model, adapter)
    model.eval()
    logits: Tensor = model(input_ids=ids[None], use_cache=False).logits[0]
    return logits


@torch.inference_mode()
def compare(
    base: Path,
    adapters: dict[str, Path],
    rows: list[str | None],
    ids: Tensor,
    tokens: dict[str, int] | None = None,
) -> Any:
    """Assert that a batch of rows with different adapters has the logits that PEFT computes for each row.

    Returns:
        The loaded adapter weights, by adapter name.
    """
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    before = checksum(model)
    read = {name: read_adapter_weights(model, folder) for name, folder in adapters.items()}
    assert checksum(model) == before, "no adapter may touch the base"
    own = RowAdapters(model, read)
    own.select(rows)
    got = model(input_ids=ids.expand(len(rows), -1), use_cache=False).logits
    # Decode one token, using the KV cache of each row.
    past = model(input_ids=ids[:-1].expand(len(rows), -1), use_cache=True).past_key_values
    step = model(input_ids=ids[-1:].expand(len(rows), -1), past_key_values=past).logits
    wanted = {
        name: by_peft(base, adapters.get(name or ""), ids, (tokens or {}).get(name or "", 0))
        for name in {None, *rows}
    }
    for row, name in enumerate(rows):
        want = wanted[name]
        size = want.shape[-1]
        torch.testing.assert_close(got[row, :, :size], want, atol=5e-4, rtol=1e-3)
        torch.testing.assert_close(step[row, -1, :size], want[-1], atol=5e-4, rtol=1e-3)
        assert bool((got[row, :, size:] == -torch.inf).all())
    own.remove()
    after = model(input_ids=ids[None], use_cache=False).logits[0]
    torch.testing.assert_close(after, wanted[None], atol=0, rtol=0)
    return read
