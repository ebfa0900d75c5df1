"""Estimate the memory of a model's weights from its number of parameters, and check whether it is available.

The engine uses the same rule to decide whether a model is loaded in 4 bit, and whether it fits beside the
running model.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_OF_MEMORY = 0.8
"""Share of the free memory that weights may use."""
BYTES_IN_4BIT = 0.75
"""Bytes per parameter in 4 bit, including the embeddings, which are not quantised, and the memory that
quantising needs temporarily."""
FOUR_BIT = "4 bit"
BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, FOUR_BIT: BYTES_IN_4BIT}
"""Bytes per parameter, by precision."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """The memory that a model can use once the running model is closed."""

    size: int
    """Size in bytes."""
    full: str = "float32"
    """The precision of weights that are not quantised, a key of `BYTES`."""


def weights_size(parameters: int, precision: str) -> int:
    """Return the size of a model's weights in bytes.

    Args:
        parameters: number of parameters.
        precision: a key of `BYTES`.
    """
    return round(parameters * BYTES[precision])


def fitting_precisions(parameters: int, room: Room) -> tuple[str, ...]:
    """Return the precisions in which a model fits, highest first; () if it is too large."""
    most = MOST_OF_MEMORY * room.size
    return tuple(
        precision for precision in (room.full, FOUR_BIT) if weights_size(parameters, precision) <= most
    )
