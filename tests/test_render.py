"""What the page shows, as text: nothing acts, nothing vanishes, and states have their words."""

from __future__ import annotations

import html
import re
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.aligners import raw, urial
from playground.types import (
    AdapterCard,
    Answer,
    Conversation,
    Demo,
    DemoSet,
    Prompt,
    Reply,
    Request,
    Sampling,
    Status,
    Turn,
    Variant,
)
from playground.ui import render

CARD = AdapterCard(name="tuned", source="adapters/tuned", base_model="models/pocket", label="Tuned <b>")
CARDS = {"tuned": CARD}
DEMOS = DemoSet(name="two", instruction="", demos=(Demo(query="q", answer="a"),) * 2)
OURS = re.compile(r'</?(?:pre|code)(?: class="(?:ticks|tildes)-\d+")?(?: title="[^"<>]*")?>')

markdownish = st.lists(
    st.sampled_from(
        [
            "<u>",
            "</u>",
            "<",
            "&",
            "&lt;",
            "&#60;",
            "![a](b)",
            "`",
            "``",
            "```",
            "\n",
            "\n\n",
            "    ",
            "\t",
            "- ",
            "1. ",
            "> ",
            "|",
            "~~~",
            "~~",
            "[a]: b",
            "]:",
            "\\",
            "$$",
            "%%%LATEX_BLOCK_0%%%",
            "word",
            " ",
            "\r",
            "\0",
        ]
    ),
    max_size=40,
).map("".join)


@given(markdownish | st.text())
def test_no_tag_of_the_text_is_left(text):
    written = OURS.sub("", render.markdown(text))
    assert "<" not in written
    assert "![" not in written


@given(markdownish)
def test_no_reference_of_the_text_is_read(text):
    assert not re.search(r"&(?!#\d{4,7};)", render.markdown(text))


@given(
    st.lists(st.sampled_from(["a<b>c", "&lt;", "word", " ", "\n", "x & y", "![a](b)", "</s>"])).map("".join)
)
def test_plain_text_comes_back_whole(text):
    # An indent is kept by spaces that do not break, since ordinary ones would make code of the line.
    assert html.unescape(render.markdown(text).replace("&#0160;", " ")) == text


def test_code_is_kept_as_it_was_written():
    written = render.markdown("so:\n```html\n<p>\n  &amp;\n```\nend `a<b>`")
    assert '<pre class="ticks-3" title="html"><code>' in written
    code = re.findall(r"<code[^>]*>(.*?)</code>", written)
    assert [html.unescape(text) for text in code] == ["<p>\n  &amp;", "a<b>"]
    assert render.markdown("`plain` **bold**") == "`plain` **bold**"


def test_an_open_fence_is_code_while_it_streams():
    assert html.unescape(render.markdown("```py\nif a < b:\n    c")).count("if a < b:\n    c") == 1


@pytest.mark.parametrize("text", ["```p learn learn", "~~~ a b\nc", "- ```one two\n- x", "> ```one two"])
def test_what_stands_beside_a_fence_is_shown(text):
    written = render.markdown(text)
    assert "```" not in written
    assert "~~~" not in written
    assert html.unescape(written) == text


def test_a_fence_in_a_list_stays_in_it():
    lines = render.markdown("1. do\n   ```sh\n   a && b\n     c\n   ```\n2. then").splitlines()
    assert lines[0] == "1. do"
    assert lines[1].startswith('   <pre class="ticks-3" title="sh">')
    assert html.unescape(re.sub("<[^>]*>", "", lines[1])) == "   a && b\n  c"
    assert lines[2] == "2. then"


@pytest.mark.parametrize("unit", ["\\", "`", "` `` ``` ", "    \n", "[", "> 1. ", "]:", "~~~ <\n", "<"])
def test_hostile_text_takes_no_time(unit):
    text = (unit * 100_000)[:100_000] + "<"
    began = time.monotonic()
    render.markdown(text)
    assert time.monotonic() - began < 5


def test_control_characters_are_shown():
    assert render.markdown("a\x00b\x1bc\td\n") == "a␀b␛c\td\n"


def variant(name, aligner, **sampling):
    return Variant(name=name, aligner=aligner, sampling=Sampling(**sampling))


def answer(reply, name="base", **sampling):
    request = Request(prompt=Prompt(text="p"), sampling=Sampling(**sampling))
    return Answer(variant=name, request=request, reply=reply)


def texts(messages):
    return [(message["role"], message["content"][0]["text"]) for message in messages]


BASE = variant("base", raw.Aligner())


def conversation(*answers):
    turns = tuple(Turn(user=f"q{number}", answers=(answer,)) for number, answer in enumerate(answers))
    return Conversation(id="c", variants=(BASE,), turns=turns)


def test_messages_of_a_lane():
    talk = conversation(
        answer(Reply(text="one", finish="stop")),
        answer(Reply(text="half", finish="error", error="It <broke>.")),
        answer(Reply()),
    )
    shown = texts(render.messages(talk, 0, {}, note="Loading… 40%"))
    assert shown[:3] == [("user", "q0"), ("assistant", "one"), ("user", "q1")]
    assert shown[3:5] == [
        ("assistant", "half"),
        ("assistant", '<div class="notice error">It &lt;broke&gt;.</div>'),
    ]
    assert shown[5:] == [("user", "q2"), ("assistant", '<div class="waiting">Loading… 40%</div>')]
    assert render.messages(talk, 1, {}) == [], "a lane that was added later"


def test_an_empty_answer_says_why_it_is_empty():
    for finish, words in (("stop", "ended"), ("cancelled", "Stopped"), ("length", "Cut")):
        (_, (_, text)) = texts(render.messages(conversation(answer(Reply(finish=finish))), 0, {}))
        assert words in text


def test_a_change_of_recipe_is_said_where_it_happens():
    done = Reply(text="a", finish="stop")
    talk = conversation(
        answer(done), answer(done), answer(done, name="tuned"), answer(done, name="tuned", temperature=0.7)
    )
    labels = [text for _, text in texts(render.messages(talk, 0, CARDS)) if 'class="by"' in text]
    assert [re.sub("<[^>]*>", "", label) for label in labels] == [
        "Base, greedy, at most 256 tokens",
        "IFT · Tuned &lt;b&gt;, greedy, at most 256 tokens",
        "IFT · Tuned &lt;b&gt;, temperature 0.7, seed 0, at most 256 tokens",
    ]
    same = conversation(answer(done), answer(done))
    assert not any('class="by"' in text for _, text in texts(render.messages(same, 0, {})))


@pytest.mark.parametrize(
    ("finish", "words"),
    [("stop", "done"), ("length", "cut at the limit"), ("cancelled", "stopped"), ("error", "error")],
)
def test_finish_in_words(finish, words):
    reply = Reply(finish=finish, new_tokens=31, ttft=0.5, seconds=2.0, prompt_tokens=300, cached_tokens=280)
    line = re.sub("<[^>]*>", "|", render.status_line(reply))
    for part in (words, "31 tokens", "20.0 tokens/s", "first after 0.50 s", "prompt 300 tokens, 280 cached"):
        assert f"|{part}|" in line


def test_status_while_nothing_has_come():
    assert "reading the prompt" in render.status_line(Reply())
    assert "Loading… &lt;x&gt;" in render.status_line(Reply(), "Loading… <x>")
    assert "writing" in render.status_line(Reply(new_tokens=1, ttft=0.1, seconds=0.1))
    assert "tokens/s" not in render.status_line(Reply(new_tokens=1, ttft=0.1, seconds=0.1))
    assert "token" not in render.status_line(None)


def test_an_answer_carries_a_mark_of_the_weights_it_ran_on():
    assert ">base</span>" in render.status_line(Reply(weights="a/b (float32)", finish="stop"))
    line = render.status_line(Reply(weights='a/b (4-bit NF4) + <x"', finish="stop"))
    assert ">base + &lt;x&quot;</span>" in line
    assert 'title="This answer ran on a/b (4-bit NF4) + &lt;x&quot;"' in line
    assert "weights" not in render.status_line(Reply(finish="error", error="x"))


def test_lanes_and_what_they_are():
    assert [lane for _, lane in render.lane_choices([CARD])] == [
        "base",
        "urial",
        "tuned",
        "urial:adapter=tuned",
    ]
    shots = urial.Aligner(demos=DEMOS)
    assert render.lane_name(variant("urial", shots), CARDS) == "Base + URIAL"
    assert render.lane_name(variant("urial:k=2", shots), CARDS) == "Base + URIAL (k=2)"
    assert "2 demonstrations in its context; no weights" in render.lane_sentence(shots, CARDS)
    assert "1 demonstration in" in render.lane_sentence(replace(shots, demos=DEMOS.take(1)), CARDS)
    for changes, words in (
        ({"ablation": "shifted"}, "2 demonstrations (shifted) in its context"),
        ({"k": 1, "pick": "nearest-turn"}, "1 demonstration nearest to each message in its context"),
        ({"demos": replace(DEMOS, demos=(), text="x\n")}, f"the whole text of {DEMOS.name} in its context"),
    ):
        assert words in render.lane_sentence(replace(shots, **changes), CARDS)
    both = render.lane_sentence(replace(shots, adapter="tuned"), CARDS)
    assert "Tuned <b>" in both
    assert "&lt;b&gt;" in render.placeholder("x", both)


def test_the_model_chip():
    loading = Status(state="loading", note="Reading <w>", base="a<b", progress=0.25)
    assert 'value="0.250"' in render.model_chip(loading)
    assert "<w>" not in render.model_chip(loading)
    ready = replace(
        loading, state="ready", parameters=2_600_000, device="CPU", precision="float32", context=2048
    )
    chip = re.sub("<[^>]*>", "|", render.model_chip(ready))
    for part in ("a&lt;b", "2.6M parameters", "CPU, float32", "context 2048"):
        assert f"|{part}|" in chip
    assert "Reading" in render.model_chip(replace(loading, state="failed"))


@pytest.mark.parametrize(
    ("number", "words"),
    [(7, "7"), (635_000, "635k"), (999_600, "1.0M"), (2_600_000, "2.6M"), (7_241_000_000, "7.2B")],
)
def test_large_numbers(number, words):
    assert render.big(number) == words
