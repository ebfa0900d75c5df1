"""Repair a damaged database by copying all readable rows into a new file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playground.lanes.letters import lane_letter
from playground.store.database import Store
from playground.store.rows import (
    UNREADABLE,
    read_answer,
    read_histories,
    read_judge_call,
    read_variants,
    read_verdict,
    usable_numbers,
)
from playground.types import InputError, OutsideError
from playground.words import count_things, format_number

TABLES = ("conversation", "turn", "answer", "verdict", "game")
"""The tables in the order in which they are copied.

Parent rows must be copied before the rows that reference them.
"""
MOST_NAMED = 5
"""Maximum number of damaged rows to list individually."""

Row = dict[str, Any]


def find_damage(path: Path) -> list[str]:
    """Describe the damage in a database and how to repair it.

    Returns:
        One sentence for each of the first `MOST_NAMED` damaged rows, the number of further damaged rows, and
        the repair command. Empty if every row is readable or there is no file.
    """
    if not path.exists():
        return []
    found = []
    try:
        with closing(_open(path)) as db:
            if fault := _no_database(db):
                return [f"Nothing can be read from {path}: {fault}."]
            for table in TABLES:
                found += [f"{path}: {name} {fault}." for name, _, fault in _rows(db, table) if fault]
    except sqlite3.Error as error:
        found.append(f"Parts of {path} cannot be read: {error}.")
    if not found:
        return []
    more = len(found) - MOST_NAMED
    return [
        *found[:MOST_NAMED],
        *([f"{path}: {format_number(more)} more rows are damaged."] if more > 0 else []),
        f"To copy the readable rows of {path.name} into a new file, run `python -m playground doctor "
        f"--repair {path.stem}-repaired{path.suffix}`; the damaged file is not changed.",
    ]


def repair_record(path: Path, new: Path) -> str:
    """Copy the readable rows of a database into a new file.

    Invalid timestamps are replaced with the Unix epoch, and invalid UTF-8 bytes with U+FFFD. Rows that still
    cannot be read are skipped, together with all rows that reference them.

    Returns:
        A report with the numbers of copied and skipped rows.

    Raises:
        InputError: there is no database, the new file exists, or no row could be read.
        OutsideError: the new file cannot be written.
    """
    if not path.exists():
        raise InputError(f"There is no database at {path}: check --data-dir.")
    if new.exists():
        raise InputError(f"The file {new} already exists: choose another name.")
    copied, left = dict.fromkeys(TABLES, 0), 0
    try:
        with closing(_open(path)) as db:
            if fault := _no_database(db):
                raise _nothing_saved(path, fault)
        Store(new.parent, new.name)
        with closing(_open(path)) as db, closing(sqlite3.connect(new)) as target:
            target.execute("PRAGMA foreign_keys = ON")
            for table in TABLES:
                columns = [name for _, name, *_ in target.execute(f"PRAGMA table_info({table})")]
                for _, row, _ in _rows(db, table):
                    if row is None or _orphan_fault(target, table, row):
                        left += 1
                        continue
                    names = [name for name in columns if name in row]
                    marks = ", ".join("?" * len(names))
                    try:
                        target.execute(
                            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",
                            [row[name] for name in names],
                        )
                        copied[table] += 1
                    except sqlite3.IntegrityError:  # the parent row is damaged
                        left += 1
            target.commit()
    except (OSError, sqlite3.Error) as error:
        raise OutsideError(f"{path} cannot be copied to {new}: {error}.") from error
    if left and not any(copied.values()):
        for end in ("", "-wal", "-shm"):
            new.with_name(new.name + end).unlink(missing_ok=True)
        raise _nothing_saved(path, "none of its rows can be read")
    counts = ", ".join(count_things(count, table) for table, count in copied.items())
    return (
        f"{new}: {counts} copied, {count_things(left, 'row')} left out. To use the new file, stop every "
        f"Tandem process that uses this folder, and replace {path} with it."
    )


def _no_database(db: sqlite3.Connection) -> str:
    """Return the reason why a file is not a Tandem database, or "" if it is a Tandem database."""
    try:
        tables = {bytes(name).decode() for (name,) in db.execute("SELECT name FROM sqlite_master")}
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if tables & set(TABLES) else "it contains no conversations"


def _nothing_saved(path: Path, fault: str) -> InputError:
    return InputError(
        f"Nothing could be recovered from {path} because {fault}: replace it with a backup, or move it "
        "elsewhere to start a new database."
    )


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    db.text_factory = bytes
    db.row_factory = sqlite3.Row
    return db


def _rows(db: sqlite3.Connection, table: str) -> Iterator[tuple[str, Row | None, str]]:
    """Yield (display name, repaired values, fault or "") for every row in a table.

    The values are None if the row cannot be repaired.
    """
    for key in _keys(db, table):
        try:
            found = db.execute(f"SELECT * FROM {table} WHERE rowid = ?", (key,)).fetchone()
        except sqlite3.DatabaseError as error:
            yield f"row {key} of {table}", None, f"cannot be read: {error}"
            continue
        if found is None:
            continue
        row: Row = {name: _decode(found[name]) for name in found.keys()}  # noqa: SIM118 - not a dict
        faults = []
        if any(isinstance(found[name], bytes) and row[name].encode() != found[name] for name in row):
            faults.append("contains invalid UTF-8")
        faults += [
            f"has an invalid time in {name!r}" for name in ("created", "updated") if not _has_time(row, name)
        ]
        try:
            _check(table, row)
        except UNREADABLE as error:
            yield _name(table, row), None, f"cannot be read ({type(error).__name__})"
            continue
        if fault := _number_fault(db, table, found):
            yield _name(table, row), None, fault
            continue
        if fault := _orphan_fault(db, table, found):
            faults.append(fault)
        yield _name(table, row), row, " and ".join(faults)


def _keys(db: sqlite3.Connection, table: str) -> list[int]:
    """Return the rowids of a table, or as many as can be read if the file is damaged."""
    keys: list[int] = []
    try:
        keys.extend(row[0] for row in db.execute(f"SELECT rowid FROM {table} NOT INDEXED ORDER BY rowid"))
    except sqlite3.DatabaseError:
        # Rows stored after a damaged page may still be accessible by rowid.
        last = keys[-1] if keys else 0
        keys.extend(range(last + 1, last + 10_000))
    return keys


def _decode(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _has_time(row: Row, name: str) -> bool:
    """Replace an invalid timestamp in a row with the Unix epoch.

    Return whether the timestamp was valid or absent.
    """
    if name not in row:
        return True
    try:
        datetime.fromisoformat(row[name])
    except (TypeError, ValueError):
        row[name] = datetime.fromtimestamp(0, UTC).isoformat(timespec="milliseconds")
        return False
    return True


def _check(table: str, row: Row) -> None:
    """Check that a row can be parsed. Raises one of the `UNREADABLE` exceptions if the row is damaged."""
    if table == "conversation":
        read_variants(row["variants"])
    elif table == "turn":
        read_histories(row.get("histories"))
    elif table == "answer":
        read_answer(row["variant"], row["request"], row["reply"], row.get("version", 0))
    elif table == "verdict":
        read_verdict(row["verdict"])
    else:
        read_judge_call(row["game"])


PARENTS: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "turn": (("conversation", {"id": "conversation"}),),
    "answer": (("turn", {"conversation": "conversation", "number": "turn"}),),
    "verdict": (
        ("conversation", {"id": "conversation"}),
        ("turn", {"conversation": "conversation", "number": "turn"}),
    ),
}
"""The parent tables of each table, with foreign keys as {parent column: child column}."""


def _orphan_fault(db: sqlite3.Connection, table: str, row: Row | sqlite3.Row) -> str:
    """Return a description of the fault if a parent row is missing from the database, or "" if all parent
    rows exist.
    """
    for parent, columns in PARENTS.get(table, ()):
        where = " AND ".join(
            f"{theirs} = " + ("?" if theirs == "number" else "CAST(? AS TEXT)") for theirs in columns
        )
        values = [row[own] for own in columns.values()]
        if db.execute(f"SELECT 1 FROM {parent} WHERE {where}", values).fetchone() is None:
            return f"belongs to a {parent} that is not in the database"
    return ""


NUMBERS: dict[str, dict[str, tuple[str, ...]]] = {
    "turn": {"number": ("conversation",)},
    "answer": {
        "lane": ("conversation", "turn"),
        "version": ("conversation", "turn", "lane"),
    },
}
"""Columns that contain consecutive numbers, by table.

Each column is mapped to the columns that identify the sequence to which a number belongs.
"""


def _number_fault(db: sqlite3.Connection, table: str, row: sqlite3.Row) -> str:
    """Return a description of the fault if any of a row's numbers is invalid, or "" if all are valid."""
    for name, within in NUMBERS.get(table, {}).items():
        if name not in row.keys():  # noqa: SIM118 - a row is not a dict; older formats lack some columns
            continue
        where = " AND ".join(f"{column} IS ?" for column in within)
        numbers = db.execute(
            f"SELECT DISTINCT {name} FROM {table} WHERE {where.replace('conversation IS ?', IS_TEXT)}",
            [row[column] for column in within],
        )
        if row[name] not in usable_numbers(number for (number,) in numbers):
            return f"has an invalid {name}"
    return ""


IS_TEXT = "conversation IS CAST(? AS TEXT)"


def _name(table: str, row: Row) -> str:
    """Return a row's display name."""
    name = f"{table} {row.get('id') or row.get('conversation') or row.get('key')}"
    number = row.get("turn", row.get("number"))
    if isinstance(number, int):
        name += f", turn {number + 1}"
    lane = row.get("lane")
    if isinstance(lane, int) and lane >= 0:
        name += f", lane {lane_letter(lane)}"
    return name
