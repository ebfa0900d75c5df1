"""Options of aligners that use demonstrations: set, number of demonstrations, selection, ablation.

Shared by `urial` and `few_shot_chat`, which differ in how they render the demonstrations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from playground.aligners import Shelf
from playground.aligners.base import AlignerBase
from playground.demonstrations.ablations import ablate
from playground.demonstrations.retrieval import nearest
from playground.types import DemoSet, InputError, Message, SelectedDemo, demo_set_from_json

OPTIONS = ("demos", "k", "ablation", "seed", "other", "pick")
PICKS = ("first", "nearest", "nearest-turn")
"""Ways to pick k demonstrations: the first k, or the k nearest to the first or the last user message."""
_MOST_DIGITS = 18  # longer numbers are outside the seed range
_LATER = ("k", "ablation", "seed", "other", "pick", "source")  # fields that may be missing in old documents


@dataclass(frozen=True, kw_only=True)
class DemonstrationAligner(AlignerBase):
    """Base class of aligners that use demonstrations; subclasses render the prompt."""

    demos: DemoSet
    """Demonstrations in the prompt, after applying `k` and the ablation. If `pick` is not "first", the set
    from which demonstrations are selected for each conversation.
    """
    k: int | None = None
    """Number of demonstrations. None if the prompt text could not be parsed into demonstrations, or if the
    aligner was saved by an old version.
    """
    ablation: str | None = None
    seed: int = 0
    """Seed of the ablation; 0 if there is no ablation."""
    other: str | None = None
    """Name of the demonstration set from which the ablation "other" takes answers, if any."""
    pick: str = "first"
    """Method for selecting k demonstrations; one of `PICKS`."""
    source: str | None = None
    """The `DemoSet.content_hash` of the original set, to which `k` and the ablation have not been applied."""

    @property
    def demonstration_count(self) -> int:
        """Number of demonstrations in the prompt; 0 if the prompt text could not be parsed into
        demonstrations.
        """
        return len(self.demos.demos) if self.k is None else self.k

    def with_fewer_demonstrations(self, n: int) -> Self:
        """Return a copy of this aligner that uses only the first `n` or, depending on `pick`, the nearest `n`
        demonstrations.
        """
        if n == self.demonstration_count:
            return self
        if self.pick != "first":
            return dataclasses.replace(self, k=n)
        return dataclasses.replace(self, demos=self.demos.take(n), k=n)

    def select_demonstrations(self, messages: Sequence[Message]) -> Sequence[SelectedDemo]:
        """Return the demonstrations selected for a conversation, in prompt order; () if `pick` is "first"."""
        by_query = {found.demo.query: found for found in self._find_nearest(messages)}
        # An ablation may have changed the order of the demonstrations.
        return [by_query[demo.query] for demo in self.demos_for(messages).demos] if by_query else ()

    def demos_for(self, messages: Sequence[Message]) -> DemoSet:
        """Return the demonstrations to include in the prompt for a conversation."""
        if self.pick == "first":
            return self.demos
        demos = self.demos.with_changes(demos=tuple(found.demo for found in self._find_nearest(messages)))
        return ablate(demos, self.ablation, self.seed, self.demos) if self.ablation else demos

    def _find_nearest(self, messages: Sequence[Message]) -> list[SelectedDemo]:
        asked = [message.text for message in messages if message.role == "user"]
        if self.pick == "first" or not asked or self.k is None:
            return []
        return nearest(self.demos, asked[0 if self.pick == "nearest" else -1], self.k)

    @property
    def summary(self) -> str:
        """A short phrase describing the demonstrations, for use within a sentence."""
        if self.demos.whole:
            return f"the whole text of {self.demos.name}"
        count = self.demonstration_count
        if not count:
            return "only an instruction"
        words = (
            "1 sample question with its answer" if count == 1 else f"{count} sample questions with answers"
        )
        if self.pick != "first":
            words += f" nearest to {'each message' if self.pick == 'nearest-turn' else 'the first message'}"
        return f"{words} ({self.ablation})" if self.ablation else words

    @staticmethod
    def read_options(options: Mapping[str, str], shelf: Shelf) -> dict[str, Any]:
        """Parse the fields of this class from the string options of a lane.

        The options are:

        - `demos`: name of the demonstration set
        - `k`: number of demonstrations
        - `pick`: method for selecting them, one of `PICKS`
        - `ablation`: name of the ablation
        - `seed`: seed of the ablation
        - `other`: demonstration set from which the ablation "other" takes answers

        Other options are ignored.

        Raises:
            InputError: an option has an invalid value, or conflicts with another option.
        """
        asked = shelf.demo_set(options["demos"]) if "demos" in options else shelf.default_demo_set()
        demos = asked.take(_read_number(options, "k")) if "k" in options else asked
        pick = options.get("pick", "first")
        if pick not in PICKS:
            raise InputError(f"Unknown value pick={pick}: choose one of {', '.join(PICKS)}.")
        if pick != "first" and ("k" not in options or not demos.demos):
            raise InputError(f"pick={pick} selects k demonstrations: set k to at least 1, for example k=3.")
        ablation = options.get("ablation")
        seed, other = _read_ablation(options, ablation, pick, shelf)
        if ablation is not None:
            demos = ablate(demos, ablation, seed, other if ablation == "other" else asked)
        return {
            "demos": demos if pick == "first" else asked,
            "k": None if demos.whole else len(demos.demos),
            "pick": pick,
            "ablation": ablation,
            "seed": seed,
            "other": other.name if other else None,
            "source": asked.content_hash,
        }

    @staticmethod
    def read_json(data: Mapping[str, Any]) -> dict[str, Any]:
        """Parse the fields of this class from the output of `types.to_json`.

        Documents saved by versions that did not support ablations lack the keys for ablations.
        """
        return {
            "demos": demo_set_from_json(data["demos"]),
            **{name: data[name] for name in _LATER if name in data},
        }


def _read_ablation(
    options: Mapping[str, str], ablation: str | None, pick: str, shelf: Shelf
) -> tuple[int, DemoSet | None]:
    """Return the ablation's seed, and the demonstration set given by the option `other`, if any."""
    if ablation is None:
        for name in ("seed", "other"):
            if name in options:
                raise InputError(
                    f"{name}={options[name]} only applies with an ablation: add one, for example "
                    "ablation=random."
                )
        return 0, None
    seed = _read_number(options, "seed") if "seed" in options else 0
    other = shelf.demo_set(options["other"]) if "other" in options else None
    if other is not None and ablation != "other":
        raise InputError(
            f"The ablation {ablation!r} does not use another demonstration set: remove the other= option."
        )
    if pick != "first" and ablation == "other":
        raise InputError("The ablation 'other' only works with pick=first: change one of the two options.")
    return seed, other


def _read_number(options: Mapping[str, str], name: str) -> int:
    text = options[name].strip()
    if not text.isdecimal():
        raise InputError(f"{name} must be a non-negative integer, not {options[name]!r:.60}.")
    if len(text) > _MOST_DIGITS:
        raise InputError(f"{name} must have at most {_MOST_DIGITS} digits, not {len(text)}.")
    return int(text)
