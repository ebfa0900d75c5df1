"""Tests for adapters in the engine: agreement with `generate`, per-row errors and memory use."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from playground.config import Settings
from playground.engine import open_engine
from playground.engine.adapters import load as adapters
from playground.engine.adapters.parts import Adapter
from playground.engine.sampling import penalise
from playground.library import Library
from playground.types import Done, Prompt, Reply, Request, Sampling, Status, TokenScore
from tests.helpers.adapting import LINEAR, make_adapter, make_base
from tests.helpers.paths import POCKET
from tests.helpers.tiny import Tiny

QV: dict[str, Any] = {**LINEAR, "target_modules": ["q_proj", "v_proj"]}


def serve(
    base: Path,
    folders: Mapping[str, Path],
    rows: Sequence[tuple[str, str | None]],
    new: int = 6,
    score: bool = False,
    **settings: Any,
) -> tuple[list[Reply], Status, list[list[TokenScore]]]:
    """Replies to (text, adapter) rows in one batch, the status, and scores of the replies."""
    library = Library.open(str(base), {name: str(path) for name, path in folders.items()})
    engine = open_engine(Settings(base=str(base), device="cpu", **settings), library)
    requests = [
        Request(prompt=Prompt(text=text, adapter=name), sampling=Sampling(max_new_tokens=new))
        for text, name in rows
    ]
    try:
        done = {e.row: e.reply for e in engine.stream(requests) if isinstance(e, Done)}
        status = engine.status()
        replies = [done[row] for row in range(len(rows))]
        scores = engine.score(requests, replies) if score else []
    finally:
        engine.close()
    return replies, status, scores


def generated(
    base: Path, folder: Path | None, text: str, new: int = 6, tokens: int = 0, **options: Any
) -> tuple[int, ...]:
    model = AutoModelForCausalLM.from_pretrained(base, **options)
    if tokens:
        size = model.get_input_embeddings().weight.shape[0]
        model.resize_token_embeddings(size + tokens, mean_resizing=False)
    if folder:
        model = PeftModel.from_pretrained(model, folder)
    inputs = AutoTokenizer.from_pretrained(base)(text, return_tensors="pt")
    ids = model.eval().generate(**inputs, max_new_tokens=new, do_sample=False, pad_token_id=0)[0]
    return tuple(ids[inputs["input_ids"].shape[1] :].tolist())


MIXED = {
    "plain": LoraConfig(**LINEAR),
    "dora": LoraConfig(**QV, use_dora=True),
    "head": LoraConfig(**QV, modules_to_save=["lm_head", "embed_tokens"]),
    "tokens": LoraConfig(**QV, trainable_token_indices=[300, 301, 302]),
    "ia3": IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("quantize", ["none", "4bit"])
def test_adapters_of_every_kind_in_one_batch_write_what_generate_writes(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantize: str
) -> None:
    # On a CPU with AVX512-BF16, bitsandbytes repacks 4-bit weights at their first pass, and PEFT's DoRA,
    # which takes them for numbers in their first order at every pass, is no reference there.
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: False)
    names = ["plain", "dora", "head", "tokens", "ia3"] if quantize == "none" else ["plain", "dora", "ia3"]
    folders = {name: make_adapter(tiny.base, tmp_path / name, MIXED[name]) for name in names}
    rows = [("Hello there", name) for name in (None, *names, None)]
    replies, status, _ = serve(tiny.base, folders, rows, quantize=quantize)
    assert [entry.error for entry in status.adapters] == [None] * len(names)
    assert status.plain is None
    options: dict[str, Any] = {}
    if quantize == "4bit":
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
        )
    for (text, name), reply in zip(rows, replies, strict=True):
        assert not reply.error
        assert reply.token_ids == generated(tiny.base, folders[name] if name else None, text, **options), name


@pytest.mark.filterwarnings("ignore")
def test_tokens_of_an_adapters_own_are_chosen_by_its_rows_alone(tiny: Tiny, tmp_path: Path) -> None:
    size = AutoModelForCausalLM.from_pretrained(tiny.base).get_input_embeddings().weight.shape[0]
    own = make_adapter(
        tiny.base, tmp_path / "own", LoraConfig(**QV, modules_to_save=["embed_tokens", "lm_head"]), tokens=8
    )
    weights = load_file(own / "adapter_model.safetensors")
    for key, value in weights.items():  # a token that is often the likeliest; PEFT writes the weights twice
        if key.startswith("base_model.model.lm_head."):
            value[size + 3] *= 40
    save_file(weights, own / "adapter_model.safetensors")
    rows = [("Hello there", "own"), ("Hello there", None), ("What is it", "own")]
    replies, status, scores = serve(tiny.base, {"own": own}, rows, score=True)
    assert status.adapters[0].error is None
    assert status.adapters[0].kl is not None
    assert status.adapters[0].kl > 0
    assert "its own embed_tokens, lm_head" in status.adapters[0].serving
    for (text, name), reply in zip(rows, replies, strict=True):
        folder = own if name else None
        assert reply.token_ids == generated(tiny.base, folder, text, tokens=8 if name else 0)
    assert any(token >= size for reply in (replies[0], replies[2]) for token in reply.token_ids)
    assert all(token < size for token in replies[1].token_ids)
    for reply, found in zip(replies, scores, strict=True):
        assert [entry.token for entry in found] == list(reply.token_ids)
        assert all(entry.rank == 1 and entry.logprob > -20 for entry in found)


@pytest.mark.filterwarnings("ignore")
def test_a_row_samples_the_same_beside_rows_with_more_tokens(tiny: Tiny, tmp_path: Path) -> None:
    config = LoraConfig(**QV, modules_to_save=["embed_tokens", "lm_head"])
    own = make_adapter(tiny.base, tmp_path / "own", config, tokens=8)
    library = Library.open(str(tiny.base), {"own": str(own)})
    engine = open_engine(Settings(base=str(tiny.base), device="cpu"), library)
    sampling = Sampling(max_new_tokens=8, temperature=1.0, top_p=0.9, seed=3)

    def ask(*names: str | None) -> list[tuple[int, ...]]:
        requests = [Request(prompt=Prompt(text="Hello", adapter=name), sampling=sampling) for name in names]
        replies = {e.row: e.reply for e in engine.stream(requests) if isinstance(e, Done)}
        return [replies[row].token_ids for row in range(len(names))]

    try:
        assert ask(None, "own") == [*ask(None), *ask("own")]
    finally:
        engine.close()


@pytest.mark.parametrize("how", ["weights", "beside it"])
def test_an_adapter_that_changes_the_base_is_left_out_and_the_base_loaded_again(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    bad = make_adapter(tiny.base, tmp_path / "bad", LoraConfig(**QV))
    folders = {"wide": tiny.adapters["wide"], "bad": bad, "thin": tiny.adapters["thin"]}
    rows = [("Hello there", name) for name in (None, "wide", "thin", "bad")]
    want, _, _ = serve(tiny.base, {name: folders[name] for name in ("wide", "thin")}, rows[:3])
    read = adapters.read_adapter_weights

    def poison(model: Any, folder: Path, allow_pickle: bool = False) -> Adapter:
        adapter = read(model, folder, allow_pickle)
        if folder == bad:
            if how == "weights":
                model.lm_head.weight.data[7, 5] += 1
            else:

                class Poison:
                    def apply(self, result: Tensor, x: Tensor) -> Tensor:
                        model.model.norm.weight.data += 1
                        return result

                adapter.parts["model.layers.0.self_attn.q_proj"].steps.append(Poison())
        return adapter

    monkeypatch.setattr(adapters, "read_adapter_weights", poison)
    replies, status, _ = serve(tiny.base, folders, rows)
    assert [reply.token_ids for reply in replies[:3]] == [reply.token_ids for reply in want]
    assert replies[3].error is not None
    assert "changed the base weights" in replies[3].error
    assert [entry.error is None for entry in status.adapters] == [True, False, True]


NAMES = ["v1.5", "train", "type", "forward", "weight", "default", "modules", "lora_A", "a" * 60]


@pytest.mark.filterwarnings("ignore")
def test_names_with_dots_and_names_that_torch_reserves_are_just_names(tiny: Tiny) -> None:
    folders = dict.fromkeys(NAMES, tiny.adapters["thin"])
    replies, status, _ = serve(tiny.base, folders, [("Hello there", name) for name in NAMES])
    assert [entry.error for entry in status.adapters] == [None] * len(NAMES)
    assert len({reply.token_ids for reply in replies}) == 1
    assert replies[0].token_ids == generated(tiny.base, tiny.adapters["thin"], "Hello there")


def test_a_foreign_adapter_is_reported_with_both_names_unless_it_is_the_same(
    tiny: Tiny, tmp_path: Path
) -> None:
    here = make_adapter(tiny.base, tmp_path / "x", LoraConfig(**QV))
    path = here / "adapter_config.json"

    def warning(named: str | None, **settings: Any) -> str | None:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": named}))
        model = AutoModelForCausalLM.from_pretrained(tiny.base)
        library = Library.open(str(tiny.base), {"x": str(here)})
        found = adapters.load_adapters(
            model, library, lambda *_: None, Settings(base=str(tiny.base), **settings)
        )
        assert found.statuses[0].error is None
        return found.statuses[0].warning

    assert warning(str(tiny.base)) is None
    assert warning("C:\\\\models\\\\tiny-llama") is None
    other = warning("owner/Other-7B")
    assert other is not None
    assert "owner/Other-7B" in other
    assert str(tiny.base) in other
    assert warning("owner/Other-7B", same_base=True) is None
    unnamed = warning(None)
    assert unnamed is not None
    assert "does not name its base" in unnamed


@pytest.mark.filterwarnings("ignore")
def test_a_chat_template_that_writes_nothing_is_a_warning(tiny: Tiny, tmp_path: Path) -> None:
    here = make_adapter(tiny.base, tmp_path / "x", LoraConfig(**QV))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tiny.base / name, here / name)
    for text, words in (
        ("{% for m in messages %}", "Unexpected end of template"),
        ("{{ raise_exception('not today') }}", "cannot render this conversation: not today"),
    ):
        (here / "chat_template.jinja").write_text(text)
        _, status, _ = serve(tiny.base, {"x": here}, [("Hello there", "x")])
        assert status.adapters[0].error is None
        assert status.adapters[0].warning is not None
        assert words in status.adapters[0].warning
        assert status.adapters[0].warning.startswith("Adapter 'x'")


@pytest.mark.filterwarnings("ignore")
def test_a_smaller_vocabulary_is_served(tiny: Tiny, tmp_path: Path) -> None:
    """As of an adapter that was trained after the base's spare rows were cut off."""
    config = LoraConfig(**QV, modules_to_save=["embed_tokens", "lm_head"])
    own = make_adapter(tiny.base, tmp_path / "own", config, tokens=-16)
    rows = [("Hello there", "own"), ("Hello there", None)]
    replies, status, scores = serve(tiny.base, {"own": own}, rows, score=True)
    assert status.adapters[0].error is None
    assert status.adapters[0].kl is not None
    assert status.adapters[0].kl > 0
    assert replies[0].token_ids == generated(tiny.base, own, "Hello there", tokens=-16)
    assert replies[1].token_ids == generated(tiny.base, None, "Hello there")
    assert all(entry.rank == 1 for entry in scores[0])


@pytest.mark.filterwarnings("ignore")
def test_tokens_that_can_be_read_and_not_written_are_no_failure(tiny: Tiny, tmp_path: Path) -> None:
    """Embeddings with more rows than the output layer, and a penalty on a token of theirs."""
    config = LoraConfig(**{**LINEAR, "target_modules": ["q_proj", "embed_tokens"]})
    own = make_adapter(tiny.base, tmp_path / "own", config, tokens=4)
    library = Library.open(str(tiny.base), {"own": str(own)})
    engine = open_engine(Settings(base=str(tiny.base), device="cpu"), library)
    request = Request(
        prompt=Prompt(text="Hello there", adapter="own"),
        sampling=Sampling(max_new_tokens=4, repetition_penalty=1.3),
    )
    try:
        (reply,) = [event.reply for event in engine.stream([request]) if isinstance(event, Done)]
        assert reply.error is None
        warning = engine.status().adapters[0].warning
        assert warning is not None
        assert "never generated" in warning
    finally:
        engine.close()
    logits = torch.tensor([1.0, 2.0])
    assert penalise(logits, [0, 5], 2.0).tolist() == [0.5, 2.0]


@pytest.mark.filterwarnings("ignore")
def test_copies_of_position_embeddings_are_served_in_a_batch_or_refused(tmp_path: Path) -> None:
    """GPT-2 looks positions up by id, OPT from the mask and the cache's length."""
    vocabulary = len(AutoTokenizer.from_pretrained(POCKET))
    kinds: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("GPT2", "c_attn", "wpe", {"n_positions": 64, "n_inner": 48}),
        ("OPT", "q_proj", "embed_positions", {"ffn_dim": 48, "word_embed_proj_dim": 32}),
    )
    for kind, target, positions, more in kinds:
        base = make_base(tmp_path / kind, kind, vocab_size=vocabulary, **more)
        AutoTokenizer.from_pretrained(POCKET).save_pretrained(base)
        config = {**LINEAR, "target_modules": [target], "modules_to_save": [positions]}
        own = make_adapter(base, tmp_path / f"{kind}-own", LoraConfig(**config))
        replies, status, _ = serve(base, {"own": own}, [("Hello there", None), ("Hello you there", "own")])
        assert status.plain is None
        assert replies[0].token_ids == generated(base, None, "Hello there")
        if kind == "GPT2":
            assert replies[1].token_ids == generated(base, own, "Hello you there")
        else:
            assert replies[1].error is not None
            assert "which takes several inputs" in replies[1].error
