"""Measure how much of this machine's memory is available for a model."""

from __future__ import annotations

import psutil
import torch

from playground.config import Settings
from playground.memory import Room


def measure_room(settings: Settings, running: int = 0) -> Room:
    """Measure the memory that will be available for a model once the currently loaded model is closed.

    Args:
        settings: Tandem's settings, which name the device.
        running: size in bytes of the currently loaded model's weights in RAM. Ignored on a GPU, where the
            memory reserved by this process is measured instead.
    """
    if torch.cuda.is_available() and settings.device != "cpu":
        free = torch.cuda.mem_get_info(0)[0] + torch.cuda.memory_reserved(0)
        full = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        return Room(size=int(free), full=full)
    return Room(size=int(psutil.virtual_memory().available) + running)
