"""How many positions a model has."""

from __future__ import annotations

from typing import Any

UNSTATED_CONTEXT = 2048
"""For a model that states no limit of positions, as recurrent ones do."""


def context_length(config: Any) -> int:
    text = config.get_text_config()
    for name in ("max_position_embeddings", "n_positions", "seq_length"):
        if positions := getattr(text, name, None):
            return int(positions)
    return UNSTATED_CONTEXT
