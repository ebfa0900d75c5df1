"""Tests for context lengths: position limits from the model configuration, and prompts near these limits."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from playground.config import Settings
from playground.engine import Engine, open_engine, scheduler
from playground.engine.loading.architecture import refuse_architecture
from playground.engine.positions import UNSTATED_CONTEXT, context_length, lower_limits, names_limit
from playground.engine.rope import RowRope
from playground.library import Library
from playground.types import Done, InputError, Prompt, Reply, Request, Sampling
from tests.helpers.paths import POCKET

SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.2,
}
LIMIT = 40
LONGROPE: dict[str, Any] = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0, 1.0, 1.1, 1.1, 1.2, 1.2, 1.3, 1.3],
    "long_factor": [4.0, 4.0, 5.0, 5.0, 6.0, 6.0, 7.0, 7.0],
    "original_max_position_embeddings": LIMIT,
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "phi3, reads again at the limit": (
        "Phi3",
        {
            "max_position_embeddings": 256,
            "original_max_position_embeddings": LIMIT,
            "sliding_window": None,
            "rope_parameters": LONGROPE,
        },
    ),
    "phimoe, factors and scale of its own": (
        "Phimoe",
        {
            "max_position_embeddings": 256,
            "original_max_position_embeddings": LIMIT,
            "num_local_experts": 4,
            "rope_parameters": LONGROPE | {"short_mscale": 1.1, "long_mscale": 1.3},
        },
    ),
    "llama, longrope": ("Llama", {"max_position_embeddings": 256, "rope_parameters": LONGROPE}),
    "llama, dynamic ntk": (
        "Llama",
        {
            "max_position_embeddings": LIMIT,
            "rope_parameters": {"rope_type": "dynamic", "factor": 8.0, "rope_theta": 10000.0},
        },
    ),
    "gemma3, windows": (
        "Gemma3Text",
        {
            "max_position_embeddings": 256,
            "head_dim": 16,
            "sliding_window": LIMIT,
            "layer_types": ["sliding_attention", "full_attention"],
        },
    ),
    "gemma3, longrope in full layers": (
        "Gemma3Text",
        {
            "max_position_embeddings": 256,
            "head_dim": 16,
            "sliding_window": LIMIT,
            "layer_types": ["sliding_attention", "full_attention"],
            "rope_parameters": {
                "full_attention": LONGROPE,
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            },
        },
    ),
}
TEXT = "The sun is a star and the moon is not one of them, as people say who look up at night. " * 12
NEW = 8


def make(kind: str, folder: Path, tokenizer: Any = None, **options: Any) -> Path:
    """A folder with a tiny random model and a tokenizer."""
    tokenizer = tokenizer or AutoTokenizer.from_pretrained(POCKET)
    tokens = {key: getattr(tokenizer, key) for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    options = {"vocab_size": len(tokenizer)} | SHAPE | options | tokens
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(getattr(transformers, f"{kind}Config")(**copy.deepcopy(options)))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def start(base: Path) -> Engine:
    return open_engine(Settings(base=str(base), device="cpu", quantize="none"), Library.open(str(base), {}))


def ask(engine: Engine, texts: Sequence[str], new: int = NEW) -> list[Reply]:
    requests = [Request(prompt=Prompt(text=text), sampling=Sampling(max_new_tokens=new)) for text in texts]
    replies = {event.row: event.reply for event in engine.stream(requests) if isinstance(event, Done)}
    return [replies[row] for row in range(len(texts))]


def cached_tokens(engine: Engine, text: str) -> int:
    """How many tokens of a prompt the engine took from its store."""
    cached = ask(engine, [text], new=2)[0].cached_tokens
    assert cached is not None
    return cached


class Alone:
    """`generate` for one row at a time, each as if the model had read nothing before."""

    def __init__(self, base: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(base)
        self._model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
        self._known: dict[str, tuple[int, ...]] = {}

    def __call__(self, text: str) -> tuple[int, ...]:
        """The new token ids."""
        if text not in self._known:
            for module in self._model.modules():
                if "dynamic" in str(getattr(module, "rope_type", "")):
                    module.max_seq_len_cached = module.original_max_seq_len
                    module.inv_freq = module.original_inv_freq.clone()
            inputs = self._tokenizer(text, return_tensors="pt")
            start = inputs["input_ids"].shape[1]
            ids = self._model.generate(
                inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                max_new_tokens=NEW,
                do_sample=False,
            )
            self._known[text] = tuple(ids[0, start:].tolist())
        return self._known[text]

    def cut(self, tokens: int) -> str:
        """A text of about so many tokens."""
        ids = self._tokenizer(TEXT, add_special_tokens=False)["input_ids"]
        return str(self._tokenizer.decode(ids[: tokens - 1]))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", MODELS)
def test_rows_around_a_limit_equal_generate_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, options = MODELS[name]
    base = make(kind, tmp_path / "base", **options)
    engine = start(base)
    ask(engine, ["Hello"])  # Transformers cannot load in two threads at once
    assert engine.status().plain is None, engine.status()
    alone = Alone(base)
    choices = random.Random(7)
    try:
        for chunk in (1, 7, 64):
            monkeypatch.setattr(scheduler, "CHUNK_IDLE", chunk)
            monkeypatch.setattr(scheduler, "CHUNK_DECODING", max(1, chunk // 2))
            # One that stays below, one that passes the limit while it decodes, one beyond, and two by chance.
            lengths = [LIMIT - NEW - 3, LIMIT - 3, LIMIT + 25, *choices.choices(range(5, 2 * LIMIT), k=2)]
            choices.shuffle(lengths)
            texts = [alone.cut(length) for length in lengths]
            replies = ask(engine, texts)
            assert [reply.error for reply in replies] == [None] * len(texts)
            for length, text, reply in zip(lengths, texts, replies, strict=True):
                assert reply.token_ids == alone(text), (chunk, length)
            # What they read is in the store now; the next turn begins with it, and some pass the limit by it.
            texts = [f"{text}{reply.raw_text} And then?" for text, reply in zip(texts, replies, strict=True)]
            for text, reply in zip(texts, ask(engine, texts), strict=True):
                assert reply.token_ids == alone(text), (chunk, reply.prompt_tokens, reply.cached_tokens)
    finally:
        engine.close()


def test_prefixes_are_taken_within_one_regime_only(tmp_path: Path) -> None:
    kind, options = MODELS["phi3, reads again at the limit"]
    base = make(kind, tmp_path / "base", **options)
    engine = start(base)
    try:
        ask(engine, ["Hello"])
        alone = Alone(base)
        short, long, longer = alone.cut(LIMIT - 10), alone.cut(LIMIT + 20), alone.cut(LIMIT + 40)
        assert cached_tokens(engine, short) < 5
        assert cached_tokens(engine, short) > 20
        assert cached_tokens(engine, long) == 0
        assert cached_tokens(engine, longer) > LIMIT
    finally:
        engine.close()


def test_scores_of_a_reply_are_those_of_one_pass_whatever_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, options = MODELS["llama, dynamic ntk"]
    base = make(kind, tmp_path / "base", **options)
    engine = start(base)
    try:
        ask(engine, ["Hello"])
        alone = Alone(base)
        request = Request(prompt=Prompt(text=alone.cut(LIMIT + 10)), sampling=Sampling(max_new_tokens=NEW))
        reply = next(event.reply for event in engine.stream([request]) if isinstance(event, Done))
        monkeypatch.setattr(scheduler, "CHUNK_IDLE", 7)
        scores = engine.score([request], [reply])[0]
    finally:
        engine.close()
    ids = alone._tokenizer(request.prompt.text)["input_ids"] + list(reply.token_ids)
    with torch.no_grad():
        logits = alone._model(torch.tensor([ids])).logits[0].log_softmax(-1)
    first = len(ids) - len(reply.token_ids)
    for index, score in enumerate(scores):
        assert score.logprob == pytest.approx(float(logits[first + index - 1, score.token]), abs=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_lowered_limits_are_put_back(name: str, tmp_path: Path) -> None:
    kind, options = MODELS[name]
    folder = make(kind, tmp_path, **options)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = torch.tensor([AutoTokenizer.from_pretrained(folder)(TEXT)["input_ids"][:24]])

    def state() -> tuple[dict[str, Any], dict[str, Any], dict[str, Tensor]]:
        numbers = {
            f"{path}.{key}": value
            for path, module in model.named_modules()
            for key, value in vars(module).items()
            if isinstance(value, int | float | str)
        }
        buffers = {path: buffer.clone() for path, buffer in model.named_buffers()}
        return numbers, model.config.to_dict(), buffers

    with torch.inference_mode():
        plain = model(ids).logits
        numbers, config, buffers = state()
        assert names_limit(model)
        with lower_limits(model, window=4, length=10):
            assert not torch.equal(model(ids).logits, plain), "a limit below the text changes nothing"
            rope = RowRope(model)
            model(ids)
            with rope.remove_temporarily():
                pass
            for module in rope._modules:
                del module.forward
        after = state()
        assert after[0] == numbers
        assert after[1] == config
        assert all(torch.equal(after[2][path], buffer) for path, buffer in buffers.items())
        assert torch.equal(model(ids).logits, plain)


def test_a_model_that_counts_columns_past_a_limit_is_served_by_the_plain_path(tmp_path: Path) -> None:
    # Llama 4 scales queries by columns and not by each row's positions, from `floor_scale` on.
    base = make(
        "Llama4Text",
        tmp_path / "base",
        head_dim=16,
        intermediate_size_mlp=128,
        num_local_experts=2,
        max_position_embeddings=256,
        attention_chunk_size=64,
        floor_scale=100,
        no_rope_layers=[1, 0],
        layer_types=["chunked_attention", "full_attention"],
    )
    engine = start(base)
    try:
        ask(engine, ["Hello"])
        plain = engine.status().plain
        assert plain is not None
        assert "beyond its configured limits" in plain
        alone = Alone(base)
        texts = [alone.cut(length) for length in (10, 120, 190)]
        assert [reply.token_ids for reply in ask(engine, texts)] == [alone(text) for text in texts]
    finally:
        engine.close()


def test_ordinary_models_have_no_row_positions(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(make("Llama", tmp_path))
    assert not RowRope(model)
    assert not names_limit(model)
    assert all("forward" not in vars(module) for module in model.modules())


# --- Context --------------------------------------------------------------------------------------

LLAMA3: dict[str, Any] = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
CONTEXTS: dict[str, tuple[str, dict[str, Any], int]] = {
    "stated": ("llama", {"max_position_embeddings": 4096}, 4096),
    "linear, before scaling": (
        "llama",
        {"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 4.0}},
        16384,
    ),
    "dynamic, before scaling": (
        "llama",
        {"max_position_embeddings": 2048, "rope_scaling": {"type": "dynamic", "factor": 2.0}},
        4096,
    ),
    "yarn, before scaling": (
        "qwen2",
        {
            "max_position_embeddings": 32768,
            "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
        },
        131072,
    ),
    "yarn, scaled": (
        "llama",
        {
            "max_position_embeddings": 65536,
            "rope_scaling": {"type": "yarn", "factor": 16.0, "original_max_position_embeddings": 4096},
        },
        65536,
    ),
    "yarn without its original": (
        "llama",
        {
            "max_position_embeddings": 128,
            "rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4},
        },
        512,
    ),
    "llama3, scaled": (
        "llama",
        {
            "max_position_embeddings": 131072,
            "rope_scaling": LLAMA3,
        },
        131072,
    ),
    "llama3, before scaling": (
        "llama",
        {
            "max_position_embeddings": 8192,
            "rope_scaling": LLAMA3,
        },
        65536,
    ),
    "llama3, scaled to less than factor times original, as Llama 3.2": (
        "llama",
        {
            "max_position_embeddings": 131072,
            "rope_scaling": {**LLAMA3, "factor": 32.0},
        },
        131072,
    ),
    "longrope": (
        "phi3",
        {
            "max_position_embeddings": 131072,
            "original_max_position_embeddings": 4096,
            "rope_scaling": {"type": "longrope", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48},
        },
        131072,
    ),
    "gemma3, scaled for each layer type": (
        "gemma3_text",
        {"max_position_embeddings": 131072, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
        131072,
    ),
    "gpt-oss": ("gpt_oss", {}, 131072),
    "mpt": ("mpt", {"max_seq_len": 512}, 512),
    "rwkv": ("rwkv", {"context_length": 512}, 512),
    "gpt-2": ("gpt2", {"n_positions": 1024}, 1024),
    "opt": ("opt", {"max_position_embeddings": 2048}, 2048),
    "bloom": ("bloom", {"seq_length": 2048}, 2048),
    "the text part of a composite model": (
        "llava",
        {"text_config": {"model_type": "llama", "max_position_embeddings": 777}},
        777,
    ),
    "unstated": ("mamba", {}, UNSTATED_CONTEXT),
}


@pytest.mark.parametrize("name", CONTEXTS)
def test_context(name: str) -> None:
    kind, options, expected = CONTEXTS[name]
    config = AutoConfig.for_model(kind, **copy.deepcopy(options))  # which writes into its parameters
    assert context_length(config) == expected


@pytest.mark.parametrize(
    ("length", "expected"), [(4096, 4096), (int(1e30), UNSTATED_CONTEXT), (None, UNSTATED_CONTEXT)]
)
def test_a_tokenizer_states_the_context_where_the_configuration_does_not(
    length: float | None, expected: int
) -> None:
    tokenizer = SimpleNamespace(model_max_length=length)
    assert context_length(AutoConfig.for_model("mamba"), tokenizer) == expected
    assert context_length(AutoConfig.for_model("gpt2"), tokenizer) == 1024


def test_prompts_up_to_the_scaled_context_are_served(tmp_path: Path) -> None:
    rope = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 10000.0, "original_max_position_embeddings": 64}
    base = make("Llama", tmp_path, max_position_embeddings=64, rope_parameters=rope)
    engine = start(base)
    try:
        ask(engine, ["Hello"])
        alone = Alone(base)
        text = alone.cut(240)
        assert ask(engine, [text])[0].token_ids == alone(text)
        error = ask(engine, [alone.cut(280)])[0].error
        assert error is not None
        assert "context of 256" in error
    finally:
        engine.close()


# --- Refusals -------------------------------------------------------------------------------------


def test_a_token_without_an_embedding_is_refused_by_name_and_alone(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(POCKET)
    size = len(tokenizer)
    tokenizer.add_tokens(["<NEW>"])
    engine = start(make("Llama", tmp_path, tokenizer, vocab_size=size))
    try:
        bad, good, fine = ask(engine, ["a <NEW> b", "Hello there", "x"])
        assert bad.error is not None
        assert "'<NEW>'" in bad.error
        assert f"{size:,} tokens" in bad.error
        assert bad.token_ids == ()
        assert good.error is None
        assert fine.error is None
    finally:
        engine.close()


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "encoder-decoder": ("t5", {"architectures": ["T5ForConditionalGeneration"]}, "encoder-decoder"),
    "bart as saved": ("bart", {}, "encoder-decoder"),
    "whisper": ("whisper", {}, "encoder-decoder"),
    "classifier": ("llama", {"architectures": ["LlamaForSequenceClassification"]}, "classification head"),
    "token classifier": (
        "mistral",
        {"architectures": ["MistralForTokenClassification"]},
        "token classification head",
    ),
    "question answering": (
        "gpt2",
        {"architectures": ["GPT2ForQuestionAnswering"]},
        "extractive question answering",
    ),
    "embedding model": ("mistral", {"architectures": ["MistralModel"]}, "without a language modelling head"),
    "masked language model": (
        "bert",
        {"architectures": ["BertForMaskedLM"]},
        "masked tokens instead of continuing",
    ),
    "encoder": ("roberta", {}, "bidirectional attention"),
    "encoder that has no causal class": ("modernbert", {}, "bidirectional attention"),
    "vision": ("vit", {"architectures": ["ViTForImageClassification"]}, "classifies images"),
    "speech": ("wav2vec2", {}, "no causal language model class"),
    "xlnet": ("xlnet", {}, "permutation"),
}
SERVED: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {"architectures": ["LlamaForCausalLM"]}),
    "unstated": ("llama", {}),
    "a name of its own": ("mpt", {"architectures": ["MPTForCausalLM"]}),
    "head by another name": ("gpt2", {"architectures": ["GPT2LMHeadModel"]}),
    "two heads": ("gpt2", {"architectures": ["GPT2DoubleHeadsModel"]}),
    "saved without a head that is tied": ("bloom", {"architectures": ["BloomModel"]}),
    "decoder of an encoder's type": ("bert", {"is_decoder": True, "architectures": ["BertLMHeadModel"]}),
    "decoder half": (
        "bart",
        {"is_decoder": True, "is_encoder_decoder": False, "architectures": ["BartForCausalLM"]},
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_causal_language_model_is_refused_in_one_sentence(name: str) -> None:
    kind, options, reason = REFUSED[name]
    with pytest.raises(InputError, match=reason) as caught:
        refuse_architecture(AutoConfig.for_model(kind, **options), "some/base")
    assert str(caught.value).startswith("some/base ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", SERVED)
def test_causal_language_models_are_let_through(name: str) -> None:
    kind, options = SERVED[name]
    refuse_architecture(AutoConfig.for_model(kind, **options), "some/base")


def test_refusals_come_before_weights_are_read(tmp_path: Path) -> None:
    base = make("Llama", tmp_path)
    config = json.loads((base / "config.json").read_text())
    config["architectures"] = ["LlamaForSequenceClassification"]
    (base / "config.json").write_text(json.dumps(config))
    (base / "model.safetensors").unlink()
    engine = start(base)
    try:
        error = ask(engine, ["Hello"])[0].error
        assert error is not None
        assert "classification head" in error
        assert engine.status().state == "failed"
    finally:
        engine.close()
