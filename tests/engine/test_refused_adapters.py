"""Tests for rejected adapters: the error names the reason, and the base model is unchanged."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from playground.engine.adapters.load import checksum, read_adapter_weights
from playground.files import LFS_POINTER
from playground.types import InputError
from tests.helpers.adapting import LINEAR, by_peft, compare, make_adapter, make_base

Change = Callable[[str, Tensor], tuple[str, Tensor] | None]
IDS = torch.arange(5, 17)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(scope="module")
def good(base: Path) -> Path:
    return make_adapter(base, base.parent / "good", LoraConfig(**LINEAR))


@pytest.fixture(scope="module")
def model(base: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(base).eval()


@pytest.fixture
def copied(good: Path, tmp_path: Path) -> Path:
    return shutil.copytree(good, tmp_path / "x")


def edit(folder: Path, **values: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def rewrite(folder: Path, change: Change) -> None:
    """Change the weights' names and values by a function of both."""
    path = folder / "adapter_model.safetensors"
    save_file(dict(pair for key, value in load_file(path).items() if (pair := change(key, value))), path)


def refusal(model: Any, folder: Path) -> str:
    before = checksum(model)
    with pytest.raises(InputError) as caught:
        read_adapter_weights(model, folder)
    assert checksum(model) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


SETTINGS: dict[str, list[Any]] = {
    "init_lora_weights": ["pissa", "PiSSA_niter_4", "olora", "corda", "loftq", "lora_ga", "later"],
    "layer_replication": [[[0, 2], [1, 2]]],
    "target_parameters": [["mlp.gate_proj.weight"]],
    "megatron_config": [{"a": 1}],
    "arrow_config": [{"top_k": 3}],
    "alora_invocation_tokens": [[1, 2]],
    "use_qalora": [True],
    "from_a_later_version": [True, 3, "x"],
    "peft_type": ["VERA", "LOHA", "PROMPT_TUNING", None, 3],
    "task_type": ["SEQ_CLS"],
    "r": [0, -1, "8", None, True],
    "lora_alpha": [None, "x"],
    "bias": ["some"],
    "target_modules": [3, ["no_such_module"], "(", []],
    "modules_to_save": [["self_attn"], 4],
    "rank_pattern": [{"q_proj": 0}, 5],
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("key", "value"), [(k, v) for k, values in SETTINGS.items() for v in values])
def test_a_setting_that_is_not_known_to_be_served_is_refused_by_name(
    model: Any, copied: Path, key: str, value: Any
) -> None:
    edit(copied, **{key: value})
    assert refusal(model, copied)


def test_settings_of_a_later_version_that_are_empty_do_no_harm(model: Any, copied: Path) -> None:
    edit(copied, later=None, another=False, third=[], fourth={}, eva_config={"rho": 2.0})
    assert read_adapter_weights(model, copied).parts


MAPPED: dict[str, Callable[[str], str]] = {
    "raw": lambda key: key.removeprefix("base_model.model."),
    "bare": lambda key: key.removeprefix("base_model.model.model."),
    "parallel": lambda key: f"module.{key}",
    "compiled": lambda key: key.replace("base_model.model.", "base_model.model._orig_mod."),
    "language model": lambda key: key.replace("model.layers.", "model.language_model.layers."),
    "adapter's name": lambda key: key.replace(".weight", ".default.weight"),
    "in one layer": lambda key: key.replace("model.layers.1.", "model.language_model.layers.1."),
}


@pytest.mark.parametrize("how", MAPPED)
def test_names_in_other_spellings_are_matched_and_that_is_reported(
    base: Path, copied: Path, how: str
) -> None:
    rewrite(copied, lambda key, value: (MAPPED[how](key), value))
    peft_form = shutil.copytree(copied, copied.parent / "peft")
    shutil.copy(base.parent / "good" / "adapter_model.safetensors", peft_form)
    read = read_adapter_weights(AutoModelForCausalLM.from_pretrained(base), copied)
    assert "weights" in read.warnings[0]
    straight = read_adapter_weights(AutoModelForCausalLM.from_pretrained(base), peft_form)
    assert not straight.warnings
    for path, part in straight.parts.items():
        other = list(read.parts[path].tensors())
        assert all(torch.equal(a, b) for a, b in zip(part.tensors(), other, strict=True))


BROKEN: dict[str, tuple[Change, str]] = {
    "one is missing": (lambda k, v: None if "layers.1.mlp.up_proj.lora_B" in k else (k, v), "lacks weights"),
    "half are of another base": (
        lambda k, v: (k.replace("layers.1.", "layers.7."), v),
        "do not exist in this base",
    ),
    "all are": (lambda k, v: (k.replace("layers.", "h."), v), "a different base"),
    "shapes": (lambda k, v: (k, v[:, :5].clone() if "q_proj.lora_A" in k else v), "unexpected shapes"),
    "nan": (lambda k, v: (k, v * torch.nan if "layers.1.mlp.up_proj.lora_B" in k else v), "NaN"),
    "infinity": (lambda k, v: (k, v / 0 if "layers.0.mlp.up_proj.lora_A" in k else v), "infinity"),
    "integers": (lambda k, v: (k, v.to(torch.int32) if "lora_A" in k else v), "has type 'I32'"),
    "base's weights": (
        lambda k, v: (k.replace("q_proj.lora_A", "q_proj"), v),
        "do not exist in this base",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_weights_that_do_not_fit_are_refused_with_their_names(model: Any, copied: Path, how: str) -> None:
    change, said = BROKEN[how]
    rewrite(copied, change)
    assert said in refusal(model, copied)


def test_a_damaged_file_is_refused(model: Any, copied: Path) -> None:
    path = copied / "adapter_model.safetensors"
    data = path.read_bytes()
    for damaged in (
        b"",
        data[:5],
        data[:200],
        data[:-9],
        struct.pack("<Q", 2**60) + data[8:],
        struct.pack("<Q", 2) + b"[]",
    ):
        path.write_bytes(damaged)
        assert refusal(model, copied)
    path.write_bytes(LFS_POINTER + b"/spec/v1\noid sha256:abc\nsize 1\n")
    assert "run `git lfs pull`" in refusal(model, copied)
    path.unlink()
    assert "no adapter_model.safetensors" in refusal(model, copied)


def test_a_pickle_is_read_where_that_is_allowed(base: Path, model: Any, copied: Path) -> None:
    weights = load_file(copied / "adapter_model.safetensors")
    (copied / "adapter_model.safetensors").unlink()
    torch.save(weights, copied / "adapter_model.bin")
    assert "--allow-pickle" in refusal(model, copied)
    assert read_adapter_weights(model, copied, allow_pickle=True).parts
    for held, said in (
        ({"a": print}, "contains objects other than weights: download it again"),
        ([weights], "not a dictionary of named weights"),
        ({1: weights}, "not a dictionary of named weights"),
    ):
        torch.save(held, copied / "adapter_model.bin")
        with pytest.raises(InputError, match=said):
            read_adapter_weights(model, copied, allow_pickle=True)
    (copied / "adapter_model.bin").write_text("nothing of the kind")
    with pytest.raises(InputError, match="adapter_model\\.bin is damaged"):
        read_adapter_weights(model, copied, allow_pickle=True)


def test_half_precision_weights_are_served_as_peft_does(base: Path, copied: Path) -> None:
    rewrite(copied, lambda key, value: (key, value.to(torch.bfloat16)))
    compare(base, {"one": copied}, [None, "one"], IDS)


def test_embeddings_of_the_base_in_the_file_are_left_out_and_others_are_the_rows_own(
    base: Path, tmp_path: Path
) -> None:
    config = LoraConfig(**{**LINEAR, "target_modules": ["q_proj"]})
    folder = make_adapter(base, tmp_path / "x", config)
    name = "base_model.model.model.embed_tokens.weight"
    table = load_file(base / "model.safetensors")["model.embed_tokens.weight"]
    path = folder / "adapter_model.safetensors"
    weights = load_file(path)
    save_file({**weights, name: table}, path)
    assert "model.embed_tokens" not in compare(base, {"one": folder}, [None, "one"], IDS)["one"].parts
    save_file({**weights, name: table + 0.1}, path)
    assert "model.embed_tokens" in compare(base, {"one": folder}, [None, "one"], IDS)["one"].parts
    assert by_peft(base, folder, IDS).shape == (12, 96)


@pytest.mark.parametrize(
    "values",
    [
        {"target_modules": "([a-z_.0-9]+)+!"},
        {"exclude_modules": "([a-z_.0-9]+)+!"},
        {"rank_pattern": {"([a-z_.0-9]+)+!": 3}},
        {"alpha_pattern": {"(.|.)*!": 3}},
    ],
)
def test_a_pattern_that_takes_exponential_time_is_refused(
    model: Any, copied: Path, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("playground.engine.adapters.patterns.SECONDS", 3.0)
    edit(copied, **values)
    assert refusal(model, copied) == (
        f"matching its {next(iter(values))} against the module names of the base takes longer than 3 s; "
        "use plain module names"
    )


def test_a_folder_with_a_pipe_is_refused(model: Any, copied: Path) -> None:
    os.mkfifo(copied / "tokenizer.json")
    assert "tokenizer.json is a pipe, device or socket, not a regular file" in refusal(model, copied)
