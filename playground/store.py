"""The record: what was asked, exactly as asked, and what came, in one SQLite file.

Every call opens its own connection, so any thread may call; SQLite's write-ahead log lets readers go on
while one writes. A turn is written when it is asked, again while it streams and once more at its end, so a
crash costs at most the last second of text.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playground.aligners import aligner_from_json
from playground.types import (
    Answer,
    Conversation,
    Game,
    InputError,
    OutsideError,
    Reply,
    Sampling,
    Turn,
    Variant,
    Verdict,
    canonical,
    game_from_json,
    request_from_json,
    to_json,
    verdict_from_json,
)

FILE = "tandem.sqlite3"
INTERRUPTED = "Interrupted: the app stopped while this answer was being written."

UNJUDGED = "Unfinished: the app stopped while the judge was at work; ask again."

MIGRATIONS = (
    """
    CREATE TABLE conversation (
        id TEXT PRIMARY KEY,
        created TEXT NOT NULL,   -- UTC, ISO 8601
        updated TEXT NOT NULL,
        variants TEXT NOT NULL   -- JSON list: name, recipe (hash), aligner, sampling, overflow
    );
    CREATE TABLE turn (
        conversation TEXT NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
        number INTEGER NOT NULL, -- from 0
        user TEXT NOT NULL,
        created TEXT NOT NULL,
        PRIMARY KEY (conversation, number)
    );
    CREATE TABLE answer (
        conversation TEXT NOT NULL,
        turn INTEGER NOT NULL,
        lane INTEGER NOT NULL,   -- from 0
        variant TEXT NOT NULL,
        request TEXT,            -- JSON: the exact prompt and sampling; NULL if none could be written
        reply TEXT NOT NULL,     -- JSON
        PRIMARY KEY (conversation, turn, lane),
        FOREIGN KEY (conversation, turn) REFERENCES turn(conversation, number) ON DELETE CASCADE
    );
    CREATE INDEX conversation_updated ON conversation(updated);
    """,
    """
    ALTER TABLE conversation ADD COLUMN parent TEXT; -- the conversation its first turns were taken from
    ALTER TABLE turn ADD COLUMN histories TEXT;      -- JSON list: whose answers each lane was asked on
    ALTER TABLE answer RENAME TO answer_1;
    CREATE TABLE answer (
        conversation TEXT NOT NULL,
        turn INTEGER NOT NULL,
        lane INTEGER NOT NULL,    -- from 0
        version INTEGER NOT NULL, -- from 0, in the order in which they were asked
        shown INTEGER NOT NULL,   -- 1 for the one that the conversation goes on from
        variant TEXT NOT NULL,
        request TEXT,             -- JSON: the exact prompt and sampling; NULL if none could be written
        reply TEXT NOT NULL,      -- JSON
        PRIMARY KEY (conversation, turn, lane, version),
        FOREIGN KEY (conversation, turn) REFERENCES turn(conversation, number) ON DELETE CASCADE
    );
    INSERT INTO answer SELECT conversation, turn, lane, 0, 1, variant, request, reply FROM answer_1;
    DROP TABLE answer_1;
    """,
    """
    CREATE TABLE verdict (
        id TEXT PRIMARY KEY,
        conversation TEXT NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
        turn INTEGER NOT NULL,
        created TEXT NOT NULL,   -- UTC, ISO 8601
        verdict TEXT NOT NULL    -- JSON
    );
    CREATE INDEX verdict_conversation ON verdict(conversation);
    CREATE TABLE game (
        key TEXT PRIMARY KEY,    -- hash of everything that shapes a judge's reply
        game TEXT NOT NULL       -- JSON
    );
    """,
)
"""Each brings the file from the version of its index to the next; never edit one that was released."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One conversation in a list."""

    id: str
    updated: datetime
    """UTC."""
    title: str
    """The first message."""
    turns: int


class Store:
    """Conversations on disk."""

    def __init__(self, data_dir: Path) -> None:
        """Open the record in `data_dir`, made if need be.

        Raises:
            InputError: the folder cannot be written, or the file is newer than this program.
        """
        self.path = data_dir / FILE
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            with self._connect() as db:
                db.execute("PRAGMA journal_mode = WAL")
                self._migrate(db)
        except (OSError, OutsideError) as error:
            raise InputError(
                f"Cannot keep the record in {data_dir}: {error}; choose another folder with --data-dir."
            ) from error

    def _migrate(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise InputError(
                f"{self.path} was written by a newer Tandem (format {version}): update, or choose "
                "another folder with --data-dir."
            )
        for number in range(version, len(MIGRATIONS)):
            db.executescript(f"BEGIN; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are committed together at the end, or not at all."""
        try:
            db = sqlite3.connect(self.path, timeout=10)
            try:
                db.execute("PRAGMA foreign_keys = ON")
                db.execute("PRAGMA synchronous = NORMAL")
                with db:
                    yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            raise OutsideError(f"The record {self.path} cannot be used: {error}.") from error

    def save(self, conversation: Conversation) -> None:
        """Write a conversation and its last turn; turns before it are as they were written.

        One that is not in the record yet is written whole: its first turns may be another's.
        """
        now = _now()
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
        with self._connect() as db:
            db.execute("BEGIN IMMEDIATE")
            known = db.execute("SELECT 1 FROM conversation WHERE id = ?", (conversation.id,)).fetchone()
            first = max(0, len(conversation.turns) - 1) if known else 0
            db.execute(
                "INSERT INTO conversation (id, created, updated, variants, parent) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET updated = excluded.updated, variants = excluded.variants",
                (conversation.id, now, now, canonical(variants), conversation.parent),
            )
            for number, turn in enumerate(conversation.turns[first:], first):
                _save_turn(db, conversation.id, number, turn, now)

    def holds(self, id: str) -> bool:
        """Whether there is a conversation of that id."""
        with self._connect() as db:
            return db.execute("SELECT 1 FROM conversation WHERE id = ?", (id,)).fetchone() is not None

    def load(self, id: str) -> Conversation:
        """The conversation of that id; an answer that was never finished comes back as an error.

        Raises:
            InputError: there is none.
        """
        with self._connect() as db:
            db.execute("BEGIN")  # all that follows is as of one moment, whoever writes meanwhile
            row = db.execute("SELECT variants, parent FROM conversation WHERE id = ?", (id,)).fetchone()
            if row is None:
                raise InputError(f"There is no conversation {id!r} in {self.path}: look in the history.")
            turns = db.execute(
                "SELECT number, user, histories FROM turn WHERE conversation = ? ORDER BY number", (id,)
            ).fetchall()
            rows = db.execute(
                "SELECT turn, lane, shown, variant, request, reply, version FROM answer "
                "WHERE conversation = ? ORDER BY turn, lane, version",
                (id,),
            ).fetchall()
            verdicts = _verdicts(db, id)
        versions: dict[int, dict[int, list[Answer]]] = {number: {} for number, *_ in turns}
        shown: dict[int, list[Answer]] = {number: [] for number, *_ in turns}
        for number, lane, is_shown, *rest in rows:
            answer = _answer(*rest)
            versions[number].setdefault(lane, []).append(answer)
            if is_shown:
                shown[number].append(answer)
        return Conversation(
            id=id,
            variants=tuple(_variant(data) for data in json.loads(row[0])),
            turns=tuple(
                Turn(
                    user=user,
                    answers=tuple(shown[number]),
                    versions=_several(versions[number]),
                    histories=tuple(json.loads(histories or "[]")),
                    verdicts=verdicts.get(number, ()),
                )
                for number, user, histories in turns
            ),
            parent=row[1],
        )

    def save_verdict(self, conversation: str, turn: int, verdict: Verdict) -> None:
        """Write a verdict of a recorded conversation's turn (from 0); one of the same id is replaced."""
        with self._connect() as db:
            db.execute(
                "INSERT INTO verdict VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "verdict = excluded.verdict",
                (verdict.id, conversation, turn, _now(), canonical(to_json(verdict))),
            )

    def verdicts(self, conversation: str) -> dict[int, tuple[Verdict, ...]]:
        """Every verdict on a conversation by turn (from 0), in the order in which they were asked for."""
        with self._connect() as db:
            return _verdicts(db, conversation)

    def judged(self, limit: int) -> list[str]:
        """The ids of conversations that have a verdict, the latest first."""
        with self._connect() as db:
            rows = db.execute(
                "SELECT id FROM conversation WHERE id IN (SELECT conversation FROM verdict) "
                "ORDER BY updated DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [id for (id,) in rows]

    def save_game(self, key: str, game: Game) -> None:
        """Keep a judge's reply, so that the same question is not paid for twice."""
        with self._connect() as db:
            db.execute("INSERT OR REPLACE INTO game VALUES (?, ?)", (key, canonical(to_json(game))))

    def game(self, key: str) -> Game | None:
        """The reply kept under that key, or None."""
        with self._connect() as db:
            row = db.execute("SELECT game FROM game WHERE key = ?", (key,)).fetchone()
        return None if row is None else game_from_json(json.loads(row[0]))

    def summaries(self, query: str = "", limit: int = 100) -> list[Summary]:
        """Conversations with `query` in any message of the user's, the latest first."""
        pattern = "%" + query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        with self._connect() as db:
            rows = db.execute(
                "SELECT c.id, c.updated, (SELECT user FROM turn WHERE conversation = c.id AND number = 0), "
                "(SELECT COUNT(*) FROM turn WHERE conversation = c.id) FROM conversation c WHERE EXISTS "
                "(SELECT 1 FROM turn WHERE conversation = c.id AND user LIKE ? ESCAPE '\\') "
                "ORDER BY c.updated DESC LIMIT ?",
                (pattern, limit),
            ).fetchall()
        return [
            Summary(id=id, updated=datetime.fromisoformat(updated), title=title, turns=turns)
            for id, updated, title, turns in rows
        ]


def _save_turn(db: sqlite3.Connection, id: str, number: int, turn: Turn, now: str) -> None:
    histories = canonical(list(turn.histories)) if turn.histories else None
    db.execute(
        "INSERT INTO turn (conversation, number, user, created, histories) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET user = excluded.user, histories = excluded.histories",
        (id, number, turn.user, now, histories),
    )
    for lane, shown in enumerate(turn.answers):
        # Versions that this turn does not know, having been written by another page, stay, and are not shown.
        db.execute(
            "UPDATE answer SET shown = 0 WHERE conversation = ? AND turn = ? AND lane = ?", (id, number, lane)
        )
        for answer in turn.all(lane):
            request = None if answer.request is None else canonical(to_json(answer.request))
            db.execute(
                "INSERT OR REPLACE INTO answer "
                "(conversation, turn, lane, version, shown, variant, request, reply) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    id,
                    number,
                    lane,
                    answer.version,
                    answer.version == shown.version,
                    answer.variant,
                    request,
                    canonical(to_json(answer.reply)),
                ),
            )


def _several(versions: Mapping[int, list[Answer]]) -> tuple[tuple[Answer, ...], ...]:
    """All answers of each lane, where some lane has more than one; see `Turn.versions`."""
    if all(len(answers) == 1 for answers in versions.values()):
        return ()
    return tuple(tuple(answers) for _, answers in sorted(versions.items()))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _variant(data: dict[str, Any]) -> Variant:
    return Variant(
        name=data["name"],
        aligner=aligner_from_json(data["aligner"]),
        sampling=Sampling(**data["sampling"]),
        overflow=data.get("overflow", "refuse"),
    )


def _verdicts(db: sqlite3.Connection, conversation: str) -> dict[int, tuple[Verdict, ...]]:
    found: dict[int, list[Verdict]] = {}
    for turn, text in db.execute(
        "SELECT turn, verdict FROM verdict WHERE conversation = ? ORDER BY created, rowid", (conversation,)
    ):
        verdict = verdict_from_json(json.loads(text))
        if verdict.outcome == "unfinished":
            verdict = dataclasses.replace(verdict, error=UNJUDGED)
        found.setdefault(turn, []).append(verdict)
    return {turn: tuple(verdicts) for turn, verdicts in found.items()}


def _answer(variant: str, request: str | None, reply: str, version: int) -> Answer:
    data = json.loads(reply)
    if data["finish"] == "":
        data |= {"finish": "error", "error": INTERRUPTED}
    data["token_ids"] = tuple(data["token_ids"])
    return Answer(
        variant=variant,
        request=None if request is None else request_from_json(json.loads(request)),
        reply=Reply(**data),
        version=version,
    )
