"""Base and adapter rows of different lengths, two turns, on tiny random models of several architectures.

Every row's greedy text must equal what `generate` gives for it alone, whatever the architecture does to
positions, masks, norms and attention scores.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from playground.config import Settings
from playground.engine import open_engine
from playground.engine.text import Writer
from playground.library import Library
from playground.types import Done, Prompt, Request, Sampling, StopRule

POCKET = Path(__file__).resolve().parent.parent / "models" / "pocket"
SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,
}
GROUPED = {**SHAPE, "num_key_value_heads": 2}
WINDOW = 8  # shorter than every prompt here but one
ARCHITECTURES = {
    "llama": ("Llama", GROUPED),
    "mistral, sliding window": ("Mistral", {**GROUPED, "sliding_window": WINDOW}),
    "qwen2": ("Qwen2", GROUPED),
    "gemma2, sliding window": ("Gemma2", {**GROUPED, "head_dim": 16, "sliding_window": WINDOW}),
    "olmo2": ("Olmo2", GROUPED),
    "gpt-neox": ("GPTNeoX", SHAPE),
}
ODD = {
    # What these do with positions or state is found out at load, and decides the path.
    "bloom, positions by ALiBi": (
        "Bloom",
        {"hidden_size": 64, "n_layer": 2, "n_head": 4, "initializer_range": 0.2},
    ),
    "mamba, no keys and values": (
        "Mamba",
        {"hidden_size": 64, "num_hidden_layers": 2, "initializer_range": 0.2},
    ),
    "lfm2, convolutions": (
        "Lfm2",
        {**GROUPED, "layer_types": ["conv", "full_attention", "conv"]},
    ),
    "falcon, positions by ALiBi": (
        "Falcon",
        {
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "alibi": True,
            "initializer_range": 0.2,
        },
    ),
}
NEW = 10
FIRST = [
    ("Hello", None),
    ("What is the capital of France? Please tell me more about that city.", "tuned"),
    ("The sun is a star and the moon is not", None),
    ("x y", "tuned"),
]


@pytest.fixture(scope="module", params=[*ARCHITECTURES, *ODD])
def model(request, tmp_path_factory):
    """Name, and folders of a tiny random model and of a random adapter on all its linear layers."""
    name, options = (ARCHITECTURES | ODD)[request.param]
    folder = tmp_path_factory.mktemp("architecture")
    base, tuned = folder / "base", folder / "tuned"
    tokenizer = AutoTokenizer.from_pretrained(POCKET)
    tokens = {key: getattr(tokenizer, key) for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(vocab_size=len(tokenizer), **options, **tokens)
    getattr(transformers, f"{name}ForCausalLM")(config).save_pretrained(base)
    tokenizer.save_pretrained(base)
    targets = ["in_proj", "x_proj"] if name == "Mamba" else "all-linear"  # PEFT refuses the others there
    lora = LoraConfig(r=4, lora_alpha=8, target_modules=targets, init_lora_weights=False)
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora).save_pretrained(tuned)
    return request.param, base, tuned


def slow(base: Path, tuned: Path, quantize: bool, rows) -> list[str]:
    """Each row alone through PEFT and `generate`."""
    options = {"dtype": torch.float32, "device_map": {"": "cpu"}}
    if quantize:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
        )
    tokenizer = AutoTokenizer.from_pretrained(base)
    models = {None: AutoModelForCausalLM.from_pretrained(base, **options)}
    models["tuned"] = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, **options), tuned)
    texts = []
    for text, adapter in rows:
        inputs = tokenizer(text, return_tensors="pt")
        length = inputs["input_ids"].shape[1]
        ids = models[adapter].eval().generate(**inputs, max_new_tokens=NEW, do_sample=False)[0].tolist()
        writer = Writer(
            lambda part: tokenizer.decode(part, skip_special_tokens=True), ids[:length], StopRule()
        )
        for token in ids[length:]:
            if token != tokenizer.eos_token_id:
                writer.feed(token)
        writer.finish()
        texts.append(writer.raw_text)
    return texts


def fast(engine, rows) -> list[str]:
    """All rows in one batch of ours."""
    requests = [
        Request(prompt=Prompt(text=text, adapter=adapter), sampling=Sampling(max_new_tokens=NEW))
        for text, adapter in rows
    ]
    replies = {event.row: event.reply for event in engine.stream(requests) if isinstance(event, Done)}
    assert [replies[row].error for row in range(len(rows))] == [None] * len(rows)
    return [replies[row].raw_text for row in range(len(rows))]


@pytest.mark.parametrize("quantize", [False, True], ids=["float32", "nf4"])
def test_mixed_rows_over_two_turns_equal_generate_row_by_row(model, quantize):
    name, base, tuned = model
    if quantize and name.startswith("mamba"):
        pytest.skip("Transformers' Mamba multiplies with weights that 4-bit layers do not hold as such")
    settings = Settings(base=str(base), device="cpu", quantize="4bit" if quantize else "none")
    engine = open_engine(settings, Library.open(str(base), {"tuned": str(tuned)}))
    try:
        first = fast(engine, FIRST)
        plain = engine.status().plain
        assert plain is None if name in ARCHITECTURES else plain or "ALiBi" in name
        assert engine.status().adapters[0].kl > 0.01
        assert first == slow(base, tuned, quantize, FIRST)
        second = [(f"{text}{reply} And now?", a) for (text, a), reply in zip(FIRST, first, strict=True)]
        assert fast(engine, second) == slow(base, tuned, quantize, second)
    finally:
        engine.close()
