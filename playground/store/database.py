"""The database: what was asked, exactly as asked, and what came, in one SQLite file.

Every call opens its own connection, so any thread may call; SQLite's write-ahead log lets readers continue
while one writes. A turn is written when it is asked, again while it streams and once more at its end, so a
crash costs at most the last second of text.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from playground.store.conflicts import refuse_conflict, refuse_select_conflict
from playground.store.conversations import read_conversation, write_conversation
from playground.store.migrations import migrate
from playground.store.rows import UNREADABLE, decode_text, plain_text, read_time
from playground.store.verdicts import read_kept_call, read_verdicts, write_judge_call, write_verdict
from playground.types import Conversation, InputError, JudgeCall, OutsideError, Verdict

FILE = "tandem.sqlite3"


PATIENCE = 10.0
"""Seconds that a call waits for another program's lock."""


_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class LockedError(OutsideError):
    """Another program holds the database's lock."""


def new_id() -> str:
    """An id for a conversation: sortable by time, and not to be guessed, since a link needs no more."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{secrets.token_hex(8)}"


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
    """Conversations, verdicts and votes in one SQLite file."""

    def __init__(self, data_dir: Path, file: str = FILE) -> None:
        """Open the database in `data_dir`, made if need be.

        Raises:
            InputError: the folder cannot be written, or the file is newer than this program.
        """
        self.path = data_dir / file
        try:
            self._create()
        except (OSError, OutsideError) as error:
            reason = str(error).rstrip(".")
            raise InputError(
                f"Cannot keep the database in {data_dir}: {reason}; choose another folder with --data-dir."
            ) from error

    def _create(self) -> None:
        """Make the file if there is none, and bring it to this program's format."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open(PATIENCE) as db:
            db.execute("PRAGMA journal_mode = WAL")
            migrate(db, self.path)

    @contextmanager
    def _connect(self, patience: float = PATIENCE) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are committed together at the end, or not at all.

        Args:
            patience: seconds to wait for another program's lock.
        """
        if not self.path.exists():  # deleted while the program runs
            try:
                self._create()
            except OSError as error:
                raise OutsideError(f"The database {self.path} cannot be created again: {error}.") from error
        with self._open(patience) as db:
            yield db

    @contextmanager
    def _open(self, patience: float) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self.path, timeout=patience)
            try:
                db.text_factory = decode_text
                db.execute("PRAGMA foreign_keys = ON")
                db.execute("PRAGMA synchronous = NORMAL")
                with db:
                    yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            kind = LockedError if getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED else OutsideError
            raise kind(f"The database {self.path} cannot be used: {error}.") from error

    def begin(self, conversation: Conversation, lanes: Sequence[int], patience: float = PATIENCE) -> None:
        """Enter a conversation's last turn, or new versions of answers in it, before its lanes are asked.

        Args:
            lanes: those that are asked.
            patience: seconds to wait for another program's lock.

        Raises:
            ConflictError: another process has continued the conversation since it was read.
            LockedError: another program held the lock for as long.
            OutsideError: the database cannot be written.
        """
        with self._connect(patience) as db:
            db.execute("BEGIN IMMEDIATE")
            refuse_conflict(db, conversation, lanes)
            write_conversation(db, conversation, len(conversation.turns) - 1, select=True)

    def show(self, conversation: Conversation) -> None:
        """Write which versions of the last turn's answers are shown.

        Raises:
            ConflictError: the conversation has been continued elsewhere.
        """
        with self._connect() as db:
            db.execute("BEGIN IMMEDIATE")
            refuse_select_conflict(db, conversation)
            write_conversation(db, conversation, len(conversation.turns) - 1, select=True)

    def save(
        self,
        conversation: Conversation,
        since: int | None = None,
        patience: float = PATIENCE,
        select: bool = True,
    ) -> None:
        """Write a conversation and its last turn; turns before it are as they were written.

        One that is not in the database yet is written whole: its first turns may be another's. What other
        processes have written stays: finished answers, and versions that this conversation does not have.

        Args:
            since: the first turn to write, from 0; None: the last.
            patience: seconds to wait for another program's lock.
            select: whether the lanes and the shown versions are written too, where the database has others.
        """
        with self._connect(patience) as db:
            db.execute("BEGIN IMMEDIATE")
            first = len(conversation.turns) - 1 if since is None else since
            write_conversation(db, conversation, first, select)

    def holds(self, id: str) -> bool:
        """Whether there is a conversation of that id."""
        with self._connect() as db:
            return db.execute("SELECT 1 FROM conversation WHERE id = ?", (id,)).fetchone() is not None

    def load(self, id: str) -> Conversation:
        """The conversation of that id; an answer that was never finished comes back as an error.

        Raises:
            InputError: there is none, or it is damaged.
        """
        with self._connect() as db:
            db.execute("BEGIN")  # all that follows is as of one moment, whatever others write meanwhile
            try:
                conversation = read_conversation(db, id)
            except UNREADABLE as error:
                raise InputError(
                    f"Conversation {id!r} is damaged in {self.path}: run `python -m playground doctor`, "
                    "which offers a repair."
                ) from error
        if conversation is None:
            raise InputError(f"There is no conversation {id!r} in {self.path}: look in the history.")
        return conversation

    def load_judged(self, limit: int, owner: str | None = None) -> list[Conversation]:
        """The conversations that have a verdict, the latest first, less damaged ones.

        Args:
            limit: at most so many.
            owner: whose, see `summaries`.
        """
        found = []
        with self._connect() as db:
            db.execute("BEGIN")
            rows = db.execute(
                "SELECT id FROM conversation WHERE id IN (SELECT conversation FROM verdict) "
                "AND (? IS NULL OR owner IN ('', ?)) ORDER BY updated DESC LIMIT ?",
                (owner, owner, limit),
            ).fetchall()
            for (id,) in rows:
                with suppress(*UNREADABLE):
                    if (conversation := read_conversation(db, id)) is not None:
                        found.append(conversation)
        return found

    def save_verdict(self, conversation: str, turn: int, verdict: Verdict) -> None:
        """Write a verdict of a recorded conversation's turn (from 0); one of the same id is replaced.

        A verdict that has ended is not replaced by an unfinished one.
        """
        with self._connect() as db:
            db.execute("BEGIN IMMEDIATE")
            write_verdict(db, conversation, turn, verdict)

    def verdicts(self, conversation: str) -> dict[int, tuple[Verdict, ...]]:
        """Every verdict on a conversation by turn (from 0), in the order in which they were asked for."""
        with self._connect() as db:
            return read_verdicts(db, conversation)

    def save_judge_call(self, key: str, call: JudgeCall) -> None:
        """Keep a judge's reply, so that the same question is not paid for twice."""
        with self._connect() as db:
            write_judge_call(db, key, call)

    def judge_call(self, key: str) -> JudgeCall | None:
        """The reply kept under that key, or None."""
        with self._connect() as db:
            return read_kept_call(db, key)

    def summaries(self, query: str = "", limit: int = 100, owner: str | None = None) -> list[Summary]:
        """Conversations with `query` in any message of the user's, the latest first.

        Args:
            limit: at most so many.
            owner: whose, besides those of the command line; None: all.
        """
        pattern = "%" + query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        with self._connect() as db:
            rows = db.execute(
                "SELECT c.id, c.updated, (SELECT user FROM turn WHERE conversation = c.id AND number = 0), "
                "(SELECT COUNT(*) FROM turn WHERE conversation = c.id) FROM conversation c WHERE EXISTS "
                "(SELECT 1 FROM turn WHERE conversation = c.id AND user LIKE ? ESCAPE '\\') "
                "AND (? IS NULL OR c.owner IN ('', ?)) ORDER BY c.updated DESC LIMIT ?",
                (pattern, owner, owner, limit),
            ).fetchall()
        return [
            Summary(id=id, updated=read_time(updated), title=plain_text(title) or "", turns=turns)
            for id, updated, title, turns in rows
        ]
