"""Read and write conversations and their turns."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from playground.store.conflicts import read_replies
from playground.store.rows import (
    UNFINISHED,
    UNUSABLE,
    current_time,
    format_histories,
    plain_text,
    read_field,
    read_lanes,
    read_usable_histories,
    read_variants,
    usable_numbers,
)
from playground.store.verdicts import read_verdicts
from playground.types import Conversation, Reply, Turn, Variant, Verdict, canonical, to_json

LOST_TURN = "(This message is missing from the database.)"


def read_conversation(db: sqlite3.Connection, id: str) -> Conversation | None:
    """Return the conversation with the given id, or None if the id is unknown.

    Raises one of the `UNREADABLE` exceptions if the conversation's variants are damaged.
    """
    row = db.execute("SELECT variants, parent, owner FROM conversation WHERE id = ?", (id,)).fetchone()
    if row is None:
        return None
    variants = read_variants(row[0])
    turns = _read_turns(db, id, variants, read_verdicts(db, id))
    return Conversation(
        id=id, variants=variants, turns=turns, parent=plain_text(row[1]), owner=plain_text(row[2])
    )


def _read_turns(
    db: sqlite3.Connection, id: str, variants: Sequence[Variant], verdicts: Mapping[int, tuple[Verdict, ...]]
) -> tuple[Turn, ...]:
    """Return a conversation's turns, with a placeholder for each missing turn."""
    rows = {
        number: (plain_text(user), histories)
        for number, user, histories in db.execute(
            "SELECT number, user, histories FROM turn WHERE conversation = ? ORDER BY number", (id,)
        )
    }
    answers = _read_answer_rows(db, id)
    numbers = usable_numbers(rows)
    turns = []
    for number in range(numbers[-1] + 1 if numbers else 0):
        if number not in numbers:
            turns.append(Turn(user=LOST_TURN, answers=()))
            continue
        user, histories = rows[number]
        shown, versions = read_lanes(answers.get(number, ()), variants)
        turns.append(
            Turn(
                user=user,
                answers=shown,
                versions=versions,
                histories=read_usable_histories(histories, len(shown)),
                verdicts=verdicts.get(number, ()),
            )
        )
    return tuple(turns)


def _read_answer_rows(db: sqlite3.Connection, id: str) -> dict[int, list[tuple[Any, ...]]]:
    """Return the answer rows (lane, shown, variant, request, reply, version), keyed by turn."""
    rows = db.execute(
        "SELECT turn, lane, shown, variant, request, reply, version FROM answer "
        "WHERE conversation = ? ORDER BY turn, lane, version",
        (id,),
    )
    by_turn: dict[int, list[tuple[Any, ...]]] = {}
    for turn, *row in rows:
        by_turn.setdefault(turn, []).append(tuple(row))
    return by_turn


def write_conversation(
    db: sqlite3.Connection, conversation: Conversation, since: int, select: bool = False
) -> None:
    """Write a conversation and its turns from index `since`.

    If the conversation is not stored yet, write all of its turns.

    Args:
        db: the database.
        conversation: the conversation.
        since: index of the first turn to write, from 0.
        select: whether to overwrite the stored lanes and selected versions with those of `conversation`.
    """
    now = current_time()
    variants = [
        {
            "name": v.name,
            "recipe": v.recipe,
            "aligner": to_json(v.aligner),
            "sampling": to_json(v.sampling),
            "overflow": v.overflow,
        }
        for v in conversation.variants
    ]
    known = db.execute("SELECT 1 FROM conversation WHERE id = ?", (conversation.id,)).fetchone()
    first = max(0, since) if known else 0
    db.execute(
        "INSERT INTO conversation (id, created, updated, variants, parent, owner) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET updated = excluded.updated"
        + (", variants = excluded.variants" if select else ""),
        (conversation.id, now, now, canonical(variants), conversation.parent, conversation.owner),
    )
    for number, turn in enumerate(conversation.turns[first:], first):
        _write_turn(db, conversation.id, number, turn, now, select)


def _write_turn(
    db: sqlite3.Connection, id: str, number: int, turn: Turn, now: str, select: bool = False
) -> None:
    """Write one turn and its answers. For `select`, see `write_conversation`."""
    key = (id, number)
    if db.execute("SELECT 1 FROM turn WHERE conversation = ? AND number = ?", key).fetchone() is None:
        # Otherwise, answers left over from a lost turn with the same number would become part of the new
        # turn.
        db.execute("DELETE FROM answer WHERE conversation = ? AND turn = ?", key)
        db.execute(
            "INSERT INTO turn (conversation, number, user, created, histories) VALUES (?, ?, ?, ?, ?)",
            (*key, turn.user, now, format_histories(turn.histories)),
        )
    stored = read_replies(db, id, number)
    for lane, shown in enumerate(turn.answers):
        answers = turn.all(lane)
        later = usable_numbers(version for where, version in stored if where == lane)
        # If another process has added a version in the meantime, that version remains selected.
        keep = not select and bool(later) and later[-1] >= len(answers)
        for answer in answers:
            if answer.reply.error in UNUSABLE:  # keep any existing row, so that it can be repaired
                continue
            if _is_replaced(stored.get((lane, answer.version)), answer.reply):
                request = None if answer.request is None else canonical(to_json(answer.request))
                db.execute(
                    "INSERT INTO answer (conversation, turn, lane, version, shown, variant, request, reply) "
                    "VALUES (?, ?, ?, ?, 0, ?, ?, ?) ON CONFLICT DO UPDATE SET variant = excluded.variant, "
                    "request = excluded.request, reply = excluded.reply",
                    (*key, lane, answer.version, answer.variant, request, canonical(to_json(answer.reply))),
                )
        if not keep:
            db.execute(
                "UPDATE answer SET shown = (version = ?) WHERE conversation = ? AND turn = ? AND lane = ?",
                (shown.version, *key, lane),
            )


def _is_replaced(stored: str | None, reply: Reply) -> bool:
    """Return whether a reply should replace the stored reply for the same version.

    A finished stored reply is replaced only if `Session.close` cut it off and the new reply is complete.
    """
    if stored is None:
        return True
    if reply.error in UNFINISHED:  # read from the database; another process may still be writing it
        return False
    finish = read_field(stored, "finish")
    return not finish or (finish == "cancelled" and reply.finish in ("stop", "length"))
