"""One judgment under way, in a thread of its own: it goes on whoever looks, and can be stopped."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from playground.judging.client import Heard, JudgeModel, ask
from playground.judging.client.refusals import Refusals
from playground.judging.parse.reply import read_reply
from playground.judging.rubrics import Messages, Rubric
from playground.judging.verdicts import concluded
from playground.types import JudgeCall, OutsideError, Verdict

T = TypeVar("T")

AT_ONCE = 4
"""Questions of one judgment that a server is asked at the same time."""
LOOK = 0.05
"""Seconds between looks at whether the reply to a question that somebody else has put is there."""
STOPPED = "Stopped before the judge had answered: ask again."


@dataclass(frozen=True, kw_only=True)
class Call:
    """One question to be put to a judge."""

    shown: tuple[int, ...]
    messages: dict[bool, Messages]
    """By whether the server keeps to the rubric's schema."""
    parameters: dict[str, Any]
    key: str
    """Hash of all that shapes the reply."""
    tokens: int
    """Tokens it takes at most."""
    known: JudgeCall | None
    """The reply on record."""


class Questions:
    """Which questions are being put to a judge just now, so that nobody pays for the same one meanwhile.

    Any thread may ask; whoever takes a question gives it back.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._lock = threading.Lock()

    def take(self, key: str) -> bool:
        """Whether the question is the caller's to put; False while it is somebody else's."""
        with self._lock:
            free = key not in self._taken
            self._taken.add(key)
        return free

    def give_back(self, key: str) -> None:
        """The reply is on record, or there is none: anybody may put the question again."""
        with self._lock:
            self._taken.discard(key)


class Judging:
    """A judgment and how far it has come. Any thread may look at it, wait for it or cancel it."""

    def __init__(
        self,
        verdict: Verdict,
        save: Callable[[Verdict], None],
        known: Callable[[str], JudgeCall | None],
        keep: Callable[[str, JudgeCall], None],
        spent: Callable[[int], None],
    ) -> None:
        """
        Args:
            verdict: as begun and recorded.
            save: records the verdict.
            known: the reply on record under a call's key.
            keep: records a reply under its call's key.
            spent: is told once, at the end, how many tokens the calls took; for one that was stopped, or had
                no answer in time, as many as it may have taken.
        """
        self._verdict = verdict
        self._save = save
        self._known = known
        self._keep = keep
        self._spent = spent
        self._ended = threading.Event()
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._open: set[int] = set()
        """Calls that were put to the server and have no answer, but may have cost something."""

    @property
    def verdict(self) -> Verdict:
        """As far as it has come; its outcome is "unfinished" until it ends."""
        return self._verdict

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    def wait(self, timeout: float | None = None) -> Verdict:
        """Block until it has ended, or for `timeout` seconds; the verdict then."""
        self._ended.wait(timeout)
        return self._verdict

    def cancel(self) -> None:
        """Stop asking; what has been answered is kept. Does nothing once it has ended."""
        self._cancelled.set()
        with self._lock:
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)

    def start(
        self,
        judge: JudgeModel,
        rubric: Rubric,
        calls: Sequence[Call],
        refusals: Refusals,
        questions: Questions,
        turn: threading.Semaphore,
        ended: Callable[[], None],
    ) -> None:
        """Ask; returns at once. `turn` is waited for, so that not too many judgments run side by side."""
        games: list[JudgeCall | None] = [call.known for call in calls]

        def work() -> None:
            try:
                while not turn.acquire(timeout=0.1):
                    if self._cancelled.is_set():
                        break
                else:
                    try:
                        asyncio.run(self._ask_all(judge, rubric, calls, games, refusals, questions))
                    finally:
                        turn.release()
            finally:
                self._end(rubric, calls, games)
                ended()

        threading.Thread(target=work, name="judge", daemon=True).start()

    async def _ask_all(
        self,
        judge: JudgeModel,
        rubric: Rubric,
        calls: Sequence[Call],
        games: list[JudgeCall | None],
        refusals: Refusals,
        questions: Questions,
    ) -> None:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> JudgeCall:
            call = calls[number]
            known = self._try(lambda: self._known(call.key))
            if known is not None and (known := read_again(rubric, known)) is not None:
                return replied_before(known, call.shown)
            self._open.add(number)
            heard = await ask(judge, call.messages, rubric.schema, call.parameters, refusals)
            if not heard.late:
                self._open.discard(number)
            game = _game(rubric, call.shown, heard)
            if game.outcome in ("win", "tie", "both-bad", "scored"):
                self._try(lambda: self._keep(call.key, game))
            return game

        async def same(key: str, numbers: list[int]) -> None:
            """Calls that ask for the same, as of two answers that are alike: it is asked once."""
            async with places:
                # Whoever has the question may sit in another judgment's loop, so there is nothing to await.
                while not questions.take(key):
                    await asyncio.sleep(LOOK)
                try:
                    game = await one(numbers[0])
                finally:
                    questions.give_back(key)
            for number in numbers:
                games[number] = game if number == numbers[0] else replied_before(game, calls[number].shown)
            so_far = tuple(game for game in games if game is not None)
            self._record(dataclasses.replace(self._verdict, calls=so_far))

        async def everything() -> None:
            alike: dict[str, list[int]] = {}
            for number, (call, game) in enumerate(zip(calls, games, strict=True)):
                if game is None:
                    alike.setdefault(call.key, []).append(number)
            await asyncio.gather(*(same(key, numbers) for key, numbers in alike.items()))

        task = asyncio.create_task(everything())
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

    def _end(self, rubric: Rubric, calls: Sequence[Call], games: list[JudgeCall | None]) -> None:
        whole = [
            game or JudgeCall(shown=call.shown, outcome="cancelled", error=STOPPED)
            for call, game in zip(calls, games, strict=True)
        ]
        self._spent(
            sum(
                call.tokens if number in self._open else _spent(call, game)
                for number, (call, game) in enumerate(zip(calls, games, strict=True))
            )
        )
        self._record(concluded(self._verdict, rubric.kind, whole))
        self._ended.set()

    def _record(self, verdict: Verdict) -> None:
        self._verdict = verdict
        self._try(lambda: self._save(verdict))

    def _try(self, use: Callable[[], T]) -> T | None:
        """Read or write; a record that cannot be used is said and does not lose the verdict."""
        try:
            return use()
        except OutsideError as error:
            self._verdict = dataclasses.replace(self._verdict, error=str(error))
            return None


def replied_before(game: JudgeCall, shown: tuple[int, ...]) -> JudgeCall:
    """The reply to the same question, for the same texts in whatever lanes they are now."""
    winner = None if game.winner is None else shown[game.shown.index(game.winner)]
    return dataclasses.replace(game, shown=shown, winner=winner, cached=True)


def _game(rubric: Rubric, shown: tuple[int, ...], heard: Heard) -> JudgeCall:
    """What a reply comes to."""
    game = JudgeCall(
        shown=shown,
        outcome=heard.outcome or "unparsable",
        error=heard.error,
        messages=heard.messages,
        parameters=heard.parameters,
        raw=heard.raw,
        finish=heard.finish,
        prompt_tokens=heard.prompt_tokens,
        new_tokens=heard.new_tokens,
        seconds=heard.seconds,
    )
    if heard.outcome is not None or heard.raw is None:
        return game
    return _read(rubric, game, heard.raw)


def read_again(rubric: Rubric, game: JudgeCall) -> JudgeCall | None:
    """A reply on record by today's rules of reading; None if by them it has no verdict, so that it is asked
    for again."""
    if game.raw is None:
        return game
    unread = dataclasses.replace(game, outcome="unparsable", winner=None, score=None, aspects=(), error=None)
    again = _read(rubric, unread, game.raw)
    return None if again.outcome == "unparsable" else again


def _read(rubric: Rubric, game: JudgeCall, raw: str) -> JudgeCall:
    """A game with what its reply says."""
    shown, reading = game.shown, read_reply(rubric, raw)
    game = dataclasses.replace(game, reason=reading.reason)
    if reading.error is not None:
        return dataclasses.replace(game, error=f"{reading.error} Look at it, or ask again.")
    if reading.letter is not None:
        if reading.letter == "tie":
            return dataclasses.replace(game, outcome="tie")
        return dataclasses.replace(game, outcome="win", winner=shown["AB".index(reading.letter)])
    rated = [aspect.score for aspect in reading.aspects if aspect.score is not None]
    mean = sum(rated) / len(rated) if rated else None
    return dataclasses.replace(
        game,
        outcome="scored",
        score=mean if reading.score is None else reading.score,
        aspects=reading.aspects,
    )


def _spent(call: Call, game: JudgeCall | None) -> int:
    """Tokens that a call took: as the server counted, or at most, where it does not say."""
    if game is None or game.cached:
        return 0
    if game.prompt_tokens is None and game.new_tokens is None:
        return 0 if game.outcome == "failed" else call.tokens
    return (game.prompt_tokens or 0) + (game.new_tokens or 0)
