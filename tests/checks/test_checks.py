"""Tests for the heuristic answer checks: no false positives on good answers, correct warnings on bad ones."""

from __future__ import annotations

# ruff: noqa: RUF001 - answers in other scripts are among them
import dataclasses
import random
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.aligners import chat, raw, urial
from playground.checks import Finding, check, text_after
from playground.checks.leaks import find_own_header
from playground.checks.repetition import LOOP_WORDS
from playground.engine.text import Cutter
from playground.library import Library
from playground.library.probes import read_probes
from playground.types import (
    Aligner,
    Answer,
    ChatFormat,
    DemoSet,
    Message,
    Prompt,
    Reply,
    Request,
    Sampling,
)
from playground.types.replies import Finish
from tests.helpers.checked import request_of, there
from tests.helpers.paths import ROOT

PROBES = ROOT / "prompts" / "probes"
CHATML = ChatFormat(
    template="{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n",
    eos_token="<|im_end|>",
)
HEADINGS = ChatFormat(
    template="<s>{% for m in messages %}### {{ m['role'].capitalize() }}\n{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}### Assistant\n{% endif %}",
    bos_token="<s>",
    eos_token="</s>",
)


def family(format: str) -> urial.Aligner:
    return urial.Aligner(demos=DemoSet(name="none", instruction="", demos=(), format=format))


LANES: dict[str, Aligner] = {
    "base": raw.Aligner(),
    "fenced": family("fenced"),
    "v4": family("v4"),
    "v5": family("v5"),
    "chatml": chat.Aligner(format=CHATML),
    "headings": chat.Aligner(format=HEADINGS),
}
CLOSINGS = {"fenced": "\n```\n\n# Query:\n", "v4": "\n\nUser:\n", "v5": "\n\n# User:\n"}


def answered(lane: str, said: str | Sequence[str], written: str, finish: Finish = "stop") -> Answer:
    """The answer that a lane gives to the messages `said`, the last one new, when its model has `written`."""
    messages = [
        Message(role="assistant" if at % 2 else "user", text=text)
        for at, text in enumerate([said] if isinstance(said, str) else said)
    ]
    prompt = LANES[lane](messages)
    cutter = Cutter(prompt.stop)
    text = cutter.feed(written) + cutter.finish()
    reply = Reply(text=text, raw_text=cutter.raw, finish=finish, new_tokens=256)
    return Answer(variant=lane, request=Request(prompt=prompt, sampling=Sampling()), reply=reply)


def kinds(answer: Answer) -> list[str]:
    return [finding.kind for finding in check(answer)]


# --- Good answers ---------------------------------------------------------------------------------

GOOD = {
    "a fact": ("What is the capital of France?", "Paris."),
    "a numbered list": (
        "Give me three tips for better sleep.",
        "1. Go to bed at the same time every day.\n2. Keep the room cool and dark.\n3. Leave your phone in "
        "another room.",
    ),
    "a list with the same beginnings": (
        "What makes a good friend?",
        "\n".join(
            f"- A good friend is someone who {what}."
            for what in (
                "listens",
                "keeps a secret",
                "tells you the truth",
                "forgives",
                "remembers your birthday",
                "laughs with you",
                "stays when it rains",
                "lets you be quiet",
                "asks how it went",
            )
        ),
    ),
    "a poem with a refrain": (
        "Write a poem about the sea.",
        "\n\n".join(
            f"{line}\nAnd the sea goes on, the sea goes on,\nand the sea goes on, the sea goes on."
            for line in (
                "The harbour sleeps at break of day,",
                "The gulls have had their word to say,",
                "The lamps are out along the quay,",
                "The tide has taken yesterday,",
                "And you are far away from me,",
            )
        ),
    ),
    "a nursery rhyme": (
        "Do you know the one about the bus?",
        "The wheels on our bus roll on and on, on and on, on and on.\nThe wipers there go swish swish swish, "
        "swish swish swish, swish swish swish.\nThe baby says wah wah wah, wah wah wah, wah wah wah!",
    ),
    "laughter": ("I fell off my chair.", "Ha ha ha ha ha ha ha ha! Hahahahahahahahahaha! Are you all right?"),
    "lalala": ("Sing something.", "La la la la la, la la la la la, la la la la la la la. That was it!"),
    "a long vowel": ("Scream.", "A" * 60 + "rgh! " + "No" + "o" * 40 + "!!!!!!!!!!!!!!!!!!!!!!!!!!!!"),
    "very, very": ("How big is space?", "Very, very, very, very, very, very big."),
    "a Python function": (
        "Write a function that adds two numbers.",
        "```python\ndef add(a, b):\n    return a + b\n```\n\nCall it as `add(1, 2)`.",
    ),
    "code alone": ("Print hello in C.", '```c\n#include <stdio.h>\nint main(void) { puts("hello"); }\n```'),
    "code with comments that look like headers": (
        "Sort the table, and say in the code what is what.",
        "```python\n# Query:\nrows = table.all()\n\n# Answer:\nprint(sorted(rows))\n# "
        "Query:\n```\n\nThat is all.",
    ),
    "code that ends in such a comment": (
        "Show all of it.",
        "```python\n# Query:\nx = 1\n# Answer:\n```",
    ),
    "rows of zeros": (
        "Make an empty board.",
        "```python\nboard = [\n" + "    [None, None, None, None, None, None, None, None],\n" * 8 + "]\n```",
    ),
    "an HTML table with empty cells": (
        "I need an empty table in HTML.",
        "```html\n<table>\n"
        + "  <tr><td></td><td></td><td></td><td></td><td></td></tr>\n" * 9
        + "</table>\n```",
    ),
    "JSON of equal shape": (
        "Give me ten points on the diagonal as JSON.",
        "["
        + ",\n ".join(f'{{"x": {n}, "y": {n}, "color": "red", "size": "small"}}' for n in range(20))
        + "]",
    ),
    "a table": (
        "Compare four phones.",
        "| phone | camera | radio | card | light |\n|---|---|---|---|---|\n"
        + "".join(f"| {name} | yes | yes | yes | yes |\n" for name in "ABCDEFGHIJKL"),
    ),
    "a table of rows that are equal": (
        "My plan for twelve free days?",
        "| morning | noon | evening | night |\n|---|---|---|---|\n" + "| rest | rest | rest | rest |\n" * 12,
    ),
    "a multiplication table": (
        "The table of seven, please.",
        "\n".join(f"7 times {n} is {7 * n}" for n in range(1, 31)),
    ),
    "days of a plan": (
        "When do I water the cactus?",
        "\n".join(f"Day {n}: do not water it" for n in range(1, 31)) + "\nDay 31: water it a little",
    ),
    "digits": ("One third as a decimal?", "0." + "3" * 300 + "..., and 1/7 is 0." + "142857" * 40 + "..."),
    "numbers": ("Thirty zeros, please.", "0 " * 60 + "0 and 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1"),
    "a drawn line": (
        "Separate the two parts.",
        f"Part one.\n\n{'-' * 140}\n\nPart two.\n\n{'= ' * 70}\n\nEnd.",
    ),
    "formulas in Greek letters": (
        "What is the law of cosines?",
        "For sides a, b, c and the angle γ: c² = a² + b² − 2ab·cos γ. In the same way α and β give "
        "a² and b². "
        "So α + β + γ = π, and δ, ε, ζ, η, θ, κ, λ, μ, ν, ξ, ρ, σ, τ, φ, χ, ψ, ω are left.",
    ),
    "LaTeX": ("The quadratic formula?", "$$x = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2a}$$ where $a \\neq 0$."),
    "a dialogue that was asked for": (
        "Write a dialogue between a user and an assistant about a lost parcel.",
        "Of course.\n\nUser: My parcel is lost, can you help me?\nAssistant: When was it sent?\n\n"
        "User: On Monday, by the red van.\nAssistant: Then it is on its way.",
    ),
    "a dialogue after a colon": (
        "How would that go?",
        "It could go like this:\n\nUser: Where can I find my old invoices?\n\nAssistant: Under Orders.",
    ),
    "a dialogue under a title": (
        "Un texto corto, por favor.",
        "El paquete perdido\n\nUser: Mi paquete no ha llegado todavía.\n\nAssistant: Lo siento mucho.",
    ),
    "a story with direct speech": (
        "A short tale about a computer.",
        'The screen lit up.\n\n"User: please state your name and your wish," it said.\n\n"Human: '
        "none of your "
        'business," she typed back, and the fan stopped. "Assistant: that is a pity," said the screen.',
    ),
    "a form": (
        "How do I reach the server?",
        "Use these values.\n\nUser: alice smith from sales\nHost: example.org\nPort: 22\n\nThen "
        "press Connect.",
    ),
    "headings of a data model": (
        "Which tables do I need?",
        "You need two of them.\n\n### User\nOne row for each person, with a name.\n\n### Order\nOne "
        "row for each "
        "sale.",
    ),
    "an explanation of fences": (
        "How do I write a code block?",
        "In Markdown, put three backticks on a line of their own before the code and again after "
        "it:\n\n````\n```\n"
        "code\n```\n````\n\nInside a line, one backtick on each side is enough.",
    ),
    "an explanation that shows one fence": (
        "How do I begin one?",
        "You begin it with a line of three backticks, perhaps with the language after "
        "them:\n\n```python\n\nand you "
        "end it the same way.",
    ),
    "an explanation of control tokens": (
        "How does my server know where an answer ends?",
        "A model in this format ends with `<|im_end|>`, and others with `</s>`:\n\n```\n<|im_start|>user\nHi"
        "<|im_end|>\n```\n\nThe markers [INST] and [/INST] belong to another family, and <|user|> "
        "to a third.",
    ),
    "markup by hand": (
        "Cross out the old price.",
        "<s>20 euros</s>\n15 euros\n<s>\n30 euros\n</s>\n25 euros",
    ),
    "a translation": ("Translate 'good morning, dear friends' into Russian.", "Доброе утро, дорогие друзья!"),
    "a translation in another language": ("Wie heißt das auf Griechisch?", "Καλημέρα σας, αγαπητοί φίλοι."),
    "a later turn of a translation": (
        ["Say hello to my friends in Japanese.", "こんにちは、みなさん。", "And good night?"],
        "おやすみなさい、みなさん。また明日会いましょう。",
    ),
    "an answer in the message's script": (
        "Как тебя зовут, друг?",
        "У меня нет имени, но ты можешь его дать.",
    ),
    "a poem that is quoted": (
        "Which German poem about autumn do you like?",
        "Der Sommer ist vorbei, und auf den Wiesen ist es nicht mehr warm, und ich bin auch nicht mehr jung.",
    ),
    "a few foreign words": (
        "What does the motto of that school say?",
        "It says \u201cIl vaut mieux \u00eatre que para\u00eetre\u201d: it is better to be than to seem.",
    ),
    "code in a language with such words": (
        "How do I count the lines and the words of it?",
        "```sh\nfor el in los las el; do echo es y el; done\n```",
    ),
    "a few words in another script": (
        "What is the Kremlin?",
        "The Kremlin (Московский Кремль) is a fortress in the middle of Moscow, by the river.",
    ),
    "accents": (
        "Wie geht's?",
        "Danke, gut! Möchtest du über Käse, Äpfel oder Öl reden? Ça va, señor Łukasz?",
    ),
    "emoji": ("Cheer me up.", "🎉🎉🎉🎉🎉 You can do it! 😀👩‍💻❤️ " + "⭐" * 60),
    "a note that declines": (
        "Write a short note to Anna: I can't help with the move.",
        "Dear Anna, I'm sorry, but I can't help you with the move on Saturday. Good luck! Tom",
    ),
    "a regret": ("My dog died.", "I'm sorry to hear that. I can't imagine how much you miss him."),
    "a mistake that is not there": (
        "Find the mistake in my proof.",
        "I'm sorry, but I can't find one: every step follows from the one before it.",
    ),
    "a lack of senses": (
        "Do you like coffee?",
        "As an AI, I can't taste it, but many people love its smell. I cannot recommend it after "
        "six, though.",
    ),
    "an answer with a label": ("What is 6 times 7? Give the answer at the end.", "Answer: 42"),
    "questions and answers": (
        "Make three cards for learning about birds.",
        "Q: Which bird cannot fly?\nA: The ostrich.\n\nQ: Which one is small?\nA: The wren.\n\nQ: "
        "And white?\n"
        "A: The swan.",
    ),
    "a recipe": (
        "How do I boil an egg?",
        "### Ingredients\n- one egg\n- water\n\n### Instructions\nBoil the water. Put the egg "
        "in.\n\n### Notes\n"
        "Seven minutes.",
    ),
    "what was asked to be repeated": (
        "Write 'I will not be late again' 20 times.",
        "\n".join(f"{n}. I will not be late again." for n in range(1, 21)),
    ),
    "chess": ("Show me a draw.", "1. Nf3 Nf6 2. Ng1 Ng8 3. Nf3 Nf6 4. Ng1 Ng8 5. Nf3 Nf6, and it is a draw."),
}

ASKED = {"a dialogue that was asked for", "a translation", "a translation in another language"} | {
    "a later turn of a translation",
    "what was asked to be repeated",
    "an answer in the message's script",
}
"""Answers that are good because of what was asked."""


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name", GOOD)
def test_a_good_answer_gives_no_warning(name: str, lane: str) -> None:
    said, text = GOOD[name]
    answer = answered(lane, said, text + CLOSINGS.get(lane, ""))
    assert answer.reply.text.strip().startswith(text.strip())
    assert kinds(answer) == []


@pytest.mark.parametrize("name", sorted(GOOD.keys() - ASKED))
def test_most_good_answers_do_not_need_their_question(name: str) -> None:
    for lane in LANES:
        assert kinds(answered(lane, "Go on.", GOOD[name][1])) == []


def test_demonstrations_and_right_answers_give_no_warning_but_refusals() -> None:
    library = Library.open("models/pocket")
    exchanges = [
        (exchange.query, exchange.answer)
        for demos in library.demo_sets.values()
        for demo in demos.demos
        for exchange in demo.exchanges
    ]
    for path in sorted(PROBES.glob("*.jsonl")):
        for probe in read_probes(path):
            exchanges += zip(probe.turns, probe.reference, strict=True)
    refused = set()
    for query, text in exchanges:
        for lane in LANES:
            found = kinds(answered(lane, query, text or "Yes."))
            assert set(found) <= {"refusal"}, (query, text)
            refused |= {text} if found else set()
    assert len(exchanges) > 100
    assert all(text and text.startswith(("I can't help", "I won't help")) for text in refused)
    assert refused


# --- Bad ones -------------------------------------------------------------------------------------

DOCTOR = "I am a doctor and I like to read books. "
BAD: dict[str, tuple[str, str | list[str], str, Finish, list[str]]] = {
    "a sentence over and over": ("base", "Who are you?", DOCTOR * 9, "length", ["cut", "loop"]),
    "a loop that ends by itself": ("chatml", "Who are you?", f"Well. {DOCTOR * 5}", "stop", ["loop"]),
    "a line over and over": ("fenced", "Hi", "The square of 12 is 144.\n" * 7, "stop", ["loop"]),
    "numbered lines": (
        "base",
        "Tips?",
        "\n".join(f"{n}. Drink a glass of water every day." for n in range(1, 9)),
        "stop",
        ["loop"],
    ),
    "one word": ("base", "Hi", "It is " + "the " * 80, "length", ["cut", "loop"]),
    "a loop in another case": ("base", "Hi", "Stop it now! STOP IT NOW, " * 9, "stop", ["loop"]),
    "without a space": ("base", "Hi", "Oh, " + "hello" * 60, "length", ["cut", "loop"]),
    "in Chinese characters": ("base", "你好", "我不知道。" * 12, "length", ["cut", "loop"]),
    "a line that the limit cut": ("base", "Hi", "So:\n" + "-" * 250, "length", ["cut", "loop"]),
    "signs, where a question was to be repeated": (
        "base",
        "Repeat my first question.",
        'Your first question was: "' + '"' * 200,
        "length",
        ["cut", "loop"],
    ),
    "a loop in code": ("chatml", "Code?", "```\n" + "print('a b c')\n" * 30, "length", ["cut", "loop"]),
    "an invented query in a chat format": (
        "headings",
        "Hi",
        "Paris.\n\n### User\nAnd Rome?\n\n### Assistant\nTwo.",
        "stop",
        ["query"],
    ),
    "a user of no known format": (
        "base",
        "What is Paris?",
        "A city.\n\nUser: And what is Rome?\n\nAssistant: Another.",
        "stop",
        ["query"],
    ),
    "a human": ("chatml", "Capital?", "Paris.\n\nHuman: Thank you so much!", "stop", ["query"]),
    "the answer's own header": (
        "fenced",
        "Hi",
        "# Answer:\n```\nParis.\n```\n```\n\n# Query:\n",
        "stop",
        ["header"],
    ),
    "Assistant:": ("base", "Hi", "Assistant: Hello, how are you?", "stop", ["header"]),
    "a fence and more": ("fenced", "Hi", "Paris.\n```\nIt is a city in France.", "stop", ["fence"]),
    "the end of a turn": ("base", "Hi", "Paris.<|im_end|>\n<|im_start|>user\nRome?", "stop", ["token"]),
    "the end of a text": ("fenced", "Hi", "It is Paris. </s>\n```\n\n# Query:\n", "stop", ["token"]),
    "an instruction": ("chatml", "Hi", "Hello.\n[INST] What is Rome? [/INST] A city.", "stop", ["token"]),
    "cut off": ("base", "Hi", "Paris is a city which", "length", ["cut"]),
    "code that was cut off": ("fenced", "Hi", "Try:\n```python\nx = 1", "length", ["cut"]),
    "nothing": ("fenced", "Hi", "\n```\n\n# Query:\n", "stop", ["empty"]),
    "white space": ("base", "Hi", " \n", "stop", ["blank"]),
    "a refusal": (
        "base",
        "Pick a lock?",
        "I\u2019m sorry, but I can\u2019t help with that.",
        "stop",
        ["refusal"],
    ),
    "as an AI": (
        "chatml",
        "Pick a lock?",
        "As an AI language model, I cannot provide instructions on picking locks.",
        "stop",
        ["refusal"],
    ),
    "a plain refusal": (
        "base",
        "Pick a lock?",
        "I cannot fulfill your request. Ask me more.",
        "stop",
        ["refusal"],
    ),
    "Chinese": ("base", "Who are you?", "我是一个语言模型，可以回答问题。", "stop", ["language"]),
    "German": (
        "base",
        "Who are you, and what can you do for me?",
        "Ich bin ein Sprachmodell und kann Fragen beantworten. Das ist nicht immer leicht, aber wir sind da.",
        "stop",
        ["language"],
    ),
    "English to a Spanish message": (
        "chatml",
        "\u00bfD\u00f3nde est\u00e1 el museo, y por qu\u00e9 es famoso?",
        "The museum is in the middle of the city, and it is famous for that which you can see from the roof.",
        "stop",
        ["language"],
    ),
    "Russian": (
        "fenced",
        "Who are you?",
        "Я - модель, which отвечает на вопросы людей.",
        "stop",
        ["language"],
    ),
    "Arabic": ("chatml", "Who are you?", "أنا نموذج لغوي يمكنه الإجابة عن الأسئلة.", "stop", ["language"]),
    "Hindi": ("v4", "Who are you?", "मैं एक भाषा मॉडल हूँ और सवालों के जवाब देता हूँ।", "stop", ["language"]),
}


RECORDED = {
    "fence forgotten": (
        "fenced",
        "Paris.\n\n# Query:\n```\nWhat is Rome?\n```\n\n# Answer:\n```\nA city.",
    ),
    "blank line forgotten": ("fenced", "Paris.\n```\n# Query:\n```\nWhat is Rome?\n"),
    "header at the end": ("fenced", "Paris.\n\n# Query:"),
    "text on the header's line": ("fenced", "Paris.\n\n# Query: What is Rome?\n\nA city."),
    "another number of #": ("fenced", "Paris.\n\n## Query:\n```\nWhat is Rome?"),
    "without fences": ("v5", "Paris.\n# User:\nAnd Rome?\n# Assistant:\nTwo."),
    "without fences, text on the line": ("v5", "Paris.\n\n# User: And Rome?"),
}
"""Invented queries in answers that an earlier stop rule let through."""


@pytest.mark.parametrize("name", RECORDED)
def test_an_invented_query_in_a_recorded_answer_is_found_and_today_s_rule_ends_before_it(name: str) -> None:
    lane, written = RECORDED[name]
    answer = answered(lane, "Hi", written)
    assert answer.reply.text == "Paris."
    assert kinds(answer) == []
    reply = dataclasses.replace(answer.reply, text=written, raw_text=written)
    assert "query" in kinds(dataclasses.replace(answer, reply=reply))


CODE = st.sampled_from(
    [
        *(
            "```",
            "```python",
            "````",
            "",
            "# Query:",
            "# Query: all rows",
            "# Answer:",
            "# User:",
            "## User: x",
        ),
        *("Paris.", "See:", "three more words", "x = 1", "- item"),
    ]
)


@pytest.mark.parametrize("lane", ["fenced", "v5"])
@settings(max_examples=300, deadline=None)
@given(lines=st.lists(CODE, max_size=9))
def test_no_header_that_the_stop_rule_leaves_in_an_answer_is_called_an_invented_query(
    lane: str, lines: list[str]
) -> None:
    answer = answered(lane, "Hi", "\n".join(lines))
    headers = request_of(answer).prompt.stop.headers
    assert find_own_header(answer.text, request_of(answer).prompt, headers[:1], "Hi") is None


def test_by_the_papers_rule_the_closing_fence_stays_and_is_no_issue() -> None:
    prompt = dataclasses.replace(family("fenced"), stop="paper")([Message(role="user", text="Hi")])
    reply = Reply(text="Paris.\n```", raw_text="Paris.\n```\n\n# Query", finish="stop")
    assert check(Answer(variant="x", request=Request(prompt=prompt, sampling=Sampling()), reply=reply)) == ()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_gives_the_right_warning(name: str) -> None:
    lane, said, written, finish, expected = BAD[name]
    answer = answered(lane, said, written, finish)
    found = check(answer)
    assert sorted(kinds(answer)) == sorted(expected)
    for finding in found:
        assert 1 <= len(finding.label.split()) <= 3
        assert finding.sentence.endswith(".")
        if finding.kind not in ("empty", "blank", "cut", "language"):
            start, end = there(finding.span)
            assert 0 <= start < end <= len(answer.reply.text)


def only(
    lane: str, said: str | Sequence[str], written: str, finish: Finish = "stop"
) -> tuple[Finding, str | None]:
    answer = answered(lane, said, written, finish)
    (found,) = [finding for finding in check(answer) if finding.kind != "cut"]
    return found, answer.reply.text[slice(*found.span)] if found.span else None


@pytest.mark.parametrize(
    ("lane", "written", "warned"),
    [
        ("fenced", "Paris.\n\n# Answer:\nThe capital of France is Paris.", True),
        ("fenced", "Yes.\n# Answer:\nNo.", True),
        ("fenced", "Yes.\n\n# Answer\nNo, it is an ordinary heading.", False),
        ("fenced", "```text\n# Answer:\n42\n```", False),
        ("base", "Paris.\n\n# Answer:\n```\nParis\n```\n", True),
        ("chatml", "Paris.\n\n# Answer:\n```\nParis\n```", True),
        ("base", "Here it is.\n\n# Answer\nIt is 42.", False),
        ("base", "First the sum.\n\n# Answer:\nIt is 42.", False),
        ("chatml", "## Answer:\n```\n42\n```", False),
        ("v5", "Paris.\n# Assistant:\n\nParis", True),
    ],
)
def test_an_answer_header_is_a_leak_in_its_own_format_or_before_a_fence(
    lane: str, written: str, warned: bool
) -> None:
    assert ("header" in kinds(answered(lane, "What is the capital of France?", written))) == warned
    told = "What does the line # Answer: in a prompt mean?"
    assert "header" not in kinds(answered(lane, told, written))


@pytest.mark.parametrize("lane", ["base", "fenced"])
def test_an_answer_of_only_white_space_is_named(lane: str) -> None:
    answer = answered(lane, "Hi", " \n" * 200, "length")
    assert kinds(answer) == ["blank", "cut", "loop"]
    sentences = [finding.sentence for finding in check(answer)]
    assert sentences[0] == "The model generated 256 tokens, all of them white space."
    assert sentences[2] == "The same white space is repeated 200 times in a row."
    assert kinds(answered(lane, "Hi", "\n\n")) == ["blank"]
    assert kinds(answered(lane, "Hi", "")) == ["empty"]
    assert kinds(answered(lane, "Hi", " \n" * 200, "")) == [], "the answer may still become one"


def test_the_evidence_is_in_the_sentence_and_the_place_in_the_span() -> None:
    loop, where = only("base", "Hi", f"So. {DOCTOR * 6}I am", "length")
    assert (
        "The same 10 words are repeated 6 times in a row: \u201cI am a doctor and I like to read books\u201d"
        in loop.sentence
    )
    assert where == (DOCTOR * 6 + "I am").strip()
    piece, where = only("base", "Hi", "Oh, " + "he" * 70 + "!")
    assert "The same text is repeated 70 times in a row: \u201che\u201d." in piece.sentence
    assert where == "he" * 70
    _, where = only("base", "Hi", " I'm sorry, but I can't help with that. Ask a locksmith.")
    assert where == "I'm sorry, but I can't help with that."
    fence, where = only("fenced", "Hi", "a\n\n```sql\nb")
    assert (where, "line 3" in fence.sentence) == ("```sql", True)
    language, _ = only("base", "Who are you?", BAD["German"][2])
    assert (
        "The message is in English, but 8 words in the answer are common German words." in language.sentence
    )
    script, _ = only("base", "Hi", "Привет, как дела?")
    assert "100% of the answer's letters are Cyrillic" in script.sentence
    assert "at its limit of 256 tokens" in check(answered("base", "Hi", "x y", "length"))[0].sentence


def test_long_evidence_is_quoted_up_to_a_limit() -> None:
    written = f"Yes.\n\nUser: {' '.join(f'word{n}' for n in range(200))}"
    query, where = only("base", "Hi", written)
    assert len(query.sentence) < 150
    assert len(there(where)) > 900


@pytest.mark.parametrize("seed", range(30))
def test_a_run_is_found_wherever_it_stands_and_a_shorter_one_is_not(seed: int) -> None:
    dice = random.Random(seed)
    before = [f"b{n}" for n in range(dice.randrange(300))]
    behind = [f"e{n}" for n in range(dice.randrange(300))]
    unit = [f"u{n}" for n in range(dice.randrange(1, 60))]
    enough = max(4, -(-LOOP_WORDS // len(unit)))
    for times, expected in ((enough, ["loop"]), (enough - 1, [])):
        text = " ".join(before + unit * times + behind)
        answer = answered("base", "Hi", text)
        assert kinds(answer) == expected
        if expected:
            start, end = there(check(answer)[0].span)
            assert text[start:end] == " ".join(unit * times)


def test_a_query_in_an_answer_s_place_is_known_by_what_comes_after_it() -> None:
    found, where = only("fenced", "Hi", "What is Rome?\n```\n\n# Answer:\n")
    assert (found.kind, where) == ("query", "What is Rome?")
    assert "\u201c# Answer:\u201d" in found.sentence
    assert check(answered("fenced", "Hi", "Paris.\n```\n\n# Query:\n")) == ()
    # An engine that hears of the stop late has more of it.
    request = Request(prompt=LANES["fenced"]([Message(role="user", text="Hi")]), sampling=Sampling())
    for header, expected in (("Query", []), ("Answer", ["query"])):
        raw_text = f"Rome?\n```\n\n# {header}:\n```\nA city.\n```\n\n# Answer:"
        late = Reply(text="Rome?", raw_text=raw_text, finish="stop")
        assert kinds(Answer(variant="x", request=request, reply=late)) == expected


def test_what_needs_the_end_waits_for_it_and_a_failure_speaks_for_itself() -> None:
    assert check(answered("fenced", "Hi", "Try:\n```python\nx", "")) == ()
    assert check(answered("base", "Hi", "", "")) == ()
    assert check(answered("base", "Hi", "", "cancelled")) == ()
    failed = Answer(variant="x", request=None, reply=Reply(finish="error", error="No."))
    assert check(failed) == ()
    # A record of before prompts knew their parts.
    prompt = Prompt(text="# Query:\n```\nHi\n```\n\n# Answer:\n```\n", stop=LANES["fenced"]([]).stop)
    old = Answer(
        variant="x",
        request=Request(prompt=prompt, sampling=Sampling()),
        reply=Reply(text=DOCTOR * 9, raw_text=DOCTOR * 9, finish="stop"),
    )
    assert kinds(old) == ["loop"]


def test_what_came_after_the_answer_is_the_rest_of_the_raw_text() -> None:
    assert text_after(answered("fenced", "Hi", "\n Paris.\n```\n\n# Query:\n").reply) == "\n```\n\n# Query:\n"
    assert text_after(answered("base", "Hi", " Paris.\n").reply) == ""
    assert text_after(Reply(text="", raw_text=" \n")) == " \n"
    assert text_after(Reply(text="Paris.", raw_text="")) is None


def test_the_pace_of_a_reply_is_that_of_the_tokens_after_the_first() -> None:
    assert Reply(new_tokens=11, ttft=0.5, seconds=2.5).tokens_per_second == pytest.approx(5.0)
    for less in (
        Reply(new_tokens=1, ttft=0.5, seconds=0.5),
        Reply(new_tokens=9, ttft=0.5, seconds=0.5),
        Reply(new_tokens=9, seconds=3.0),
        Reply(new_tokens=9, ttft=0.5),
        Reply(),
    ):
        assert less.tokens_per_second is None


def prefilled(lane: str, start: str, written: str) -> Answer:
    prompt = LANES[lane]([Message(role="user", text="Hi")]).with_prefill(start)
    cutter = Cutter(prompt.stop, start)
    reply = Reply(text=cutter.feed(written) + cutter.finish(), raw_text=cutter.raw, finish="stop")
    return Answer(variant=lane, request=Request(prompt=prompt, sampling=Sampling()), reply=reply)


def test_a_prefilled_answer_is_checked_from_its_beginning() -> None:
    code = prefilled("fenced", "```python\n", "x = 1\n```\nThat is it.\n```\n\n# Query:\n")
    assert kinds(code) == []
    loop = prefilled("base", DOCTOR * 2, DOCTOR * 3)
    assert kinds(loop) == ["loop"]
    assert loop.text[slice(*there(check(loop)[0].span))] == (DOCTOR * 5).rstrip(". ")
    assert kinds(prefilled("base", "I'm sorry, but", " I can't help with that.")) == ["refusal"]
    assert kinds(prefilled("base", "I'm sorry, but I can't help with that.", " Ask a locksmith.")) == []


HOSTILE = [
    "`",
    "``` ",
    "```\n",
    "~~~\n",
    "` `` ",
    "</s>\n",
    "# Query:\n",
    "# Answer:\n```\n",
    "0 ",
    "a b ",
    "\n",
]


@pytest.mark.parametrize(
    "unit", [*HOSTILE, "User: a b c\n\n", ".\n\n", "|a|\n", "1. ", "ab", "\u0301", "A: ", "* "]
)
def test_hostile_text_takes_no_time(unit: str) -> None:
    text = (unit * 100_000)[:100_000] + "x"
    for lane in ("fenced", "v5", "headings"):
        answer = answered("base", "Hi", text)
        request = Request(prompt=LANES[lane]([Message(role="user", text="Hi")]), sampling=Sampling())
        began = time.thread_time()  # a processor's time, whatever else is running on it
        check(Answer(variant=lane, request=request, reply=answer.reply))
        assert time.thread_time() - began < 10


@pytest.mark.parametrize(
    "unit", [*HOSTILE, "x", "ab", "a_", "é", "<|", "[", "User: a b c\n\n", "1. ", "Aa: "]
)
def test_a_hostile_message_takes_no_time(unit: str) -> None:
    text = (unit * 30_000)[:30_000]
    for lane in ("fenced", "v5", "headings"):
        request = Request(prompt=LANES[lane]([Message(role="user", text=text)]), sampling=Sampling())
        for said in ("Paris.", text):
            began = time.thread_time()
            check(Answer(variant=lane, request=request, reply=answered("base", "Hi", said).reply))
            assert time.thread_time() - began < 5
