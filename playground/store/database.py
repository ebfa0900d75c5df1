"""The database, a single SQLite file that stores every request exactly as sent and every reply.

Every method opens its own connection, so methods can be called from any thread. With SQLite's write-ahead
log, reads are not blocked by writes. A turn is saved before its answers are generated, while they stream, and
when they finish, so a crash loses at most the last second of text.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from playground.store.conflicts import refuse_conflict, refuse_select_conflict
from playground.store.conversations import read_conversation, write_conversation
from playground.store.migrations import migrate
from playground.store.rows import UNREADABLE, decode_text, plain_text, read_time
from playground.store.verdicts import (
    delete_verdict,
    read_kept_call,
    read_verdicts,
    write_judge_call,
    write_verdict,
)
from playground.types import Conversation, InputError, JudgeCall, OutsideError, Verdict

FILE = "tandem.sqlite3"


PATIENCE = 10.0
"""Seconds to wait for a lock held by another program."""


_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class LockedError(OutsideError):
    """Raised when the database is locked by another program."""


def new_id() -> str:
    """Return a new conversation id.

    Ids sort by creation time. Ids must be impossible to guess, because anyone with a conversation's link can
    access the conversation.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return f"{stamp}-{secrets.token_hex(8)}"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """An entry in the list of recorded conversations."""

    id: str
    updated: datetime
    """Time of the last change, in UTC."""
    title: str
    """The user's first message."""
    turns: int


class Store:
    """Store for conversations, verdicts and votes in a single SQLite file."""

    def __init__(self, data_dir: Path, file: str = FILE) -> None:
        """Open the database in `data_dir`, creating the folder and the file if needed.

        Raises:
            InputError: the folder is not writable, or the file was written by a newer version of the program.
        """
        self.path = data_dir / file
        try:
            self._create()
        except (OSError, OutsideError) as error:
            reason = str(error).rstrip(".")
            raise InputError(
                f"The database cannot be stored in {data_dir} ({reason}): choose another folder with "
                "--data-dir."
            ) from error

    def _create(self) -> None:
        """Create the file if it does not exist, and migrate it to the current format version."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open(PATIENCE) as db:
            db.execute("PRAGMA journal_mode = WAL")
            migrate(db, self.path)

    @contextmanager
    def _connect(self, patience: float = PATIENCE) -> Iterator[sqlite3.Connection]:
        """Open a connection for one transaction.

        All changes are committed at the end, or rolled back after an error.

        Args:
            patience: seconds to wait for a lock held by another program.
        """
        if not self.path.exists():  # the file was deleted while the program was running
            try:
                self._create()
            except OSError as error:
                raise OutsideError(f"The database {self.path} cannot be recreated: {error}.") from error
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
        """Save a conversation's last turn, or new answer versions in that turn, before generation starts.

        Args:
            conversation: the conversation, including its last turn.
            lanes: the lanes that will generate answers.
            patience: seconds to wait for a lock held by another program.

        Raises:
            ConflictError: another process has continued the conversation since it was read.
            LockedError: the database was still locked after `patience` seconds.
            OutsideError: the database cannot be written.
        """
        with self._connect(patience) as db:
            db.execute("BEGIN IMMEDIATE")
            refuse_conflict(db, conversation, lanes)
            write_conversation(db, conversation, len(conversation.turns) - 1, select=True)

    def show(self, conversation: Conversation) -> None:
        """Record which versions of the last turn's answers are selected.

        Raises:
            ConflictError: another process has continued the conversation since it was read.
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
        """Save a conversation's last turn, or all turns from index `since`.

        Earlier turns are not changed. A conversation that is not yet stored is saved in full, because it may
        be a branch of another conversation. Finished answers and additional versions saved by other processes
        are kept.

        Args:
            conversation: the conversation.
            since: index of the first turn to write, from 0; None for the last turn.
            patience: seconds to wait for a lock held by another program.
            select: whether to overwrite the stored lanes and selected versions with those of `conversation`.
        """
        with self._connect(patience) as db:
            db.execute("BEGIN IMMEDIATE")
            first = len(conversation.turns) - 1 if since is None else since
            write_conversation(db, conversation, first, select)

    def holds(self, id: str) -> bool:
        """Return whether the database contains a conversation with the given id."""
        with self._connect() as db:
            return db.execute("SELECT 1 FROM conversation WHERE id = ?", (id,)).fetchone() is not None

    def load(self, id: str) -> Conversation:
        """Load the conversation with the given id. Unfinished answers are returned as errors.

        Raises:
            InputError: there is no conversation with that id, or the conversation is damaged.
        """
        with self._connect() as db:
            db.execute("BEGIN")  # all reads see the same snapshot, even during writes by other connections
            try:
                conversation = read_conversation(db, id)
            except UNREADABLE as error:
                raise InputError(
                    f"Conversation {id!r} in {self.path} is damaged: run `python -m playground doctor` to "
                    "see how to repair it."
                ) from error
        if conversation is None:
            raise InputError(f"There is no conversation {id!r} in {self.path}: choose one from the history.")
        return conversation

    def load_judged(self, limit: int, owner: str | None = None) -> list[Conversation]:
        """Load the conversations that have verdicts or votes, newest first. Damaged conversations are
        skipped.

        Args:
            limit: maximum number of conversations.
            owner: the owner whose conversations are loaded; None for all owners (see `summaries`).
        """
        with self._connect() as db:
            db.execute("BEGIN")
            rows = db.execute(
                "SELECT id FROM conversation WHERE id IN (SELECT conversation FROM verdict) "
                "AND (? IS NULL OR owner IN ('', ?)) ORDER BY updated DESC LIMIT ?",
                (owner, owner, limit),
            ).fetchall()
            return _read_all(db, [id for (id,) in rows])

    def load_started(
        self, message: str, limit: int, owner: str | None = None, ids: Collection[str] | None = None
    ) -> list[Conversation]:
        """Load the conversations whose first user message is `message`, newest first. Damaged conversations
        are skipped.

        Args:
            message: the first user message.
            limit: maximum number of conversations.
            owner: the owner whose conversations are loaded; None for all owners (see `summaries`).
            ids: ids of the conversations to choose from; None for all conversations.
        """
        with self._connect() as db:
            db.execute("BEGIN")
            rows = db.execute(
                "SELECT c.id FROM turn t JOIN conversation c ON c.id = t.conversation WHERE t.number = 0 "
                "AND t.user = ? AND (? IS NULL OR c.owner IN ('', ?)) ORDER BY c.updated DESC",
                (message, owner, owner),
            ).fetchall()
            chosen = [id for (id,) in rows if ids is None or id in ids]
            return _read_all(db, chosen[:limit])

    def save_verdict(self, conversation: str, turn: int, verdict: Verdict) -> None:
        """Save a verdict on a turn (zero-based) of a recorded conversation, replacing any verdict with the
        same id.

        A finished verdict is not replaced by an unfinished one.
        """
        with self._connect() as db:
            db.execute("BEGIN IMMEDIATE")
            write_verdict(db, conversation, turn, verdict)

    def delete_verdict(self, id: str) -> None:
        """Delete a verdict. Does nothing if there is none with that id."""
        with self._connect() as db:
            delete_verdict(db, id)

    def verdicts(self, conversation: str) -> dict[int, tuple[Verdict, ...]]:
        """Return all verdicts on a conversation by turn (zero-based), in the order in which they were
        requested.
        """
        with self._connect() as db:
            return read_verdicts(db, conversation)

    def save_judge_call(self, key: str, call: JudgeCall) -> None:
        """Store a judge call under its cache key, so that an identical call is not paid for again."""
        with self._connect() as db:
            write_judge_call(db, key, call)

    def judge_call(self, key: str) -> JudgeCall | None:
        """Return the judge call stored under a cache key, or None if the call is missing or damaged."""
        with self._connect() as db:
            return read_kept_call(db, key)

    def summaries(self, query: str = "", limit: int = 100, owner: str | None = None) -> list[Summary]:
        """Return summaries of the conversations in which a user message contains `query`, newest first.

        Args:
            query: text that a user message must contain; "" matches every message.
            limit: maximum number of conversations.
            owner: only include conversations of this owner and those started on the command line. None
                includes the conversations of all owners.
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


def _read_all(db: sqlite3.Connection, ids: Iterable[str]) -> list[Conversation]:
    """Return the conversations with the given ids, without those that are unknown or damaged."""
    found = []
    for id in ids:
        with suppress(*UNREADABLE):
            if (conversation := read_conversation(db, id)) is not None:
                found.append(conversation)
    return found
