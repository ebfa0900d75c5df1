"""Tests that all supported adapter types match PEFT's forward pass in mixed batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig

from tests.helpers.adapting import LINEAR, compare, make_adapter, make_base

IDS = torch.arange(5, 17)
QV: dict[str, Any] = {**LINEAR, "target_modules": ["q_proj", "v_proj"]}
KINDS = {
    "plain": LoraConfig(**LINEAR),
    "rank and alpha by layer": LoraConfig(**LINEAR, rank_pattern={"q_proj": 7}, alpha_pattern={"up_proj": 3}),
    "rslora": LoraConfig(**LINEAR, use_rslora=True),
    "pattern of names": LoraConfig(**{**LINEAR, "target_modules": r".*\.(q_proj|down_proj)"}),
    "one layer": LoraConfig(**{**LINEAR, "target_modules": ["q_proj", "o_proj"]}, layers_to_transform=[1]),
    "excluded": LoraConfig(**LINEAR, exclude_modules=["o_proj"]),
    "biases of its own": LoraConfig(**LINEAR, lora_bias=True),
    "dora": LoraConfig(**LINEAR, use_dora=True),
    "dora and rslora": LoraConfig(**QV, use_dora=True, use_rslora=True),
    "trained biases of its layers": LoraConfig(**QV, bias="lora_only"),
    "all trained biases": LoraConfig(**QV, bias="all"),
    "dora and trained biases": LoraConfig(**LINEAR, use_dora=True, bias="all"),
    "its own embeddings": LoraConfig(**QV, modules_to_save=["embed_tokens"]),
    "its own head": LoraConfig(**QV, modules_to_save=["lm_head"]),
    "its own embeddings and head": LoraConfig(**LINEAR, modules_to_save=["embed_tokens", "lm_head"]),
    "its own norms": LoraConfig(**QV, modules_to_save=["input_layernorm", "norm"]),
    "its own mlp": LoraConfig(**QV, modules_to_save=["mlp"]),
    "trained tokens": LoraConfig(**QV, trainable_token_indices=[5, 9, 90]),
    "trained tokens by name": LoraConfig(**QV, trainable_token_indices={"embed_tokens": [7, 6]}),
    "embeddings adapted": LoraConfig(**{**LINEAR, "target_modules": ["embed_tokens", "q_proj"]}),
    "embeddings adapted by dora": LoraConfig(
        **{**LINEAR, "target_modules": ["embed_tokens", "q_proj"]}, use_dora=True
    ),
    "head adapted": LoraConfig(**{**LINEAR, "target_modules": ["lm_head", "q_proj"]}),
    "head adapted by dora": LoraConfig(**{**LINEAR, "target_modules": ["lm_head"]}, use_dora=True),
    "ia3": IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]),
    "ia3 and a head": IA3Config(
        target_modules=["k_proj"], feedforward_modules=[], modules_to_save=["lm_head"]
    ),
}
ROWS = ["two", None, "one", "one", None, "two", "one"]


@pytest.fixture(scope="module", params=["untied", "tied"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param) / "base"
    return make_base(folder, tie_word_embeddings=request.param == "tied", attention_bias=True, mlp_bias=True)


@pytest.fixture(scope="module")
def two(base: Path) -> Path:
    return make_adapter(base, base.parent / "two", LoraConfig(**{**LINEAR, "r": 2}), seed=7)


@pytest.mark.parametrize("kind", KINDS)
def test_each_row_of_a_mixed_batch_gets_what_peft_gives_it_alone(
    base: Path, two: Path, tmp_path: Path, kind: str
) -> None:
    one = make_adapter(base, tmp_path / "one", KINDS[kind])
    read = compare(base, {"one": one, "two": two}, ROWS, IDS)
    assert read["one"].serving
    assert ("biases" in read["one"].serving) == ("bias" in kind)


def test_a_batch_of_one_adapter_alone_gets_what_peft_gives_it(base: Path, tmp_path: Path) -> None:
    config = LoraConfig(**LINEAR, use_dora=True, modules_to_save=["embed_tokens", "norm"])
    one = make_adapter(base, tmp_path / "one", config)
    compare(base, {"one": one}, ["one"], IDS)
    compare(base, {"one": one}, ["one", "one"], IDS)


ELSEWHERE: dict[str, tuple[str, dict[str, Any], list[str], str]] = {
    "gpt2": ("GPT2", {"n_embd": 32, "n_layer": 2, "n_head": 4}, ["c_attn", "c_fc", "c_proj"], "wte"),
    "neox": ("GPTNeoX", {"num_key_value_heads": None}, ["query_key_value", "dense"], "embed_in"),
    "phi3": ("Phi3", {}, ["qkv_proj", "gate_up_proj"], "embed_tokens"),
    "gemma3": ("Gemma3Text", {"head_dim": 8}, ["q_proj", "down_proj"], "embed_tokens"),
    "gemma2": ("Gemma2", {"head_dim": 8}, ["q_proj", "down_proj"], "embed_tokens"),
    "opt": ("OPT", {"ffn_dim": 48, "word_embed_proj_dim": 32}, ["q_proj", "fc1"], "embed_tokens"),
    "cohere": ("Cohere", {}, ["q_proj", "down_proj"], "embed_tokens"),
    "mixtral": ("Mixtral", {"num_local_experts": 4}, ["q_proj", "v_proj"], "embed_tokens"),
}


@pytest.fixture(scope="module", params=ELSEWHERE)
def elsewhere(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str], str]:
    kind, config, targets, embedding = ELSEWHERE[request.param]
    folder = tmp_path_factory.mktemp(request.param) / request.param
    return make_base(folder, kind, **config), targets, embedding


@pytest.mark.parametrize("use_dora", [False, True])
def test_layers_of_other_architectures_are_served(
    elsewhere: tuple[Path, list[str], str], tmp_path: Path, use_dora: bool
) -> None:
    base, targets, _ = elsewhere
    common = {**LINEAR, "target_modules": targets, "use_dora": use_dora}
    folder = make_adapter(base, tmp_path / "x", LoraConfig(**common))
    compare(base, {"one": folder}, ["one", None, "one"], IDS)


@pytest.mark.parametrize("how", ["copied", "adapted", "tokens", "biases"])
def test_embeddings_and_biases_of_other_architectures_are_served(
    elsewhere: tuple[Path, list[str], str], tmp_path: Path, how: str
) -> None:
    base, targets, embedding = elsewhere
    common = {**LINEAR, "target_modules": targets}
    configs: dict[str, Callable[[], LoraConfig]] = {
        "copied": lambda: LoraConfig(**common, modules_to_save=[embedding]),
        "adapted": lambda: LoraConfig(**{**common, "target_modules": [*targets, embedding]}),
        "tokens": lambda: LoraConfig(**common, trainable_token_indices={embedding: [5, 8]}),
        "biases": lambda: LoraConfig(**common, bias="all"),
    }
    folder = make_adapter(base, tmp_path / "x", configs[how]())
    compare(base, {"one": folder}, ["one", None, "one"], IDS)


@pytest.mark.parametrize("config", ["head", "tokens", "saved"])
def test_tokens_added_to_the_vocabulary_are_the_adapters_alone(
    base: Path, two: Path, tmp_path: Path, config: str
) -> None:
    added = {
        "head": LoraConfig(**{**LINEAR, "target_modules": ["embed_tokens", "lm_head"]}),
        "tokens": LoraConfig(**QV, trainable_token_indices=[5, 97]),
        "saved": LoraConfig(**QV, modules_to_save=["embed_tokens", "lm_head"]),
    }[config]
    one = make_adapter(base, tmp_path / "one", added, tokens=6)
    read = compare(base, {"one": one, "two": two}, ROWS, IDS, tokens={"one": 6})
    assert read["one"].embedding_rows == read["one"].logits == 102
