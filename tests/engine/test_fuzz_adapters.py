"""Fuzz test for adapter files: 500 mutated adapters.

Each adapter must either produce the logits of PEFT's forward pass or be rejected with a one-sentence error.
The base weights must never change.
"""

from __future__ import annotations

import copy
import json
import random
import shutil
import struct
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel
from safetensors.torch import load, save
from torch import Tensor
from transformers import AutoModelForCausalLM

from playground.engine.adapters.load import checksum, read_adapter_weights
from playground.engine.row_adapters import RowAdapters
from playground.types import InputError
from tests.helpers.adapting import LINEAR, make_adapter, make_base

World = tuple[Path, Path, Any, list[Path]]
CASES, BATCHES = 500, 10
IDS = torch.arange(5, 13)
KEYS = [
    *(
        "r",
        "lora_alpha",
        "bias",
        "use_rslora",
        "use_dora",
        "lora_bias",
        "target_modules",
        "init_lora_weights",
    ),
    *("modules_to_save", "rank_pattern", "alpha_pattern", "layers_to_transform", "layers_pattern"),
    *(
        "exclude_modules",
        "fan_in_fan_out",
        "trainable_token_indices",
        "peft_type",
        "task_type",
        "lora_dropout",
    ),
    *("layer_replication", "target_parameters", "megatron_config", "inference_mode", "auto_mapping"),
    *(
        "base_model_name_or_path",
        "revision",
        "peft_version",
        "loftq_config",
        "ensure_weight_tying",
        "unheard_of",
    ),
]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 4, 1.5, 1e308, 10**9, "", "x", "none", "all", "lora_only", "pissa"),
    *(
        "olora",
        "gaussian",
        "all-linear",
        ".*",
        "(",
        "q_proj",
        "LORA",
        "IA3",
        "CAUSAL_LM",
        "a\nb",
        "\0",
        "é🙂",
    ),
    *(
        [],
        {},
        [[0, 1]],
        ["q_proj"],
        ["q_proj", "v_proj"],
        ["embed_tokens"],
        ["lm_head"],
        ["norm"],
        [1],
        [0, 1],
    ),
    *({"q_proj": 2}, {"embed_tokens": [3, 4]}, {"": 1}, {"a": {"b": [None]}}, [None], ["\n"], [96], [5, 5]),
]
PIECES = ["model.", "layers.", "base_model.", ".weight", "lora_A", "q_proj", "1", "0", "B"]
FILLS = [float("nan"), float("inf"), 0.0, 1e30]


def mutate_config(chance: random.Random, text: str) -> str:
    config = json.loads(text)
    for _ in range(chance.choice((1, 1, 2))):
        what = chance.random()
        if what < 0.7:
            config[chance.choice(KEYS)] = copy.deepcopy(chance.choice(VALUES))
        elif what < 0.85:
            config.pop(chance.choice(list(config)), None)
        else:
            return chance.choice(["", "[]", "{", "null", text[: chance.randrange(len(text))], text * 2])
    return json.dumps(config)


def mutate_tensors(chance: random.Random, data: bytes) -> bytes:
    weights = load(data)
    key = chance.choice(list(weights))
    value = weights.pop(key)
    how = chance.randrange(7)
    if how == 0:
        value = value.clone()
        value.view(-1)[chance.randrange(value.numel())] = chance.choice(FILLS)
    elif how == 1:
        value = value[..., : chance.randrange(value.shape[-1] + 1)].clone()
    elif how == 2:
        value = value.to(chance.choice([torch.float16, torch.bfloat16, torch.float64, torch.int8]))
    elif how == 3:
        key = key.replace(chance.choice(PIECES), chance.choice(PIECES))
    elif how == 4:
        weights = {chance.choice(("", "module.", "x.")) + name: other for name, other in weights.items()}
    elif how == 5:
        return save(weights)
    else:
        weights[key + chance.choice((".weight", "x", ""))] = value.clone()
    weights[key] = value
    return save(weights)


def mutate_header(chance: random.Random, data: bytes) -> bytes:
    length = struct.unpack("<Q", data[:8])[0]
    header = bytearray(data[8 : 8 + length])
    what = chance.randrange(4)
    if what == 0:
        return struct.pack("<Q", chance.choice((0, 1, length - 1, length + 1, 2**63))) + data[8:]
    if what == 1:
        return data[: chance.randrange(len(data))]
    for _ in range(chance.choice((1, 1, 3))):
        header[chance.randrange(length)] = chance.choice(b'0123456789{}[]",: abz\xff')
    return data[:8] + bytes(header) + data[8 + length :]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A base, and the files of adapters that are mutated."""
    root = tmp_path_factory.mktemp("fuzz")
    base = make_base(root / "base", num_hidden_layers=1, attention_bias=True)
    some = {**LINEAR, "target_modules": ["q_proj", "v_proj"]}
    configs = [
        LoraConfig(**some),
        LoraConfig(**some, use_dora=True, bias="lora_only"),
        LoraConfig(**some, modules_to_save=["norm", "lm_head"]),
        LoraConfig(**some, trainable_token_indices=[3, 4]),
    ]
    seeds = [make_adapter(base, root / str(number), config) for number, config in enumerate(configs)]
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    return root, base, model, seeds


def by_peft(model: Any, folder: Path) -> Tensor | None:
    """What PEFT computes on a copy of the base, or None where it fails."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logits: Tensor = (
                PeftModel.from_pretrained(copy.deepcopy(model), folder).eval()(IDS[None]).logits[0]
            )
            return logits
    except Exception:
        return None


@torch.inference_mode()
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_mutated_adapter_is_served_as_by_peft_or_refused_in_one_sentence(
    world: World, batch: int
) -> None:
    root, _, model, seeds = world
    chance = random.Random(batch)
    weights = checksum(model)
    want = model(IDS[None]).logits[0]
    served = 0
    said: list[str] = []
    for _ in range(CASES // BATCHES):
        folder = shutil.copytree(chance.choice(seeds), root / "case", dirs_exist_ok=True)
        config, file = folder / "adapter_config.json", folder / "adapter_model.safetensors"
        what = chance.random()
        if what < 0.6:
            config.write_text(mutate_config(chance, config.read_text()))
        elif what < 0.85:
            file.write_bytes(mutate_tensors(chance, file.read_bytes()))
        else:
            file.write_bytes(mutate_header(chance, file.read_bytes()))
        try:
            adapter = read_adapter_weights(model, folder)
        except InputError as error:
            said.append(str(error))
        else:
            rows = RowAdapters(model, {"x": adapter})
            rows.select([None, "x"])
            got = model(IDS.expand(2, -1)).logits
            rows.remove()
            torch.testing.assert_close(got[0], want, atol=2e-4, rtol=1e-3)
            if not bool(torch.isfinite(got[1]).all()):
                continue  # the engine's trial refuses it
            theirs = by_peft(model, folder)
            if not adapter.warnings and theirs is not None:
                torch.testing.assert_close(got[1], theirs, atol=5e-4, rtol=1e-3)
                served += 1
        assert checksum(model) == weights
    assert served
    assert said
    assert all(text and "\n" not in text and len(text) < 1000 for text in said)
