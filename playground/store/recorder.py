"""Save conversations to the database in the background, so that generation never waits for the disk.

Saving can fail if the database is locked by another program, the disk is full, or the file is missing.
Unsaved data stays in memory, and saving is retried until it succeeds. In the meantime, `Recorder.problem`
gives the reason.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from playground.store.conflicts import ConflictError
from playground.store.database import LockedError, Store, new_id
from playground.types import Conversation, OutsideError

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Initial and maximum delay between write attempts, in seconds. The delay doubles after each failure."""
SHORT = 1.0
"""Seconds to wait per attempt for a lock held by another program."""
LONG = 20.0
"""Maximum time in seconds that `close` waits for pending writes."""


@dataclass(frozen=True, kw_only=True)
class _Unwritten:
    """In-memory state of a conversation and the index of the first turn not yet saved to the database."""

    conversation: Conversation
    since: int
    """Index of the first turn to write, from 0."""
    lanes: tuple[int, ...] | None = None
    """The lanes that generate answers in the last turn; None once `Store.begin` has been called for that
    turn.
    """


class Recorder:
    """Background writer for a session's conversations. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._unwritten: dict[str, _Unwritten] = {}
        self._problems: dict[str, str] = {}
        self._branched: dict[str, str] = {}
        """Branch ids, keyed by the id of the original conversation.

        A branch is created if another process continued the conversation before this process could save a
        turn.
        """
        self._thread: threading.Thread | None = None
        self._closed = False

    def begin(self, conversation: Conversation, lanes: Sequence[int]) -> None:
        """Save a conversation's last turn before generation starts.

        If the database is locked or earlier turns are still unsaved, the turn is queued to be saved later.

        Args:
            conversation: the conversation.
            lanes: the lanes that will generate answers.

        Raises:
            ConflictError: another process has continued the conversation since it was read.
            OutsideError: the database cannot be written, for a reason other than a lock.
        """
        id = conversation.id
        with self._changed:
            before = self._unwritten.get(id)
            if before is None:
                self._branched.pop(id, None)
                self._problems.pop(id, None)
        if before is None:
            try:
                self._store.begin(conversation, lanes, SHORT)
                return
            except LockedError as error:
                self._note(id, error)
        # No other process can have continued the conversation, because earlier turns are not saved yet.
        self._keep(conversation, tuple(lanes))

    def put(self, conversation: Conversation) -> None:
        """Queue a conversation to be saved, and return immediately.

        `begin` must have been called for the conversation's last turn.
        """
        unwritten = self._keep(conversation)
        if self._closed:
            self._write(unwritten)

    def _keep(self, conversation: Conversation, lanes: tuple[int, ...] | None = None) -> _Unwritten:
        """Keep a conversation in memory until it is saved to the database.

        Args:
            conversation: the conversation.
            lanes: the lanes that generate answers in the conversation's last turn; None if `Store.begin` has
                already been called for that turn.
        """
        id, since = conversation.id, len(conversation.turns) - 1
        with self._changed:
            if (before := self._unwritten.get(id)) is not None:
                since, lanes = min(since, before.since), before.lanes
            unwritten = _Unwritten(conversation=conversation, since=since, lanes=lanes)
            self._unwritten[id] = unwritten
            if not self._closed:
                self._wake()
        return unwritten

    def settle(self, id: str, seconds: float) -> bool:
        """Wait at most `seconds` for a conversation to be saved. Return whether it has been saved."""
        with self._changed:
            return self._changed.wait_for(lambda: id not in self._unwritten, seconds)

    def find_unwritten(self, id: str) -> Conversation | None:
        """Return a conversation's in-memory state, or None if the conversation has been fully saved."""
        with self._changed:
            found = self._unwritten.get(id)
        return None if found is None else found.conversation

    def problem(self, id: str) -> str | None:
        """Return one sentence explaining why a conversation could not be saved or was saved as a branch.

        Return None if there was no such problem.
        """
        with self._changed:
            return self._problems.get(id)

    def close(self) -> None:
        """Save all remaining data and stop.

        Conversations not fully saved within `LONG` seconds are logged.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(LONG + SHORT)
        for id, problem in list(self._problems.items()):
            log.error("Conversation %s is not fully saved. %s", id, problem)

    # --- Writing thread ---------------------------------------------------------------------------

    def _wake(self) -> None:
        """Wake the writer thread, starting it if needed. The caller must hold the lock."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _work(self) -> None:
        pause, until = FIRST_PAUSE, None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unwritten or self._closed)
                waiting = list(self._unwritten.values())
                if self._closed:
                    until = until or time.monotonic() + LONG
                    if not waiting or time.monotonic() > until:
                        return
            written = [self._write(unwritten) for unwritten in waiting]
            if all(written):
                pause = FIRST_PAUSE
                continue
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _write(self, unwritten: _Unwritten) -> bool:
        """Try once to save a conversation. Return False if another attempt is needed."""
        conversation = unwritten.conversation
        id = conversation.id
        try:
            if unwritten.lanes is not None:
                try:
                    self._store.begin(conversation, unwritten.lanes, SHORT)
                except ConflictError:
                    # The answers have already been generated, so they are saved in a branch of the
                    # conversation.
                    self._branched[id] = new_id()
                self._enter(id)
            # `begin` recorded the selected versions. Another process may have changed the selection since.
            self._store.save(self._place(conversation), unwritten.since, SHORT, False)
        except OutsideError as error:
            self._note(id, error)
            return False
        except Exception as error:  # a conversation that cannot be saved must not block other conversations
            log.error("Could not save conversation %s.", id, exc_info=error)
            self._note(id, OutsideError(f"Conversation {id} cannot be written: {error}."))
            with self._changed:
                self._unwritten.pop(id, None)
                self._changed.notify_all()
            return True
        with self._changed:
            if (now := self._unwritten.get(id)) is not None and now.conversation is conversation:
                del self._unwritten[id]
                self._problems.pop(id, None)
                if (branch := self._branched.get(id)) is not None:
                    self._problems[id] = (
                        "The conversation was continued in another window or program while the "
                        "database was locked, so this message and its answers were saved as conversation "
                        f"{branch}."
                    )
            self._changed.notify_all()
        return True

    def _enter(self, id: str) -> None:
        """Mark a conversation's last turn as stored in the database."""
        with self._changed:
            self._unwritten[id] = dataclasses.replace(self._unwritten[id], lanes=None)

    def _place(self, conversation: Conversation) -> Conversation:
        """Return a conversation with the id under which it must be saved.

        If the conversation is saved as a branch, the new id is the branch's id, and the old id becomes its
        parent.
        """
        branch = self._branched.get(conversation.id)
        return (
            conversation
            if branch is None
            else dataclasses.replace(conversation, id=branch, parent=conversation.id)
        )

    def _note(self, id: str, error: OutsideError) -> None:
        """Store one sentence explaining why a conversation has not been saved."""
        if isinstance(error, LockedError):
            sentence = (
                f"The database {self._store.path} is locked by another program: this conversation is "
                "kept in memory and will be saved as soon as the lock is released."
            )
        else:
            sentence = f"{error} This conversation is kept in memory, and saving will be retried."
        with self._changed:
            self._problems[id] = sentence
