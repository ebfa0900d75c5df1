"""The state of one open page: one dataclass a feature, held together by `PageState`.

Gradio keeps one `PageState` for each browser tab. Nothing in it is stored on disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playground.demonstrations.draft import Draft
from playground.judging.cost import JudgeBudget
from playground.secret import Secret
from playground.types import Conversation, DemoSet

LANES = 4
"""The most lanes that a page can show."""


@dataclass
class DemonstrationsState:
    """The demonstration editor and the sets that exist in this page only."""

    sets: dict[str, DemoSet] = field(default_factory=dict)
    """Sets that were edited or imported and not saved, by name."""
    draft: Draft | None = None
    """The set in the editor."""
    card: int | None = None
    """Index of the card being edited; the number of cards for a new one."""


@dataclass
class VotingState:
    """The voter of the page, and the lanes that are compared."""

    voter: str | None = None
    """The voter's id, for browsers that send no cookie."""
    pair: tuple[int, int] = (0, 1)
    """The two lanes that are compared."""


@dataclass
class JudgingState:
    """What was entered in the judge dialog, and what of the verdicts has been drawn."""

    keys: dict[str, Secret] = field(default_factory=dict)
    """API keys by server address. They are held here and nowhere else."""
    model: str = ""
    server: str = ""
    budget: JudgeBudget | None = None
    drawn: tuple[Any, ...] = ()
    """Fingerprint of the verdicts as last drawn."""


@dataclass
class PageState:
    """Which conversation a page shows, how its lanes are arranged, and the state of each feature."""

    conversation: str | None = None
    shown: tuple[int, ...] = ()
    """How many turns of it the page shows, and the version of each of the last turn's answers."""
    branch: Conversation | None = None
    """A branch of another conversation that is not recorded until its first message."""
    lanes: int = 2
    """How many lanes are visible."""
    loaded: bool = False
    """Whether the conversation named in the page's address has been opened, if there is one."""
    streaming: bool = False
    editing_turn: int | None = None
    """Index of the turn whose message is being edited; sending branches there."""
    ending: bool = False
    """Whether there are answers whose end has not been drawn yet."""
    blind: bool = False
    """Whether the lanes are shuffled and their names hidden."""
    preset: str | None = None
    """The preset that this page requested; its set-up is applied once it is loaded."""
    probe: str | None = None
    """The probe being played; its next turn follows from the messages sent so far."""
    own: set[str] = field(default_factory=set)
    """Ids of the conversations that this page has shown."""
    demonstrations: DemonstrationsState = field(default_factory=DemonstrationsState)
    voting: VotingState = field(default_factory=VotingState)
    judging: JudgingState = field(default_factory=JudgingState)
