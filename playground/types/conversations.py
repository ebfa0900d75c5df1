"""Conversations, which consist of turns.

A turn is a user message and every lane's answers to that message.
"""

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
    """A lane's answer, consisting of the variant, the exact request, and the reply."""

    variant: str
    request: Request | None
    """The exact request; None if the aligner could not render a prompt."""
    reply: Reply
    version: int = 0
    """Zero-based index of this answer among all of the lane's answers to this turn, in the order in which the
    answers were requested.
    """

    @property
    def text(self) -> str:
        """The complete answer: the prefill, if any, followed by the generated text."""
        return self.prefill + self.reply.text

    @property
    def prefill(self) -> str:
        """The text with which the answer was made to start; "" if there is none."""
        return self.request.prompt.prefill if self.request else ""

    @property
    def continuation(self) -> str:
        """The prefill from which the model continues this answer, including text not yet shown."""
        written = self.reply.raw_text
        if self.request and self.request.prompt.stop.trim and not self.prefill:
            written = written.lstrip()  # the answer's text is stripped in the same way
        return self.prefill + written


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A turn, consisting of one user message and every lane's answers to that message."""

    user: str
    answers: tuple[Answer, ...]
    """Each lane's selected answer, which becomes part of the lane's history."""
    verdicts: tuple[Verdict, ...] = ()
    versions: tuple[tuple[Answer, ...], ...] = ()
    """All answers of each lane, including the selected one; () if no lane has more than one answer."""
    histories: tuple[int | None, ...] = ()
    """For each lane, the index of the lane whose earlier answers the prompt contained, or None if the lane at
    that index has since been removed. () if every lane's prompt contained the lane's own earlier answers.
    """

    def history_lane(self, lane: int) -> int | None:
        """Return the index of the lane whose earlier answers the prompt of `lane` contained, or None if the
        lane at that index has since been removed.
        """
        return self.histories[lane] if self.histories else lane

    def all(self, lane: int) -> tuple[Answer, ...]:
        """Return all of a lane's answers to this turn, in the order in which the answers were requested."""
        return self.versions[lane] if self.versions else (self.answers[lane],)

    def continued_tokens(self, lane: int) -> int:
        """Return the number of tokens of the versions that a lane's answer continues; 0 if it continues none.

        The tokens of a continued answer are those that were added.
        """
        versions, answer = self.all(lane), self.answers[lane]
        before = 0
        while answer.prefill:
            earlier = [
                each
                for each in versions[: answer.version]
                if each.reply.new_tokens and each.continuation == answer.prefill
            ]
            if not earlier:
                break
            answer = earlier[-1]
            before += answer.reply.new_tokens
        return before

    def select(self, answer: Answer, lane: int) -> Turn:
        """Return a copy of the turn in which `answer` is the selected answer of `lane`.

        `answer` replaces the lane's answer with the same version number; if there is none, it is added.
        """
        answers = (*self.answers[:lane], answer, *self.answers[lane + 1 :])
        versions = [self.all(each) for each in range(len(self.answers))]
        versions[lane] = (*versions[lane][: answer.version], answer, *versions[lane][answer.version + 1 :])
        several = any(len(each) > 1 for each in versions)
        return dataclasses.replace(self, answers=answers, versions=tuple(versions) if several else ())

    def rearrange(self, lanes: Sequence[int]) -> Turn:
        """Return a copy of the turn whose lanes are those at the indices `lanes`, in this order.

        Verdicts refer to lanes by index, so the verdicts are discarded unless all lanes keep their indices.
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
    """A conversation between one user and several lanes, as a sequence of turns."""

    id: str
    variants: tuple[Variant, ...]
    turns: tuple[Turn, ...] = ()
    parent: str | None = None
    """The id of the conversation from which this conversation was branched; None if it is not a branch."""
    owner: str = ""
    """Hashed id of the user who owns the conversation and sees it in the history. "" for conversations from
    the command line, which are in every user's history.
    """

    def history(self, lane: int) -> tuple[Message, ...]:
        """Return a lane's history as alternating user and assistant messages.

        A turn is omitted if generation of its answer failed or was stopped before it produced any text. A
        turn is kept if the model itself gave an empty answer, by ending it immediately.
        """
        messages: list[Message] = []
        for turn in self.turns:
            if lane >= len(turn.answers):
                continue  # the lane was added after this turn
            reply = turn.answers[lane].reply
            if reply.text or reply.finish in ("stop", "length"):
                messages.append(Message(role="user", text=turn.user))
                messages.append(Message(role="assistant", text=turn.answers[lane].text))
        return tuple(messages)

    def before(self, turn: int) -> Conversation:
        """Return the conversation up to, but not including, the turn with the given zero-based index."""
        return dataclasses.replace(self, turns=self.turns[:turn])
