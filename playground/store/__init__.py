"""SQLite database of conversations, verdicts and judge calls (see `database.Store`)."""

from playground.store.conflicts import ConflictError
from playground.store.conversations import LOST_TURN
from playground.store.database import FILE, LockedError, Store, Summary, new_id
from playground.store.migrations import MIGRATIONS
from playground.store.rows import INTERRUPTED, MISSING, STREAMING
from playground.store.verdicts import UNJUDGED

__all__ = [
    "FILE",
    "INTERRUPTED",
    "LOST_TURN",
    "MIGRATIONS",
    "MISSING",
    "STREAMING",
    "UNJUDGED",
    "ConflictError",
    "LockedError",
    "Store",
    "Summary",
    "new_id",
]
