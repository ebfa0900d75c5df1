"""Judge many turns as one batch: plan the turns, and run them a few at a time with one progress and one
cancel.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from playground.judging.client import JudgeModel
from playground.judging.request import JudgeRequest
from playground.judging.run import Judgment
from playground.rubrics.known_answer import PAIR_RUBRIC, REFERENCE
from playground.servers.address import clean
from playground.types import SETTLED, InputError, OutsideError, Scope, Verdict
from playground.unexpected import report_unexpected

log = logging.getLogger(__name__)

MOST_TURNS = 200
"""Maximum number of turns in a batch."""
TURNS_AT_ONCE = 3
"""Maximum number of turns of a batch that are judged concurrently."""


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """How to judge: everything in a judge request except the answers."""

    rubric: str
    """Name of the rubric."""
    judges: tuple[JudgeModel, ...] = ()
    """The judge models; empty for the reference judge."""
    scope: Scope = "turn"
    samples: int = 1

    @property
    def compares_by_rule(self) -> bool:
        """Whether the reference judge compares two lanes instead of scoring each answer."""
        return not self.judges and self.rubric == PAIR_RUBRIC


@dataclass(frozen=True, kw_only=True)
class BatchTurn:
    """A turn to judge. Comparing more than two lanes takes one request for each pair of lanes."""

    conversation: str
    """The conversation's id."""
    turn: int
    requests: tuple[JudgeRequest, ...]


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """The turns of a batch, and the number of turns that are skipped, by reason."""

    turns: tuple[BatchTurn, ...] = ()
    judged: int = 0
    """Number of turns skipped because their answers already have the verdicts."""
    unanswered: int = 0
    """Number of turns skipped because a chosen lane has no answer to judge."""
    without_reference: int = 0
    """Number of turns skipped because the rubric needs a reference answer and the turn has none."""
    omitted: int = 0
    """Number of turns left out because the batch would be too long."""

    @property
    def requests(self) -> list[JudgeRequest]:
        """The requests of all turns."""
        return [request for turn in self.turns for request in turn.requests]

    @property
    def conversations(self) -> int:
        """Number of conversations that have a turn in the batch."""
        return len({turn.conversation for turn in self.turns})


def is_judged(request: JudgeRequest, verdicts: Iterable[Verdict]) -> bool:
    """Return whether each of a request's judges has already given the verdict that the request asks for.

    Args:
        request: the request.
        verdicts: the verdicts on the same turn's current answers.
    """
    judges: set[tuple[str, str | None]] = {(each.model, clean(each.server)) for each in request.judges}
    judges = judges or {(REFERENCE, None)}
    orders = 2 if request.compares else len(request.lanes)
    found = {
        (verdict.judge, verdict.server)
        for verdict in verdicts
        if verdict.outcome in SETTLED
        and verdict.rubric == request.rubric.name
        and verdict.scope == request.scope
        and set(verdict.lanes) == set(request.lanes)
        and len(verdict.calls) == orders * request.samples
    }
    return judges <= found


@dataclass(frozen=True, kw_only=True)
class BatchFailure:
    """A turn of a batch that could not be judged."""

    conversation: str
    turn: int
    error: str
    """One sentence."""


@dataclass(frozen=True, kw_only=True)
class BatchProgress:
    """The progress of a batch at one moment."""

    total: int
    judged: int
    failures: tuple[BatchFailure, ...] = ()
    cancelled: bool = False
    running: bool = False

    @property
    def left(self) -> int:
        """Number of turns without a verdict, including failed turns."""
        return self.total - self.judged


class JudgeBatch:
    """A batch that is being judged. It continues when the page is closed, and can be cancelled.

    Thread-safe.
    """

    def __init__(
        self,
        turns: Sequence[BatchTurn],
        judge: Callable[[JudgeRequest], list[Judgment]],
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Create the batch. Call `start` to judge its turns.

        Args:
            turns: the turns to judge, in order.
            judge: function that starts the judgments for a request.
            on_end: function called once all turns have been judged or the batch has been cancelled.
        """
        self._waiting = deque(turns)
        self._judge = judge
        self._on_end = on_end
        self._total = len(turns)
        self._done: set[tuple[str, int]] = set()
        self._failures: list[tuple[int, BatchFailure]] = []
        self._places = {(turn.conversation, turn.turn): place for place, turn in enumerate(turns)}
        self._open: set[Judgment] = set()
        self._workers = 0
        self._cancelled = False
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @property
    def rest(self) -> frozenset[tuple[str, int]]:
        """The turns without the verdicts so far, as (conversation id, turn) pairs."""
        with self._lock:
            return frozenset(self._places) - self._done

    @property
    def progress(self) -> BatchProgress:
        """The current progress."""
        with self._lock:
            return BatchProgress(
                total=self._total,
                judged=len(self._done),
                failures=tuple(failure for _, failure in sorted(self._failures, key=lambda each: each[0])),
                cancelled=self._cancelled,
                running=not self._ended.is_set(),
            )

    def start(self) -> None:
        """Start judging. Returns immediately."""
        self._workers = min(TURNS_AT_ONCE, len(self._waiting))
        if not self._workers:
            self._finish()
        for _ in range(self._workers):
            threading.Thread(target=self._work, name="batch of judgments", daemon=True).start()

    def wait(self, timeout: float | None = None) -> BatchProgress:
        """Block until the batch has ended or `timeout` seconds have passed, and return the progress."""
        self._ended.wait(timeout)
        return self.progress

    def cancel(self) -> None:
        """Cancel the judgments in progress and judge no further turn. Verdicts given so far are kept."""
        with self._lock:
            self._cancelled = self._cancelled or not self._ended.is_set()
            self._waiting.clear()
            judgments = list(self._open)
        for judgment in judgments:
            judgment.cancel()

    def _work(self) -> None:
        """Judge turns until none is left."""
        while (turn := self._next()) is not None:
            self._judge_turn(turn)
        with self._lock:
            self._workers -= 1
            is_last = not self._workers
        if is_last:
            self._finish()

    def _next(self) -> BatchTurn | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def _finish(self) -> None:
        self._ended.set()
        self._on_end()

    def _judge_turn(self, turn: BatchTurn) -> None:
        """Judge one turn, and record whether it has been judged, has failed or was cancelled."""
        judgments, error = self._start_judgments(turn)
        bad = [verdict for judgment in judgments if (verdict := judgment.wait()).outcome not in SETTLED]
        with self._lock:
            self._open.difference_update(judgments)
            stopped = self._cancelled
            if not bad and not error:
                self._done.add((turn.conversation, turn.turn))
        failed = [verdict for verdict in bad if verdict.outcome != "cancelled"]
        if failed and not error:
            error = failed[0].error or f"The judge gave no verdict ({failed[0].outcome}): judge again."
        if error and not stopped:
            self._fail(turn, error)

    def _start_judgments(self, turn: BatchTurn) -> tuple[list[Judgment], str]:
        """Start a turn's judgments. If one of them cannot be started, return the error as one sentence."""
        judgments: list[Judgment] = []
        try:
            for request in turn.requests:
                judgments += self._judge(request)
        except (InputError, OutsideError) as error:
            return judgments, str(error)
        except Exception as error:
            return judgments, report_unexpected(log, error, "judge again")
        finally:
            with self._lock:
                self._open.update(judgments)
                stop = self._cancelled
            if stop:  # cancelled while the judgments were being started
                for judgment in judgments:
                    judgment.cancel()
        return judgments, ""

    def _fail(self, turn: BatchTurn, error: str) -> None:
        failure = BatchFailure(conversation=turn.conversation, turn=turn.turn, error=error)
        with self._lock:
            self._failures.append((self._places[turn.conversation, turn.turn], failure))
