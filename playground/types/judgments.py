"""Verdicts on a turn's answers, and the judge calls that they are made of."""

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
"""What became of a judgment. The first five say something about the answers: one is better, none is, none
is any good, the judge preferred whichever stood in one place, or each got a score. The others say nothing
about them: the reply could not be read, the judge would not judge, its reply was cut off at its limit, or
was empty, the call failed, a person stopped it, or it has not ended."""


SETTLED: tuple[Outcome, ...] = ("win", "tie", "both-bad", "inconsistent", "scored")
"""The outcomes that say something about the answers."""


Scope = Literal["turn", "conversation"]
"""What is judged: the answer of one turn, seen in its conversation, or the whole conversation up to it."""


@dataclass(frozen=True, kw_only=True)
class Aspect:
    """One side of an answer, such as its clarity, and its score (URIAL, arXiv 2312.01552, section 4.3)."""

    name: str
    score: float | None
    """None: the judge says that it does not apply."""
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class JudgeCall:
    """One call of a judge: what it saw, exactly what it was sent, and its reply."""

    shown: tuple[int, ...]
    """The lanes whose answers it saw, in their order in the prompt: the first is "A"."""
    outcome: Outcome
    winner: int | None = None
    """The better lane, if `outcome` is "win"."""
    score: float | None = None
    aspects: tuple[Aspect, ...] = ()
    reason: str | None = None
    """The judge's reasons, without the verdict's form around them."""
    messages: tuple[tuple[str, str], ...] = ()
    """(role, text) of each message, as sent; none for a person and for the reference judge."""
    parameters: str | None = None
    """The rest of the request's body, as JSON."""
    raw: str | None = None
    """The whole reply; None if there was none."""
    error: str | None = None
    """One sentence, where the outcome is not one of `SETTLED`."""
    finish: str | None = None
    """Why the reply ended, in the server's word."""
    prompt_tokens: int | None = None
    """Tokens, as the server counted them."""
    new_tokens: int | None = None
    seconds: float | None = None
    cached: bool = False
    """Whether the reply was already known, from the database or for another lane, so that it cost nothing."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One judgment of a turn's answers, by a model, by the reference rule, or by a person's vote."""

    id: str
    judge: str
    """"human", "reference", the name of the model that was asked, or "majority of" several."""
    server: str | None = None
    """The address that the model was asked at."""
    rubric: str
    scope: Scope = "turn"
    lanes: tuple[int, ...]
    judged: tuple[str, ...]
    """For each of `lanes` the hash of what was judged there, see `rubrics.candidates`: a verdict holds for
    these answers and no others."""
    outcome: Outcome
    winner: int | None = None
    """The better lane, if `outcome` is "win"."""
    scores: tuple[float | None, ...] = ()
    """For each of `lanes`, the mean over samples; None where there is no score, which is never a 0."""
    scale: tuple[float, float] | None = None
    """The lowest and the highest score there is."""
    aspects: tuple[tuple[Aspect, ...], ...] = ()
    """For each of `lanes`; empty where the rubric has none."""
    calls: tuple[JudgeCall, ...] = ()
    """Every call, in both orders; of a vote one, with the order in which the answers were shown."""
    error: str | None = None
    """One sentence, where the outcome is not one of `SETTLED`."""
    by: str | None = None
    """Of a vote: the voter's id, which means nothing else, so that voting again replaces it."""
    blind: bool = False
    """Of a vote: whether the page hid which lane wrote which answer."""
    panel: tuple[str, ...] = ()
    """Of the majority of several judges: the ids of their verdicts, see `judging.panel`."""
