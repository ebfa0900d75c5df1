"""Database migrations. Each migration upgrades a database file from one format version to the next."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from playground.types import InputError

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
"""The migration at index N upgrades the database from version N to N + 1. Never edit a released migration."""


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Upgrade a database to the current format.

    Raises:
        InputError: the database was written by a newer version of the program.
    """
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise InputError(
            f"{path} was written by a newer version of Tandem (format {version}): update Tandem, or choose "
            "another folder with --data-dir."
        )
    for number in range(version, len(MIGRATIONS)):
        db.executescript(f"BEGIN; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")
