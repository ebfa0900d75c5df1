"""Verdicts on a turn's answers, and the judge calls behind them."""

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
"""The outcome of a judgment. The first five are judgments of the answers: one is better, they are equal, all
are bad, the judge preferred the same position in both orders, or each answer got a score. The others mean
that there is no judgment: the reply could not be parsed, the judge refused, its reply was cut off at its
token limit or was empty, the call failed, a user cancelled it, or it has not finished.
"""


SETTLED: tuple[Outcome, ...] = ("win", "tie", "both-bad", "inconsistent", "scored")
"""The outcomes that are judgments of the answers."""


Scope = Literal["turn", "conversation"]
"""What is judged: a single turn's answers in context, or the whole conversation up to that turn."""


@dataclass(frozen=True, kw_only=True)
class Aspect:
    """An aspect of an answer, such as clarity, with its score (URIAL, arXiv 2312.01552, section 4.3)."""

    name: str
    score: float | None
    """The aspect's score; None if the judge reports that the aspect does not apply."""
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class JudgeCall:
    """One judge call: the lanes whose answers were shown, the exact request, and the reply."""

    shown: tuple[int, ...]
    """The lanes whose answers were shown, in prompt order: the first is "A"."""
    outcome: Outcome
    winner: int | None = None
    """The better lane, if `outcome` is "win"."""
    score: float | None = None
    aspects: tuple[Aspect, ...] = ()
    reason: str | None = None
    """The judge's reasons, without the verdict formatting around them."""
    messages: tuple[tuple[str, str], ...] = ()
    """The messages sent, as (role, text) pairs; empty for votes and for the reference judge."""
    parameters: str | None = None
    """The other fields of the request body, as JSON."""
    raw: str | None = None
    """The whole reply; None if there was none."""
    error: str | None = None
    """One-sentence error message if the outcome is not one of `SETTLED`."""
    finish: str | None = None
    """The server's finish reason."""
    prompt_tokens: int | None = None
    """Prompt tokens as counted by the server."""
    new_tokens: int | None = None
    seconds: float | None = None
    cached: bool = False
    """Whether the reply was reused at no cost, from the database or from another lane's call."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One judgment of a turn's answers, by a model, by the reference rule, or by a person's vote."""

    id: str
    judge: str
    """"human", "reference", the name of the judge model, or "majority of" several names."""
    server: str | None = None
    """The base URL of the judge model's server."""
    rubric: str
    scope: Scope = "turn"
    lanes: tuple[int, ...]
    judged: tuple[str, ...]
    """For each of `lanes`, the hash of what was judged (see `rubrics.candidates`). The verdict applies to
    these answers only.
    """
    outcome: Outcome
    winner: int | None = None
    """The better lane, if `outcome` is "win"."""
    scores: tuple[float | None, ...] = ()
    """For each of `lanes`, the mean score over samples; None (never 0) if there is no score."""
    scale: tuple[float, float] | None = None
    """The lowest and highest possible scores."""
    aspects: tuple[tuple[Aspect, ...], ...] = ()
    """The aspects for each of `lanes`; empty if the rubric has none."""
    calls: tuple[JudgeCall, ...] = ()
    """All judge calls, in both orders. A vote has one, which records the order of the answers shown.
    """
    error: str | None = None
    """One-sentence error message if the outcome is not one of `SETTLED`."""
    by: str | None = None
    """For a vote: the voter's id, used only to replace that voter's earlier vote."""
    blind: bool = False
    """For a vote: whether the page hid which lane wrote which answer."""
    panel: tuple[str, ...] = ()
    """For a majority of several judges: the ids of their verdicts (see `judging.panel`)."""
