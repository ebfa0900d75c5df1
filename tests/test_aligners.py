"""Prompts, byte for byte."""

import json
from pathlib import Path

import pytest

from playground.aligners import aligner_from_json, aligners
from playground.aligners.chat import Aligner as Chat
from playground.aligners.chat import render
from playground.aligners.ift import Aligner as Ift
from playground.aligners.raw import Aligner as Raw
from playground.aligners.urial import STOP
from playground.aligners.urial import Aligner as Urial
from playground.types import (
    ChatFormat,
    Demo,
    DemoSet,
    InputError,
    Message,
    Prompt,
    StopRule,
    canonical,
    to_json,
)

GOLDEN = Path(__file__).parent / "golden"
PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "reference" / "data" / "urial"

TALK = (
    Message(role="user", text="What is 2 + 2?"),
    Message(role="assistant", text="4"),
    Message(role="user", text="And\n\n```python\n3 + 3\n```\n?"),
)
DEMOS = DemoSet(
    name="two",
    instruction="Answer well.",
    demos=(Demo(query="Hi", answer="Hello!"), Demo(query="Bye", answer="See\nyou.")),
)
PLAIN = ChatFormat(
    template=(
        "{{ bos_token }}{% for m in messages %}### {{ m.role }}\n{{ m.content }}"
        "{{ eos_token if m.role == 'assistant' }}\n{% endfor %}"
        "{% if add_generation_prompt %}### assistant\n{% endif %}"
    ),
    bos_token="<s>",
    eos_token="</s>",
)


def test_every_file_in_the_folder_is_an_aligner_under_its_own_name():
    assert set(aligners()) == {"raw", "urial", "ift", "chat"}
    assert all(kind == found.kind for kind, found in aligners().items())


def test_raw_is_the_text_and_nothing_else():
    assert Raw()(TALK[:1]) == Prompt(text="What is 2 + 2?\n", stop=StopRule(trim=False))
    assert Raw()(TALK).text == "What is 2 + 2?\n4\nAnd\n\n```python\n3 + 3\n```\n?\n"


@pytest.mark.parametrize("turns", [1, 3])
def test_urial_equals_the_golden_prompt(turns):
    prompt = Urial(demos=DEMOS)(TALK[:turns])
    assert prompt.text == (GOLDEN / f"urial-{turns}.txt").read_text(encoding="utf-8")
    assert prompt.stop == STOP
    assert (prompt.adapter, prompt.bos, prompt.control_tokens) == (None, True, False)


def test_urial_without_demonstrations_or_instruction():
    bare = DemoSet(name="none", instruction="", demos=())
    assert Urial(demos=bare)(TALK[:1]).text == ("# Query:\n```\nWhat is 2 + 2?\n```\n\n# Answer:\n```\n")
    assert Urial(demos=DEMOS.take(0))(TALK[:1]).text.startswith("Answer well.\n\n# Query:\n```\nWhat")


def test_an_empty_answer_is_a_closed_empty_block():
    """The reference implementation renders it as an open block in the middle of the prompt."""
    talk = (TALK[0], Message(role="assistant", text=""), TALK[2])
    assert "# Answer:\n```\n\n```\n\n# Query:\n```\nAnd" in Urial(demos=DEMOS)(talk).text


def test_fewer_demonstrations_share_the_prefix():
    one, two = (Urial(demos=DEMOS.take(k))(TALK[:1]).text for k in (1, 2))
    shared = one[: one.index("# Query:\n```\nWhat")]
    assert two.startswith(shared)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published prompt files are not here")
def test_the_blocks_are_those_of_the_published_urial_prompt():
    """Taken apart at its turn boundaries and rendered again, the authors' file comes out as it was."""
    text = (PUBLISHED / "urial.txt").read_text(encoding="utf-8")
    edge = "\n```\n\n# Answer:\n```\n"
    instruction, *blocks = text.removesuffix("\n```\n").split("\n# Query:\n```\n")
    demos = []
    for block in blocks:
        query, answer = block.removesuffix("\n```\n").split(edge)
        demos.append(Demo(query=query, answer=answer))
    aligner = Urial(demos=DemoSet(name="u", instruction=instruction.removesuffix("\n"), demos=tuple(demos)))
    want = f"{text}\n# Query:\n```\nHi\n```\n\n# Answer:\n```\n"
    assert aligner([Message(role="user", text="Hi")]).text == want


def test_ift_writes_the_adapters_own_chat_format():
    prompt = Ift(adapter="x", format=PLAIN)(TALK)
    assert prompt.text == (
        "<s>### user\nWhat is 2 + 2?\n### assistant\n4</s>\n"
        "### user\nAnd\n\n```python\n3 + 3\n```\n?\n### assistant\n"
    )
    # The template wrote the BOS token itself, and its control tokens are meant as such.
    assert (prompt.adapter, prompt.bos, prompt.control_tokens) == ("x", False, True)
    assert prompt.stop == StopRule(tokens=("</s>",))


def test_chat_is_the_same_text_on_the_base_weights():
    assert Chat(format=PLAIN)(TALK).text == Ift(adapter="x", format=PLAIN)(TALK).text
    assert Chat(format=PLAIN)(TALK).adapter is None


def test_a_template_equals_what_transformers_renders():
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(Path(__file__).parents[1] / "models" / "pocket")
    template = (
        "{%- for message in messages %}\n    {%- if loop.first %}\n{{ bos_token }}\n    {% endif %}\n"
        "{{ '<' + message['role'] + '>' }}{{ message['content'] | trim }}{{ eos_token }}\n"
        "{%- endfor %}\n{% if tools is not none %}tools{% endif %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    tokenizer.chat_template = template
    want = tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.text} for m in TALK], tokenize=False, add_generation_prompt=True
    )
    format = ChatFormat(template=template, bos_token=tokenizer.bos_token, eos_token=tokenizer.eos_token)
    assert render(format, TALK) == want


def test_a_template_that_refuses_says_why_in_one_sentence():
    format = ChatFormat(template="{{ raise_exception('roles must alternate') }}")
    with pytest.raises(InputError, match="cannot write this conversation: roles must alternate"):
        render(format, TALK)
    with pytest.raises(InputError, match="cannot write this conversation"):
        render(ChatFormat(template="{% for %}"), TALK)


def test_a_template_cannot_reach_out_of_its_sandbox():
    with pytest.raises(InputError):
        render(ChatFormat(template="{{ ''.__class__.__mro__[1].__subclasses__() }}"), TALK)


@pytest.mark.parametrize(
    "aligner",
    [Raw(), Urial(demos=DEMOS, adapter="x"), Ift(adapter="x", format=PLAIN), Chat(format=PLAIN)],
    ids=lambda aligner: aligner.kind,
)
def test_an_aligner_survives_json(aligner):
    data = json.loads(canonical(to_json(aligner)))
    assert data["kind"] == aligner.kind
    assert aligner_from_json(data) == aligner
