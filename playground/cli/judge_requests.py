"""Build the judgment requests for the `judge` command from its options, and run them one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast, get_args

from playground.judging.client import JudgeModel
from playground.judging.judge_names import check_judges, read_judge
from playground.judging.request import JudgeRequest, split_lanes
from playground.judging_session import JudgingSession
from playground.rubrics.candidates import answered_lanes
from playground.rubrics.known_answer import PAIR_RUBRIC, REFERENCE
from playground.rubrics.known_answer import RUBRIC as REFERENCE_RUBRIC
from playground.types import Conversation, InputError, Scope, Verdict

DEFAULT_RUBRIC = "single"


@dataclass(frozen=True, kw_only=True)
class RequestOptions:
    """The command's options, as entered by the user."""

    judges: tuple[str, ...]
    """Judges, each ``MODEL``, ``MODEL@http://SERVER`` or ``reference``. "" selects the model in the
    settings.
    """
    rubric: str | None = None
    turns: str | None = None
    """Comma-separated turn numbers, from 1; None for all turns."""
    lanes: str | None = None
    """Comma-separated lane numbers, from 1; None for all lanes with an answer."""
    scope: str = "turn"
    samples: int = 1


@dataclass(frozen=True, kw_only=True)
class _Who:
    """The judges and the rubric shared by all requests of one command."""

    judges: tuple[JudgeModel, ...]
    """The judge models; empty for the reference judge."""
    rubric: str
    compares: bool


def read_requests(
    session: JudgingSession, conversation: Conversation, options: RequestOptions
) -> list[JudgeRequest]:
    """Build and validate all requests for a command line.

    If there are more than two lanes to compare, all pairs are compared.

    Raises:
        InputError: a turn, lane, rubric or judge does not exist or cannot be used.
    """
    if options.scope not in get_args(Scope):
        raise InputError(f"--scope must be turn or conversation, not {options.scope!r}.")
    who = _read_who(session, options)
    requests = []
    for turn in _read_numbers(options.turns, "--turns", len(conversation.turns), "turn"):
        lanes = _read_numbers(options.lanes, "--lanes", len(conversation.variants), "lane")
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


def _read_numbers(text: str | None, flag: str, count: int, thing: str) -> list[int]:
    """Parse comma-separated one-based numbers into zero-based indices.

    If `text` is None, return all indices.
    """
    if text is None:
        return list(range(count))
    found = []
    for part in text.split(","):
        if not part.strip().isdecimal() or len(part.strip()) > 9 or not 1 <= int(part) <= count:
            raise InputError(
                f"{flag} must be a comma-separated list of {thing} numbers from 1 to {count}, not "
                f"{text!r:.60}."
            )
        found.append(int(part) - 1)
    return found


def judge_all(session: JudgingSession, requests: Sequence[JudgeRequest]) -> list[tuple[int, Verdict]]:
    """Run all requests, wait for the judgments, and return each verdict with its turn.

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
