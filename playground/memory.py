"""How much memory a model's weights take, by a rule on its parameters, and whether that is there.

The rule is the engine's own: it decides by it whether a model is loaded in 4 bit, and whether it fits beside
the one that runs.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_OF_MEMORY = 0.8
"""Share of the free memory that weights may take."""
BYTES_IN_4BIT = 0.75
"""Of a parameter, with the embeddings, which stay as they are, and what quantising takes meanwhile."""
FOUR_BIT = "4 bit"
BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, FOUR_BIT: BYTES_IN_4BIT}
"""Of a parameter, by precision."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """Memory that a model can have once the one that runs is let go of."""

    size: int
    """Bytes."""
    full: str = "float32"
    """The precision of weights here that are not quantised: a key of `BYTES`."""


def weights_size(parameters: int, precision: str) -> int:
    """Bytes that a model's weights take.

    Args:
        precision: a key of `BYTES`.
    """
    return round(parameters * BYTES[precision])


def fitting_precisions(parameters: int, room: Room) -> tuple[str, ...]:
    """The precisions in which a model fits, the finest first; () where it is too large."""
    most = MOST_OF_MEMORY * room.size
    return tuple(
        precision for precision in (room.full, FOUR_BIT) if weights_size(parameters, precision) <= most
    )
