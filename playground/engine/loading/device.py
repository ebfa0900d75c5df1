"""Choose the device and precision for a base model, and measure memory."""

from __future__ import annotations

from typing import Any

import psutil
import torch

from playground.config import Settings
from playground.engine.adapters.tokenizers import read_eos_token_ids
from playground.engine.hub import Report
from playground.engine.loading import quantised
from playground.engine.loading.base import Base, nf4, open_base
from playground.memory import BYTES_IN_4BIT, MOST_OF_MEMORY
from playground.types import InputError


def choose_device(settings: Settings) -> torch.device:
    """Return the device requested in the settings.

    Raises:
        InputError: the settings request CUDA, but there is no CUDA device.
    """
    available = torch.cuda.is_available()
    if settings.device == "cuda" and not available:
        raise InputError("This machine has no CUDA device: use --device cpu, or omit --device.")
    return torch.device("cuda", 0) if available and settings.device != "cpu" else torch.device("cpu")


def compute_type(device: torch.device) -> torch.dtype:
    """Return the fastest sufficiently accurate data type for matrix multiplication on a device."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def choose_options(settings: Settings, base: Base, device: torch.device) -> dict[str, Any]:
    """Choose options for `from_pretrained` that load a base model in the requested precision.

    Raises:
        InputError: the base model cannot be loaded in that precision.
    """
    compute = compute_type(device)
    place: Any = "auto" if device.type == "cuda" else {"": "cpu"}
    options = {"dtype": compute, "device_map": place, "attn_implementation": _choose_attention(base.config)}
    if base.header is not None:
        if settings.quantize == "4bit":
            raise InputError(
                f"{settings.base} is a GGUF file, whose weights are always dequantised: omit --quantize, or "
                "use the model's folder or Hub ID for 4-bit weights."
            )
        return options
    if base.method is not None:
        if warning := quantised.set_compute(base.config, compute):
            base.warnings.append(warning)
        quantised.check_quantiser(base.config, place, settings.base)
        return options
    if settings.quantize == "4bit" or (settings.quantize == "auto" and _needs_4bit(device, base.parameters)):
        options["quantization_config"] = nf4(compute)
    return options


def _choose_attention(config: Any) -> str | None:
    # Gemma 2 uses soft-capped attention scores, which only eager attention implements.
    return "eager" if getattr(config, "attn_logit_softcapping", None) else None


def _needs_4bit(device: torch.device, parameters: int) -> bool:
    """Return whether `--quantize auto` selects 4-bit quantisation.

    On CUDA, 4-bit quantisation is always selected. On a CPU, it is selected only if the float32 weights do
    not fit in memory.
    """
    if device.type == "cuda":
        return True
    return 4 * parameters > MOST_OF_MEMORY * free_memory(device)


# --- Memory ---------------------------------------------------------------------------------------


def fits_beside(settings: Settings, report: Report) -> bool:
    """Return whether another model fits in free memory while the current model stays loaded.

    The other model is the base model named in `settings`. If it is not on this machine, it is downloaded
    first. Its size is computed for the precision that would be used if it were loaded alone.

    Raises:
        InputError: the base model cannot be found or is not supported, as in `load.load`.
    """
    device = choose_device(settings)
    base = open_base(settings, report)
    if base.header is None:
        # Raises an error if generation_config.json is unreadable; Transformers would silently ignore it.
        read_eos_token_ids(base.folder)
    return _count_bytes(settings, base, device) <= MOST_OF_MEMORY * free_memory(device)


def _count_bytes(settings: Settings, base: Base, device: torch.device) -> float:
    """Return the size of a base model's weights in memory, in bytes."""
    if base.method is not None:
        return sum(path.stat().st_size for path in base.folder.glob("*.safetensors"))
    four_bit = settings.quantize == "4bit" or (settings.quantize == "auto" and device.type == "cuda")
    full = 4 if device.type == "cpu" else 2
    return base.parameters * (BYTES_IN_4BIT if four_bit and base.header is None else full)


def free_memory(device: torch.device) -> int:
    """Return the free memory of a device in bytes."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def measure_memory(device: torch.device) -> tuple[int, int | None]:
    """Return this process's RAM and GPU memory usage in bytes; the GPU usage is None on a CPU."""
    on_gpu = torch.cuda.memory_reserved(device) if device.type == "cuda" else None
    return int(psutil.Process().memory_info().rss), on_gpu
