"""Create conversations with verdicts for scoreboard and UI tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from playground.aligners.raw import Aligner
from playground.rubrics.candidates import candidate
from playground.types import Answer, Conversation, Reply, Sampling, Turn, Variant, Verdict

IDS = iter(range(10**6))


def variant(name: str, temperature: float = 0, seed: int = 0) -> Variant:
    sampling = Sampling(temperature=temperature, seed=seed)
    return Variant(name=name, aligner=Aligner(), sampling=sampling)


ONE, TWO = variant("one", 1), variant("two", 2)


def talk(*turns: Sequence[str], variants: Sequence[Variant] = (ONE, TWO)) -> Conversation:
    """Create a conversation from the answers in each turn, one per lane."""
    made = tuple(
        Turn(
            user=f"{number}?",
            answers=tuple(
                Answer(variant=v.name, request=None, reply=Reply(text=text, finish="stop"))
                for v, text in zip(variants, texts, strict=True)
            ),
        )
        for number, texts in enumerate(turns)
    )
    return Conversation(id=f"c{next(IDS)}", variants=tuple(variants), turns=made)


def judged(conversation: Conversation, turn: int, **fields: Any) -> Conversation:
    """Return a copy of the conversation with another verdict added to a turn."""
    lanes = fields.pop("lanes", tuple(range(len(conversation.variants))))
    verdict = Verdict(
        **{
            "id": str(next(IDS)),
            "judge": "judge",
            "rubric": "pairwise",
            "lanes": lanes,
            "judged": tuple(candidate(conversation, turn, lane).hash for lane in lanes),
        }
        | fields
    )
    here = conversation.turns[turn]
    here = dataclasses.replace(here, verdicts=(*here.verdicts, verdict))
    turns = (*conversation.turns[:turn], here, *conversation.turns[turn + 1 :])
    return dataclasses.replace(conversation, turns=turns)


def win(conversation: Conversation, turn: int, winner: int, **fields: Any) -> Conversation:
    return judged(conversation, turn, outcome="win", winner=winner, **fields)
