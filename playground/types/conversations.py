"""Conversations: what was asked in each turn, and what every lane answered."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from playground.types.judgments import Verdict
from playground.types.messages import Message
from playground.types.replies import Reply
from playground.types.requests import Request
from playground.types.variants import Variant


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One lane's answer: the variant, exactly what it was asked, and what it wrote."""

    variant: str
    request: Request | None
    """None if there was nothing to ask: the aligner could not write a prompt."""
    reply: Reply
    version: int = 0
    """Which of the lane's answers to this turn it is, in the order in which they were asked, from 0."""

    @property
    def text(self) -> str:
        """The whole answer: its prefill, if any, and what the model wrote."""
        return (self.request.prompt.prefill if self.request else "") + self.reply.text


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One user message and every lane's answers to it."""

    user: str
    answers: tuple[Answer, ...]
    """Each lane's shown answer, which its next turn continues from."""
    verdicts: tuple[Verdict, ...] = ()
    versions: tuple[tuple[Answer, ...], ...] = ()
    """All answers of each lane, the shown one in its place; () where every lane has only that one."""
    histories: tuple[int | None, ...] = ()
    """For each lane, the lane whose earlier answers were in its prompt, None where that lane is no longer
    there; () where each lane had its own."""

    def history_lane(self, lane: int) -> int | None:
        """The lane whose earlier answers were in a lane's prompt; None where it is no longer there."""
        return self.histories[lane] if self.histories else lane

    def all(self, lane: int) -> tuple[Answer, ...]:
        """Every answer of a lane, in the order in which they were asked."""
        return self.versions[lane] if self.versions else (self.answers[lane],)

    def select(self, answer: Answer, lane: int) -> Turn:
        """The turn with `answer` as a lane's shown answer: another version, a new one, or a longer one."""
        answers = (*self.answers[:lane], answer, *self.answers[lane + 1 :])
        versions = [self.all(each) for each in range(len(self.answers))]
        versions[lane] = (*versions[lane][: answer.version], answer, *versions[lane][answer.version + 1 :])
        several = any(len(each) > 1 for each in versions)
        return dataclasses.replace(self, answers=answers, versions=tuple(versions) if several else ())

    def rearrange(self, lanes: Sequence[int]) -> Turn:
        """The turn with its lanes in another order, some left out or there twice.

        Verdicts are about lanes side by side, so they stay only where no lane changed its place.
        """
        kept = [lane for lane in lanes if lane < len(self.answers)]
        same = tuple(kept) == tuple(range(len(self.answers)))
        places = {lane: kept.index(lane) for lane in kept}
        before = [self.history_lane(lane) for lane in kept]
        return dataclasses.replace(
            self,
            answers=tuple(self.answers[lane] for lane in kept),
            versions=tuple(self.all(lane) for lane in kept) if self.versions else (),
            verdicts=self.verdicts if same else (),
            histories=tuple(None if lane is None else places.get(lane) for lane in before)
            if self.histories
            else (),
        )


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """Several lanes' conversations with one user, turn by turn."""

    id: str
    variants: tuple[Variant, ...]
    turns: tuple[Turn, ...] = ()
    parent: str | None = None
    """The conversation that its first turns were taken from; None if it is a new one."""
    owner: str = ""
    """Whose history lists it: a visitor of the page, by a hash; "" for the command line's, which all see."""

    def history(self, lane: int) -> tuple[Message, ...]:
        """The messages of one lane so far, its own answers in them, user and assistant alternating.

        A turn whose answer failed or was stopped before it wrote anything is left out, question
        included: an empty answer in its place would be something the model never wrote. An answer that
        is empty because the model ended at once is kept as it is.
        """
        messages: list[Message] = []
        for turn in self.turns:
            if lane >= len(turn.answers):
                continue  # the lane was added later
            reply = turn.answers[lane].reply
            if reply.text or reply.finish in ("stop", "length"):
                messages.append(Message(role="user", text=turn.user))
                messages.append(Message(role="assistant", text=turn.answers[lane].text))
        return tuple(messages)

    def before(self, turn: int) -> Conversation:
        """The conversation up to a turn (from 0), which is left out."""
        return dataclasses.replace(self, turns=self.turns[:turn])
