"""Tests for loading base models: quantised, sharded, pickled or damaged files, and custom code."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from playground.engine.loading import precision
from playground.types import Done, Prompt, Request, Sampling
from tests.helpers.bases import TEXT, opened, refused, served, status
from tests.helpers.tiny import Tiny

Weights = dict[str, Tensor]
Edit = Callable[[Weights], Weights | None]
"""Edits the weights in place, or returns others."""


def generated(model: Any, folder: Path, new: int = 12) -> tuple[int, ...]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(TEXT, return_tensors="pt")["input_ids"]
    out = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=new, do_sample=False
    )
    return tuple(out[0, ids.shape[1] :].tolist())


def copied(tiny: Tiny, folder: Path, edit: Edit | None = None, **config: Any) -> Path:
    """The tiny base with its weights and its configuration edited."""
    shutil.copytree(tiny.base, folder)
    if edit is not None:
        path = folder / "model.safetensors"
        weights = load_file(path)
        save_file(edit(weights) or weights, path, {"format": "pt"})
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return folder


# --- Precision --------------------------------------------------------------------------------------

QUANTISED: dict[str, dict[str, Any]] = {
    "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": torch.bfloat16},
    "fp4": {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4", "bnb_4bit_compute_dtype": torch.float16},
    "mixed": {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
        "bnb_4bit_quant_storage": torch.bfloat16,
        "llm_int8_skip_modules": ["o_proj", "lm_head"],
    },
    "int8": {"load_in_8bit": True},
}
LABELS = {
    "nf4": ("4-bit NF4", {"4-bit NF4": 21, "float32": 2}),
    "fp4": ("4-bit FP4", {"4-bit FP4": 21, "float32": 2}),
    "mixed": ("mixed: 4-bit NF4 (18 layers) and float32 (3 layers)", {"4-bit NF4": 18, "float32": 5}),
    "int8": ("8-bit (LLM.int8)", {"8-bit (LLM.int8)": 21, "float32": 2}),
}


@pytest.fixture(scope="module")
def quantised(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tiny base saved in each quantisation."""
    folders = {}
    for name, how in QUANTISED.items():
        folder = tmp_path_factory.mktemp("quantised") / name
        config = BitsAndBytesConfig(**how)
        model = AutoModelForCausalLM.from_pretrained(
            tiny.base, quantization_config=config, device_map={"": "cpu"}
        )
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(tiny.base).save_pretrained(folder)
        folders[name] = folder
    return folders


@pytest.mark.parametrize("name", QUANTISED)
def test_a_base_that_was_saved_quantised_is_called_what_it_is_and_computes_in_float32(
    quantised: dict[str, Path], name: str
) -> None:
    label, layers = LABELS[name]
    now, reply = served(quantised[name])
    assert now.precision == label
    assert dict(now.layers) == layers
    assert reply.weights == f"{quantised[name]} ({label})"
    assert now.parameters == 635_328
    compute = json.loads((quantised[name] / "config.json").read_text())["quantization_config"]
    slow = name != "int8" and compute["bnb_4bit_compute_dtype"] != "float32"
    assert [("using float32 instead" in warning) for warning in now.warnings] == [True] * slow
    model = AutoModelForCausalLM.from_pretrained(quantised[name], dtype=torch.float32, device_map={"": "cpu"})
    for module in model.modules():
        if hasattr(module, "compute_dtype"):
            module.compute_dtype = torch.float32
    assert reply.token_ids == generated(model, quantised[name])


def test_rows_of_an_int8_base_do_not_depend_on_the_rows_beside_them(quantised: dict[str, Path]) -> None:
    engine = opened(quantised["int8"])
    try:
        plain = engine.status().plain
        assert plain is not None
        assert "LLM.int8" in plain
        texts = [TEXT, "Once upon a time", TEXT]
        requests = [Request(prompt=Prompt(text=text), sampling=Sampling(max_new_tokens=8)) for text in texts]
        replies = {event.row: event.reply for event in engine.stream(requests) if isinstance(event, Done)}
    finally:
        engine.close()
    assert replies[0].token_ids == replies[2].token_ids


@pytest.mark.parametrize(
    ("name", "quantize", "said"),
    [
        ("nf4", "none", "--quantize none has no effect: the base was saved in 4-bit NF4"),
        ("nf4", "4bit", None),
        ("int8", "4bit", "--quantize 4bit has no effect: the base was saved in 8-bit (LLM.int8)"),
        ("int8", "auto", None),
    ],
)
def test_a_precision_that_cannot_be_had_is_a_warning(
    quantised: dict[str, Path], name: str, quantize: str, said: str | None
) -> None:
    now = status(quantised[name], quantize=quantize)
    assert now.precision == LABELS[name][0]
    about = [warning for warning in now.warnings if "--quantize" in warning]
    assert [warning.startswith(said or "") for warning in about] == ([True] if said else [])


@pytest.mark.parametrize(
    ("quantize", "label"), [("none", "float32"), ("auto", "float32"), ("4bit", "4-bit NF4")]
)
def test_a_plain_base_is_called_what_it_becomes(tiny: Tiny, quantize: str, label: str) -> None:
    now, reply = served(tiny.base, quantize=quantize)
    assert (now.precision, now.warnings) == (label, ())
    assert reply.weights is not None
    assert reply.weights.endswith(f"({label})")
    assert sum(count for _, count in now.layers) == 23
    assert now.parameters == 635_328


class Packed(nn.Module):
    """A layer as GPTQ and AWQ hold it: eight 4-bit numbers to an integer."""

    def __init__(self, inputs: int, outputs: int, bits: int) -> None:
        super().__init__()
        self.in_features, self.out_features, self.bits = inputs, outputs, bits
        self.register_buffer("qweight", torch.zeros(inputs * bits // 32, outputs, dtype=torch.int32))
        self.register_buffer("scales", torch.zeros(1, outputs))


@pytest.mark.parametrize(("method", "label"), [("gptq", "4-bit GPTQ"), ("awq", "4-bit AWQ")])
def test_packed_layers_are_called_by_their_method_and_counted_as_what_they_stand_for(
    tiny: Tiny, method: str, label: str
) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny.base)
    before = precision.count_parameters(model)
    assert before == 635_328
    for layer in model.model.layers:
        layer.mlp.up_proj = Packed(64, 128, 4)
    model.config.quantization_config = {"quant_method": method, "bits": 4}
    assert dict(precision.layer_precisions(model))[label] == 3
    assert precision.summarise(model) == f"mixed: float32 (18 layers) and {label} (3 layers)"
    assert precision.count_parameters(model) == before


def test_tied_embeddings_count_once_and_half_precision_is_named(tiny: Tiny) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny.base, dtype=torch.float16)
    assert (precision.summarise(model), dict(precision.layer_precisions(model))) == (
        "float16",
        {"float16": 23},
    )
    model.lm_head.weight = model.model.embed_tokens.weight
    assert dict(precision.layer_precisions(model)) == {"float16": 22}


@pytest.mark.parametrize("quantize", ["none", "auto", "4bit"])
@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({"quant_method": "gptq", "bits": 4}, "pip install gptqmodel"),
        ({"quant_method": "awq", "bits": 4}, "pip install gptqmodel"),
        ({"quant_method": "hqq"}, "is quantised with HQQ, which Tandem does not support"),
        ({"quant_method": "fp8"}, "is quantised with FP8, which"),
        ({"quant_method": "mxfp4"}, "is quantised with MXFP4, which"),
        ({"quant_method": "compressed-tensors"}, "is quantised with compressed-tensors, which"),
        ({"quant_method": "new-in-2030"}, "is quantised with 'new-in-2030', which"),
        ({"bits": 4}, "is quantised with 'unknown'"),
        ("gptq", "is quantised with 'unknown'"),
    ],
)
def test_a_quantiser_that_is_not_served_is_a_sentence_before_weights_are_read(
    tiny: Tiny, tmp_path: Path, stored: dict[str, Any] | str, said: str, quantize: str
) -> None:
    folder = copied(tiny, tmp_path / "base", quantization_config=stored)
    (folder / "model.safetensors").unlink()
    refused(folder, said, "use the original model", quantize=quantize)


# --- Weights that are not the model's ---------------------------------------------------------------


def renamed(weights: Weights) -> Weights:
    return {key.replace("model.layers", "transformer.h"): value for key, value in weights.items()}


def with_nan(key: str, row: int | None = None) -> Edit:
    def edit(weights: Weights) -> None:
        weights[key][row if row is not None else slice(None)] = float("nan")

    return edit


@pytest.mark.parametrize(
    ("edit", "config", "said"),
    [
        (
            lambda w: {key: value for key, value in w.items() if "layers.1.mlp" not in key},
            {},
            ("lacks 3 of the model's weights", "model.layers.1.mlp.down_proj.weight"),
        ),
        (renamed, {}, ("lacks 27 of the", "input_layernorm.weight, ", "it has transformer.h.0.")),
        (
            lambda w: {key: value for key, value in w.items() if key != "lm_head.weight"},
            {},
            ("lacks 1 of the model's weights (lm_head.weight)",),
        ),
        (None, {"num_hidden_layers": 4}, ("lacks 9 of the model's weights", "model.layers.3.")),
        (None, {"num_hidden_layers": 2}, ("has 9 weights that its configuration", "model.layers.2.")),
        (None, {"vocab_size": 5000}, ("the shapes of 2 weights do not match", "[4096, 64], not [5000, 64]")),
        (
            lambda w: w | {"model.layers.0.mlp.up_proj.weight": torch.zeros(100, 64)},
            {},
            ("the shapes of 1 weights do not match", "[100, 64], not [128, 64]"),
        ),
        (
            lambda w: w | {"model.layers.0.self_attn.q_proj.bias": torch.ones(64)},
            {},
            ("has 1 weights that its configuration does not use", "q_proj.bias"),
        ),
        (with_nan("model.layers.1.mlp.up_proj.weight"), {}, ("outputs NaN or infinity", "damaged;")),
        (with_nan("model.embed_tokens.weight", 4000), {}, ("outputs NaN or infinity",)),
    ],
)  # fmt: skip
def test_weights_that_are_not_the_configuration_s_are_refused(
    tiny: Tiny, tmp_path: Path, edit: Edit | None, config: dict[str, Any], said: tuple[str, ...]
) -> None:
    refused(copied(tiny, tmp_path / "base", edit, **config), *said)


def test_a_tied_head_needs_no_weight_of_its_own_and_a_foreign_weight_is_a_warning(
    tiny: Tiny, tmp_path: Path
) -> None:
    def edit(weights: Weights) -> None:
        del weights["lm_head.weight"]
        weights["score.weight"] = torch.zeros(2, 64)

    now, _ = served(copied(tiny, tmp_path / "base", edit, tie_word_embeddings=True))
    assert now.warnings == ("1 weights in the base model's files are not used (score.weight).",)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000, which is not plausible"),
        ({"vocab_size": -5}, "vocab_size is -5"),
        ({"vocab_size": "4096"}, "vocab_size is '4096'"),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"hidden_size": 2**60}, "hidden_size is"),
        ({"num_hidden_layers": 2.5}, "num_hidden_layers is 2.5"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True"),
        ({"num_attention_heads": 5, "head_dim": None}, "is not a multiple of num_attention_heads 5"),
        ({"num_key_value_heads": 3}, "is not a multiple of num_key_value_heads 3"),
        ({"max_position_embeddings": -1}, "max_position_embeddings is -1"),
        ({"hidden_act": "nope"}, "'nope' is unknown"),
        ({"rms_norm_eps": "x"}, "rms_norm_eps"),
        ({"model_type": "no-such"}, "cannot be loaded as a language model"),
        ({"rope_parameters": {"rope_type": "nope", "rope_theta": 1e4}}, "cannot be loaded as a"),
        ({"rope_theta": 0}, "rope_theta must be a positive number, not 0"),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 0}}, "rope_theta must be a positive"),
        ({"rope_scaling": "dynamic"}, "rope_scaling must be an object, not 'dynamic'"),
        ({"eos_token_id": "</s>"}, "eos_token_id must be a token id or a list of token ids, not '</s>'"),
        ({"quantization_config": {}}, "quantization_config must be an object with a quant_method"),
        ({"max_position_embeddings": 4}, "the context must be at least 8 tokens long"),
        ({"dtype": "floaty"}, "dtype must be the name of a data type, such as float16, not 'floaty'"),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_is_a_sentence(
    tiny: Tiny, tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    refused(copied(tiny, tmp_path / "base", **config), said)


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "null"])
def test_a_configuration_that_is_no_json_object_is_a_sentence(tiny: Tiny, tmp_path: Path, text: str) -> None:
    folder = copied(tiny, tmp_path / "base")
    (folder / "config.json").write_text(text)
    refused(folder, "config.json")


# --- Files ------------------------------------------------------------------------------------------


def sharded(tiny: Tiny, folder: Path) -> Path:
    model = AutoModelForCausalLM.from_pretrained(tiny.base)
    shutil.copytree(tiny.base, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    model.save_pretrained(folder, max_shard_size="600KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    return folder


def test_shards_are_read_as_one_file_is(tiny: Tiny, tmp_path: Path) -> None:
    assert served(sharded(tiny, tmp_path / "base"))[1].token_ids == served(tiny.base)[1].token_ids


def edit_index(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    edit(index)
    path.write_text(json.dumps(index))


def test_a_shard_that_is_missing_or_lacks_a_weight_is_named(tiny: Tiny, tmp_path: Path) -> None:
    folder = sharded(tiny, tmp_path / "a")
    edit_index(folder, lambda index: index["weight_map"].update({"model.extra": "model-00009.safetensors"}))
    refused(folder, "lacks model-00009.safetensors, listed in model.safetensors.index.json")
    folder = sharded(tiny, tmp_path / "b")
    first = sorted(folder.glob("*.safetensors"))[0]
    edit_index(folder, lambda index: index["weight_map"].update({"model.extra": first.name}))
    refused(folder, f"{first.name} lacks the weight model.extra")
    folder = sharded(tiny, tmp_path / "c")
    gone = sorted(folder.glob("*.safetensors"))[1]
    gone.unlink()
    refused(folder, f"lacks {gone.name}")
    folder = sharded(tiny, tmp_path / "e")
    edit_index(folder, lambda index: index.pop("metadata"))
    refused(folder, "model.safetensors.index.json is damaged: it lacks the metadata")
    folder = sharded(tiny, tmp_path / "d")
    edit_index(folder, lambda index: index["weight_map"].update({"x": "../../etc/passwd"}))
    refused(folder, "lists '../../etc/passwd', which is not a file in the same folder")


def header(entries: object) -> bytes:
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


def entry(shape: list[int], offsets: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 4\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:-100], "is truncated: its weights end at byte"),
        (lambda data: data[: len(data) // 2], "is truncated"),
        (lambda data: data[:500], "its header does not fit in the file"),
        (lambda data: data[:5], "is not a complete safetensors file"),
        (lambda data: b"", "is empty: download it again"),
        (lambda data: struct.pack("<Q", 2**60) + data[8:], "its header does not fit in the file"),
        (lambda data: data[:8] + b"x" * (len(data) - 8), "its header is not valid JSON"),
        (lambda data: header([]) + data, "its header is not a JSON object"),
        (lambda data: header(entry([2], [0, 9])) + data, "is invalid"),
        (lambda data: header(entry([-2], [0, 8])) + data, "is invalid"),
        (lambda data: header({"a": {"dtype": "F32", "shape": [2]}}) + data, "is invalid"),
        (lambda data: header({"a": 5}) + data, "is invalid"),
        (lambda data: header(entry([2], [0, 8], "Q9")), "unsupported data type 'Q9'"),
        (lambda data: header(entry([2], [0, 8])), "is truncated"),
        (lambda data: LFS, "is a Git LFS pointer"),
    ],
)  # fmt: skip
def test_a_damaged_weights_file_is_named_before_it_is_read(
    tiny: Tiny, tmp_path: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    folder = copied(tiny, tmp_path / "base")
    path = folder / "model.safetensors"
    path.write_bytes(change(path.read_bytes()))
    refused(folder, "model.safetensors", said)


def pickled(tiny: Tiny, folder: Path, shards: int = 1) -> Path:
    shutil.copytree(tiny.base, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    weights = load_file(tiny.base / "model.safetensors")
    names = sorted(weights)
    table: dict[str, str] = {}
    for shard in range(shards):
        file = "pytorch_model.bin" if shards == 1 else f"pytorch_model-{shard + 1:05}-of-{shards:05}.bin"
        part = {name: weights[name] for name in names[shard::shards]}
        torch.save(part, folder / file)
        table |= dict.fromkeys(part, file)
    if shards > 1:
        (folder / "pytorch_model.bin.index.json").write_text(
            json.dumps({"metadata": {}, "weight_map": table})
        )
    return folder


@pytest.mark.parametrize("shards", [1, 3])
def test_pickled_weights_are_refused_unless_they_are_allowed(tiny: Tiny, tmp_path: Path, shards: int) -> None:
    folder = pickled(tiny, tmp_path / "base", shards)
    refused(folder, "a Python pickle, which can run code", "--allow-pickle")
    _, reply = served(folder, allow_pickle=True)
    assert reply.token_ids == served(tiny.base)[1].token_ids
    shutil.copy(tiny.base / "model.safetensors", folder)
    served(folder)


def test_a_damaged_pickle_is_a_sentence(tiny: Tiny, tmp_path: Path) -> None:
    folder = pickled(tiny, tmp_path / "base")
    whole = (folder / "pytorch_model.bin").read_bytes()
    (folder / "pytorch_model.bin").write_bytes(whole[:5000])
    refused(folder, "a pickled weights file that is damaged", allow_pickle=True)
    torch.save([1, 2], folder / "pytorch_model.bin")
    refused(folder, "is not a dictionary of weights", allow_pickle=True)


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran-code"),))


def test_a_pickle_that_runs_code_is_refused_even_where_pickles_are_allowed(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pickled(tiny, tmp_path / "base")
    weights = torch.load(folder / "pytorch_model.bin") | {"x": Evil()}
    torch.save(weights, folder / "pytorch_model.bin")
    ran = tmp_path / "ran-code"
    monkeypatch.chdir(tmp_path)
    refused(folder, "with objects other than weights", allow_pickle=True)
    assert not ran.exists()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil()))
    refused(folder, allow_pickle=True)
    assert not ran.exists()


def test_a_folder_without_weights_or_with_others_says_what_it_is(tiny: Tiny, tmp_path: Path) -> None:
    folder = copied(tiny, tmp_path / "base")
    (folder / "model.safetensors").rename(folder / "tf_model.h5")
    refused(folder, "could not be loaded", "only tf_model.h5, which is in another format")
    (folder / "tf_model.h5").rename(folder / "model.fp16.safetensors")
    refused(folder, "only model.fp16.safetensors: rename it to model.safetensors if it contains all weights")
    (folder / "model.fp16.safetensors").rename(folder / "consolidated.safetensors")
    refused(folder, "use a version in Transformers format")
    refused(tiny.adapters["wide"], "is an adapter, not a base model: load it with --adapter")
    folder = copied(tiny, tmp_path / "both")
    shutil.copy(tiny.adapters["wide"] / "adapter_config.json", folder)
    refused(folder, "has both a config.json and an adapter_config.json")


@pytest.mark.parametrize("name", ["base@v2", "base:latest", "owner@x:y.gguf", "two  spaces"])
def test_a_folder_may_be_called_as_a_revision_or_a_file_is(tiny: Tiny, tmp_path: Path, name: str) -> None:
    folder = copied(tiny, tmp_path / name)
    _, reply = served(folder)
    assert reply.weights == f"{folder} (float32)"


# --- Code of its own --------------------------------------------------------------------------------

CODE = """
from transformers import LlamaConfig, LlamaForCausalLM

class OwnConfig(LlamaConfig):
    model_type = "own-llama"

class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture
def own_code(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    auto_map = {"AutoConfig": "own_llama.OwnConfig", "AutoModelForCausalLM": "own_llama.OwnForCausalLM"}
    folder = copied(tiny, tmp_path / "base", model_type="own-llama", auto_map=auto_map)
    (folder / "own_llama.py").write_text(CODE)
    return folder


def test_code_of_a_base_runs_only_where_it_is_trusted_and_then_it_is_reported(
    own_code: Path, tiny: Tiny
) -> None:
    note = refused(own_code, "needs Python code from its repository", "--trust-remote-code")
    assert "[y/N]" not in note
    now, reply = served(own_code, trust_remote_code=True)
    assert reply.token_ids == served(tiny.base)[1].token_ids
    assert now.warnings == (
        f"{own_code} runs Python code from its repository, as allowed by --trust-remote-code.",
    )
    refused(own_code, "needs Python code", trust_remote_code=True, public=True)


def test_a_base_without_code_is_no_different_where_code_is_trusted(tiny: Tiny) -> None:
    assert served(tiny.base, trust_remote_code=True)[0].warnings == ()


@pytest.mark.parametrize(
    "config",
    [
        {"num_labels": 10**9},
        {"text_config": {"num_labels": 10**9}},
        {"vision_config": {"inner": {"num_labels": -(10**9)}}},
        {"vision_config": {"num_hidden_layers": 10**9}},
        {"audio_config": {"encoder_layers": 10**9}},
        {"vision_config": {"depths": [2, 10**9]}},
        {"conv_dim": [10**9]},
    ],
)
def test_a_size_at_any_depth_that_no_model_has_is_a_sentence(
    tiny: Tiny, tmp_path: Path, config: dict[str, Any]
) -> None:
    folder = copied(tiny, tmp_path / "x")
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    started = time.monotonic()
    refused(folder, "config.json: ", "which is not plausible: check the file")
    assert time.monotonic() - started < 10


def test_large_numbers_that_are_no_sizes_are_left_alone(tiny: Tiny, tmp_path: Path) -> None:
    folder = copied(tiny, tmp_path / "x")
    path = folder / "config.json"
    extra = {"num_train_tokens": 10**12, "total_params": 10**11, "seed": 2**62, "num_labels": 1_000}
    path.write_text(json.dumps(json.loads(path.read_text()) | extra))
    served(folder)


@pytest.mark.parametrize("length", ["x", [1], {}, True])
def test_a_tokenizer_whose_length_is_no_number_is_a_sentence_alone(
    tiny: Tiny, tmp_path: Path, length: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = copied(tiny, tmp_path / "x")
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": length}))
    refused(folder, "model_max_length in its tokenizer_config.json must be a number of tokens")
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "generation_config.json", "model.safetensors"]
)
def test_a_pipe_in_place_of_a_file_is_a_sentence(tiny: Tiny, tmp_path: Path, name: str) -> None:
    folder = copied(tiny, tmp_path / "x")
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    refused(folder, f"{name} is a pipe, device or socket, not a regular file")
