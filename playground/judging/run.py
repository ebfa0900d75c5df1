"""A judgment running in its own thread. It continues when the page is closed and can be cancelled."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from playground.judging.calls import read_response, reread_call, reuse_call
from playground.judging.client import ask
from playground.judging.client.refusals import Refusals
from playground.judging.cost import Reservation
from playground.judging.plan import Plan
from playground.judging.verdicts import conclude
from playground.store import Store
from playground.types import SETTLED, JudgeCall, OutsideError, Verdict

T = TypeVar("T")

AT_ONCE = 4
"""Calls of one judgment that are open at the same time."""
SIDE_BY_SIDE = 8
"""Judgments that run at the same time; others wait."""
POLL = 0.05
"""Seconds between looks at whether another judgment has the reply to the same call."""
STOPPED = "Stopped before the judge answered: judge again."


class Judgment(Protocol):
    """A judgment that runs or has ended. Any thread may look at it, wait for it or cancel it."""

    @property
    def conversation(self) -> str:
        """The id of the judged conversation."""

    @property
    def verdict(self) -> Verdict:
        """The verdict so far; its outcome is "unfinished" until the judgment ends."""

    @property
    def done(self) -> bool:
        """Whether it has ended."""

    def wait(self, timeout: float | None = None) -> Verdict:
        """Block until it has ended, or for `timeout` seconds, and return the verdict so far."""

    def cancel(self) -> None:
        """Cancel the calls without a reply; replies so far are kept. No effect once it has ended."""


@dataclass(frozen=True)
class EndedJudgment:
    """A judgment without calls, which ends at once; see `Judgment`."""

    conversation: str
    verdict: Verdict
    done: bool = True

    def wait(self, timeout: float | None = None) -> Verdict:
        """Return the verdict."""
        return self.verdict

    def cancel(self) -> None:
        """Do nothing."""


class OpenCalls:
    """The calls that are being answered now, so that the same call is not paid for twice at a time.

    Any thread may use it; a thread that takes a call gives it back.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._lock = threading.Lock()

    def take(self, key: str) -> bool:
        """Take a call if it is free; False while another thread has it."""
        with self._lock:
            free = key not in self._taken
            self._taken.add(key)
        return free

    def give_back(self, key: str) -> None:
        """Free a call: its reply is on record, or there is none."""
        with self._lock:
            self._taken.discard(key)


@dataclass(frozen=True, kw_only=True)
class SharedState:
    """What all running judgments of a program share."""

    store: Store
    refusals: Refusals = field(default_factory=Refusals)
    """What judges' servers have refused."""
    open_calls: OpenCalls = field(default_factory=OpenCalls)
    slots: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(SIDE_BY_SIDE))


class Judging:
    """A running judgment. Any thread may look at it, wait for it or cancel it."""

    def __init__(
        self, plan: Plan, conversation: str, turn: int, shared: SharedState, reservation: Reservation
    ) -> None:
        """
        Args:
            plan: the calls; its verdict is recorded already.
            conversation: the id of the judged conversation.
            turn: the judged turn, from 0.
            reservation: is settled at the end, with the tokens that the calls took; for a call that was
                cancelled or timed out, with the most that it may have taken.
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
        """Calls that were sent and have no reply, but may have cost something."""

    @property
    def verdict(self) -> Verdict:
        """The verdict so far; its outcome is "unfinished" until the judgment ends."""
        return self._verdict

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    def wait(self, timeout: float | None = None) -> Verdict:
        """Block until it has ended, or for `timeout` seconds, and return the verdict so far."""
        self._ended.wait(timeout)
        return self._verdict

    def cancel(self) -> None:
        """Cancel the calls without a reply; replies so far are kept. No effect once it has ended."""
        self._cancelled.set()
        with self._lock:
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)

    def start(self) -> None:
        """Start the thread; it waits while too many other judgments run."""
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
        """Make all calls, unless they are cancelled."""
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
        """Make the calls that have no record, each different one once."""
        alike: dict[str, list[int]] = {}
        for number, (planned, call) in enumerate(zip(self._plan.calls, self._calls, strict=True)):
            if call is None:
                alike.setdefault(planned.key, []).append(number)
        places = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self._ask_once(key, numbers, places) for key, numbers in alike.items()))

    async def _ask_once(self, key: str, numbers: list[int], places: asyncio.Semaphore) -> None:
        """Make one of several equal calls, as of two answers that are alike, for all of them."""
        open_calls = self._shared.open_calls
        async with places:
            # The same call may be open in another judgment's event loop, so there is nothing to await.
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
        """Make one call, unless another judgment has put it on record meanwhile."""
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
        """Settle the budget, and record the verdict that follows from the calls."""
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
        """Use the database; an error of it is reported in the verdict instead of losing the verdict."""
        try:
            return use()
        except OutsideError as error:
            self._verdict = dataclasses.replace(self._verdict, error=str(error))
            return None
