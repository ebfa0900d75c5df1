"""Read and write verdicts, votes and stored judge calls."""

from __future__ import annotations

import dataclasses
import sqlite3

from playground.store.rows import UNREADABLE, current_time, read_field, read_judge_call, read_verdict
from playground.types import JudgeCall, Verdict, canonical, to_json

UNJUDGED = "Unfinished: the app stopped while the judge was running; judge again."


def read_verdicts(db: sqlite3.Connection, conversation: str) -> dict[int, tuple[Verdict, ...]]:
    """Return a conversation's verdicts, keyed by turn, in the order in which they were requested.

    Damaged verdicts are skipped.
    """
    found: dict[int, list[Verdict]] = {}
    for turn, text in db.execute(
        "SELECT turn, verdict FROM verdict WHERE conversation = ? ORDER BY created, rowid", (conversation,)
    ):
        try:
            verdict = read_verdict(text)
        except UNREADABLE:
            continue  # damaged; reported by `doctor`
        if verdict.outcome == "unfinished":
            verdict = dataclasses.replace(verdict, error=UNJUDGED)
        found.setdefault(turn, []).append(verdict)
    return {turn: tuple(verdicts) for turn, verdicts in found.items()}


def write_verdict(db: sqlite3.Connection, conversation: str, turn: int, verdict: Verdict) -> None:
    """Write a verdict, replacing any existing verdict with the same id.

    A finished verdict is not replaced by an unfinished verdict.
    """
    row = db.execute("SELECT verdict FROM verdict WHERE id = ?", (verdict.id,)).fetchone()
    stored = read_field(row[0], "outcome") if row else None
    if verdict.outcome == "unfinished" and stored not in (None, "unfinished"):
        return
    db.execute(
        "INSERT INTO verdict VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "verdict = excluded.verdict",
        (verdict.id, conversation, turn, current_time(), canonical(to_json(verdict))),
    )


def delete_verdict(db: sqlite3.Connection, id: str) -> None:
    """Delete a verdict, if it exists."""
    db.execute("DELETE FROM verdict WHERE id = ?", (id,))


def write_judge_call(db: sqlite3.Connection, key: str, call: JudgeCall) -> None:
    """Store a judge call under its cache key."""
    db.execute("INSERT OR REPLACE INTO game VALUES (?, ?)", (key, canonical(to_json(call))))


def read_kept_call(db: sqlite3.Connection, key: str) -> JudgeCall | None:
    """Return the judge call stored under a cache key, or None if the call is missing or damaged."""
    row = db.execute("SELECT game FROM game WHERE key = ?", (key,)).fetchone()
    try:
        return None if row is None else read_judge_call(row[0])
    except UNREADABLE:
        return None
