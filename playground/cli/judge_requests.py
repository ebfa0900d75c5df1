"""Build judgment requests from the options of the `judge` command, and run the requests one after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast, get_args

from playground.judging.client import JudgeModel
from playground.judging.judge_names import check_judges, read_judge
from playground.judging.request import JudgeRequest, split_lanes
from playground.judging_session import JudgingSession
from playground.lanes.letters import lane_letter
from playground.rubrics.candidates import answered_lanes
from playground.rubrics.known_answer import PAIR_RUBRIC, REFERENCE
from playground.rubrics.known_answer import RUBRIC as REFERENCE_RUBRIC
from playground.types import Conversation, InputError, Scope, Verdict

DEFAULT_RUBRIC = "single"


@dataclass(frozen=True, kw_only=True)
class RequestOptions:
    """The options of the `judge` command, as entered by the user."""

    judges: tuple[str, ...]
    """Judges, each given as ``MODEL``, ``MODEL@http://SERVER`` or ``reference``.

    "" selects the model in the settings.
    """
    rubric: str | None = None
    turns: str | None = None
    """Comma-separated turn numbers, counted from 1; None for all turns."""
    lanes: str | None = None
    """Comma-separated lane letters or lane numbers, counted from 1; None for all lanes with an answer."""
    scope: str = "turn"
    samples: int = 1


@dataclass(frozen=True, kw_only=True)
class _Who:
    """The judges and the rubric shared by all requests of one `judge` command."""

    judges: tuple[JudgeModel, ...]
    """The judge models; empty for the reference judge."""
    rubric: str
    compares: bool


def read_requests(
    session: JudgingSession, conversation: Conversation, options: RequestOptions
) -> list[JudgeRequest]:
    """Build and validate all judging requests for one run of the `judge` command. If more than two lanes are
    to be compared, one request is built for each pair of lanes.

    Raises:
        InputError: a turn, lane, rubric or judge does not exist or cannot be used.
    """
    if options.scope not in get_args(Scope):
        raise InputError(f"--scope must be turn or conversation, not {options.scope!r}.")
    who = _read_who(session, options)
    requests = []
    for turn in _read_turns(options.turns, len(conversation.turns)):
        lanes = _read_lanes(options.lanes, len(conversation.variants))
        if not options.lanes:
            lanes = [lane for lane in lanes if lane in answered_lanes(conversation, turn)]
        if options.turns is None and not lanes:
            continue  # no lane has an answer
        requests += [
            _request(session, conversation, turn, some, who, options)
            for some in split_lanes(lanes, who.compares)
        ]
    if not requests:
        raise InputError(f"Conversation {conversation.id} has no answer to judge.")
    return requests


def _read_who(session: JudgingSession, options: RequestOptions) -> _Who:
    judges = check_judges([read_judge(name) for name in options.judges])
    if REFERENCE not in [model for model, _ in judges]:
        rubric = options.rubric or DEFAULT_RUBRIC
        compares = session.library.rubric(rubric).kind == "pairwise"
        models = tuple(session.judge_model(model, server) for model, server in judges)
        return _Who(judges=models, rubric=rubric, compares=compares)
    if len(judges) > 1:
        raise InputError("The reference judge uses a fixed rule and cannot be in a panel: run it alone.")
    rubric = options.rubric or REFERENCE_RUBRIC
    if rubric not in (REFERENCE_RUBRIC, PAIR_RUBRIC):
        raise InputError(
            f"The reference judge only has the rubrics {REFERENCE_RUBRIC} and {PAIR_RUBRIC}, not {rubric!r}."
        )
    return _Who(judges=(), rubric=rubric, compares=rubric == PAIR_RUBRIC)


def _request(
    session: JudgingSession,
    conversation: Conversation,
    turn: int,
    lanes: tuple[int, ...],
    who: _Who,
    options: RequestOptions,
) -> JudgeRequest:
    if not who.judges:
        known = session.known_answer(conversation, turn, who.compares)
        return JudgeRequest(conversation=conversation, turn=turn, lanes=lanes, rubric=known)
    return JudgeRequest(
        conversation=conversation,
        turn=turn,
        lanes=lanes,
        rubric=session.library.rubric(who.rubric),
        judges=who.judges,
        scope=cast(Scope, options.scope),
        samples=options.samples,
        references=session.references(conversation, turn),
    )


def _read_turns(turns: str | None, count: int) -> list[int]:
    """Convert comma-separated turn numbers, starting at 1, to indices.

    If `text` is None, return all indices.
    """
    indices = {str(turn + 1): turn for turn in range(count)}
    return _read_list(
        turns, indices, f"--turns must be a comma-separated list of turn numbers from 1 to {count}"
    )


def _read_lanes(lanes: str | None, count: int) -> list[int]:
    """Convert comma-separated lane letters or numbers to indices. If `text` is None, return all indices."""
    letters = {lane_letter(lane): lane for lane in range(count)}
    numbers = {str(lane + 1): lane for lane in range(count)}
    allowed = f"lane letters from A to {lane_letter(count - 1)}, or of lane numbers from 1 to {count}"
    return _read_list(lanes, letters | numbers, f"--lanes must be a comma-separated list of {allowed}")


def _read_list(text: str | None, indices: Mapping[str, int], rule: str) -> list[int]:
    """Convert comma-separated names to indices.

    If a name is unknown, raise an InputError that quotes `rule`.
    """
    if text is None:
        return sorted(set(indices.values()))
    names = [part.strip().upper() for part in text.split(",")]
    if not all(name in indices for name in names):
        raise InputError(f"{rule}, not {text!r:.60}.")
    return [indices[name] for name in names]


def judge_all(session: JudgingSession, requests: Sequence[JudgeRequest]) -> list[tuple[int, Verdict]]:
    """Run all requests, wait for the judgments, and return each verdict together with its turn.

    Raises:
        InputError: a key is missing, or the budget is too small.
    """
    budget = session.judge_budget()
    judgments = [
        (request.turn, judgment) for request in requests for judgment in session.judge(request, budget)
    ]
    return [(turn, judgment.wait()) for turn, judgment in judgments]


def warn_of_families(session: JudgingSession, requests: Sequence[JudgeRequest]) -> list[str]:
    """Return a warning for each judge from the same model family as a judged model, without duplicates."""
    found = [warning for request in requests for warning in session.family_warnings(request)]
    return list(dict.fromkeys(found))
