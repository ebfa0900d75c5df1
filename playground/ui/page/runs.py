"""Generation that does not depend on the page that started it.

Each run has a thread of its own. Pages follow a run: the page that started it, and every page of the same
owner that opens the conversation while the run lasts, for example after a reload.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from playground.running_turn import BUSY
from playground.types import Conversation, InputError, OutsideError

log = logging.getLogger(__name__)

ABANDONED_AFTER = 30.0
"""In public mode, seconds for which answers are generated after the last page following them is closed."""
RECENT = 30.0
"""Seconds after its start during which a run is found by its owner, even if it has ended."""
UNKNOWN = ("", "unknown")
"""Owners of browsers that send no cookie. Such browsers cannot be distinguished."""

Generate = Callable[["Run"], Generator[Conversation]]
"""Function that generates a run's answers and yields snapshots, at least every 0.1 s."""


class Run:
    """The generation of one or several turns of a conversation, in a thread of its own."""

    def __init__(
        self, id: str, owner: str | None, stop: Callable[[], None], abandoned_after: float | None
    ) -> None:
        """Create a run, which `start` begins.

        Args:
            id: the conversation's id.
            owner: the owner of the page that starts the run; None if all users share one history.
            stop: function that stops the conversation's running turn.
            abandoned_after: seconds without followers after which the run stops; None for no limit.
        """
        self.id, self.owner = id, owner
        self.started_at = time.monotonic()
        self.conversation: Conversation | None = None
        """The latest snapshot, or None if there is none yet."""
        self.error: Exception | None = None
        """The exception that ended the run, or None."""
        self.is_stopped = False
        """Whether all lanes have been asked to stop. No further message is sent."""
        self._ended = threading.Event()
        self._stop, self._abandoned_after = stop, abandoned_after
        self._followers, self._left_at = 0, self.started_at
        self._changed = threading.Condition()

    def start(self, generate: Generate, on_end: Callable[[], None]) -> None:
        """Run `generate` in a new thread, then call `on_end`.

        The thread is a daemon, so that an engine that hangs does not keep the program from exiting. It runs
        in the context of the caller, which contains the visitor's request.
        """
        context = contextvars.copy_context()
        arguments = (self._generate, generate, on_end)
        threading.Thread(target=context.run, args=arguments, daemon=True).start()

    def _generate(self, generate: Generate, on_end: Callable[[], None]) -> None:
        try:
            for conversation in generate(self):
                if conversation is not self.conversation:
                    self._publish(conversation)
                if self._is_abandoned():
                    self.stop()
        except Exception as error:
            self.error = error
            if not self._followers and not isinstance(error, InputError | OutsideError):
                log.exception("The answers of a closed page failed.")
        finally:
            on_end()
            self._ended.set()
            with self._changed:
                self._changed.notify_all()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be generated."""
        return self._ended.is_set()

    def _publish(self, conversation: Conversation) -> None:
        with self._changed:
            self.conversation = conversation
            self._changed.notify_all()

    def _is_abandoned(self) -> bool:
        if self._abandoned_after is None or self._followers:
            return False
        return time.monotonic() - self._left_at > self._abandoned_after

    def stop(self) -> None:
        """Stop all lanes, and send no further message. Returns immediately."""
        self.is_stopped = True
        self._stop()

    def wait(self, seen: Conversation | None, seconds: float) -> Conversation | None:
        """Wait for another snapshot than `seen` or for the end of the run, and return the latest snapshot."""
        with self._changed:
            self._changed.wait_for(lambda: self.has_ended or self.conversation is not seen, seconds)
            return self.conversation

    def wait_for_end(self, seconds: float) -> None:
        """Wait until the run has ended, or until the time is up."""
        self._ended.wait(max(seconds, 0.0))

    @contextmanager
    def following(self) -> Iterator[None]:
        """Return a context manager that counts a follower while it is active.

        It is left in the thread that serves the pages, so it must be quick.
        """
        self._followers += 1
        try:
            yield
        finally:
            self._left_at = time.monotonic()
            self._followers -= 1

    def belongs_to(self, owner: str | None) -> bool:
        """Return whether a page of the given owner may follow and stop the run."""
        return owner is None or (owner == self.owner and owner not in UNKNOWN)


class Runs:
    """The runs of all pages, at most one per conversation. Thread-safe."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._recent: list[Run] = []
        self._lock = threading.Lock()

    def start(self, run: Run, generate: Generate) -> None:
        """Start a run.

        Raises:
            InputError: another run of the conversation has not ended.
        """
        with self._lock:
            if run.id in self._runs:
                raise InputError(BUSY)
            self._runs[run.id] = run
            self._recent = [*self._keep_recent(), run]
        run.start(generate, lambda: self._remove(run))

    def _remove(self, run: Run) -> None:
        with self._lock:
            del self._runs[run.id]

    def _keep_recent(self) -> list[Run]:
        oldest = time.monotonic() - RECENT
        return [run for run in self._recent if run.started_at > oldest]

    def find(self, id: str | None, owner: str | None) -> Run | None:
        """Return a conversation's run, or None if there is none or it belongs to another owner."""
        run = self._runs.get(id) if id else None
        return run if run is not None and run.belongs_to(owner) else None

    def find_latest(self, owner: str | None) -> Run | None:
        """Return the run that the owner started last, if that was less than `RECENT` seconds ago."""
        with self._lock:
            self._recent = self._keep_recent()
            return next((run for run in reversed(self._recent) if run.belongs_to(owner)), None)
