"""Build judge calls from server responses, stored replies, or identical calls recorded for other lanes."""

from __future__ import annotations

import dataclasses

from playground.judging.client import Response
from playground.judging.parse.reply import read_reply
from playground.rubrics.rubric import Rubric
from playground.types import JudgeCall


def reuse_call(call: JudgeCall, shown: tuple[int, ...]) -> JudgeCall:
    """Copy a recorded call for lanes that have the same answers, and mark the copy as cached.

    Args:
        call: the recorded call.
        shown: the lanes of the copy, in the order in which their answers appear in the recorded call.
    """
    winner = None if call.winner is None else shown[call.shown.index(call.winner)]
    return dataclasses.replace(call, shown=shown, winner=winner, cached=True)


def read_response(rubric: Rubric, shown: tuple[int, ...], response: Response) -> JudgeCall:
    """Convert a server response to a judge call, and parse the verdict if the response contains a reply."""
    call = JudgeCall(
        shown=shown,
        outcome=response.outcome or "unparsable",
        error=response.error,
        messages=response.messages,
        parameters=response.parameters,
        raw=response.raw,
        finish=response.finish,
        prompt_tokens=response.prompt_tokens,
        new_tokens=response.new_tokens,
        seconds=response.seconds,
    )
    if response.outcome is not None or response.raw is None:
        return call
    return _read(rubric, call, response.raw)


def reread_call(rubric: Rubric, call: JudgeCall) -> JudgeCall | None:
    """Parse a recorded call's reply again with the current parser.

    Return None if the reply contains no verdict. Return a call without a reply unchanged.
    """
    if call.raw is None:
        return call
    unread = dataclasses.replace(call, outcome="unparsable", winner=None, score=None, aspects=(), error=None)
    again = _read(rubric, unread, call.raw)
    return None if again.outcome == "unparsable" else again


def _read(rubric: Rubric, call: JudgeCall, raw: str) -> JudgeCall:
    """Return a copy of `call` with the verdict parsed from its reply."""
    reading = read_reply(rubric, raw)
    call = dataclasses.replace(call, reason=reading.reason)
    if reading.error is not None:
        return dataclasses.replace(call, error=f"{reading.error} Read the judge's reply, or judge again.")
    if reading.letter is not None:
        if reading.letter == "tie":
            return dataclasses.replace(call, outcome="tie")
        return dataclasses.replace(call, outcome="win", winner=call.shown["AB".index(reading.letter)])
    rated = [aspect.score for aspect in reading.aspects if aspect.score is not None]
    mean = sum(rated) / len(rated) if rated else None
    return dataclasses.replace(
        call,
        outcome="scored",
        score=mean if reading.score is None else reading.score,
        aspects=reading.aspects,
    )
