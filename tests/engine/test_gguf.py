"""Tests for GGUF base models: correct logits, or a one-sentence error."""

from __future__ import annotations

import random
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import pre_tokenizers

from playground.config import Settings
from playground.engine import Engine
from playground.engine.loading import device
from playground.engine.loading.probe import probe_logits
from playground.engine.local import LocalEngine
from playground.engine.model import Model
from playground.gguf import FILE_TYPES, TENSOR_KINDS, read_gguf
from playground.library import Library
from playground.memory import MOST_OF_MEMORY
from playground.types import InputError, Prompt, Status
from tests.helpers import tiny_gguf
from tests.helpers.bases import opened, refused, served, status
from tests.helpers.hub_server import hub_server, use_hub

IDS = list(range(3, 60))


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tiny_gguf.tokenizer()


@pytest.fixture(scope="module")
def plain(tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A tiny Llama as a GGUF file in float32, and as a folder."""
    folder = tmp_path_factory.mktemp("plain")
    model = tiny_gguf.model("Llama", len(tokenizer))
    tiny_gguf.write(folder / "plain.F32.gguf", model, tokenizer)
    return folder / "plain.F32.gguf", tiny_gguf.save(folder / "same", model, tokenizer)


def model_of(engine: Engine) -> Model:
    """The model that an engine has loaded."""
    assert isinstance(engine, LocalEngine)
    assert engine._scheduler is not None
    return engine._scheduler.model


def token_ids(engine: Engine, text: str) -> list[int]:
    tokens = engine.tokens(Prompt(text=text))
    assert tokens is not None
    return [token.id for token in tokens]


def same_as(path: Path, folder: Path) -> Status:
    """Check that a file is served as the folder is: logits, ids of texts, answers. Gives its status."""
    engine = opened(path)
    try:
        now = engine.status()
        assert now.state == "ready", now.note
        with torch.inference_mode():
            ours = probe_logits(model_of(engine).hf, IDS)
        texts = ["hello there in 2024", " the  cat\n\nsat 😀 é", "<|end|> what 1984?"]
        ids = [token_ids(engine, text) for text in texts]
    finally:
        engine.close()
    assert (ours - tiny_gguf.logits(folder, IDS)).abs().max() < 1e-4
    engine = opened(folder)
    try:
        assert [token_ids(engine, text) for text in texts] == ids
    finally:
        engine.close()
    return now


def test_a_file_is_served_as_the_model_that_it_was_made_from(plain: tuple[Path, Path]) -> None:
    path, folder = plain
    now = same_as(path, folder)
    assert now.precision == "float32 (from GGUF F32)"
    reply, other = served(path)[1], served(folder)[1]
    assert reply.token_ids == other.token_ids
    assert reply.weights == f"{path} (float32 (from GGUF F32))"
    assert now.warnings == ()


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "F16", "BF16"])
def test_quantised_files_are_dequantised_and_called_what_they_were(
    tokenizer: Any, tmp_path: Path, kind: str
) -> None:
    model = tiny_gguf.write(
        tmp_path / "x.gguf", tiny_gguf.model("Llama", len(tokenizer)), tokenizer, kind=kind
    )
    now = same_as(tmp_path / "x.gguf", tiny_gguf.save(tmp_path / "same", model, tokenizer))
    assert now.precision == f"float32 (from GGUF {kind})"
    assert dict(now.layers) == {"float32": 16}


@pytest.mark.parametrize(
    ("architecture", "kind", "options"),
    [
        ("qwen2", "Qwen2", {}),
        ("qwen3", "Qwen3", {"head_dim": 16}),
        ("llama", "Llama", {"tie_word_embeddings": True}),
        ("llama", "Llama", {"head_dim": 32}),
        ("llama", "Llama", {"attention_bias": True}),
    ],
)
def test_architectures(
    tokenizer: Any, tmp_path: Path, architecture: str, kind: str, options: dict[str, Any]
) -> None:
    model = tiny_gguf.model(kind, len(tokenizer), **options)
    keys: dict[str, Any] = {}
    if "head_dim" in options:
        for name in ("attention.key_length", "attention.value_length"):
            keys[f"{architecture}.{name}"] = options["head_dim"]
    if options.get("attention_bias"):  # llama.cpp has no bias behind the attention
        for layer in model.model.layers:
            del layer.self_attn.o_proj.bias
            layer.self_attn.o_proj.register_parameter("bias", None)
        model.config.attention_bias = True
    path = tmp_path / "x.gguf"
    # Transformers' Qwen 2 tokenizer cuts its own way, whatever tokenizer.json says.
    pre = "qwen2" if architecture == "qwen2" else "gpt-2"
    tiny_gguf.write(path, model, tokenizer, architecture, keys=keys, pre=pre)
    if options.get("attention_bias"):
        # Transformers' Llama has a bias behind the attention as well: that would be random.
        refused(path, "lacks 2 of the model's weights", "o_proj.bias")
        return
    same_as(path, tiny_gguf.save(tmp_path / "same", model, tokenizer))


# --- Positions --------------------------------------------------------------------------------------


def llama3(
    theta: float, dimensions: int, factor: float, low: float = 1.0, high: float = 4.0, original: int = 8192
) -> np.ndarray:
    frequencies = 1 / theta ** (np.arange(0, dimensions, 2) / dimensions)
    lengths = 2 * np.pi / frequencies
    smooth = (original / lengths - low) / (high - low)
    between = 1 / ((1 - smooth) / factor + smooth)
    return np.where(lengths < original / high, 1, np.where(lengths > original / low, factor, between)).astype(
        "f4"
    )


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_llama_3_s_scaling_is_found_in_its_tensor(tokenizer: Any, tmp_path: Path, factor: float) -> None:
    scaling = {
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": factor, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
    }  # fmt: skip
    model = tiny_gguf.model("Llama", len(tokenizer), rope_parameters=scaling, max_position_embeddings=131072)
    tensors = {"rope_freqs.weight": llama3(500000.0, 16, factor)}
    tiny_gguf.write(tmp_path / "x.gguf", model, tokenizer, tensors=tensors)
    now = same_as(tmp_path / "x.gguf", tiny_gguf.save(tmp_path / "same", model, tokenizer))
    assert now.context == 131072


@pytest.mark.parametrize(
    ("scaling", "keys"),
    [
        ({"rope_type": "linear", "factor": 4.0}, {"type": "linear", "factor": 4.0}),
        (
            {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128},
            {"type": "yarn", "factor": 4.0, "original_context_length": 128},
        ),
    ],
)
def test_a_scaling_that_the_file_states_is_kept(
    tokenizer: Any, tmp_path: Path, scaling: dict[str, Any], keys: dict[str, Any]
) -> None:
    parameters = {"rope_theta": 10000.0, **scaling}
    model = tiny_gguf.model("Llama", len(tokenizer), rope_parameters=parameters)
    keys = {f"llama.rope.scaling.{name}": value for name, value in keys.items()}
    tiny_gguf.write(tmp_path / "x.gguf", model, tokenizer, keys=keys)
    same_as(tmp_path / "x.gguf", tiny_gguf.save(tmp_path / "same", model, tokenizer))


@pytest.mark.parametrize(
    ("keys", "tensors", "said"),
    [
        ({}, {"rope_freqs.weight": np.linspace(1, 9, 8, dtype="f4")}, "its tensor rope_freqs.weight"),
        ({}, {"rope_factors_long.weight": np.ones(8, "f4")}, "its tensor rope_factors_long.weight"),
        ({"llama.rope.scaling.type": "longrope"}, {}, "its RoPE scaling (longrope: no parameters)"),
        ({"llama.rope.scaling.attn_factor": 1.2}, {}, "its RoPE scaling (none: attn_factor)"),
        ({"llama.logit_scale": 0.5}, {}, "its llama.logit_scale (0.5)"),
        ({"llama.rope.dimension_count": 8}, {}, "do not match its configuration"),
        ({"llama.expert_count": 4}, {}, "its llama.expert_count (4)"),
        ({"llama.attention.causal": False}, {}, "its llama.attention.causal (False)"),
        ({}, {"blk.0.adapter.weight": np.ones((4, 4), "f4")}, "1 of its tensors (blk.0.adapter.weight)"),
        ({"llama.block_count": 1}, {}, "9 of its tensors (blk.1."),
        ({"llama.block_count": 3}, {}, "lacks 9 of the model's weights"),
        ({"llama.block_count": 10**9}, {}, "num_hidden_layers is 1000000000"),
        ({"llama.embedding_length": 128}, {}, "do not match its configuration"),
        ({"llama.attention.head_count": 3}, {}, "is not a multiple of num_attention_heads"),
        ({"general.architecture": "rwkv6"}, {}, "has the architecture 'rwkv6', which"),
        ({"split.count": 3}, {}, "is one of 3 parts: join them with llama-gguf-split"),
    ],
)  # fmt: skip
def test_what_the_loader_would_pass_over_is_refused(
    tokenizer: Any, tmp_path: Path, keys: dict[str, Any], tensors: dict[str, Any], said: str
) -> None:
    architecture = keys.pop("general.architecture", "llama")
    path = tmp_path / "x.gguf"
    model = tiny_gguf.model("Llama", len(tokenizer))
    tiny_gguf.write(path, model, tokenizer, architecture, keys=keys, tensors=tensors)
    if "split.count" in keys:
        with pytest.raises(InputError) as caught:
            Library.open(str(path))
        assert said in str(caught.value)
        return
    refused(path, said)


def test_what_changes_nothing_is_no_reason_to_refuse(tokenizer: Any, tmp_path: Path) -> None:
    keys = {
        "llama.vocab_size": len(tokenizer),
        "llama.rope.dimension_count": 16,
        "llama.attention.key_length": 16,
        "llama.attention.value_length": 16,
        "llama.expert_count": 0,
        "llama.rope.scaling.type": "none",
    }
    model = tiny_gguf.model("Llama", len(tokenizer))
    tensors = {"rope_freqs.weight": np.ones(8, "f4")}
    tiny_gguf.write(tmp_path / "x.gguf", model, tokenizer, keys=keys, tensors=tensors)
    same_as(tmp_path / "x.gguf", tiny_gguf.save(tmp_path / "same", model, tokenizer))


# --- Tokenizer and template -------------------------------------------------------------------------


def test_the_chat_template_and_the_ends_are_the_file_s(
    plain: tuple[Path, Path], tokenizer: Any, tmp_path: Path
) -> None:
    path, _ = plain
    format = Library.open(str(path)).base_format
    assert format is not None
    assert (format.template, format.bos_token, format.eos_token) == (tiny_gguf.TEMPLATE, "<s>", "</s>")
    assert opened_ends(path) == {1}
    model = tiny_gguf.model("Llama", len(tokenizer))
    keys = {"tokenizer.ggml.eot_token_id": 2}
    tiny_gguf.write(tmp_path / "x.gguf", model, tokenizer, keys=keys)
    assert opened_ends(tmp_path / "x.gguf") == {1, 2}


def opened_ends(path: Path) -> set[int]:
    engine = opened(path)
    try:
        return set(model_of(engine).eos_token_ids(None))
    finally:
        engine.close()


def test_digits_stand_alone_where_the_pretokenizer_says_so(tmp_path: Path) -> None:
    digits = tiny_gguf.tokenizer(pre_tokenizers.Digits(individual_digits=True))
    model = tiny_gguf.model("Llama", len(digits))
    tiny_gguf.write(tmp_path / "x.gguf", model, digits, pre="smollm")
    assert same_as(tmp_path / "x.gguf", tiny_gguf.save(tmp_path / "same", model, digits)).warnings == ()


def test_a_pretokenizer_that_is_not_known_is_a_warning(tokenizer: Any, tmp_path: Path) -> None:
    model = tiny_gguf.model("Llama", len(tokenizer))
    tiny_gguf.write(tmp_path / "x.gguf", model, tokenizer, pre="new-one")
    (warning,) = status(tmp_path / "x.gguf").warnings
    assert "pre-tokenizer 'new-one' is unknown" in warning


# --- Where files are --------------------------------------------------------------------------------


def test_a_file_is_named_by_its_path_or_its_folder(
    plain: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = plain
    shutil.copy(path, tmp_path / "it.gguf")
    monkeypatch.chdir(tmp_path)
    want = served(path)[1].token_ids
    for name in ("it.gguf", "./it.gguf", f"{tmp_path}:it.gguf", ".:it.gguf", str(tmp_path / "it.gguf")):
        assert served(name)[1].token_ids == want
    refused("./none.gguf", "There is no file ./none.gguf", "owner/name:FILE.gguf")
    refused(f"{tmp_path}:none.gguf", "There is no file none.gguf in", "it has it.gguf")
    refused(str(tmp_path), "contains GGUF files: specify one of them, for example", ":it.gguf")
    (tmp_path / "notes.txt").write_text("x")
    refused("notes.txt", "notes.txt is a file: specify its folder instead")


def test_a_file_of_a_repository_is_downloaded_alone_with_its_template(
    plain: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = plain
    repository = tmp_path / "repository"
    shutil.copytree(folder, repository)
    shutil.copy(path, repository / "it.gguf")
    with hub_server() as server:
        server.add("o/m", repository, revisions={"v1": repository})
        use_hub(monkeypatch, server, tmp_path / "cache")
        assert served("o/m@v1:it.gguf")[1].token_ids == served(path)[1].token_ids
        assert server.downloaded() == ["it.gguf"]
        from playground.engine.hub import fetch_cards

        library = Library.open("o/m:it.gguf")
        fetch_cards(library)
        assert library.base_format is not None
        assert library.base_format.template == tiny_gguf.TEMPLATE


def test_room_beside_another_model_is_counted_de_quantised(
    plain: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(base=str(plain[0]), device="cpu")
    parameters = sum(int(np.prod(tensor.shape)) for tensor in read_gguf(plain[0]).tensors)
    for free, fits in ((4 * parameters / MOST_OF_MEMORY + 10, True), (3 * parameters, False)):
        monkeypatch.setattr(device, "free_memory", lambda device, free=free: free)
        assert device.fits_beside(settings, lambda note, share: None) is fits


def test_four_bits_and_a_gguf_file_do_not_go_together(plain: tuple[Path, Path]) -> None:
    refused(
        plain[0], "is a GGUF file, whose weights are always dequantised: omit --quantize", quantize="4bit"
    )


def test_without_the_package_the_sentence_says_how_to_get_it(
    plain: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused(plain[0], "requires a package that is not installed: run python -m pip install gguf")


# --- Damage -----------------------------------------------------------------------------------------


def test_a_file_that_was_cut_off_anywhere_is_a_sentence(plain: tuple[Path, Path], tmp_path: Path) -> None:
    data = plain[0].read_bytes()
    path = tmp_path / "cut.gguf"
    generator = random.Random(0)
    for length in [0, 1, 4, 8, 23, 24, *(generator.randrange(len(data)) for _ in range(100)), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(InputError) as caught:
            read_gguf(path)
        assert str(path) in str(caught.value)


def test_a_header_with_wrong_bytes_is_a_sentence_or_is_read(plain: tuple[Path, Path], tmp_path: Path) -> None:
    data = bytearray(plain[0].read_bytes())
    header = min(tensor.start for tensor in read_gguf(plain[0]).tensors)
    path = tmp_path / "wrong.gguf"
    generator = random.Random(1)
    refusals = 0
    for _ in range(300):
        copy = bytearray(data)
        for _ in range(generator.choice((1, 2, 8))):
            copy[generator.randrange(header)] = generator.randrange(256)
        path.write_bytes(copy)
        sentence = why_refused(path)
        refusals += sentence is not None
        assert sentence is None or str(path) in sentence
    assert refusals > 30


def why_refused(path: Path) -> str | None:
    try:
        read_gguf(path)
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: download it again"),
        (b"<!doctype html>", "is not a GGUF file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "is GGUF version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "is GGUF version 50331648"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60), "has a truncated or damaged header"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "the architecture is missing"),
    ],
)
def test_what_is_no_gguf_file_is_reported(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        Library.open(str(path))
    assert said in str(caught.value)
    assert "x.gguf" in str(caught.value)


def test_the_tables_are_those_of_the_format() -> None:
    from gguf import LlamaFileType
    from gguf.constants import GGML_QUANT_SIZES

    for kind, sizes in GGML_QUANT_SIZES.items():
        if int(kind) in TENSOR_KINDS:
            assert TENSOR_KINDS[int(kind)] == (kind.name, *sizes)
    for number, name in FILE_TYPES.items():
        assert LlamaFileType(number).name.replace("MOSTLY_", "").replace("ALL_", "") == name


def test_a_label_follows_the_tensors_where_the_file_says_otherwise(tokenizer: Any, tmp_path: Path) -> None:
    for stated, want in ((15, "Q8_0"), (7, "Q8_0"), (None, "Q8_0")):
        path = Path(tmp_path / f"{stated}.gguf")
        keys = {"general.file_type": stated}
        tiny_gguf.write(path, tiny_gguf.model("Llama", len(tokenizer)), tokenizer, kind="Q8_0", keys=keys)
        assert read_gguf(path).precision == want
