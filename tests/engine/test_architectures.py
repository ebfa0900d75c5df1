"""Tests that batches of base and adapter rows match `generate` on tiny models of several architectures.

Each row's greedy output must equal the output of `generate` for that row alone, whatever the architecture
does with positions, masks, norms and attention scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from playground.config import Settings
from playground.engine import Engine, open_engine
from playground.engine.text import Writer
from playground.library import Library
from playground.types import Done, Prompt, Request, Sampling, StopRule
from tests.helpers.paths import POCKET

Folders = tuple[str, Path, Path]
"""The name of an architecture, and the folders of a base and of an adapter."""
Row = tuple[str, str | None]
"""A text, and the name of the adapter that is to answer it."""
SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,
}
GROUPED: dict[str, Any] = {**SHAPE, "num_key_value_heads": 2}
GPT2: dict[str, Any] = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256, "initializer_range": 0.2}
WINDOW = 8  # shorter than every prompt here but one
MIXED: dict[str, Any] = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"]}
EXPERTS: dict[str, Any] = {"moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7],
    "long_factor": [4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0, 9.0],
    "original_max_position_embeddings": 20,
}
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", GROUPED),
    "mistral, sliding window": ("Mistral", {**GROUPED, "sliding_window": WINDOW}),
    "qwen2": ("Qwen2", GROUPED),
    "qwen3": ("Qwen3", {**GROUPED, "head_dim": 32}),
    "gemma2, sliding window": ("Gemma2", {**GROUPED, "head_dim": 16, **MIXED}),
    "gemma3, windows and two rotary bases": ("Gemma3Text", {**GROUPED, "head_dim": 16, **MIXED}),
    "gpt-oss, sinks and windows": (
        "GptOss",
        {**GROUPED, **MIXED, "head_dim": 16, "num_local_experts": 4, "num_experts_per_tok": 2},
    ),
    "cohere2, no positions in full layers": ("Cohere2", {**GROUPED, **MIXED, "logit_scale": 1.0}),
    "smollm3, layers without rotary positions": ("SmolLM3", {**GROUPED, "no_rope_layers": [1, 0]}),
    "olmo2": ("Olmo2", GROUPED),
    "olmo3, sliding window": ("Olmo3", {**GROUPED, **MIXED}),
    "phi3, longrope, fused qkv": (
        "Phi3",
        {
            **GROUPED,
            "sliding_window": None,
            "original_max_position_embeddings": 20,
            "rope_parameters": LONGROPE,
        },
    ),
    "llama, longrope": ("Llama", {**GROUPED, "rope_parameters": LONGROPE}),
    "llama, dynamic ntk": (
        "Llama",
        {
            **GROUPED,
            "max_position_embeddings": 20,
            "rope_parameters": {"rope_type": "dynamic", "factor": 16.0, "rope_theta": 10000.0},
        },
    ),
    "llama, yarn": (
        "Llama",
        {
            **GROUPED,
            "max_position_embeddings": 64,
            "rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 10000.0},
        },
    ),
    "starcoder2": ("Starcoder2", {**GROUPED, "sliding_window": WINDOW}),
    "stablelm": ("StableLm", GROUPED),
    "granite": ("Granite", GROUPED),
    "persimmon, fused qkv": ("Persimmon", SHAPE),
    "phi": ("Phi", SHAPE),
    "gpt-neox, fused qkv": ("GPTNeoX", SHAPE),
    "gpt-j": ("GPTJ", {**GPT2, "rotary_dim": 8}),
    "codegen, fused qkv": ("CodeGen", {**GPT2, "rotary_dim": 8}),
    "gpt-2, learned positions": ("GPT2", GPT2),
    "gpt-bigcode, one key head": ("GPTBigCode", GPT2),
    "gpt-neo, windows as masks": (
        "GPTNeo",
        {
            "hidden_size": 64,
            "num_layers": 2,
            "num_heads": 4,
            "attention_types": [[["global", "local"], 1]],
            "window_size": WINDOW,
            "max_position_embeddings": 256,
            "initializer_range": 0.2,
        },
    ),
    "mpt, alibi, fused qkv": (
        "Mpt",
        {"d_model": 64, "n_heads": 4, "n_layers": 2, "max_seq_len": 256, "initializer_range": 0.2},
    ),
    "bloom, alibi": ("Bloom", {"hidden_size": 64, "n_layer": 2, "n_head": 4, "initializer_range": 0.2}),
    "falcon, alibi": (
        "Falcon",
        {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "alibi": True,
            "initializer_range": 0.2,
        },
    ),
    "mixtral, experts": ("Mixtral", {**GROUPED, "num_local_experts": 4}),
    "deepseek-v2, complex rotary positions": (
        "DeepseekV2",
        {
            **SHAPE,
            "num_key_value_heads": 4,
            "moe_intermediate_size": 32,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "topk_group": 1,
            "n_group": 1,
            "first_k_dense_replace": 1,
            "q_lora_rank": 16,
            "kv_lora_rank": 16,
            "qk_rope_head_dim": 8,
            "qk_nope_head_dim": 8,
            "v_head_dim": 16,
        },
    ),
}
"""By name: the prefix of Transformers' classes, and the configuration. The fast path serves all of these."""
FLATTENED: dict[str, tuple[str, dict[str, Any]]] = {
    "opt, learned positions with an offset": (
        "OPT",
        {
            "hidden_size": 64,
            "ffn_dim": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "word_embed_proj_dim": 64,
            "max_position_embeddings": 256,
            "init_std": 0.2,
        },
    ),
    "qwen2-moe, a shared expert": (
        "Qwen2Moe",
        {**GROUPED, **EXPERTS, "shared_expert_intermediate_size": 32},
    ),
}
"""The same, of which some layers see (rows times positions, size)."""
PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    # What these do with positions or state is found out at load, and decides the path.
    "mamba, no keys and values": (
        "Mamba",
        {"hidden_size": 64, "num_hidden_layers": 2, "initializer_range": 0.2},
    ),
    "lfm2, convolutions": ("Lfm2", {**GROUPED, "layer_types": ["conv", "full_attention"]}),
    "rwkv, a state of its own": (
        "Rwkv",
        {"hidden_size": 64, "num_hidden_layers": 2, "attention_hidden_size": 64, "context_length": 256},
    ),
    "recurrent gemma, state and window": (
        "RecurrentGemma",
        {**GROUPED, "num_hidden_layers": 3, "head_dim": 16, "lru_width": 64, "attention_window_size": WINDOW},
    ),
}
TARGETS = {
    "Mamba": ["in_proj", "x_proj"],  # PEFT refuses the others
    # "all-linear" takes routers and experts in, which are no linear layers.
    "Mixtral": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "DeepseekV2": ["q_a_proj", "q_b_proj", "kv_b_proj", "o_proj"],
}
IN_4BIT = ("mistral, sliding window", "phi3, longrope, fused qkv", "bloom, alibi")
OTHER_SHAPES = (*FLATTENED, "deepseek-v2, complex rotary positions")
"""Those with layers that see rows of another shape than (rows, positions, size)."""
NEW = 10
FIRST: list[Row] = [
    ("Hello", None),
    ("What is the capital of France? Please tell me more about that city.", "tuned"),
    ("The sun is a star and the moon is not", None),
    ("x y", "tuned"),
]


@pytest.fixture(scope="module", params=[*ARCHITECTURES, *FLATTENED, *PLAIN])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """Name, and folders of a tiny random model and of a random adapter on all its linear layers."""
    name, options = (ARCHITECTURES | FLATTENED | PLAIN)[request.param]
    folder = tmp_path_factory.mktemp("architecture")
    base, tuned = folder / "base", folder / "tuned"
    tokenizer = AutoTokenizer.from_pretrained(POCKET)
    tokens = {key: getattr(tokenizer, key) for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(vocab_size=len(tokenizer), **options, **tokens)
    AutoModelForCausalLM.from_config(config).save_pretrained(base)
    tokenizer.save_pretrained(base)
    targets = TARGETS.get(name, "all-linear")
    lora = LoraConfig(r=4, lora_alpha=8, target_modules=targets, init_lora_weights=False)
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora).save_pretrained(tuned)
    return request.param, base, tuned


def reference(base: Path, tuned: Path, quantize: bool) -> Any:
    """PEFT's model with the adapter on."""
    options: dict[str, Any] = {"dtype": torch.float32, "device_map": {"": "cpu"}}
    if quantize:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
        )
    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, **options), tuned).eval()


def reset_positions(model: Any) -> None:
    """Forget the lengths that a dynamic rotary module has seen, since each row is to be alone."""
    for module in model.modules():
        if hasattr(module, "original_max_seq_len"):
            module.max_seq_len_cached = module.original_max_seq_len
            if hasattr(module, "original_inv_freq"):
                module.inv_freq = module.original_inv_freq.clone()


def slow(model: Any, base: Path, rows: Sequence[Row]) -> list[str]:
    """Each row alone through PEFT and `generate`."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    texts = []
    for text, adapter in rows:
        inputs = tokenizer(text, return_tensors="pt")
        inputs.pop("token_type_ids", None)
        length = inputs["input_ids"].shape[1]
        reset_positions(model)
        with nullcontext() if adapter else model.disable_adapter():
            ids = model.generate(**inputs, max_new_tokens=NEW, do_sample=False)[0].tolist()
        writer = Writer(
            lambda part: tokenizer.decode(part, skip_special_tokens=True), ids[:length], StopRule()
        )
        for token in ids[length:]:
            if token != tokenizer.eos_token_id:
                writer.feed(token)
        writer.finish()
        texts.append(writer.raw_text)
    return texts


def fast(engine: Engine, rows: Sequence[Row]) -> list[str]:
    """All rows in one batch of ours."""
    requests = [
        Request(prompt=Prompt(text=text, adapter=adapter), sampling=Sampling(max_new_tokens=NEW))
        for text, adapter in rows
    ]
    replies = {event.row: event.reply for event in engine.stream(requests) if isinstance(event, Done)}
    assert [replies[row].error for row in range(len(rows))] == [None] * len(rows)
    return [replies[row].raw_text for row in range(len(rows))]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Steps of tiny models are too short to share: waiting for a second thread takes longer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_mixed_rows_over_two_turns_equal_generate_row_by_row(model: Folders) -> None:
    name, base, tuned = model
    compare(name, base, tuned, False, FIRST)


@pytest.mark.parametrize("model", IN_4BIT, indirect=True)
def test_the_same_in_4_bit(model: Folders) -> None:
    name, base, tuned = model
    compare(name, base, tuned, True, FIRST)


@pytest.mark.parametrize("model", OTHER_SHAPES, indirect=True)
def test_base_rows_equal_generate_where_layers_flatten_rows(model: Folders) -> None:
    name, base, tuned = model
    compare(name, base, tuned, False, [(text, None) for text, _ in FIRST], adapters=False)


def compare(
    name: str, base: Path, tuned: Path, quantize: bool, rows: Sequence[Row], adapters: bool = True
) -> None:
    """Two turns of the rows in our engine and in `generate`."""
    settings = Settings(base=str(base), device="cpu", quantize="4bit" if quantize else "none")
    engine = open_engine(settings, Library.open(str(base), {"tuned": str(tuned)} if adapters else {}))
    try:
        first = fast(engine, rows)
        model = reference(base, tuned, quantize)  # Transformers cannot load in two threads at once
        plain = engine.status().plain
        assert plain if name in PLAIN else plain is None
        assert all(status.kl and status.kl > 0.01 for status in engine.status().adapters)
        assert first == slow(model, base, rows)
        second = [(f"{text}{reply} And now?", a) for (text, a), reply in zip(rows, first, strict=True)]
        assert fast(engine, second) == slow(model, base, second)
    finally:
        engine.close()
