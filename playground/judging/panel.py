"""Judge panels, in which several judges evaluate the same answers.

The majority decision is recorded as a separate verdict. A strict majority is required: a lane wins if more
than half of all judges on the panel prefer the lane. A judge without a verdict counts for neither lane; if
the missing verdict could have been decisive, the panel has no verdict either. If the judges assign scores,
the panel's score is the median of the judges' scores.
"""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Sequence
from statistics import median

from playground.judging.judge_names import name_judges
from playground.judging.run import Judging
from playground.judging.verdicts import WORST
from playground.store import Store
from playground.types import SETTLED, Outcome, OutsideError, Verdict

MAJORITY = "majority of "
"""Prefix of a panel's name. The names of the panel's judges follow the prefix."""


def name_majority(verdicts: Sequence[Verdict]) -> str:
    """Return the panel's name, which is recorded as the judge of the majority verdict.

    The name does not depend on the order of the verdicts.
    """
    return MAJORITY + ", ".join(sorted(_names(verdicts)))


def _names(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the display name of each verdict's judge (see `name_judges`)."""
    names = name_judges((verdict.judge, verdict.server) for verdict in verdicts)
    return [names[verdict.judge, verdict.server] for verdict in verdicts]


def combine_verdicts(verdicts: Sequence[Verdict], id: str) -> Verdict:
    """Combine the verdicts of several judges into a majority verdict.

    Args:
        verdicts: the verdicts of the panel's judges on the same answers, using the same rubric. Some of the
            verdicts can be unfinished.
        id: the id of the new verdict.

    Returns:
        For comparisons, the lane that more than half of all judges prefer, or a tie if no lane can reach a
        majority. If a missing verdict could still be decisive, the outcome is "unfinished" or a failed
        judge's outcome. For scores, the median score for each lane, or None if a judge has no score for the
        lane.
    """
    first = verdicts[0]
    combined = Verdict(
        id=id,
        judge=name_majority(verdicts),
        rubric=first.rubric,
        scope=first.scope,
        lanes=first.lanes,
        judged=first.judged,
        outcome="unfinished",
        scale=first.scale,
        panel=tuple(verdict.id for verdict in verdicts),
    )
    return _median(combined, verdicts) if first.scale is not None else _majority(combined, verdicts)


def _majority(combined: Verdict, verdicts: Sequence[Verdict]) -> Verdict:
    settled = [verdict for verdict in verdicts if verdict.outcome in SETTLED]
    silent = len(verdicts) - len(settled)
    votes = {lane: sum(verdict.winner == lane for verdict in settled) for lane in combined.lanes}
    for lane, count in votes.items():
        if count * 2 > len(verdicts):
            return dataclasses.replace(combined, outcome="win", winner=lane)
    if any((count + silent) * 2 > len(verdicts) for count in votes.values()):
        return _without(combined, verdicts)
    bad = sum(verdict.outcome == "both-bad" for verdict in settled)
    return dataclasses.replace(combined, outcome="both-bad" if bad * 2 > len(verdicts) else "tie")


def _median(combined: Verdict, verdicts: Sequence[Verdict]) -> Verdict:
    scores = []
    for number in range(len(combined.lanes)):
        given = [verdict.scores[number] if verdict.scores else None for verdict in verdicts]
        known = [score for score in given if score is not None]
        scores.append(median(known) if len(known) == len(verdicts) else None)
    if any(verdict.outcome not in SETTLED for verdict in verdicts):
        return dataclasses.replace(_without(combined, verdicts), scores=tuple(scores))
    return dataclasses.replace(combined, outcome="scored", scores=tuple(scores))


def _without(combined: Verdict, verdicts: Sequence[Verdict]) -> Verdict:
    """Return a majority verdict without a result.

    Unless a judge is still running, the error names the judges that gave no verdict.
    """
    named = zip(verdicts, _names(verdicts), strict=True)
    spoilt = {name: verdict for verdict, name in named if verdict.outcome not in SETTLED}
    order: tuple[Outcome, ...] = ("unfinished", *WORST)
    first = min(spoilt.values(), key=lambda verdict: order.index(verdict.outcome))
    error = None
    if first.outcome != "unfinished":
        error = f"No majority, because {', '.join(spoilt)} gave no verdict: judge again."
    return dataclasses.replace(combined, outcome=first.outcome, error=error)


class PanelJudging:
    """Judgments by several judges on the same answers, combined into a majority verdict.

    Thread-safe: any thread can read the current verdict, wait for the judges or cancel the judgments.
    """

    def __init__(self, judgings: Sequence[Judging], store: Store) -> None:
        """
        Args:
            judgings: one running judgment per judge.
            store: the database in which to record the majority verdict.
        """
        self.judgings = tuple(judgings)
        self.conversation = judgings[0].conversation
        self.turn = judgings[0].turn
        self._store = store
        self._id = secrets.token_hex(8)
        self._ended = threading.Event()
        self._last: Verdict | None = None

    @property
    def verdict(self) -> Verdict:
        """The current majority verdict; its outcome is "unfinished" until every judge has finished."""
        if self._last is not None:
            return self._last
        open_ = [dataclasses.replace(judging.verdict, outcome="unfinished") for judging in self.judgings]
        return combine_verdicts(open_, self._id)

    @property
    def done(self) -> bool:
        """Whether every judge has finished and the majority verdict has been recorded."""
        return self._ended.is_set()

    def wait(self, timeout: float | None = None) -> Verdict:
        """Block until every judge has finished or `timeout` seconds have passed.

        Return the current verdict.
        """
        self._ended.wait(timeout)
        return self.verdict

    def cancel(self) -> None:
        """Cancel all judgments that are still running."""
        for judging in self.judgings:
            judging.cancel()

    def start(self) -> None:
        """Start the thread that waits for the judges and records the majority verdict."""
        threading.Thread(target=self._work, name="panel of judges", daemon=True).start()

    def _work(self) -> None:
        verdict = combine_verdicts([judging.wait() for judging in self.judgings], self._id)
        try:
            self._store.save_verdict(self.conversation, self.turn, verdict)
        except OutsideError as error:
            verdict = dataclasses.replace(verdict, error=str(error))
        self._last = verdict
        self._ended.set()
