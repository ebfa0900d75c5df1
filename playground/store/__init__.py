"""The record: what was asked, exactly as asked, and what came, in one SQLite file.

Every call opens its own connection, so any thread may call; SQLite's write-ahead log lets readers go on
while one writes. A turn is written when it is asked, again while it streams and once more at its end, so a
crash costs at most the last second of text.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playground.aligners import aligner_from_json
from playground.types import (
    Answer,
    Conversation,
    InputError,
    JudgeCall,
    OutsideError,
    Reply,
    Sampling,
    Turn,
    Variant,
    Verdict,
    answer_from_json,
    canonical,
    check_fields,
    judge_call_from_json,
    to_json,
    verdict_from_json,
)

FILE = "tandem.sqlite3"
INTERRUPTED = "Interrupted: the app stopped while this answer was being written."
STREAMING = "This answer is still being written, on another page: open the conversation again in a moment."
UNFINISHED = (INTERRUPTED, STREAMING)
"""The errors of answers that were read from the record before they were finished."""

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
    """
    ALTER TABLE conversation ADD COLUMN owner TEXT NOT NULL DEFAULT ''; -- whose history lists it
    """,
)
"""Each brings the file from the version of its index to the next; never edit one that was released."""


PATIENCE = 10.0
"""Seconds that a call waits for another program's lock."""
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
DAMAGED = "This answer is damaged in the record: run `python -m playground doctor`, which offers a repair."
MISSING = "This answer is missing from the record: retry it."
LOST_TURN = "(This message is missing from the record.)"
MOST_LOST = 8
"""Lanes, turns or versions that may be missing in a row; a number further away than that is damaged."""
ELSEWHERE = (
    "This conversation has gone on in another window or program: open it again from the history, and send "
    "the message there."
)


class ConflictError(InputError):
    """Somebody else has written what was about to be written."""


class LockedError(OutsideError):
    """Another program holds the record's lock."""


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
    """Conversations on disk."""

    def __init__(self, data_dir: Path, file: str = FILE) -> None:
        """Open the record in `data_dir`, made if need be.

        Raises:
            InputError: the folder cannot be written, or the file is newer than this program.
        """
        self.path = data_dir / file
        try:
            self._create()
        except (OSError, OutsideError) as error:
            reason = str(error).rstrip(".")
            raise InputError(
                f"Cannot keep the record in {data_dir}: {reason}; choose another folder with --data-dir."
            ) from error

    def _create(self) -> None:
        """Make the file if there is none, and bring it to this program's format."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open(PATIENCE) as db:
            db.execute("PRAGMA journal_mode = WAL")
            self._migrate(db)

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
    def _connect(self, patience: float = PATIENCE) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are committed together at the end, or not at all.

        Args:
            patience: seconds to wait for another program's lock.
        """
        if not self.path.exists():  # deleted while the program runs
            try:
                self._create()
            except OSError as error:
                raise OutsideError(f"The record {self.path} cannot be made again: {error}.") from error
        with self._open(patience) as db:
            yield db

    @contextmanager
    def _open(self, patience: float) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self.path, timeout=patience)
            try:
                db.text_factory = _text
                db.execute("PRAGMA foreign_keys = ON")
                db.execute("PRAGMA synchronous = NORMAL")
                with db:
                    yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            kind = LockedError if getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED else OutsideError
            raise kind(f"The record {self.path} cannot be used: {error}.") from error

    def begin(self, conversation: Conversation, lanes: Sequence[int], patience: float = PATIENCE) -> None:
        """Enter a conversation's last turn, or new versions of answers in it, before its lanes are asked.

        Args:
            lanes: those that are asked.
            patience: seconds to wait for another program's lock.

        Raises:
            ConflictError: the record has gone on from what the conversation was when it was read.
            LockedError: another program held the lock all the while.
            OutsideError: the record cannot be written.
        """
        with self._connect(patience) as db:
            db.execute("BEGIN IMMEDIATE")
            _refuse_conflict(db, conversation, lanes)
            _save(db, conversation, len(conversation.turns) - 1, select=True)

    def show(self, conversation: Conversation) -> None:
        """Write which versions of the last turn's answers are shown.

        Raises:
            ConflictError: the conversation has gone on elsewhere.
        """
        last = len(conversation.turns) - 1
        with self._connect() as db:
            db.execute("BEGIN IMMEDIATE")
            turn = conversation.turns[last]
            if (
                _turns(db, conversation.id) > last + 1
                or _is_outdated(db, conversation, last)
                or any(
                    _holds_version(db, conversation.id, last, lane, len(turn.all(lane)))
                    for lane in range(len(turn.answers))
                )
            ):
                raise ConflictError(ELSEWHERE)
            _save(db, conversation, last, select=True)

    def save(
        self,
        conversation: Conversation,
        since: int | None = None,
        patience: float = PATIENCE,
        select: bool = True,
    ) -> None:
        """Write a conversation and its last turn; turns before it are as they were written.

        One that is not in the record yet is written whole: its first turns may be another's. What other
        processes have written stays: finished answers, and versions that this conversation does not have.

        Args:
            since: the first turn to write, from 0; None: the last.
            patience: seconds to wait for another program's lock.
            select: whether the lanes and the shown versions are written too, where the record has others.
        """
        with self._connect(patience) as db:
            db.execute("BEGIN IMMEDIATE")
            _save(db, conversation, len(conversation.turns) - 1 if since is None else since, select)

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
            row = db.execute(
                "SELECT variants, parent, owner FROM conversation WHERE id = ?", (id,)
            ).fetchone()
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
        try:
            variants = read_variants(row[0])
        except UNREADABLE as error:
            raise InputError(
                f"Conversation {id!r} is damaged in {self.path}: run `python -m playground doctor`, which "
                "offers a repair."
            ) from error
        answers: dict[int, list[tuple[Any, ...]]] = {}
        for number, *rest in rows:
            answers.setdefault(number, []).append(tuple(rest))
        known = {number: (_plain(user), histories) for number, user, histories in turns}
        numbers = usable_numbers(known)
        found = []
        for number in range(numbers[-1] + 1 if numbers else 0):
            if number not in numbers:
                found.append(Turn(user=LOST_TURN, answers=()))
                continue
            user, histories = known[number]
            shown, versions = _lanes(answers.get(number, ()), variants)
            found.append(
                Turn(
                    user=user,
                    answers=shown,
                    versions=versions,
                    histories=_histories(histories, len(shown)),
                    verdicts=verdicts.get(number, ()),
                )
            )
        return Conversation(
            id=id, variants=variants, turns=tuple(found), parent=_plain(row[1]), owner=_plain(row[2])
        )

    def save_verdict(self, conversation: str, turn: int, verdict: Verdict) -> None:
        """Write a verdict of a recorded conversation's turn (from 0); one of the same id is replaced.

        A verdict that has ended is not replaced by an unfinished one.
        """
        with self._connect() as db:
            db.execute("BEGIN IMMEDIATE")
            row = db.execute("SELECT verdict FROM verdict WHERE id = ?", (verdict.id,)).fetchone()
            stored = _field(row[0], "outcome") if row else None
            if verdict.outcome == "unfinished" and stored not in (None, "unfinished"):
                return
            db.execute(
                "INSERT INTO verdict VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "verdict = excluded.verdict",
                (verdict.id, conversation, turn, _now(), canonical(to_json(verdict))),
            )

    def verdicts(self, conversation: str) -> dict[int, tuple[Verdict, ...]]:
        """Every verdict on a conversation by turn (from 0), in the order in which they were asked for."""
        with self._connect() as db:
            return _verdicts(db, conversation)

    def judged(self, limit: int, owner: str | None = None) -> list[str]:
        """The ids of conversations that have a verdict, the latest first; `owner` as in `summaries`."""
        with self._connect() as db:
            rows = db.execute(
                "SELECT id FROM conversation WHERE id IN (SELECT conversation FROM verdict) "
                "AND (? IS NULL OR owner IN ('', ?)) ORDER BY updated DESC LIMIT ?",
                (owner, owner, limit),
            ).fetchall()
        return [id for (id,) in rows]

    def save_game(self, key: str, game: JudgeCall) -> None:
        """Keep a judge's reply, so that the same question is not paid for twice."""
        with self._connect() as db:
            db.execute("INSERT OR REPLACE INTO game VALUES (?, ?)", (key, canonical(to_json(game))))

    def game(self, key: str) -> JudgeCall | None:
        """The reply kept under that key, or None."""
        with self._connect() as db:
            row = db.execute("SELECT game FROM game WHERE key = ?", (key,)).fetchone()
        try:
            return None if row is None else read_game(row[0])
        except UNREADABLE:
            return None  # the judge is called again

    def summaries(self, query: str = "", limit: int = 100, owner: str | None = None) -> list[Summary]:
        """Conversations with `query` in any message of the user's, the latest first.

        Args:
            limit: at most so many.
            owner: whose, besides those of the command line; None: everybody's.
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
            Summary(id=id, updated=_time(updated), title=_plain(title) or "", turns=turns)
            for id, updated, title, turns in rows
        ]


def _text(data: bytes) -> str:
    """A text of the database, which a damaged file may hold in another encoding."""
    return data.decode("utf-8", "replace")


def _plain(value: Any) -> Any:
    """A value of a text column, which a damaged row may hold as bytes."""
    return _text(value) if isinstance(value, bytes) else value


def usable_numbers(numbers: Iterable[Any]) -> list[int]:
    """Those of a column's numbers (lanes, turns, versions) that can be used, in order.

    The others are no whole numbers from 0, or more than `MOST_LOST` are missing before them.
    """
    usable: list[int] = []
    for number in sorted({number for number in numbers if type(number) is int and number >= 0}):
        if number > (usable[-1] if usable else -1) + 1 + MOST_LOST:
            break
        usable.append(number)
    return usable


def _lanes(
    rows: Iterable[tuple[Any, ...]], variants: Sequence[Variant]
) -> tuple[tuple[Answer, ...], tuple[tuple[Answer, ...], ...]]:
    """The shown answers of a turn's rows, and its `Turn.versions`.

    What is missing, be it a lane or a version, is there as an error, so that every other keeps its place.
    """
    found: dict[int, dict[int, tuple[Answer, Any]]] = {}
    for lane, shown, variant, request, reply, version in rows:
        if type(version) is int and version >= 0:
            answer = _answer(_plain(variant), request, reply, version)
            found.setdefault(lane, {})[version] = answer, shown
    lanes = usable_numbers(found)
    answers, versions = [], []
    for lane in range(lanes[-1] + 1 if lanes else 0):
        held = found.get(lane, {})
        known = usable_numbers(held)
        name = variants[lane].name if lane < len(variants) else ""
        several = [
            held[version][0] if version in known else _missing(name, version)
            for version in range(known[-1] + 1 if known else 1)
        ]
        marked = [version for version in known if held[version][1]]
        readable = [answer.version for answer in several if answer.reply.error not in UNUSABLE]
        answers.append(several[(marked or readable or [-1])[-1]])
        versions.append(tuple(several))
    return tuple(answers), tuple(versions) if any(len(each) > 1 for each in versions) else ()


UNUSABLE = (DAMAGED, MISSING)
"""The errors of answers whose rows cannot be read, or are not there."""


def _missing(variant: str, version: int) -> Answer:
    return Answer(variant=variant, request=None, reply=Reply(finish="error", error=MISSING), version=version)


def _turns(db: sqlite3.Connection, id: str) -> int:
    """How many turns of a conversation are in the record, missing ones between them included."""
    found = db.execute("SELECT number FROM turn WHERE conversation = ?", (id,))
    numbers = usable_numbers(number for (number,) in found)
    return numbers[-1] + 1 if numbers else 0


def _holds_version(db: sqlite3.Connection, id: str, turn: int, lane: int, version: int) -> bool:
    """Whether the record has a version of a lane's answer."""
    key = "SELECT 1 FROM answer WHERE conversation = ? AND turn = ? AND lane = ? AND version = ?"
    return db.execute(key, (id, turn, lane, version)).fetchone() is not None


def _refuse_conflict(db: sqlite3.Connection, conversation: Conversation, lanes: Sequence[int]) -> None:
    """Raise ConflictError where another process has gone on with a conversation since it was read here."""
    id, last = conversation.id, len(conversation.turns) - 1
    turn = conversation.turns[last]
    recorded = _turns(db, id)
    if all(turn.answers[lane].version == 0 for lane in lanes):  # a new turn
        gone_on = recorded > last or (
            recorded == last > 0
            and (_shows_others(db, conversation, last - 1) or _is_outdated(db, conversation, last - 1))
        )
    else:
        gone_on = (
            recorded > last + 1
            or any(_holds_version(db, id, last, lane, turn.answers[lane].version) for lane in lanes)
            or _is_outdated(db, conversation, last)
        )
    if gone_on:
        raise ConflictError(ELSEWHERE)


def _is_outdated(db: sqlite3.Connection, conversation: Conversation, number: int) -> bool:
    """Whether an answer of a turn was read before it was finished, and is finished in the record."""
    turn = conversation.turns[number]
    stored = _replies(db, conversation.id, number)
    return any(
        answer.reply.error in UNFINISHED and _field(stored.get((lane, answer.version)), "finish")
        for lane in range(len(turn.answers))
        for answer in turn.all(lane)
    )


def _replies(db: sqlite3.Connection, id: str, number: int) -> dict[tuple[int, int], str]:
    """The replies of a turn as they are in the record, by lane and version."""
    rows = db.execute(
        "SELECT lane, version, reply FROM answer WHERE conversation = ? AND turn = ?", (id, number)
    )
    return {(lane, version): reply for lane, version, reply in rows}


def _field(text: Any, name: str) -> Any:
    """A field of a JSON object; None where the text is no such object, or has no such field."""
    try:
        return json.loads(text)[name]
    except UNREADABLE:
        return None


def _shows_others(db: sqlite3.Connection, conversation: Conversation, number: int) -> bool:
    """Whether the record shows other versions of a turn's answers than a conversation has."""
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


def _save(db: sqlite3.Connection, conversation: Conversation, since: int, select: bool = False) -> None:
    """Write a conversation and its turns from number `since`; all of them if it is not in the record yet.

    Args:
        select: whether this call chooses the lanes and the shown versions, whatever the record has.
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
    known = db.execute("SELECT 1 FROM conversation WHERE id = ?", (conversation.id,)).fetchone()
    first = max(0, since) if known else 0
    db.execute(
        "INSERT INTO conversation (id, created, updated, variants, parent, owner) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET updated = excluded.updated"
        + (", variants = excluded.variants" if select else ""),
        (conversation.id, now, now, canonical(variants), conversation.parent, conversation.owner),
    )
    for number, turn in enumerate(conversation.turns[first:], first):
        _save_turn(db, conversation.id, number, turn, now, select)


def _save_turn(
    db: sqlite3.Connection, id: str, number: int, turn: Turn, now: str, select: bool = False
) -> None:
    key = (id, number)
    if db.execute("SELECT 1 FROM turn WHERE conversation = ? AND number = ?", key).fetchone() is None:
        # Answers that a lost turn of this number left behind would become the new turn's.
        db.execute("DELETE FROM answer WHERE conversation = ? AND turn = ?", key)
        db.execute(
            "INSERT INTO turn (conversation, number, user, created, histories) VALUES (?, ?, ?, ?, ?)",
            (*key, turn.user, now, _histories_json(turn.histories)),
        )
    stored = _replies(db, id, number)
    for lane, shown in enumerate(turn.answers):
        answers = turn.all(lane)
        later = usable_numbers(version for where, version in stored if where == lane)
        # A version that another process has asked for since stays the shown one.
        keep = not select and bool(later) and later[-1] >= len(answers)
        for answer in answers:
            if answer.reply.error in UNUSABLE:  # its row, if any, stays as it is, for a repair
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
    """Whether a reply is to be written over the one of the same version in the record.

    A finished reply stays, except that one which `Session.close` cut off may still come to its end.
    """
    if stored is None:
        return True
    if reply.error in UNFINISHED:  # merely read: another process may still be writing it
        return False
    finish = _field(stored, "finish")
    return not finish or (finish == "cancelled" and reply.finish in ("stop", "length"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


UNREADABLE = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""What reading a damaged row can raise."""


def read_variants(text: str) -> tuple[Variant, ...]:
    """A conversation's variants from its row; raises one of `UNREADABLE` for a damaged one."""
    variants = tuple(_read_variant(data) for data in json.loads(text))
    if not variants:
        raise ValueError("no variants")
    return variants


def _read_variant(data: dict[str, Any]) -> Variant:
    variant = Variant(
        name=data["name"],
        aligner=aligner_from_json(data["aligner"]),
        sampling=Sampling(**data["sampling"]),
        overflow=data.get("overflow", "refuse"),
    )
    check_fields(variant)
    check_fields(variant.aligner)
    canonical(to_json(variant)).encode()  # UnicodeEncodeError: half a character, which no file holds
    return variant


def read_verdict(text: str) -> Verdict:
    """A verdict from its row; raises one of `UNREADABLE` for a damaged one."""
    return verdict_from_json(json.loads(text))


def read_game(text: str) -> JudgeCall:
    """A judge's reply from its row; raises one of `UNREADABLE` for a damaged one."""
    return judge_call_from_json(json.loads(text))


GONE = -1
"""A lane that is no longer there, in the stored form of `Turn.histories`."""


def _histories_json(histories: Sequence[int | None]) -> str | None:
    """`Turn.histories` for its row."""
    return canonical([GONE if lane is None else lane for lane in histories]) if histories else None


def read_histories(text: str | None) -> tuple[int | None, ...]:
    """`Turn.histories` from its row; raises one of `UNREADABLE` for a damaged one."""
    found = json.loads(text) if text is not None else []
    if not isinstance(found, list) or not all(type(lane) is int and GONE <= lane < 2**31 for lane in found):
        raise ValueError("no list of lanes")
    return tuple(None if lane == GONE else lane for lane in found)


def _verdicts(db: sqlite3.Connection, conversation: str) -> dict[int, tuple[Verdict, ...]]:
    found: dict[int, list[Verdict]] = {}
    for turn, text in db.execute(
        "SELECT turn, verdict FROM verdict WHERE conversation = ? ORDER BY created, rowid", (conversation,)
    ):
        try:
            verdict = read_verdict(text)
        except UNREADABLE:
            continue  # which `doctor` names
        if verdict.outcome == "unfinished":
            verdict = dataclasses.replace(verdict, error=UNJUDGED)
        found.setdefault(turn, []).append(verdict)
    return {turn: tuple(verdicts) for turn, verdicts in found.items()}


def _histories(text: str | None, lanes: int) -> tuple[int | None, ...]:
    """`Turn.histories` of a turn with that many lanes; () where its row does not tell."""
    try:
        found = read_histories(text)
    except UNREADABLE:
        return ()
    return found if len(found) >= lanes else ()


def _time(text: str) -> datetime:
    """When a conversation was last written to; long ago where the record does not tell."""
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return datetime.fromtimestamp(0, UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _answer(variant: str, request: str | None, reply: str, version: int) -> Answer:
    try:
        return read_answer(variant, request, reply, version)
    except UNREADABLE:
        return Answer(
            variant=variant, request=None, reply=Reply(finish="error", error=DAMAGED), version=version
        )


def read_answer(variant: str, request: str | None, reply: str, version: int) -> Answer:
    """An answer from its row; raises one of `UNREADABLE` for a damaged one."""
    data = json.loads(reply)
    if data["finish"] == "":
        data |= {"finish": "error", "error": INTERRUPTED}
    return answer_from_json(variant, None if request is None else json.loads(request), data, version)
