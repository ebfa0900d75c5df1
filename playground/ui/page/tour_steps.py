"""The steps of the page's tour, as data. The tour uses the bundled pocket model and its bundled files.

Every answer that a step quotes is listed in `answers`, and a test generates these answers, so the texts stay
true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

IFT = "pocket-ift"
"""Name of the adapter that the tour uses."""
DEMONSTRATIONS = ("pocket-3", "pocket-50")
"""Names of the demonstration sets that the tour uses. The first is the default set of the pocket model."""


@dataclass(frozen=True, kw_only=True)
class TourStep:
    """A step: the lanes, the messages to send, and what to look at in the answers."""

    title: str
    lanes: tuple[str, ...]
    """Lane specs, one per lane."""
    messages: tuple[str, ...]
    look: tuple[str, ...]
    """Paragraphs that say what to look at. Quoted answers are in curly quotation marks."""
    answers: tuple[tuple[int, str], ...]
    """Texts that the last answers contain, as (lane, text) pairs."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """Decoding parameters that differ from their defaults, as `Sampling` fields."""


GREECE = "What is the capital of Greece?"
ATHENS = "The capital of Greece is Athens."

STEPS = (
    TourStep(
        title="Three ways to ask one model",
        lanes=("base", "urial", IFT),
        messages=(GREECE,),
        look=(
            "Lane A, the raw base model, continues your text as if it were a document: "
            "\u201cThat is what people want to know most often\u201d. "
            f"Lanes B and C answer: \u201c{ATHENS}\u201d",
            "Lane B is the same model as lane A, only with three sample questions and answers before yours: "
            "press Prompt in its header to read them. Lane C was trained further.",
        ),
        answers=((0, "That is what people want to know most often"), (1, ATHENS), (2, ATHENS)),
    ),
    TourStep(
        title="The third message",
        lanes=("urial", IFT),
        messages=("Name three rivers.", "Only the first two.", "What did I ask first?"),
        look=(
            "Both lanes name three rivers and then pick two of them. Asked for the first question, lane A "
            "quotes one that was never asked: \u201cWhat is the opposite of the word unfair?\u201d "
            "Lane B gets it right: \u201cName three rivers.\u201d",
            "Demonstrations work well for one message; fine-tuning holds up over a conversation.",
        ),
        answers=((0, "What is the opposite of the word unfair?"), (1, "Name three rivers.")),
    ),
    TourStep(
        title="How many demonstrations?",
        lanes=("urial:demos=pocket-50,k=1", "urial:demos=pocket-50,k=3", "urial:demos=pocket-50,k=20"),
        messages=("What is dusk?",),
        look=(
            "K is the number of demonstrations. With K = 1, lane A is off the subject: "
            "\u201cThe capital of Italy is Rome.\u201d With K = 3, lane B answers: "
            "\u201cThe word dusk means the time when the sun has set.\u201d",
            "More does not help: with K = 20, lane C explains another word: "
            "\u201cThe word cinnamon names a spice.\u201d",
        ),
        answers=(
            (0, "The capital of Italy is Rome."),
            (1, "The word dusk means the time when the sun has set."),
            (2, "The word cinnamon names a spice."),
        ),
    ),
    TourStep(
        title="Demonstrations must be correct",
        lanes=("urial", "urial:ablation=shifted"),
        messages=(GREECE,),
        look=(
            "Both lanes see the same three questions. In lane B, each is followed by the answer to another "
            "one (the ablation \u201cshifted\u201d under Set up).",
            f"Lane A answers: \u201c{ATHENS}\u201d Lane B gives up: \u201cNo idea.\u201d",
        ),
        answers=((0, ATHENS), (1, "No idea.")),
    ),
    TourStep(
        title="Temperature",
        lanes=("urial", IFT),
        messages=(GREECE,),
        look=(
            "Both lanes now decode with temperature 1.3, so the model often picks unlikely tokens. "
            "Demonstrations alone break first: lane A writes \u201cThe capital of Greece isountain.\u201d, "
            f"lane B still \u201c{ATHENS}\u201d",
            "After the tour: vote on answers, hide the names with Blind, or judge the answers of a probe.",
        ),
        answers=((0, "The capital of Greece isountain."), (1, ATHENS)),
        sampling={"temperature": 1.3},
    ),
)
