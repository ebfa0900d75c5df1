"""Measure the memory of this machine that a model can use."""

from __future__ import annotations

import psutil
import torch

from playground.config import Settings
from playground.memory import Room


def measure_room(settings: Settings, running: int = 0) -> Room:
    """Measure the memory that a model can use once the running model is closed.

    Args:
        settings: Tandem's settings, with the device.
        running: size in bytes of the running model's weights in RAM. On a GPU this is ignored, and the memory
            that this process has reserved is measured instead.
    """
    if torch.cuda.is_available() and settings.device != "cpu":
        free = torch.cuda.mem_get_info(0)[0] + torch.cuda.memory_reserved(0)
        full = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        return Room(size=int(free), full=full)
    return Room(size=int(psutil.virtual_memory().available) + running)
