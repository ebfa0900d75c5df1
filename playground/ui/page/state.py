"""State of an open page. `PageState` contains one dataclass per feature.

Gradio keeps one `PageState` per browser tab, in memory only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from playground.demonstrations.draft import Draft
from playground.judging.cost import JudgeBudget
from playground.library.own_sets import DeletedSet
from playground.secret import Secret
from playground.types import Conversation, DemoSet
from playground.ui.page.runs import Run

LANES = 4
"""Maximum number of lanes on a page."""


@dataclass
class DemonstrationsState:
    """State of the demonstration editor, and this page's unsaved demonstration sets."""

    sets: dict[str, DemoSet] = field(default_factory=dict)
    """Unsaved sets (edited or imported), by name."""
    draft: Draft | None = None
    """The demonstration set in the editor."""
    card: int | None = None
    """Index of the card being edited; equal to the number of cards for a new card."""
    deleted: tuple[DeletedSet, Draft] | None = None
    """The demonstration set deleted last, with the draft of it in the editor. Undo restores both."""


@dataclass
class VotingState:
    """State of voting: the voter, and the two lanes being compared."""

    voter: str | None = None
    """Fallback voter id for browsers that send no voter cookie."""
    pair: tuple[int, int] = (0, 1)
    """The two lanes being compared."""
    drawn: str | None = None
    """The vote that the page shows as cast on these two lanes; None if it shows none."""


@dataclass
class AnswersState:
    """State of how answers are displayed: as rendered Markdown, as raw text, or with marked differences."""

    raw: set[tuple[str, int, int]] = field(default_factory=set)
    """Answers displayed as raw text, as (id of the conversation, lane, turn)."""
    marked: tuple[int, int] | None = None
    """The two lanes in whose answers the differences are marked, if any."""


@dataclass
class JudgingState:
    """State of judging: values entered in the judge dialog, and which verdicts were rendered last."""

    keys: dict[str, Secret] = field(default_factory=dict)
    """API keys by server address. The keys are not stored anywhere else."""
    model: str = ""
    server: str = ""
    budget: JudgeBudget | None = None
    batch: Any = None
    """The `JudgeForm` with which the last batch was started; None if this page has started none."""
    drawn: tuple[Any, ...] = ()
    """Fingerprint of the most recently rendered verdicts."""


@dataclass(frozen=True)
class SavedSetup:
    """The set-up before a change that can be undone."""

    sentence: str
    """What was changed."""
    replay: bool
    """Whether to offer to resend the conversation's messages."""
    values: list[Any]
    """Values of the controls, in the order of `PageInputs.controls`."""
    lanes: int
    conversation: str | None
    branch: Conversation | None


@dataclass
class TourState:
    """State of the tour while it is running."""

    saved: Mapping[str, Any]
    """The user's setup and conversation before the tour, restored when it ends."""
    step: int = 0
    """Index of the current step."""
    unsent: bool = False
    """Whether the step has been set up but its messages have not been sent yet."""


@dataclass
class PageState:
    """The page's conversation, its lane arrangement, and the state of each feature."""

    early_query: Sequence[tuple[str, str]] | None = None
    """The page's query, if it was loaded before the servers of the engine had said which model they serve."""
    chat_keys: dict[str, Secret] = field(default_factory=dict)
    """API keys of chat models, by server address. The keys are not stored anywhere else."""

    conversation: str | None = None
    shown: tuple[int, ...] = ()
    """Number of turns on the page, followed by the displayed version of each answer in the last turn."""
    branch: Conversation | None = None
    """A branch that is not recorded yet. It is recorded when the first message is sent in it."""
    lanes: int = 3
    """Number of visible lanes."""
    drawn: set[tuple[int, str]] = field(default_factory=set)
    """Lanes drawn after their control was changed, as (lane, reason): see `Lanes.redraw`."""
    loaded: bool = False
    """Whether the load event has been handled. It opens the conversation specified in the page address."""
    streaming: bool = False
    """Whether this page follows a run that is generating answers."""
    run: Run | None = None
    """The run that this page follows."""
    editing_turn: int | None = None
    """Index of the turn whose message is being edited. Sending the message branches at this turn."""
    ending: bool = False
    """True from the start of an answer stream until the final state of its answers has been rendered."""
    blind: bool = False
    """Whether the lanes are shuffled and their names are hidden."""
    preset: str | None = None
    """Name of the preset requested by this page. Its settings are applied once the preset is loaded."""
    undo: SavedSetup | None = None
    """The set-up to which Undo returns. Cleared once another conversation is shown or a message is sent."""
    probe: str | None = None
    """Name of the active probe. Its next message is determined from the messages sent so far."""
    tour: TourState | None = None
    """The running tour."""
    own: set[str] = field(default_factory=set)
    """Ids of the conversations shown on this page so far."""
    demonstrations: DemonstrationsState = field(default_factory=DemonstrationsState)
    answers: AnswersState = field(default_factory=AnswersState)
    voting: VotingState = field(default_factory=VotingState)
    judging: JudgingState = field(default_factory=JudgingState)
    inspected_lane: int = 0
    """Lane whose prompts the prompt dialog shows."""
