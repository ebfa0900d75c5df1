"""Tests for row-stacked LoRA: comparison with PEFT's forward pass for supported and rejected adapters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from playground.config import Settings
from playground.engine import open_engine
from playground.library import Library
from playground.types import Done, Prompt, Reply, Request, Sampling, Status
from tests.helpers.tiny import Tiny

LINEAR: dict[str, Any] = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "init_lora_weights": False}


@pytest.fixture(scope="module")
def gpt2(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random GPT-2, whose layers hold their weights transposed."""
    folder = tmp_path_factory.mktemp("gpt2") / "gpt2"
    tokenizer = AutoTokenizer.from_pretrained(tiny.base)
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=64, n_layer=2, n_head=2, n_positions=256, initializer_range=0.2
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save(base: Path, folder: Path, config: Any, **edit: Any) -> Path:
    """A random adapter for `base` in `folder`, with entries of its configuration edited."""
    torch.manual_seed(2)
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | edit))
    return folder


def run(
    base: Path, adapters: Mapping[str, Path], *rows: str | None, **settings: Any
) -> tuple[list[Reply], Status]:
    """Replies of a fresh engine, and its status."""
    library = Library.open(str(base), {name: str(path) for name, path in adapters.items()})
    engine = open_engine(Settings(base=str(base), device="cpu", **settings), library)
    requests = [
        Request(prompt=Prompt(text="Hello there", adapter=name), sampling=Sampling(max_new_tokens=6))
        for name in rows
    ]
    replies = {e.row: e.reply for e in engine.stream(requests) if isinstance(e, Done)}
    status = engine.status()
    engine.close()
    return [replies[row] for row in range(len(rows))], status


def test_layers_that_hold_their_weights_transposed_are_served(gpt2: Path, tmp_path: Path) -> None:
    config = LoraConfig(**{**LINEAR, "target_modules": ["c_attn", "c_fc", "c_proj"], "fan_in_fan_out": True})
    folder = save(gpt2, tmp_path / "x", config)
    replies, status = run(gpt2, {"x": folder}, None, "x")
    assert status.plain is None
    tokenizer = AutoTokenizer.from_pretrained(gpt2)
    inputs = tokenizer("Hello there", return_tensors="pt")
    for reply, adapter in zip(replies, (None, folder), strict=True):
        model = AutoModelForCausalLM.from_pretrained(gpt2)
        if adapter:
            model = PeftModel.from_pretrained(model, adapter)
        ids = model.eval().generate(**inputs, max_new_tokens=6, do_sample=False, pad_token_id=0)[0]
        assert reply.token_ids == tuple(ids[inputs["input_ids"].shape[1] :].tolist())


REFUSED: dict[str, tuple[Any, str]] = {
    "pissa": (LoraConfig(**{**LINEAR, "init_lora_weights": "pissa"}), "init_lora_weights = 'pissa'"),
    "parameters": (
        LoraConfig(**{**LINEAR, "target_modules": ["q_proj"]}, target_parameters=["mlp.gate_proj.weight"]),
        "target_parameters = ['mlp.gate_proj.weight']",
    ),
    "whole blocks": (
        LoraConfig(**{**LINEAR, "target_modules": ["up_proj"]}, modules_to_save=["self_attn"]),
        "self_attn",
    ),
    "prompt tuning": (
        PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
        "'PROMPT_TUNING', not LORA or IA3",
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_served_exactly_is_refused_with_the_reason_and_the_base_lives(
    tiny: Tiny, tmp_path: Path, kind: str
) -> None:
    config, said = REFUSED[kind]
    folder = save(tiny.base, tmp_path / "x", config)
    good = tiny.adapters["thin"]
    plain = run(tiny.base, {}, None)[0][0]
    replies, status = run(tiny.base, {"x": folder, "good": good}, "x", "good", None)
    assert replies[0].finish == "error"
    assert replies[0].error is not None
    assert said in replies[0].error
    assert "Adapter 'x' cannot be used here" in replies[0].error
    assert replies[1].finish == "length"
    assert replies[2].text == plain.text
    assert [entry.error is None for entry in status.adapters] == [False, True]


def test_an_adapter_that_resizes_the_vocabulary_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny.base)
    model.resize_token_embeddings(model.config.vocab_size + 8)
    folder = tmp_path / "x"
    config = LoraConfig(**{**LINEAR, "target_modules": ["q_proj", "lm_head"]})
    get_peft_model(model, config).save_pretrained(folder)
    (folder / "adapter.toml").write_text(f'base_model = "{tiny.base}"\n')
    replies, _ = run(tiny.base, {"x": folder}, "x", None)
    assert replies[0].finish == "error"
    assert replies[0].error is not None
    assert "embeddings for" in replies[0].error
    assert replies[1].finish == "length"


def test_an_adapter_that_does_nothing_is_reported(tiny: Tiny, tmp_path: Path) -> None:
    zero = save(tiny.base, tmp_path / "zero", LoraConfig(**{**LINEAR, "init_lora_weights": True}))
    replies, status = run(tiny.base, {"zero": zero, "wide": tiny.adapters["wide"]}, "zero", "wide", None)
    by_name = {entry.card.name: entry for entry in status.adapters}
    nothing, wide = by_name["zero"], by_name["wide"]
    assert nothing.kl is not None
    assert nothing.kl < 1e-8
    assert nothing.warning is not None
    assert "has no effect" in nothing.warning
    assert wide.kl is not None
    assert wide.kl > 0.01
    assert wide.warning is None
    assert replies[0].text == replies[2].text != replies[1].text


def test_every_answer_says_which_weights_it_ran_on(tiny: Tiny) -> None:
    replies, _ = run(tiny.base, {"wide": tiny.adapters["wide"]}, None, "wide")
    assert replies[0].weights == f"{tiny.base} (float32)"
    assert replies[1].weights == f"{tiny.base} (float32) + wide"


def test_fifty_adapters_are_loaded_and_distinguished(tiny: Tiny, tmp_path: Path) -> None:
    adapters = {}
    for number in range(50):
        torch.manual_seed(number)
        config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], lora_alpha=16, init_lora_weights=False)
        folder = tmp_path / f"a{number}"
        get_peft_model(AutoModelForCausalLM.from_pretrained(tiny.base), config).save_pretrained(folder)
        adapters[f"a{number}"] = folder
    names = list(adapters)[::7]
    together, status = run(tiny.base, adapters, *names)
    assert len(status.adapters) == 50
    assert all(entry.error is None and entry.kl and entry.kl > 0 for entry in status.adapters)
    assert len({reply.text for reply in together}) == len(names)
    alone, _ = run(tiny.base, {names[3]: adapters[names[3]]}, names[3])
    assert alone[0].text == together[3].text
