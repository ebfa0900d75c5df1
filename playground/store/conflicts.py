"""Detect conflicting writes to conversations that another window or program has continued in the meantime."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from playground.store.rows import UNFINISHED, read_field, usable_numbers
from playground.types import Conversation, InputError

ELSEWHERE = (
    "This conversation was continued in another window or program: reopen it from the history and send the "
    "message there."
)


class ConflictError(InputError):
    """Raised when a conversation cannot be saved because another window or program has continued it."""


def refuse_conflict(db: sqlite3.Connection, conversation: Conversation, lanes: Sequence[int]) -> None:
    """Raise ConflictError if another process has continued the conversation since it was last read.

    Args:
        db: the database.
        conversation: the conversation to be saved.
        lanes: the lanes that will generate answers in the conversation's last turn.
    """
    id, last = conversation.id, len(conversation.turns) - 1
    turn = conversation.turns[last]
    recorded = _count_turns(db, id)
    if all(turn.answers[lane].version == 0 for lane in lanes):  # a new turn
        continued = recorded > last or (
            recorded == last > 0
            and (_shows_others(db, conversation, last - 1) or _is_outdated(db, conversation, last - 1))
        )
    else:
        continued = (
            recorded > last + 1
            or any(_holds_version(db, id, last, lane, turn.answers[lane].version) for lane in lanes)
            or _is_outdated(db, conversation, last)
        )
    if continued:
        raise ConflictError(ELSEWHERE)


def _is_outdated(db: sqlite3.Connection, conversation: Conversation, number: int) -> bool:
    """Return whether an answer that is unfinished in `conversation` is finished in the database."""
    turn = conversation.turns[number]
    stored = read_replies(db, conversation.id, number)
    return any(
        answer.reply.error in UNFINISHED and read_field(stored.get((lane, answer.version)), "finish")
        for lane in range(len(turn.answers))
        for answer in turn.all(lane)
    )


def _shows_others(db: sqlite3.Connection, conversation: Conversation, number: int) -> bool:
    """Return whether the selected answer versions in the database differ from those in the conversation."""
    rows = db.execute(
        "SELECT lane, version FROM answer WHERE conversation = ? AND turn = ? AND shown = 1",
        (conversation.id, number),
    )
    answers = conversation.turns[number].answers
    shown: dict[int, list[int]] = {}
    for lane, version in rows:
        shown.setdefault(lane, []).append(version)
    return any(
        usable_numbers(shown.get(lane, ())) and answer.version not in shown[lane]
        for lane, answer in enumerate(answers)
    )


def _count_turns(db: sqlite3.Connection, id: str) -> int:
    """Return the number of a conversation's turns in the database, including missing turns between stored
    turns.
    """
    found = db.execute("SELECT number FROM turn WHERE conversation = ?", (id,))
    numbers = usable_numbers(number for (number,) in found)
    return numbers[-1] + 1 if numbers else 0


def _holds_version(db: sqlite3.Connection, id: str, turn: int, lane: int, version: int) -> bool:
    """Return whether the given version of a lane's answer is stored."""
    key = "SELECT 1 FROM answer WHERE conversation = ? AND turn = ? AND lane = ? AND version = ?"
    return db.execute(key, (id, turn, lane, version)).fetchone() is not None


def read_replies(db: sqlite3.Connection, id: str, number: int) -> dict[tuple[int, int], str]:
    """Return the stored replies for a turn as JSON text, keyed by (lane, version)."""
    rows = db.execute(
        "SELECT lane, version, reply FROM answer WHERE conversation = ? AND turn = ?", (id, number)
    )
    return {(lane, version): reply for lane, version, reply in rows}


def refuse_select_conflict(db: sqlite3.Connection, conversation: Conversation) -> None:
    """Raise ConflictError if the stored conversation is newer than the one in memory.

    The stored conversation is newer if it has later turns, more versions of the last turn's answers, or
    finished replies that are unfinished in memory.
    """
    id, last = conversation.id, len(conversation.turns) - 1
    turn = conversation.turns[last]
    more_versions = any(
        _holds_version(db, id, last, lane, len(turn.all(lane))) for lane in range(len(turn.answers))
    )
    if _count_turns(db, id) > last + 1 or _is_outdated(db, conversation, last) or more_versions:
        raise ConflictError(ELSEWHERE)
