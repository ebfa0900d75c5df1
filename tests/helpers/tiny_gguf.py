"""Create tiny random models as GGUF files (with the `gguf` package) and as folders with the same weights."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import gguf
import torch
from gguf.quants import dequantize, quantize
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
NAMES = {
    "embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip


def tokenizer(split: Any = None) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer on a few lines of text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.pre_tokenizer = level if split is None else pre_tokenizers.Sequence([split, level])
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    lines = ["the cat sat on the mat in 2024 and 1984, hello there", "what is the capital of France? Paris"]
    backend.train_from_iterator(lines * 20, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE
    )


def model(kind: str, tokens: int, **config: Any) -> Any:
    """Create a random model of an architecture such as "Llama"."""
    import transformers

    shape = {
        "vocab_size": tokens,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    torch.manual_seed(0)
    made = getattr(transformers, f"{kind}ForCausalLM")(
        getattr(transformers, f"{kind}Config")(**{**shape, **config})
    )
    return made.eval()


def write(
    path: Path,
    model: Any,
    tokenizer: Any,
    architecture: str = "llama",
    kind: str = "F32",
    keys: dict[str, Any] | None = None,
    tensors: dict[str, Any] | None = None,
    pre: str = "gpt-2",
) -> Any:
    """Write a model as a GGUF file, and set its weights to the dequantised weights in the file.

    Args:
        kind: quantisation type of the weight matrices, such as "Q8_0".
        keys: metadata to add or replace; a value of None removes a key.
        tensors: additional tensors.
        pre: name of the pre-tokenizer.
    """
    config = model.config
    stated: dict[str, Any] = {
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "rope.freq_base": float(config.rope_parameters["rope_theta"]),
    }
    file_type = {"F32": 0, "F16": 1, "Q8_0": 7, "Q4_0": 2, "BF16": 32}.get(kind, 0)
    all_keys = {f"{architecture}.{name}": value for name, value in stated.items()}
    all_keys |= {"general.file_type": file_type, "general.name": "tiny"} | (keys or {})
    writer = gguf.GGUFWriter(path, architecture)
    for name, value in all_keys.items():
        if value is None:
            continue
        if isinstance(value, bool):
            writer.add_bool(name, value)
        elif isinstance(value, str):
            writer.add_string(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        else:
            writer.add_uint32(name, value)
    _add_tokenizer(writer, tokenizer, pre)
    state = model.state_dict()
    for name, tensor in state.items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        tensor.copy_(torch.from_numpy(_add_tensor(writer, name, tensor, model, architecture, kind)))
    for name, value in (tensors or {}).items():
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def _add_tensor(writer: Any, name: str, tensor: Any, model: Any, architecture: str, kind: str) -> Any:
    """Add one tensor; return its dequantised values in the order used by Transformers."""
    found = re.fullmatch(r"(?:model\.)?(layers\.\d+\.)?(.+)\.(weight|bias)", name)
    assert found is not None
    short = f"{(found[1] or '').replace('layers', 'blk')}{NAMES[found[2]]}.{found[3]}"
    values = tensor.float().numpy().copy()
    heads = {".attn_q.": model.config.num_attention_heads, ".attn_k.": model.config.num_key_value_heads}
    turn = next((count for part, count in heads.items() if part in short and architecture == "llama"), None)
    if turn is not None:  # llama.cpp interleaves the two halves of each head's rotary dimensions
        values = values.reshape(turn, 2, -1, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    held = gguf.GGMLQuantizationType[kind if values.ndim > 1 else "F32"]
    packed = quantize(values, held)
    writer.add_tensor(short, packed, raw_dtype=held)
    stands_for = dequantize(packed, held).reshape(values.shape)
    if turn is not None:
        half = values.shape[0] // turn // 2
        stands_for = stands_for.reshape(turn, half, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    return stands_for.copy()


def _add_tokenizer(writer: Any, tokenizer: Any, pre: str) -> None:
    data = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = data["model"]["vocab"]
    special = {entry["content"] for entry in data["added_tokens"]}
    tokens = sorted(vocabulary, key=vocabulary.get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in special else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in data["model"]["merges"]])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_chat_template(TEMPLATE)


def save(folder: Path, model: Any, tokenizer: Any) -> Path:
    """Save the model and its tokenizer in a folder, in the Transformers format."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def logits(folder: Path, ids: list[int]) -> torch.Tensor:
    """Return the logits at every position for a model folder, computed with Transformers."""
    with torch.no_grad():
        model: Any = AutoModelForCausalLM.from_pretrained(folder)
        found: torch.Tensor = model(input_ids=torch.tensor([ids])).logits[0]
    return found
