"""Load a base model from a GGUF file, rejecting files whose contents would be partly ignored.

Transformers dequantises the weights.

Its GGUF loader silently ignores hyperparameters and tensors that it does not know. This module restores
ignored hyperparameters that can be restored exactly. If any other hyperparameter or a tensor is ignored, the
file is rejected.
"""

from __future__ import annotations

import importlib.util
import math
import struct
from collections.abc import Callable
from typing import Any

from playground.files import first_line
from playground.gguf import GgufFile, GgufTensor
from playground.types import InputError

RENAMED = {
    "qwen2moe": "qwen2_moe",
    "qwen3moe": "qwen3_moe",
    "gpt-oss": "gpt_oss",
    "minimax-m2": "minimax_m2",
}
"""Maps the GGUF names of architectures to their names in Transformers, if the two names differ."""
RESTORED = {
    "attention.key_length": "head_dim",
    "attention.sliding_window": "sliding_window",
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
}
"""Maps the GGUF names of hyperparameters that the loader may ignore to their names in the configuration."""
HARMLESS = {
    "vocab_size": None,
    "context_length": None,
    "feed_forward_length": None,
    "tensor_data_layout": None,
    "rope.scaling.finetuned": None,
    "use_parallel_residual": None,
    "attention.causal": True,
    "expert_count": 0,
    "expert_used_count": 0,
}
"""Hyperparameters that can be ignored if they have the value given here, because they then have no effect or
can be derived from the shapes of the weights. The value None matches any value."""
ROPE_TENSOR = "rope_freqs.weight"
DIGITS_ALONE = ("smollm", "refact", "command-r", "starcoder", "codeshell", "exaone", "minerva-7b")
"""Pre-tokenizers that first split numbers into single digits and then split text in the same way as GPT-2."""
PLAIN = ("gpt-2", "phi-2", "mpt", "olmo", "jais")
"""Pre-tokenizers that split text in the same way as GPT-2."""


def check_available(header: GgufFile) -> None:
    """Check that the installed version of Transformers supports the architecture of a GGUF file.

    Raises:
        InputError: the package `gguf` is not installed, or Transformers does not support the architecture.
    """
    if importlib.util.find_spec("gguf") is None:
        raise InputError(
            f"{header.path} is a GGUF file, which requires a package that is not installed: run "
            "python -m pip install gguf, or use the model's folder or Hub ID."
        )
    from transformers.integrations.gguf import GGUF_CONFIG_ARCHS
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    name = RENAMED.get(header.architecture, header.architecture)
    known = {*GGUF_CONFIG_ARCHS, *GGUF_SUPPORTED_ARCHITECTURES} - {"general", "tokenizer"}
    if name not in known:
        raise InputError(
            f"{header.path} has the architecture {header.architecture!r}, which Transformers cannot load "
            "from GGUF: use the model's folder or Hub ID with safetensors files."
        )


def load_config(header: GgufFile, from_pretrained: Callable[..., Any]) -> Any:
    """Load the configuration from a GGUF file, and restore hyperparameters that the loader ignores.

    Args:
        header: header of the GGUF file.
        from_pretrained: the function `AutoConfig.from_pretrained`.

    Raises:
        InputError: the file cannot be read, or has a hyperparameter that cannot be restored.
    """
    try:
        config = from_pretrained(header.path.parent, gguf_file=header.path.name)
    except Exception as error:
        raise InputError(f"{header.path} cannot be read: {first_line(error)}.") from error
    if header.architecture in _report_readers():
        return config
    for key, value in _find_unread(header).items():
        _restore(header, config, key, value)
    _restore_rope(header, config)
    _check_rotation(header, config)
    names = {tensor.name for tensor in header.tensors}
    if "blk.0.attn_q.bias" in names and getattr(config, "attention_bias", None) is False:
        config.attention_bias = True
    return config


def _report_readers() -> Any:
    """Return the architectures loaded with Transformers' newer GGUF reader, which reports ignored entries."""
    from transformers.integrations.gguf import GGUF_CONFIG_ARCHS

    return GGUF_CONFIG_ARCHS


def _find_unread(header: GgufFile) -> dict[str, Any]:
    """Return the hyperparameters that the loader ignores, keyed by name without the architecture prefix."""
    from transformers.integrations import GGUF_CONFIG_MAPPING

    read = GGUF_CONFIG_MAPPING[RENAMED.get(header.architecture, header.architecture)]
    prefix = f"{header.architecture}."
    own = {
        key.removeprefix(prefix): value for key, value in header.metadata.items() if key.startswith(prefix)
    }
    return {key: value for key, value in own.items() if key not in read}


def _restore(header: GgufFile, config: Any, key: str, value: Any) -> None:
    """Copy a hyperparameter that the loader ignored into the configuration.

    Raises:
        InputError: the configuration has no entry for this hyperparameter.
    """
    if key.startswith("rope.scaling.") or (key in HARMLESS and HARMLESS[key] in (None, value)):
        return
    name = RESTORED.get(key)
    if key == "attention.value_length" and value == _head_dim(config):
        return
    if key == "rope.freq_base" and isinstance(getattr(config, "rope_parameters", None), dict):
        config.rope_parameters["rope_theta"] = value
    elif name is not None and hasattr(config, name):
        setattr(config, name, value)
    elif name != "head_dim" or value != _head_dim(config):
        raise _refuse_lossy(header, f"its {header.architecture}.{key} ({value!r:.40})")


def _restore_rope(header: GgufFile, config: Any) -> None:
    """Copy the file's RoPE scaling into the configuration.

    Raises:
        InputError: the scaling cannot be restored exactly.
    """
    start = f"{header.architecture}.rope.scaling."
    stated = {
        key.removeprefix(start): value for key, value in header.metadata.items() if key.startswith(start)
    }
    kind = stated.pop("type", "none")
    stated.pop("finetuned", None)
    scaling: dict[str, Any] = {}
    if kind == "linear" and set(stated) <= {"factor", "original_context_length"}:
        scaling = {"rope_type": "linear", "factor": stated.get("factor")}
    elif kind == "yarn" and set(stated) == {"factor", "original_context_length"}:
        original = stated["original_context_length"]
        scaling = {
            "rope_type": "yarn",
            "factor": stated["factor"],
            "original_max_position_embeddings": original,
        }
    elif kind != "none" or stated:
        raise _refuse_lossy(
            header, f"its RoPE scaling ({kind}: {', '.join(sorted(stated)) or 'no parameters'})"
        )
    if factors := _rope_factors(header):
        llama3 = _llama3(factors, config)
        if scaling or llama3 is None:
            raise _refuse_lossy(header, f"its tensor {ROPE_TENSOR}")
        scaling = llama3
    if not scaling:
        return
    parameters = getattr(config, "rope_parameters", None)
    if not isinstance(parameters, dict) or any(isinstance(value, dict) for value in parameters.values()):
        raise _refuse_lossy(header, "its RoPE scaling")
    parameters.update(scaling)


def _rope_factors(header: GgufFile) -> list[float]:
    """Read the factors by which RoPE frequencies are divided; return an empty list if there are none.

    Raises:
        InputError: the file has several lists of factors for different text lengths.
    """
    for tensor in header.tensors:
        if tensor.name.startswith("rope_") and tensor.name != ROPE_TENSOR:
            raise _refuse_lossy(header, f"its tensor {tensor.name}")
    for tensor in header.tensors:
        if tensor.name == ROPE_TENSOR and any(factor != 1 for factor in _floats(header, tensor)):
            return _floats(header, tensor)
    return []


def _floats(header: GgufFile, tensor: GgufTensor) -> list[float]:
    if tensor.kind != "F32":
        raise _refuse_lossy(header, f"its tensor {tensor.name}")
    with header.path.open("rb") as file:
        file.seek(tensor.start)
        return list(struct.unpack(f"<{tensor.size // 4}f", file.read(tensor.size)))


def _llama3(factors: list[float], config: Any) -> dict[str, Any] | None:
    """Return the Llama 3 RoPE scaling parameters that produce the given factors, or None.

    Llama 3 scaling uses a factor of 1 for short wavelengths, the largest factor for long wavelengths, and
    interpolated factors in between. None is returned if the given factors do not follow this pattern.
    """
    parameters = getattr(config, "rope_parameters", None)
    if not isinstance(parameters, dict) or "rope_theta" not in parameters:
        return None
    base, original, low, high, factor = float(parameters["rope_theta"]), 8192, 1.0, 4.0, max(factors)
    for index, given in enumerate(factors):
        length = 2 * math.pi * base ** (index / len(factors))
        smooth = (original / length - low) / (high - low)
        want = 1 / ((1 - smooth) / factor + smooth)
        want = 1.0 if length < original / high else factor if length > original / low else want
        if not math.isclose(given, want, rel_tol=1e-4):
            return None
    return {
        "rope_type": "llama3",
        "factor": float(round(factor, 4)),
        "low_freq_factor": low,
        "high_freq_factor": high,
        "original_max_position_embeddings": original,
    }


def _check_rotation(header: GgufFile, config: Any) -> None:
    """Check that the configuration has the same rotary dimension per head as the file.

    Raises:
        InputError: the dimensions differ.
    """
    stated = header.metadata.get(f"{header.architecture}.rope.dimension_count")
    parameters = getattr(config, "rope_parameters", None)
    if stated is None or not isinstance(parameters, dict):
        return
    if any(isinstance(value, dict) for value in parameters.values()):
        parameters = next(value for value in parameters.values() if isinstance(value, dict))
    share = parameters.get("partial_rotary_factor") or getattr(config, "partial_rotary_factor", None) or 1.0
    if int(_head_dim(config) * share) != stated:
        raise _refuse_lossy(header, f"its {header.architecture}.rope.dimension_count ({stated})")


def _head_dim(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def check_tensors(header: GgufFile, model: Any) -> None:
    """Check that the model loaded from a GGUF file uses all tensors in the file.

    Raises:
        InputError: some tensors are not used. The message names the first three.
    """
    if header.architecture in _report_readers():
        return  # the newer reader reports unused tensors, which `base.load_weights` checks
    from transformers.modeling_gguf_pytorch_utils import (
        TENSOR_PROCESSORS,
        TensorProcessor,
        get_gguf_hf_weights_map,
    )

    kind = TENSOR_PROCESSORS.get(header.architecture, TensorProcessor)
    used = get_gguf_hf_weights_map(model, kind(config=model.config.to_dict()))
    unused = [
        tensor.name for tensor in header.tensors if tensor.name not in used and tensor.name != ROPE_TENSOR
    ]
    if unused:
        raise _refuse_lossy(header, f"{len(unused)} of its tensors ({', '.join(unused[:3])})")


def _refuse_lossy(header: GgufFile, what: str) -> InputError:
    return InputError(
        f"{header.path} cannot be reproduced exactly: Transformers' GGUF loader ignores {what}. Use the "
        "model's folder or Hub ID with safetensors files instead."
    )


def eos_token_ids(header: GgufFile) -> list[int]:
    """Return the end-of-sequence, end-of-turn and end-of-message token ids given in the file."""
    roles = ("eos", "eot", "eom")
    ids = {header.metadata.get(f"tokenizer.ggml.{role}_token_id") for role in roles}
    return sorted(id for id in ids if isinstance(id, int))


def set_pretokenizer(header: GgufFile, tokenizer: Any) -> str | None:
    """Set the tokenizer's pre-tokenizer to the one named in the file, if Transformers does not know it.

    Returns:
        A warning if neither Transformers nor Tandem knows the pre-tokenizer, else None.
    """
    from tokenizers import pre_tokenizers
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    name = header.metadata.get("tokenizer.ggml.pre")
    if header.metadata.get("tokenizer.ggml.model") != "gpt2" or name in (None, *GGUF_PRE_TOKENIZER_SPLITS):
        return None
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    # Transformers chooses the tokenizer class by architecture, so it may have set the wrong pre-tokenizer.
    if name in PLAIN:
        tokenizer.backend_tokenizer.pre_tokenizer = level
        return None
    if name in DIGITS_ALONE:
        digits = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, level])
        return None
    return (
        f"The GGUF file's pre-tokenizer {name!r} is unknown: text may be tokenized differently than during "
        "training."
    )
