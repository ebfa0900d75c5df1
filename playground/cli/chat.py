"""`chat`: send messages to lanes and print their answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import typer

from playground.cli.exits import BAD_INPUT, FAILURE, fail
from playground.cli.options import Json, PresetOptions, refuse_plainly
from playground.cli.output import print_json
from playground.config import Settings
from playground.context_fit import describe_left_out
from playground.lanes.variant import parse_lanes
from playground.session import Session
from playground.start import open_session, read_cards
from playground.terminal import print_error, print_text
from playground.types import Conversation, InputError, Sampling, Status, Turn
from playground.types.chat_json import chat_json
from playground.words import count_things, format_number, format_seconds


def _sampling_option(name: str, help: str) -> Any:
    """Create a command-line option for a field of `Sampling`."""

    def read(text: str) -> Any:
        return getattr(Sampling.parse({name: text}), name)

    return typer.Option(parser=refuse_plainly(read), help=help)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """Decoding parameters given on the command line.

    None selects the preset's value or, if there is no preset, the default.
    """

    temperature: Annotated[
        float | None, _sampling_option("temperature", "Temperature; 0 is greedy decoding.")
    ] = None
    top_p: Annotated[float | None, _sampling_option("top_p", "Nucleus sampling threshold, in (0, 1].")] = None
    top_k: Annotated[
        int | None, _sampling_option("top_k", "Number of most likely tokens to keep; 0 is off.")
    ] = None
    min_p: Annotated[
        float | None,
        _sampling_option("min_p", "Minimum probability relative to the top token, in [0, 1); 0 is off."),
    ] = None
    repetition_penalty: Annotated[
        float | None, _sampling_option("repetition_penalty", "Repetition penalty; 1 is off.")
    ] = None
    max_new_tokens: Annotated[
        int | None, _sampling_option("max_new_tokens", "Maximum number of tokens per answer.")
    ] = None
    penalty_scope: Annotated[
        str | None,
        _sampling_option(
            "penalty_scope", "Tokens to which the penalty applies: all (prompt and answer) or answer."
        ),
    ] = None
    seed: Annotated[int | None, _sampling_option("seed", "Random seed for sampling.")] = None
    stop: Annotated[list[str] | None, typer.Option(help="Stop sequence that ends an answer; repeatable.")] = (
        None
    )

    def apply_to(self, suggested: Sampling) -> Sampling:
        """Return a copy of `suggested`, overridden by the parameters given on the command line.

        Stop sequences in `suggested` are dropped even if none are given on the command line.
        """
        given = {name: value for name, value in vars(self).items() if value is not None}
        return dataclasses.replace(suggested, **given | {"stop": tuple(self.stop or ())})


def chat(
    messages: Annotated[list[str], typer.Argument(help="User messages, one per turn.")],
    *,
    lane: Annotated[
        list[str] | None,
        typer.Option(help="Lane: NAME or NAME:key=value,...; repeatable. Default: base, urial."),
    ] = None,
    sampling: SamplingOptions,
    start: Annotated[str, typer.Option(help="Prefill: text that every answer starts with.")] = "",
    json_output: Json = False,
    model: PresetOptions,
) -> None:
    """Send MESSAGES to every lane, one message at a time."""
    if any(not message.strip() for message in messages):
        raise InputError("A message is empty: enter text for every message.")
    settings = model.read_settings()
    session = open_session(settings)
    try:
        read_cards(settings, session.library, session.engine)
        conversation = open_conversation(session, lane, sampling)
        for message in messages:
            conversation = send(session, conversation, message, show=not json_output, start=start)
    finally:
        session.close()
    if (unsaved := session.unsaved_reason(conversation.id)) is not None:
        print_error(unsaved)
    if json_output:
        print_json(chat_json(conversation))
    status = session.status()
    unanswered = find_unanswered(conversation)
    # A server that was lost is reported by its lanes, because this command does not try it again.
    has_failed = status.state == "failed" and not status.is_retrying
    # The sentence that is printed last, by `fail` or by `exit_if_unanswered`.
    final = unanswered[0].answers[0].reply.error if unanswered else None
    final = status.note if has_failed else final
    print_warnings(status, settings, session.library.refused, {final})
    if has_failed:
        fail(status.note, FAILURE)
    exit_if_unanswered(conversation)


def open_conversation(
    session: Session, lanes: Sequence[str] | None, sampling: SamplingOptions
) -> Conversation:
    """Create a conversation with the given lanes.

    By default, the conversation has a lane for each of the preset's adapters (or for the base, if the preset
    has no adapters) and a URIAL lane.
    """
    suggested = session.library.preset
    decoding = sampling.apply_to(suggested.sampling if suggested else Sampling())
    own = [adapter.name for adapter in suggested.adapters] if suggested else []
    specs = lanes or [*(own or ["base"]), "urial"]
    return session.new(parse_lanes(specs, partial(session.variant, sampling=decoding)))


def send(
    session: Session, conversation: Conversation, message: str, show: bool, start: str = ""
) -> Conversation:
    """Send a message and wait for all answers. If `show` is set, print the turn."""
    for snapshot in session.send(conversation, message, prefill=start):
        conversation = snapshot
    if show:
        print_turn(conversation.turns[-1])
    return conversation


def print_turn(turn: Turn) -> None:
    """Print a turn as plain text, lane by lane."""
    print_text(f"> {turn.user}\n")
    for answer in turn.answers:
        reply = answer.reply
        print_text(f"[{answer.variant}] {reply.error or answer.text}")
        if answer.request and (left_out := answer.request.left_out):
            print_text(f"    {describe_left_out(left_out)}")
        if reply.finish != "error":
            about = "about " if reply.is_estimated else ""
            length, time = count_things(reply.new_tokens, "token"), format_seconds(reply.seconds or 0.0)
            cached = "" if reply.cached_tokens is None else f", {format_number(reply.cached_tokens)} cached"
            prompt = "" if reply.prompt_tokens is None else f", prompt {about}{reply.prompt_tokens:,}{cached}"
            print_text(f"    {reply.finish}, {about}{length} in {time}{prompt}")
        for note in reply.notes:
            print_text(f"    {note}")
        print_text()


def exit_if_unanswered(conversation: Conversation) -> None:
    """Exit with an error status if every lane in a turn failed.

    The status is 2 (invalid input) if no request could be built from the messages, for example because they
    do not fit the context, and 1 (failure) otherwise.
    """
    failed = find_unanswered(conversation)
    if not failed:
        return
    answers = [answer for turn in failed for answer in turn.answers]
    number = conversation.turns.index(failed[0]) + 1
    is_bad_input = all(answer.request is None for answer in answers)
    fail(
        f"No lane answered message {number}: {answers[0].reply.error}",
        BAD_INPUT if is_bad_input else FAILURE,
    )


def find_unanswered(conversation: Conversation) -> list[Turn]:
    """Return the turns in which every lane failed."""
    return [turn for turn in conversation.turns if all(answer.reply.error for answer in turn.answers)]


def print_warnings(
    status: Status, settings: Settings, refused: Mapping[str, str], reported: Container[str | None] = ()
) -> None:
    """Print warnings about the configured base model and adapters to standard error, without duplicates.

    Args:
        reported: warnings that are reported elsewhere and must not be printed again.
    """
    named = {name for name, _ in settings.adapters}
    adapters = [entry for entry in status.adapters if entry.card.name in named]
    reasons = [entry.error or entry.warning for entry in adapters]
    for sentence in dict.fromkeys((*status.warnings, *refused.values(), *reasons)):
        if sentence and sentence not in reported:
            print_error(sentence)
