"""Run judgments, each in its own thread.

A running judgment continues when the page is closed, unless a user cancels the judgment.
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from playground.judging.calls import read_response, reread_call, reuse_call
from playground.judging.client import ask
from playground.judging.client.limits import Refusals
from playground.judging.cost import Reservation
from playground.judging.plan import Plan
from playground.judging.verdicts import conclude
from playground.store import Store
from playground.types import SETTLED, JudgeCall, OutsideError, Verdict

T = TypeVar("T")

AT_ONCE = 4
"""Maximum number of concurrent calls per judgment."""
SIDE_BY_SIDE = 8
"""Maximum number of concurrent judgments; additional judgments wait."""
POLL = 0.05
"""Polling interval in seconds when waiting for another judgment that is making the same call."""
STOPPED = "Stopped before the judge answered: judge again."


class Judgment(Protocol):
    """A running or finished judgment.

    Thread-safe: any thread can read the current verdict, wait for the result or cancel the judgment.
    """

    @property
    def conversation(self) -> str:
        """The id of the judged conversation."""

    @property
    def verdict(self) -> Verdict:
        """The current verdict; its outcome is "unfinished" until the judgment finishes."""

    @property
    def done(self) -> bool:
        """Whether the judgment has finished."""

    def wait(self, timeout: float | None = None) -> Verdict:
        """Block until the judgment has finished or `timeout` seconds have passed.

        Return the current verdict.
        """

    def cancel(self) -> None:
        """Cancel all pending calls and keep the replies received so far.

        This has no effect if the judgment has already finished.
        """


@dataclass(frozen=True)
class EndedJudgment:
    """A judgment that needs no calls and is therefore finished as soon as it is created."""

    conversation: str
    verdict: Verdict
    done: bool = True

    def wait(self, timeout: float | None = None) -> Verdict:
        """Return the verdict immediately."""
        return self.verdict

    def cancel(self) -> None:
        """Do nothing, because the judgment has already finished."""


class OpenCalls:
    """Registry of calls in progress, which prevents two judgments from paying for the same call.

    Thread-safe. A thread that has claimed a call must release that call.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._lock = threading.Lock()

    def take(self, key: str) -> bool:
        """Claim a call for the current thread. Return False if another thread has claimed the call."""
        with self._lock:
            free = key not in self._taken
            self._taken.add(key)
        return free

    def give_back(self, key: str) -> None:
        """Release a call once its reply is recorded or the call has failed."""
        with self._lock:
            self._taken.discard(key)


@dataclass(frozen=True, kw_only=True)
class SharedState:
    """State shared by all judgments running in this process."""

    store: Store
    refusals: Refusals = field(default_factory=Refusals)
    """Parameters that judge servers have rejected, and limits learned from their error messages."""
    open_calls: OpenCalls = field(default_factory=OpenCalls)
    slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(SIDE_BY_SIDE))


class Judging:
    """A judgment that calls a judge model.

    Thread-safe: any thread can read the current verdict, wait for the result or cancel the judgment.
    """

    def __init__(
        self, plan: Plan, conversation: str, turn: int, shared: SharedState, reservation: Reservation
    ) -> None:
        """
        Args:
            plan: the plan with the calls to make. The plan's verdict must already be recorded.
            conversation: the id of the conversation to judge.
            turn: index of the turn to judge, from 0.
            shared: the state shared by all judgments.
            reservation: the token reservation. When the judgment finishes, the reservation is settled with
                the number of tokens used. A call that was cancelled or timed out counts as its maximum number
                of tokens.
        """
        self.conversation = conversation
        self.turn = turn
        self._plan = plan
        self._shared = shared
        self._reservation = reservation
        self._verdict = plan.verdict
        self._calls: list[JudgeCall | None] = [call.recorded for call in plan.calls]
        self._ended = threading.Event()
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._open: set[int] = set()
        """Indices of calls that were sent but have no reply. The server may still charge for these calls."""

    @property
    def verdict(self) -> Verdict:
        """The current verdict; its outcome is "unfinished" until the judgment finishes."""
        return self._verdict

    @property
    def done(self) -> bool:
        """Whether the judgment has finished."""
        return self._ended.is_set()

    def wait(self, timeout: float | None = None) -> Verdict:
        """Block until the judgment has finished or `timeout` seconds have passed.

        Return the current verdict.
        """
        self._ended.wait(timeout)
        return self._verdict

    def cancel(self) -> None:
        """Cancel all pending calls and keep the replies received so far.

        This has no effect if the judgment has already finished.
        """
        self._cancelled.set()
        with self._lock:
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)

    def start(self) -> None:
        """Start the judgment's thread. The thread waits while too many other judgments are running."""
        threading.Thread(target=self._work, name="judge", daemon=True).start()

    def _work(self) -> None:
        slots = self._shared.slots
        try:
            while not slots.acquire(timeout=0.1):
                if self._cancelled.is_set():
                    return
            try:
                asyncio.run(self._run())
            finally:
                slots.release()
        finally:
            self._end()

    async def _run(self) -> None:
        """Make all calls. If the judgment is cancelled, cancel the pending calls."""
        task = asyncio.create_task(self._ask_all())
        with self._lock:
            self._loop, self._task = asyncio.get_running_loop(), task
            if self._cancelled.is_set():
                task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return
        finally:
            with self._lock:
                self._loop = self._task = None

    async def _ask_all(self) -> None:
        """Make the calls that have no recorded result. Identical calls are made only once."""
        alike: dict[str, list[int]] = {}
        for number, (planned, call) in enumerate(zip(self._plan.calls, self._calls, strict=True)):
            if call is None:
                alike.setdefault(planned.key, []).append(number)
        places = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._ask_once(key, numbers, places) for key, numbers in alike.items()))

    async def _ask_once(self, key: str, numbers: list[int], places: asyncio.Semaphore) -> None:
        """Make one call and use its result for all identical calls.

        Calls for different lanes are identical if the lanes have the same answer.

        Args:
            key: the cache key shared by the calls.
            numbers: the indices of the identical calls in the plan.
            places: the semaphore that limits concurrent calls.
        """
        open_calls = self._shared.open_calls
        async with places:
            # Poll, because the same call may be in progress in another judgment's event loop, which cannot be
            # awaited here.
            while not open_calls.take(key):
                await asyncio.sleep(POLL)
            try:
                call = await self._ask(numbers[0])
            finally:
                open_calls.give_back(key)
        for number in numbers:
            shown = self._plan.calls[number].shown
            self._calls[number] = call if number == numbers[0] else reuse_call(call, shown)
        so_far = tuple(call for call in self._calls if call is not None)
        self._record(dataclasses.replace(self._verdict, calls=so_far))

    async def _ask(self, number: int) -> JudgeCall:
        """Make one call, unless another judgment has recorded the call's result in the meantime."""
        planned, store, rubric = self._plan.calls[number], self._shared.store, self._plan.rubric
        recorded = self._try(lambda: store.judge_call(planned.key))
        if recorded is not None and (recorded := reread_call(rubric, recorded)) is not None:
            return reuse_call(recorded, planned.shown)
        self._open.add(number)
        response = await ask(
            self._plan.judge, planned.messages, rubric.schema, planned.parameters, self._shared.refusals
        )
        if not response.late:
            self._open.discard(number)
        call = read_response(rubric, planned.shown, response)
        if call.outcome in SETTLED:
            self._try(lambda: store.save_judge_call(planned.key, call))
        return call

    def _end(self) -> None:
        """Settle the token reservation and record the final verdict."""
        calls = list(zip(self._plan.calls, self._calls, strict=True))
        self._reservation.settle(
            sum(
                planned.tokens if number in self._open else planned.spent_tokens(call)
                for number, (planned, call) in enumerate(calls)
            )
        )
        whole = [
            call or JudgeCall(shown=planned.shown, outcome="cancelled", error=STOPPED)
            for planned, call in calls
        ]
        self._record(conclude(self._verdict, self._plan.rubric.kind, whole))
        self._ended.set()

    def _record(self, verdict: Verdict) -> None:
        self._verdict = verdict
        self._try(lambda: self._shared.store.save_verdict(self.conversation, self.turn, verdict))

    def _try(self, use: Callable[[], T]) -> T | None:
        """Run a database operation. If it fails, store the error in the verdict and return None."""
        try:
            return use()
        except OutsideError as error:
            self._verdict = dataclasses.replace(self._verdict, error=str(error))
            return None
