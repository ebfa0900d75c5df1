"""Estimate the memory needed for a model's weights, and check whether enough memory is available.

The estimate is based on the parameter count. The engine uses the estimate to decide whether to load a model
in 4-bit precision, and whether the model fits in memory alongside the running model.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_OF_MEMORY = 0.8
"""Maximum fraction of the free memory to use for weights."""
BYTES_IN_4BIT = 0.75
"""Bytes per parameter in 4-bit precision, including unquantized embeddings and the temporary memory needed
for quantization.
"""
FOUR_BIT = "4 bit"
BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, FOUR_BIT: BYTES_IN_4BIT}
"""Bytes per parameter, keyed by precision."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """The memory available to a model after the running model has been closed."""

    size: int
    """Size in bytes."""
    full: str = "float32"
    """Precision of unquantized weights, as a key of `BYTES`."""


def weights_size(parameters: int, precision: str) -> int:
    """Return the size of a model's weights in bytes.

    Args:
        parameters: number of parameters.
        precision: precision, as a key of `BYTES`.
    """
    return round(parameters * BYTES[precision])


def fitting_precisions(parameters: int, room: Room) -> tuple[str, ...]:
    """Return the precisions in which a model fits in memory, highest first.

    Empty if the model is too large.
    """
    most = MOST_OF_MEMORY * room.size
    return tuple(
        precision for precision in (room.full, FOUR_BIT) if weights_size(parameters, precision) <= most
    )
