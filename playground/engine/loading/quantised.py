"""Check and configure base models that were saved with quantised weights."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import torch

from playground.files import first_line
from playground.types import InputError

NAMES = {
    "bitsandbytes_4bit": "4-bit (bitsandbytes)",
    "bitsandbytes_8bit": "8-bit LLM.int8 (bitsandbytes)",
    "gptq": "GPTQ",
    "awq": "AWQ",
}
"""Quantisation methods that Tandem supports, by their names in Transformers."""
PACKAGES = {"gptq": ("gptqmodel", "optimum"), "awq": ("gptqmodel",)}
"""Packages required by each quantisation method. Methods not listed here require bitsandbytes."""
OTHER_NAMES = {
    "fp8": "FP8",
    "fbgemm_fp8": "FP8 (FBGEMM)",
    "hqq": "HQQ",
    "mxfp4": "MXFP4",
    "compressed-tensors": "compressed-tensors",
    "bitnet": "BitNet",
    "torchao": "torchao",
    "quanto": "Quanto",
    "aqlm": "AQLM",
    "eetq": "EETQ",
}


def find_method(config: Mapping[str, Any]) -> str | None:
    """Return the quantisation method of a base model's weights.

    Args:
        config: the JSON object in config.json.

    Returns:
        The method's name in Transformers, "unknown", or None if the weights are not quantised.
    """
    stored = config.get("quantization_config") or (config.get("text_config") or {}).get("quantization_config")
    if not stored:
        return None
    if not isinstance(stored, dict):
        return "unknown"
    if stored.get("load_in_4bit"):
        return "bitsandbytes_4bit"
    if stored.get("load_in_8bit"):
        return "bitsandbytes_8bit"
    return str(stored.get("quant_method") or "unknown")


def check_method(method: str | None, base: str) -> None:
    """Check that a quantised base model is supported on this machine, before loading its weights.

    Raises:
        InputError: the model is not supported. The message names the missing package or suggests
            alternatives.
    """
    if method is None:
        return
    if method not in NAMES:
        what = (
            f"quantised with {OTHER_NAMES[method]}" if method in OTHER_NAMES else f"quantised with {method!r}"
        )
        raise InputError(
            f"{base} is {what}, which Tandem does not support: use the original model, or a copy in "
            "4-bit NF4 (bitsandbytes), GPTQ, AWQ or GGUF."
        )
    missing = [
        name for name in PACKAGES.get(method, ("bitsandbytes",)) if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise InputError(
            f"{base} is quantised with {NAMES[method]}, which requires a package that is not installed: run "
            f"python -m pip install {' '.join(missing)}, or use the original model."
        )


def check_quantiser(config: Any, device_map: Any, base: str) -> None:
    """Check with Transformers' quantiser that a quantised base model can be loaded on this device.

    Args:
        config: configuration of the base model.
        device_map: the device map that will be passed to `from_pretrained`.
        base: name of the base model.

    Raises:
        InputError: the base model cannot be loaded.
    """
    from transformers.quantizers import AutoHfQuantizer

    try:
        stored = _stored_config(config)
        quantiser = AutoHfQuantizer.from_config(
            dict(stored) if isinstance(stored, dict) else stored, pre_quantized=True
        )
        quantiser.validate_environment(device_map=device_map, weights_only=True)
    except Exception as error:
        raise InputError(
            f"{base} is quantised and cannot be loaded on this machine: {first_line(error)}; use the "
            "original model instead."
        ) from error


def _stored_config(config: Any) -> Any:
    return getattr(config, "quantization_config", None) or getattr(
        config.get_text_config(), "quantization_config", None
    )


def set_compute(config: Any, compute: torch.dtype) -> str | None:
    """Make 4-bit layers compute in a data type that is fast on this device.

    The weights do not change, only the data type used to multiply them. On a CPU, bfloat16 and float16 are
    many times slower than float32. On a GPU, the stored data type is kept if the GPU supports it.

    Args:
        config: configuration of the base model, modified in place.
        compute: a data type that is fast on the device.

    Returns:
        A warning if the stored data type was replaced, else None.
    """
    stored = _stored_config(config)
    if not isinstance(stored, dict) or not stored.get("load_in_4bit"):
        return None
    named = str(stored.get("bnb_4bit_compute_dtype", "float32")).removeprefix("torch.")
    wanted = str(compute).removeprefix("torch.")
    if named == wanted or (wanted != "float32" and not (named == "bfloat16" and wanted == "float16")):
        return None
    stored["bnb_4bit_compute_dtype"] = wanted
    return (
        f"The base was saved for computation in {named}, which is slow on this device: using "
        f"{wanted} instead."
    )


def explain_quantize(requested: str, method: str | None, precision: str) -> str | None:
    """Return a warning if a quantised base model was not loaded in the requested precision, else None.

    Args:
        requested: the value of `Settings.quantize`.
        method: quantisation method of the base model, from `find_method`.
        precision: precision of the base model, as described by `precision.summarise`.
    """
    if method is None or requested == "auto" or (requested == "4bit" and method == "bitsandbytes_4bit"):
        return None
    return (
        f"--quantize {requested} has no effect: the base was saved in {precision} and keeps it. To use "
        "another precision, load the original model."
    )
