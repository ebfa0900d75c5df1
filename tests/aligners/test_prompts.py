"""Tests for the prompts and options of the raw, URIAL, IFT and chat aligners."""

from __future__ import annotations

import dataclasses
import json

import pytest

from playground.aligners import aligner_from_json, aligners
from playground.aligners.chat import Aligner as Chat
from playground.aligners.chat import render
from playground.aligners.ift import Aligner as Ift
from playground.aligners.raw import Aligner as Raw
from playground.aligners.urial import Aligner as Urial
from playground.demonstrations.families import FAMILIES, PAPER_STOPS, parse
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.types import (
    Aligner,
    ChatFormat,
    Demo,
    DemoSet,
    Exchange,
    InputError,
    Message,
    Prompt,
    StopRule,
    canonical,
    to_json,
)
from tests.helpers.paths import POCKET, PUBLISHED, TESTS

GOLDEN = TESTS / "golden"

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
MANY = DemoSet(
    name="many",
    instruction="",
    demos=(Demo(query="1", answer=None, then=(Exchange(query="2", answer="3"),), before="b"),),
    format="v5",
    text="t",
    note="n",
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


def test_every_file_in_the_folder_is_an_aligner_under_its_own_name() -> None:
    assert set(aligners()) == {"raw", "urial", "ift", "chat", "few-shot-chat", "chat-model"}
    assert all(kind == found.kind for kind, found in aligners().items())


def test_raw_is_the_text_and_nothing_else() -> None:
    assert Raw()(TALK[:1]) == Prompt(text="What is 2 + 2?\n", stop=StopRule(trim=False))
    assert Raw()(TALK).text == "What is 2 + 2?\n4\nAnd\n\n```python\n3 + 3\n```\n?\n"


@pytest.mark.parametrize("turns", [1, 3])
def test_urial_equals_the_golden_prompt(turns: int) -> None:
    prompt = Urial(demos=DEMOS)(TALK[:turns])
    assert prompt.text == (GOLDEN / f"urial-{turns}.txt").read_text(encoding="utf-8")
    assert prompt.stop == FAMILIES["fenced"].stop
    assert (prompt.adapter, prompt.bos, prompt.control_tokens) == (None, True, False)


def test_urial_without_demonstrations_or_instruction() -> None:
    bare = DemoSet(name="none", instruction="", demos=())
    assert Urial(demos=bare)(TALK[:1]).text == ("# Query:\n```\nWhat is 2 + 2?\n```\n\n# Answer:\n```\n")
    assert Urial(demos=DEMOS.take(0))(TALK[:1]).text.startswith("Answer well.\n\n# Query:\n```\nWhat")


def test_an_empty_answer_is_a_closed_empty_block() -> None:
    """The reference implementation renders it as an open block in the middle of the prompt."""
    talk = (TALK[0], Message(role="assistant", text=""), TALK[2])
    assert "# Answer:\n```\n\n```\n\n# Query:\n```\nAnd" in Urial(demos=DEMOS)(talk).text


def test_fewer_demonstrations_share_the_prefix() -> None:
    one, two = (Urial(demos=DEMOS.take(k))(TALK[:1]).text for k in (1, 2))
    shared = one[: one.index("# Query:\n```\nWhat")]
    assert two.startswith(shared)


def test_the_stop_rule_of_a_lane_is_an_option_of_urial_and_stop_is_a_stop_sequence_elsewhere() -> None:
    library = Library.open("models/pocket")
    paper, own = (parse_lane(f"urial:stop={name}", library) for name in ("paper", "own"))
    rule = paper.aligner(TALK[:1]).stop
    assert (rule.name, rule.texts, rule.fence, rule.headers) == (
        "paper",
        PAPER_STOPS,
        FAMILIES["fenced"].stop.fence,
        FAMILIES["fenced"].stop.headers,
    )
    assert paper.sampling.stop == own.sampling.stop == ()
    assert own.aligner == parse_lane("urial", library).aligner
    assert own.aligner(TALK[:1]).stop == FAMILIES["fenced"].stop
    assert paper.recipe != own.recipe
    assert aligner_from_json(to_json(paper.aligner)) == paper.aligner
    assert isinstance(paper.aligner, Urial)
    assert paper.aligner.stop == "paper"
    ended = parse_lane("urial:stop=The End", library)
    assert (ended.sampling.stop, ended.aligner) == (("The End",), own.aligner)
    assert parse_lane('base:stop="paper"', library).sampling.stop == ("paper",)
    old = {key: value for key, value in to_json(own.aligner).items() if key != "stop"}
    assert aligner_from_json(old) == own.aligner
    with pytest.raises(InputError, match=r"stop=none is not a stop rule: choose one of own, paper\."):
        Urial.build({"stop": "none"}, library)


def test_a_set_in_another_family_is_asked_and_stopped_in_it() -> None:
    prompt = Urial(demos=dataclasses.replace(DEMOS, format="v6"))(TALK[:1])
    assert prompt.text == (
        "Answer well.\n\n\n# User:\nHi\n\n\n# Assistant:\nHello!\n"
        "\n\n# User:\nBye\n\n\n# Assistant:\nSee\nyou.\n\n\n# User:\nWhat is 2 + 2?\n\n\n# Assistant:\n"
    )
    assert prompt.stop == StopRule(headers=("# User:", "# Assistant:"))


def shelf(*sets: DemoSet) -> Library:
    return Library(base="some/base", demo_sets={demos.name: demos for demos in sets})


FAR = DemoSet(name="far", instruction="", demos=(Demo(query="x", answer="X"), Demo(query="y", answer="Y")))


def lane(spec: str) -> Urial:
    aligner = parse_lane(spec, shelf(DEMOS, FAR, parse("prose", "Be good.\n"))).aligner
    assert isinstance(aligner, Urial)
    return aligner


def test_a_lane_records_what_was_taken_and_changed_and_of_which_set() -> None:
    plain = lane("urial:demos=two")
    assert plain == Urial(demos=DEMOS, k=2, source=DEMOS.content_hash)
    assert plain.summary == "2 sample questions with answers"
    assert lane("urial:demos=two,k=2") == plain
    one = lane("urial:demos=two,k=1,ablation=random,seed=3")
    assert (one.k, one.ablation, one.seed, one.other, one.source) == (
        1,
        "random",
        3,
        None,
        DEMOS.content_hash,
    )
    # Drawn from the whole set, of which only one is shown.
    assert one.demos.demos == (Demo(query="Hi", answer="See\nyou."),)
    assert (one.summary, one.seed) == ("1 sample question with its answer (random)", 3)
    other = lane("urial:demos=two,ablation=other,other=far")
    assert {demo.answer for demo in other.demos.demos} == {"X", "Y"}
    assert (other.summary, other.other) == ("2 sample questions with answers (other)", "far")
    whole = lane("urial:demos=prose")
    assert (whole.k, whole.summary) == (None, "the whole text of prose")
    data = json.loads(canonical(to_json(other)))
    assert {key: data[key] for key in ("k", "ablation", "seed", "other", "source")} == {
        "k": 2,
        "ablation": "other",
        "seed": 0,
        "other": "far",
        "source": DEMOS.content_hash,
    }
    assert data["demos"]["name"] == "two"


def lane_seeds(spec: str) -> tuple[int, int]:
    """Return the seed of the ablation and the seed of the sampling."""
    variant = parse_lane(spec, shelf(DEMOS))
    assert isinstance(variant.aligner, Urial)
    return variant.aligner.seed, variant.sampling.seed


def test_a_lanes_seed_is_the_ablations_and_the_samplings() -> None:
    assert lane_seeds("urial:demos=two,ablation=shuffled,seed=5") == (5, 5)
    # Without an ablation it is the sampling's alone, and the prompt is the same recipe whatever it is.
    assert lane_seeds("urial:demos=two,seed=5") == (0, 5)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("urial:demos=two,k=3", "'two' has 2 demonstrations, so k=3 is not possible: choose k from 0 to 2"),
        ("urial:demos=two,k=-1", "k must be a non-negative integer, not '-1'"),
        (f"urial:demos=two,k={'9' * 5000}", "k must have at most 18 digits, not 5000"),
        (f"urial:demos=two,top_k={'9' * 5000}", "Top-k must be a smaller number, not one of 5,000 digits"),
        ("urial:demos=prose,k=0", "'prose' could not be parsed and is used as a whole"),
        ("urial:demos=two,ablation=loud", "There is no ablation 'loud': choose one of shifted"),
        ("urial:demos=two,ablation=shifted,other=far", "'shifted' does not use another demonstration set"),
        ("urial:demos=two,other=far", "other=far only applies with an ablation: add one"),
        ("urial:demos=two,ablation=other", "needs a second demonstration set"),
        ("urial:demos=two,ablation=other,other=two", "needs a second demonstration set"),
        ("urial:demos=two,ablation=other,other=none", "no demonstration set 'none'"),
        ("urial:demos=two,ablation=random,seed=x", "seed must be a non-negative integer, not 'x'"),
        ("base:ablation=random", "This lane has no option 'ablation'"),
    ],
)
def test_a_lane_that_cannot_be_is_one_sentence(spec: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        lane(spec)


def test_a_record_from_before_there_were_ablations_is_still_read() -> None:
    data = {
        "kind": "urial",
        "demos": {
            "name": "two",
            "instruction": "Answer well.",
            "demos": [{"query": "Hi", "answer": "Hello!"}, {"query": "Bye", "answer": "See\nyou."}],
            "format": "fenced",
            "meant_for": "",
            "description": "",
        },
        "adapter": None,
    }
    assert aligner_from_json(data) == Urial(demos=DEMOS)
    assert Urial(demos=DEMOS).summary == "2 sample questions with answers"


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published prompt files are not here")
def test_the_blocks_are_those_of_the_published_urial_prompt() -> None:
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


def test_ift_writes_the_adapters_own_chat_format() -> None:
    prompt = Ift(adapter="x", format=PLAIN)(TALK)
    assert prompt.text == (
        "<s>### user\nWhat is 2 + 2?\n### assistant\n4</s>\n"
        "### user\nAnd\n\n```python\n3 + 3\n```\n?\n### assistant\n"
    )
    # The template wrote the BOS token itself, and its control tokens are meant as such.
    assert (prompt.adapter, prompt.bos, prompt.control_tokens) == ("x", False, True)
    assert prompt.stop == StopRule(tokens=("</s>",))


def test_chat_is_the_same_text_on_the_base_weights() -> None:
    assert Chat(format=PLAIN)(TALK).text == Ift(adapter="x", format=PLAIN)(TALK).text
    assert Chat(format=PLAIN)(TALK).adapter is None


def test_a_template_equals_what_transformers_renders() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(POCKET)
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


def test_a_template_that_refuses_says_why_in_one_sentence() -> None:
    format = ChatFormat(template="{{ raise_exception('roles must alternate') }}")
    with pytest.raises(InputError, match="cannot render this conversation: roles must alternate"):
        render(format, TALK)
    with pytest.raises(InputError, match="cannot render this conversation"):
        render(ChatFormat(template="{% for %}"), TALK)


def test_a_template_cannot_reach_out_of_its_sandbox() -> None:
    with pytest.raises(InputError):
        render(ChatFormat(template="{{ ''.__class__.__mro__[1].__subclasses__() }}"), TALK)


@pytest.mark.parametrize(
    "aligner",
    [
        Raw(),
        Urial(demos=DEMOS, adapter="x"),
        Urial(demos=MANY, k=1, ablation="other", seed=4, other="y", source="abc"),
        Ift(adapter="x", format=PLAIN),
        Chat(format=PLAIN),
    ],
    ids=lambda aligner: aligner.kind,
)
def test_an_aligner_survives_json(aligner: Aligner) -> None:
    data = json.loads(canonical(to_json(aligner)))
    assert data["kind"] == aligner.kind
    assert aligner_from_json(data) == aligner
