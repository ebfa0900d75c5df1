"""Create conversations on the scripted engine and judge them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from playground.config import Settings
from playground.engine.scripted import ScriptedEngine
from playground.judging.client import JudgeModel
from playground.judging.cost import JudgeBudget
from playground.judging.request import JudgeRequest
from playground.judging.run import Judgment
from playground.judging.service import Judges
from playground.judging.votes import Choice, Vote
from playground.library import Library
from playground.rubrics.candidates import answered_lanes
from playground.session import Session
from playground.store import Store
from playground.types import Conversation, Request, Verdict


def session(tmp_path: Path, answer: str | Callable[[Request], str] = "Yes.", **settings: Any) -> Session:
    """Create a session whose lanes answer with `answer`, or with `answer(request)` if it is a function."""
    engine = ScriptedEngine(lambda request: [answer(request) if callable(answer) else answer])
    store = Store(tmp_path)
    library = Library.open("models/pocket", data_dir=tmp_path)
    return Session(engine, library, store, Judges(store, Settings(**settings)))


def request(
    talk: Session,
    conversation: Conversation,
    turn: int,
    rubric: str,
    *judges: JudgeModel,
    lanes: Iterable[int] | None = None,
    **options: Any,
) -> JudgeRequest:
    """Create a judge request as the UI and the command line do; by default, for all answered lanes."""
    return JudgeRequest(
        conversation=conversation,
        turn=turn,
        lanes=answered_lanes(conversation, turn) if lanes is None else tuple(lanes),
        rubric=talk.library.rubric(rubric),
        judges=judges,
        **{"references": talk.references(conversation, turn)} | options,
    )


def judge(
    talk: Session,
    conversation: Conversation,
    turn: int,
    rubric: str,
    judge: JudgeModel,
    *,
    budget: JudgeBudget | None = None,
    **options: Any,
) -> Judgment:
    """Start a judgment with one judge and return it."""
    return talk.judge(request(talk, conversation, turn, rubric, judge, **options), budget)[0]


def judge_by_rule(
    talk: Session,
    conversation: Conversation,
    turn: int,
    lanes: Iterable[int] | None = None,
    pair: bool = False,
) -> Verdict:
    """Return the verdict of the reference judge."""
    lanes = answered_lanes(conversation, turn) if lanes is None else tuple(lanes)
    known = talk.known_answer(conversation, turn, pair)
    asked = JudgeRequest(conversation=conversation, turn=turn, lanes=lanes, rubric=known)
    return talk.judge(asked)[0].wait()


def cast_vote(
    talk: Session,
    conversation: Conversation,
    turn: int,
    choice: Choice,
    shown: tuple[int, ...],
    **options: Any,
) -> Verdict:
    """Cast a vote and return its verdict."""
    return talk.vote(Vote(conversation=conversation, turn=turn, choice=choice, shown=shown, **options))


def withdraw_vote(
    talk: Session, conversation: Conversation, turn: int, shown: tuple[int, ...], **options: Any
) -> None:
    """Withdraw a vote."""
    talk.withdraw_vote(Vote(conversation=conversation, turn=turn, choice="tie", shown=shown, **options))


def own_words(request: Request) -> str:
    """Return an answer that depends on whether the lane uses an adapter."""
    return "Mine." if request.prompt.adapter else "Other."


def chat(talk: Session, *messages: str, lanes: Iterable[str] = ("base", "pocket-ift")) -> Conversation:
    conversation = talk.new([talk.variant(lane) for lane in lanes])
    for message in messages:
        *_, conversation = talk.send(conversation, message)
    return conversation
