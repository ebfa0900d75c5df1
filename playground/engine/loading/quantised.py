"""Check and set up base models whose saved weights are quantised."""

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
"""Methods that Tandem can serve, by Transformers' name."""
PACKAGES = {"gptq": ("gptqmodel", "optimum"), "awq": ("gptqmodel",)}
"""Packages that a method needs; the other methods need bitsandbytes."""
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
    """Return the quantisation method of a base's weights.

    Args:
        config: the object in config.json.

    Returns:
        Transformers' name of the method, "unknown", or None if the weights are not quantised.
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
    """Check that a quantised base can be served on this machine, before a weight is read.

    Raises:
        InputError: the base cannot be served; the message names the missing package or another base to use.
    """
    if method is None:
        return
    if method not in NAMES:
        what = (
            f"quantised with {OTHER_NAMES[method]}" if method in OTHER_NAMES else f"quantised by {method!r}"
        )
        raise InputError(
            f"{base} is {what}, which is not served here: use the base that it was made from, or a copy in "
            "4-bit NF4 (bitsandbytes), GPTQ, AWQ or GGUF."
        )
    missing = [
        name for name in PACKAGES.get(method, ("bitsandbytes",)) if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise InputError(
            f"{base} is quantised with {NAMES[method]}, which needs a package that is not here: run "
            f"python -m pip install {' '.join(missing)}, or use the base that it was made from."
        )


def check_quantiser(config: Any, device_map: Any, base: str) -> None:
    """Check with Transformers' quantiser that a quantised base can be loaded on this device.

    Args:
        config: the base's configuration.
        device_map: as for `from_pretrained`.
        base: the base's name.

    Raises:
        InputError: the base cannot be loaded.
    """
    from transformers.quantizers import AutoHfQuantizer

    try:
        stored = _stored(config)
        quantiser = AutoHfQuantizer.from_config(
            dict(stored) if isinstance(stored, dict) else stored, pre_quantized=True
        )
        quantiser.validate_environment(device_map=device_map, weights_only=True)
    except Exception as error:
        raise InputError(
            f"{base} is quantised, and cannot be loaded on this machine: {first_line(error)}; use the base "
            "that it was made from."
        ) from error


def _stored(config: Any) -> Any:
    return getattr(config, "quantization_config", None) or getattr(
        config.get_text_config(), "quantization_config", None
    )


def set_compute(config: Any, compute: torch.dtype) -> str | None:
    """Set the data type in which 4-bit layers compute to one that is fast on this device.

    The weights stay the same; only the type in which they are multiplied changes. On a CPU, bfloat16 and
    float16 are many times slower than float32. On a GPU the stored type is kept if the GPU supports it.

    Args:
        config: the base's configuration, which is changed.
        compute: the fast type of the device.

    Returns:
        A warning if the stored type was replaced, else None.
    """
    stored = _stored(config)
    if not isinstance(stored, dict) or not stored.get("load_in_4bit"):
        return None
    named = str(stored.get("bnb_4bit_compute_dtype", "float32")).removeprefix("torch.")
    wanted = str(compute).removeprefix("torch.")
    if named == wanted or (wanted != "float32" and not (named == "bfloat16" and wanted == "float16")):
        return None
    stored["bnb_4bit_compute_dtype"] = wanted
    return f"The base was saved to compute in {named}, which this device is slow in: it computes in {wanted}."


def explain_quantize(requested: str, method: str | None, precision: str) -> str | None:
    """Return a warning if a quantised base cannot have the requested precision, else None.

    Args:
        requested: the value of `Settings.quantize`.
        method: the base's quantisation method, from `find_method`.
        precision: the description from `precision.summarise`.
    """
    if method is None or requested == "auto" or (requested == "4bit" and method == "bitsandbytes_4bit"):
        return None
    return (
        f"--quantize {requested} has no effect: the base was saved in {precision} and is served as it is; "
        "for another precision, load the base that it was made from."
    )
