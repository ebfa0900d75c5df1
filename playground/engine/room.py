"""Measure the memory of this machine that a model can have."""

from __future__ import annotations

import psutil
import torch

from playground.config import Settings
from playground.memory import Room


def measure_room(settings: Settings, running: int = 0) -> Room:
    """Measure the memory that a model can have once the running one is closed.

    Args:
        settings: which device models are loaded on.
        running: bytes of the machine's memory that the weights of the running model take; on a GPU the
            memory of this process is measured instead.
    """
    if torch.cuda.is_available() and settings.device != "cpu":
        free = torch.cuda.mem_get_info(0)[0] + torch.cuda.memory_reserved(0)
        full = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        return Room(size=int(free), full=full)
    return Room(size=int(psutil.virtual_memory().available) + running)
