"""Verdicts on the answers in a turn, and the judge calls from which the verdicts are derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal[
    "win",
    "tie",
    "both-bad",
    "inconsistent",
    "scored",
    "unparsable",
    "refused",
    "cut",
    "empty",
    "failed",
    "cancelled",
    "unfinished",
]
"""The outcome of a judgment.

The first five outcomes are verdicts on the answers: one is better, both are equal, both are bad, the judge
preferred the same position in both orders, or each answer has a score. All other outcomes mean that there is
no verdict: the reply could not be parsed, the judge refused, the reply was cut off at its token limit or was
empty, the call failed, the user cancelled the judgment, or the judgment has not finished.
"""


SETTLED: tuple[Outcome, ...] = ("win", "tie", "both-bad", "inconsistent", "scored")
"""The outcomes that are verdicts on the answers. Every other outcome means that there is no verdict."""


Scope = Literal["turn", "conversation"]
"""The scope of a judgment: either the answers in one turn, given the preceding conversation, or the whole
conversation up to that turn.
"""


@dataclass(frozen=True, kw_only=True)
class Aspect:
    """The score for one aspect of an answer, such as clarity (URIAL, arXiv 2312.01552, section 4.3)."""

    name: str
    score: float | None
    """The aspect's score; None if the judge considers the aspect not applicable."""
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class JudgeCall:
    """A judge call, consisting of the lanes whose answers were shown, the exact request, and the reply."""

    shown: tuple[int, ...]
    """Indices of the lanes whose answers were shown, in prompt order. The first answer is labelled "A"."""
    outcome: Outcome
    winner: int | None = None
    """Index of the better lane if `outcome` is "win", else None."""
    score: float | None = None
    aspects: tuple[Aspect, ...] = ()
    reason: str | None = None
    """The reasons given in the judge's reply, without the verdict and its markup."""
    messages: tuple[tuple[str, str], ...] = ()
    """The messages sent, as (role, text) pairs; empty for votes and for the reference judge."""
    parameters: str | None = None
    """The request body without the model and messages, as JSON."""
    raw: str | None = None
    """The complete reply; None if no reply was received."""
    error: str | None = None
    """One-sentence error message, if the outcome is not in `SETTLED`."""
    finish: str | None = None
    """The finish reason reported by the server."""
    prompt_tokens: int | None = None
    """Number of prompt tokens reported by the server."""
    new_tokens: int | None = None
    seconds: float | None = None
    cached: bool = False
    """Whether the reply was reused at no cost from the database or another lane's call."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A verdict on a turn's answers, given by a judge model, the reference judge or a person's vote."""

    id: str
    judge: str
    """Author of the verdict: "human", "reference", the name of the judge model, or "majority of" followed by
    several names.
    """
    server: str | None = None
    """The base URL of the judge model's server."""
    rubric: str
    scope: Scope = "turn"
    lanes: tuple[int, ...]
    judged: tuple[str, ...]
    """Hash of the judged text, for each of `lanes` (see `rubrics.candidates`). The verdict applies only to
    answers with the same hash.
    """
    outcome: Outcome
    winner: int | None = None
    """Index of the better lane if `outcome` is "win", else None."""
    scores: tuple[float | None, ...] = ()
    """Mean score over all samples for each of `lanes`; None (never 0) if there is no score."""
    scale: tuple[float, float] | None = None
    """The lowest and highest possible scores."""
    aspects: tuple[tuple[Aspect, ...], ...] = ()
    """The aspect scores for each of `lanes`; empty if the rubric has no aspects."""
    calls: tuple[JudgeCall, ...] = ()
    """All judge calls, for both orders of the answers.

    A vote has a single call, which records the order in which the answers were shown.
    """
    error: str | None = None
    """One-sentence error message, if the outcome is not in `SETTLED`."""
    by: str | None = None
    """For votes, the voter's id, which is used only to replace an earlier vote by the same voter."""
    blind: bool = False
    """For votes, whether the lane names were hidden from the voter."""
    panel: tuple[str, ...] = ()
    """For a panel's majority verdict, the ids of the individual judges' verdicts (see `judging.panel`)."""
