"""The state of one open page: `PageState`, with one dataclass for each feature.

Gradio keeps one `PageState` for each browser tab. None of it is stored on disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playground.demonstrations.draft import Draft
from playground.judging.cost import JudgeBudget
from playground.secret import Secret
from playground.types import Conversation, DemoSet

LANES = 4
"""Maximum number of lanes on a page."""


@dataclass
class DemonstrationsState:
    """The demonstration editor, and the sets that exist in this page only."""

    sets: dict[str, DemoSet] = field(default_factory=dict)
    """Unsaved sets that were edited or imported, by name."""
    draft: Draft | None = None
    """The set in the editor."""
    card: int | None = None
    """Index of the card being edited; equal to the number of cards for a new card."""


@dataclass
class VotingState:
    """The voter, and the lanes that are compared."""

    voter: str | None = None
    """The voter's id, for browsers that send no cookie."""
    pair: tuple[int, int] = (0, 1)
    """The two lanes that are compared."""


@dataclass
class JudgingState:
    """The values entered in the judge dialog, and which verdicts have been drawn."""

    keys: dict[str, Secret] = field(default_factory=dict)
    """API keys by server address. They are stored only here."""
    model: str = ""
    server: str = ""
    budget: JudgeBudget | None = None
    drawn: tuple[Any, ...] = ()
    """Fingerprint of the verdicts at the last drawing."""


@dataclass
class PageState:
    """The conversation on the page, the arrangement of its lanes, and the state of each feature."""

    conversation: str | None = None
    shown: tuple[int, ...] = ()
    """Number of the conversation's turns on the page, then the version of each answer of the last turn."""
    branch: Conversation | None = None
    """A branch of another conversation that is not recorded until its first message."""
    lanes: int = 2
    """Number of visible lanes."""
    loaded: bool = False
    """Whether the conversation in the page's address, if any, has been opened."""
    streaming: bool = False
    editing_turn: int | None = None
    """Index of the turn whose message is being edited; sending the message branches there."""
    ending: bool = False
    """Whether answers have ended whose final view has not been drawn yet."""
    blind: bool = False
    """Whether the lanes are shuffled and their names hidden."""
    preset: str | None = None
    """The preset that this page requested; its settings are applied once it is loaded."""
    probe: str | None = None
    """The probe being played; its next turn is derived from the messages sent so far."""
    own: set[str] = field(default_factory=set)
    """Ids of the conversations that this page has shown."""
    demonstrations: DemonstrationsState = field(default_factory=DemonstrationsState)
    voting: VotingState = field(default_factory=VotingState)
    judging: JudgingState = field(default_factory=JudgingState)
