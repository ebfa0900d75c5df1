"""Decoding parameters for a lane, validated on construction."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from playground.types.errors import InputError
from playground.words import format_number

PenaltyScope = Literal["all", "answer"]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Decoding parameters for a lane. The defaults select plain greedy decoding.

    Raises:
        InputError: a value is out of range; the message states the valid range.
        TypeError: a parameter name is unknown, for example because it is misspelled.
    """

    temperature: float = 0.0
    """Temperature by which the logits are divided; 0 selects greedy decoding (argmax)."""
    top_p: float = 1.0
    """Top-p (nucleus sampling), in (0, 1]; 1 keeps all tokens."""
    top_k: int = 0
    """Top-k: keep the k most likely tokens; 0 keeps all tokens."""
    min_p: float = 0.0
    """Min-p, in [0, 1): drop tokens whose probability is below this fraction of the most likely token's
    probability. 0 disables min-p.
    """
    repetition_penalty: float = 1.0
    """Repetition penalty (CTRL, arXiv 1909.05858, section 4.1).

    Values above 1 make earlier tokens less likely; 1 disables the penalty.
    """
    penalty_scope: PenaltyScope = "all"
    """Tokens to which the repetition penalty applies: "all" (prompt and answer, as in Hugging Face and vLLM)
    or "answer".
    """
    max_new_tokens: int = 256
    """Maximum length of the answer in tokens."""
    seed: int = 0
    stop: tuple[str, ...] = ()
    """Stop sequences, in addition to the prompt's own stop rule."""

    def __post_init__(self) -> None:
        for name in ("temperature", "top_p", "min_p", "repetition_penalty"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise InputError(f"{_label(name)} must be a number, not {value!r}.")
            object.__setattr__(self, name, float(value))  # 1 and 1.0 must give the same recipe hash
        for name in ("top_k", "max_new_tokens", "seed"):
            value = getattr(self, name)
            if isinstance(value, float) and value.is_integer():
                value = int(value)
                object.__setattr__(self, name, value)
            if isinstance(value, bool) or not isinstance(value, int):
                raise InputError(f"{_label(name)} must be a whole number, not {value!r}.")
        rules = (
            (self.temperature >= 0, "temperature", "0 (greedy) or more"),
            (0 < self.top_p <= 1, "top_p", "above 0 and at most 1 (1 keeps every token)"),
            (self.top_k >= 0, "top_k", "0 (off) or more"),
            (0 <= self.min_p < 1, "min_p", "at least 0 (off) and below 1"),
            (self.repetition_penalty > 0, "repetition_penalty", "above 0 (1 is off)"),
            (self.max_new_tokens >= 0, "max_new_tokens", "0 or more"),
            (0 <= self.seed < 2**63, "seed", "from 0 to 2^63 - 1"),
            (self.penalty_scope in ("all", "answer"), "penalty_scope", "'all' or 'answer'"),
            (_are_stops(self.stop), "stop", f"a list of at most {MOST_STOPS} non-empty strings"),
        )
        for holds, name, allowed in rules:
            if not holds:
                raise InputError(f"{_label(name)} must be {allowed}, not {getattr(self, name)!r}.")
        object.__setattr__(self, "stop", tuple(self.stop))

    @classmethod
    def parse(cls, values: Mapping[str, str], base: Sampling | None = None) -> Sampling:
        """Parse parameter values given as strings, for example on a command line, and return a copy of `base`
        (by default, of the default parameters) with these values.

        `stop` is a single stop sequence, in which ``\\n`` stands for a newline.

        Raises:
            InputError: a value is not a number where one is required, or is out of range.
        """
        changes: dict[str, Any] = {}
        for name, text in values.items():
            if name == "stop":
                changes[name] = (text.replace("\\n", "\n"),)
                continue
            kind = type(getattr(cls, name))
            try:
                changes[name] = kind(text.strip())
            except ValueError:
                if kind is int and text.strip().isdecimal():  # more digits than Python can convert
                    want = f"a smaller number, not one of {format_number(len(text.strip()))} digits"
                else:
                    want = f"{'a whole' if kind is int else 'a'} number, not {text!r:.60}"
                raise InputError(f"{_label(name)} must be {want}.") from None
        return dataclasses.replace(base or cls(), **changes)


MOST_STOPS = 8
"""Maximum number of stop sequences per lane."""


def _are_stops(stops: Any) -> bool:
    """Return whether `stops` is a list or tuple of at most `MOST_STOPS` non-empty strings."""
    if not isinstance(stops, list | tuple) or len(stops) > MOST_STOPS:
        return False
    return all(isinstance(text, str) and text for text in stops)


def _label(name: str) -> str:
    """Return a field's display name, capitalized."""
    return (
        name.replace("_", " ")
        .replace("top p", "top-p")
        .replace("top k", "top-k")
        .replace("min p", "min-p")
        .capitalize()
    )


SAMPLING_NAMES = tuple(f.name for f in dataclasses.fields(Sampling))
