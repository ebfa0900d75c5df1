"""The database: every request exactly as sent, and every reply, in one SQLite file.

Every call opens its own connection, so any thread may call; SQLite's write-ahead log lets readers continue
while another connection writes. A turn is written before its answers are generated, again while they stream
and once more at their end, so a crash loses at most the last second of text.
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
    """Return a new conversation id, sortable by time and unguessable, because its link grants access."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{secrets.token_hex(8)}"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The entry of one conversation in a list."""

    id: str
    updated: datetime
    """Time of the last change, in UTC."""
    title: str
    """The first message."""
    turns: int


class Store:
    """Conversations, verdicts and votes in one SQLite file."""

    def __init__(self, data_dir: Path, file: str = FILE) -> None:
        """Open the database in `data_dir`; the folder and the file are created if needed.

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
        """Create the file if it does not exist, and migrate it to the current format."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open(PATIENCE) as db:
            db.execute("PRAGMA journal_mode = WAL")
            migrate(db, self.path)

    @contextmanager
    def _connect(self, patience: float = PATIENCE) -> Iterator[sqlite3.Connection]:
        """Open a connection whose changes are committed together at the end, or not at all.

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
        """Write a conversation's last turn, or new versions of answers in it, before its lanes generate.

        Args:
            conversation: the conversation, ending with that turn.
            lanes: the lanes that will generate.
            patience: seconds to wait for another program's lock.

        Raises:
            ConflictError: another process has continued the conversation since it was read.
            LockedError: another program held the lock for all that time.
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
        """Write a conversation's last turn, or its turns from `since`; earlier turns remain as stored.

        A conversation that is not in the database yet is written completely, because its first turns may come
        from another conversation. Data that other processes wrote is kept: finished answers, and versions
        that this conversation does not have.

        Args:
            conversation: the conversation.
            since: the first turn to write, from 0; None for the last.
            patience: seconds to wait for another program's lock.
            select: whether to write the lanes and the shown versions too if the database has others.
        """
        with self._connect(patience) as db:
            db.execute("BEGIN IMMEDIATE")
            first = len(conversation.turns) - 1 if since is None else since
            write_conversation(db, conversation, first, select)

    def holds(self, id: str) -> bool:
        """Whether there is a conversation with that id."""
        with self._connect() as db:
            return db.execute("SELECT 1 FROM conversation WHERE id = ?", (id,)).fetchone() is not None

    def load(self, id: str) -> Conversation:
        """Return the conversation with that id; an answer that was never finished is returned as an error.

        Raises:
            InputError: there is no such conversation, or it is damaged.
        """
        with self._connect() as db:
            db.execute("BEGIN")  # all reads see the same snapshot, even if others write meanwhile
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
        """Return the conversations that have a verdict, newest first; damaged ones are skipped.

        Args:
            limit: maximum number of conversations.
            owner: the owner of the conversations, see `summaries`.
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
        """Write a verdict on a turn (from 0) of a recorded conversation; one with the same id is replaced.

        A verdict that has ended is not replaced by an unfinished one.
        """
        with self._connect() as db:
            db.execute("BEGIN IMMEDIATE")
            write_verdict(db, conversation, turn, verdict)

    def verdicts(self, conversation: str) -> dict[int, tuple[Verdict, ...]]:
        """Return every verdict on a conversation by turn (from 0), in the order of the requests."""
        with self._connect() as db:
            return read_verdicts(db, conversation)

    def save_judge_call(self, key: str, call: JudgeCall) -> None:
        """Store a judge's reply, so that the same question is not paid for twice."""
        with self._connect() as db:
            write_judge_call(db, key, call)

    def judge_call(self, key: str) -> JudgeCall | None:
        """Return the judge call stored under that key, or None."""
        with self._connect() as db:
            return read_kept_call(db, key)

    def summaries(self, query: str = "", limit: int = 100, owner: str | None = None) -> list[Summary]:
        """Return the conversations with `query` in any user message, newest first.

        Args:
            query: a text that a user message must contain; "" matches all.
            limit: maximum number of conversations.
            owner: the owner of the conversations; those of the command line are always included. None for
                all.
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
