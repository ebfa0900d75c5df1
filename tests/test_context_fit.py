"""Tests for splitting prompts into parts, counting tokens and shortening prompts that exceed the context."""

from __future__ import annotations

import dataclasses
import re

import pytest

from playground import context_fit
from playground.aligners import chat, ift, raw, urial
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.types import (
    ChatFormat,
    Demo,
    DemoSet,
    InputError,
    Message,
    Prompt,
    Sampling,
    Token,
    Variant,
    request_from_json,
    to_json,
)
from playground.types.variants import Overflow
from tests.helpers.checked import there

TALK = [
    Message(role="user", text="first question"),
    Message(role="assistant", text="first answer"),
    Message(role="user", text="second question"),
    Message(role="assistant", text="second answer"),
    Message(role="user", text="third question"),
]
DEMOS = DemoSet(
    name="words",
    instruction="Do as shown.",
    demos=tuple(Demo(query=f"query {n}", answer=f"answer {n}") for n in range(1, 5)),
)
CHATML = ChatFormat(
    template="{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def count(prompt: Prompt) -> int:
    """Words, as tokens."""
    return len(prompt.text.split())


def lane(overflow: Overflow = "refuse", k: int = 4, most: int = 2) -> Variant:
    aligner = urial.Aligner(demos=DEMOS.take(k), k=k)
    return Variant(name="urial", aligner=aligner, sampling=Sampling(max_new_tokens=most), overflow=overflow)


def cut(prompt: Prompt) -> list[tuple[str, int | None, str]]:
    """(kind, number, text) of each part."""
    starts = [0, *(part.end for part in prompt.parts)]
    return [
        (part.kind, part.number, prompt.text[start : part.end])
        for start, part in zip(starts, prompt.parts, strict=False)
    ]


def test_the_parts_of_a_urial_prompt_are_its_text_in_order() -> None:
    parts = cut(lane(k=2).aligner(TALK))
    assert [(kind, number) for kind, number, _ in parts] == [
        ("instruction", None),
        ("demonstration", 1),
        ("demonstration", 2),
        ("history", 1),
        ("history", 1),
        ("history", 2),
        ("history", 2),
        ("message", None),
        ("cue", None),
    ]
    assert parts[1][2] == "\n# Query:\n```\nquery 1\n```\n\n# Answer:\n```\nanswer 1\n```\n"
    assert parts[5][2] == "\n# Query:\n```\nsecond question\n```\n"
    assert parts[-1][2] == "\n# Answer:\n```\n"
    assert "".join(text for _, _, text in parts) == lane(k=2).aligner(TALK).text


def test_a_published_text_is_cut_at_its_demonstrations_and_stays_what_it_is() -> None:
    text = (
        "Answer # Query: and such.\n\n# Query:\n```\nWhat?\n```\n\n# Answer:\n```\nThis.\n```\n\n\n"
        "Now another.\n\n# Query:\n```\nWhat?\n```\n\n# Answer:\n```\nThat.\n```"
    )
    demos = dataclasses.replace(DEMOS, text=text, demos=(Demo(query="What?", answer=None),) * 2)
    parts = cut(urial.Aligner(demos=demos)(TALK[:1]))
    assert "".join(text for _, _, text in parts[:3]) == text
    assert parts[0][2] == "Answer # Query: and such.\n\n"
    assert parts[1][2].startswith("# Query:\n```\nWhat?")
    assert parts[1][2].endswith("Now another.\n\n")
    assert [kind for kind, _, _ in parts[3:]] == ["message", "cue"]


def test_a_text_used_whole_is_one_part() -> None:
    demos = DemoSet(name="whole", instruction="", demos=(), text="Just prose.\n")
    assert cut(urial.Aligner(demos=demos)(TALK[:1]))[0] == ("text", None, "Just prose.\n")


def test_the_parts_of_a_chat_prompt_and_of_a_bare_one() -> None:
    parts = cut(ift.Aligner(adapter="a", format=CHATML)(TALK[:3]))
    assert parts == [
        ("history", None, "<user>first question\n<assistant>first answer\n"),
        ("message", None, "<user>second question\n"),
        ("cue", None, "<assistant>"),
    ]
    asking = ChatFormat(
        template="{% if add_generation_prompt %}Answer: {% endif %}{{ messages[-1].content }}"
    )
    assert cut(chat.Aligner(format=asking)(TALK)) == [("text", None, "Answer: third question")]
    assert [part[:2] for part in cut(raw.Aligner()(TALK[:3]))] == [
        ("history", 1),
        ("history", 1),
        ("message", None),
    ]


def test_every_token_is_counted_in_the_part_it_begins_in() -> None:
    prompt = lane(k=1).aligner(TALK[:1])
    tokens = [Token(id=0, piece="<s>", start=None)] + [
        Token(id=1, piece=word[0], start=word.start()) for word in re.finditer(r"\S+\s*", prompt.text)
    ]
    #  <s> Do as shown. | # Query: ``` query 1 ``` # Answer: ``` answer 1 ``` | # Query: ... | # Answer: ```
    assert context_fit.by_part(prompt, tokens) == [4, 12, 6, 3]


def test_a_lane_that_refuses_asks_as_long_as_one_token_is_free() -> None:
    whole = count(lane().aligner(TALK))
    assert context_fit.fit(lane(), TALK, count, whole + 1).left_out is None
    with pytest.raises(InputError) as caught:
        context_fit.fit(lane(), TALK, count, whole)
    most = max(k for k in range(5) if count(lane(k=k).aligner(TALK)) + 2 <= whole)
    assert str(caught.value) == (
        f"The prompt has {whole} tokens, but prompt and answer must fit in a context of {whole}: start a new "
        f"conversation, set k to at most {most} or let the lane drop the oldest turns "
        "(Set up, or overflow=drop-turns) or the last demonstrations (Set up, or overflow=drop-demos)."
    )


def test_the_oldest_turns_are_left_out_and_no_more_than_needed() -> None:
    without_one = count(lane().aligner(TALK[2:]))
    request = context_fit.fit(lane("drop-turns"), TALK, count, without_one + 2)
    assert request.prompt == lane().aligner(TALK[2:])
    left_out = there(request.left_out)
    assert (left_out.turns, left_out.demos) == (1, 0)
    assert left_out.tokens == count(lane().aligner(TALK))
    request = context_fit.fit(lane("drop-turns"), TALK, count, without_one + 1)
    assert there(request.left_out).turns == 2


def test_the_last_demonstrations_are_left_out_and_no_more_than_needed() -> None:
    context = count(lane(k=2).aligner(TALK)) + 2
    request = context_fit.fit(lane("drop-demos"), TALK, count, context)
    assert request.prompt == lane(k=2).aligner(TALK)
    left_out = there(request.left_out)
    assert (left_out.turns, left_out.demos) == (0, 2)


@pytest.mark.parametrize("overflow", ["drop-turns", "drop-demos"])
def test_what_fits_is_asked_whole_and_what_never_fits_is_refused(overflow: Overflow) -> None:
    whole = count(lane().aligner(TALK))
    assert context_fit.fit(lane(overflow), TALK, count, whole + 2).left_out is None
    with pytest.raises(InputError, match="The prompt has"):
        context_fit.fit(lane(overflow), TALK, count, 5)


def refusal(variant: Variant, messages: list[Message], context: int) -> str:
    """The error for a prompt that does not fit, from the colon on."""
    with pytest.raises(InputError) as caught:
        context_fit.fit(variant, messages, count, context)
    return str(caught.value).split(": ", 1)[1]


def test_the_advice_helps_with_the_part_that_is_too_long() -> None:
    bare = Variant(name="base", aligner=raw.Aligner(), sampling=Sampling(max_new_tokens=1))
    dropping = dataclasses.replace(bare, overflow="drop-turns")
    long = [Message(role="user", text="word " * 1200)]

    # The message: nothing but a shorter one helps, with and without demonstrations and history.
    assert refusal(bare, long, 1000) == "shorten the message by about 201 tokens."
    alone = count(lane(k=0).aligner(long))
    expected = (
        f"the message alone has {alone:,} of them, so shorten the message by about {alone - 998} tokens."
    )
    assert refusal(lane(), long, 1000) == expected
    assert refusal(lane(), [*TALK[:2], *long], 1000) == expected
    assert refusal(dropping, [*TALK[:2], *long], 1000).endswith("shorten the message by about 201 tokens.")

    # The demonstrations: fewer of them, or a shorter message.
    context = count(lane(k=2).aligner(TALK[:1])) + 2
    assert refusal(lane(), TALK[:1], context) == (
        "shorten the message, set k to at most 2 or let the lane drop the last demonstrations "
        "(Set up, or overflow=drop-demos)."
    )

    # The history: a new conversation, or the lane drops turns.
    expected = (
        "start a new conversation or let the lane drop the oldest turns (Set up, or overflow=drop-turns)."
    )
    assert refusal(bare, TALK, 6) == expected
    assert there(context_fit.fit(dropping, TALK, count, 4).left_out).turns == 2
    # It has no demonstrations to leave out, which changes nothing.
    assert refusal(dataclasses.replace(bare, overflow="drop-demos"), TALK, 6) == "start a new conversation."

    # Both the history and the demonstrations.
    long_talk = [TALK[0], Message(role="assistant", text="word " * 90), TALK[2]]
    assert refusal(lane(), long_talk, count(lane(k=1).aligner(TALK[:1])) + 2) == (
        "start a new conversation with fewer demonstrations."
    )


@pytest.mark.parametrize("overflow", ["refuse", "drop-turns", "drop-demos"])
@pytest.mark.parametrize("words", [1, 40, 400])
@pytest.mark.parametrize("turns", [0, 1, 2])
def test_every_number_of_the_advice_is_right(overflow: Overflow, words: int, turns: int) -> None:
    messages = [*TALK[: 2 * turns], Message(role="user", text=" ".join(["word"] * words))]
    for context in (30, 60, 120, 300):
        variant = lane(overflow)
        try:
            context_fit.fit(variant, messages, count, context)
        except InputError as error:
            advice = str(error).split(": ", 1)[1]
        else:
            continue
        if "new conversation" in advice and "with fewer" not in advice:
            context_fit.fit(variant, messages[-1:], count, context)
        if found := re.search(r"k to at most (\d+)", advice):
            context_fit.fit(lane(overflow, k=int(found[1])), messages, count, context)
        if found := re.search(r"about ([\d,]+) token", advice):
            shorter = " ".join(["word"] * (words - int(found[1].replace(",", ""))))
            context_fit.fit(lane(overflow, k=0), [Message(role="user", text=shorter)], count, context)


def test_fewer_of_demonstrations_that_the_message_chooses() -> None:
    chosen = parse_lane("urial:demos=general-50,k=4,pick=nearest", Library.open("models/pocket")).aligner
    assert chosen.demonstration_count == 4
    fewer = chosen.with_fewer_demonstrations(2)
    message = [Message(role="user", text="Write a poem about the sea.")]
    assert [choice.number for choice in fewer.select_demonstrations(message)] == [
        choice.number for choice in chosen.select_demonstrations(message)[2:]
    ]


def test_what_was_left_out_and_the_parts_survive_the_record() -> None:
    request = context_fit.fit(lane("drop-turns"), TALK, count, count(lane().aligner(TALK)))
    again = request_from_json(to_json(request))
    assert again == request
    assert again.prompt.parts == request.prompt.parts != ()
    old = to_json(request)
    del old["left_out"], old["prompt"]["parts"]
    assert request_from_json(old).prompt == request.prompt


def test_the_overflow_choice_is_a_lane_s_option() -> None:
    library = Library.open("models/pocket")
    assert parse_lane("urial:overflow=drop-turns", library).overflow == "drop-turns"
    plain, dropping = (parse_lane(spec, library) for spec in ("base", "base:overflow=drop-turns"))
    assert plain.recipe != dropping.recipe
    with pytest.raises(InputError, match="overflow must be one of refuse, drop-turns, drop-demos"):
        parse_lane("base:overflow=cut", library)
