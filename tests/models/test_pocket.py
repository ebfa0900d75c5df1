"""Tests for the bundled pocket model, its adapters, its tokenizer and its training data."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.helpers.paths import ROOT

POCKET = ROOT / "models/pocket"
ADAPTER = ROOT / "adapters/pocket-ift"
DEMOS = ROOT / "prompts/demos/pocket-3.toml"

# The recipe's scripts import one another by plain name, as they do when run.
sys.path.insert(0, str(POCKET / "recipe"))

import consequences  # noqa: E402
import corpus  # noqa: E402
import nf4  # noqa: E402
import world  # noqa: E402
from conversations import CLOSING, GREETING, conversations, single_turns  # noqa: E402
from ift import example  # noqa: E402

from benchmarks import pocket  # noqa: E402
from playground.config import Settings  # noqa: E402
from playground.engine import open_engine  # noqa: E402
from playground.judging.reference import occurs  # noqa: E402
from playground.lanes.variant import parse_lane  # noqa: E402
from playground.library import Library  # noqa: E402
from playground.types import Message, Reply, Role, Sampling  # noqa: E402

Ask = Callable[..., list[Reply]]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(ADAPTER)


@pytest.fixture(scope="module")
def library() -> Library:
    return Library.open("models/pocket")


@pytest.fixture(scope="module")
def ask(library: Library) -> Iterator[Ask]:
    """Ask a lane questions, each in a conversation of its own; its answers as they came."""
    engine = open_engine(Settings(base="models/pocket", device="cpu", quantize="none"), library)

    def ask(lane: str, *talks: list[str]) -> list[Reply]:
        variant = parse_lane(lane, library, Sampling(max_new_tokens=64))
        roles: tuple[Role, ...] = ("user", "assistant")
        messages = [
            [Message(role=roles[index % 2], text=text) for index, text in enumerate(talk)] for talk in talks
        ]
        return pocket.ask(engine, variant, messages, seed=0)

    yield ask
    engine.close()


@pytest.mark.parametrize("folder", [POCKET, ADAPTER], ids=["base", "adapter"])
@pytest.mark.parametrize(
    "text",
    [
        "one\ntwo\n\n\nthree\n",
        "a  b   c    d ",
        "# Query:\n```\nHello\n```\n\n# Answer:\n```\n",
        "````\n``` ```",
        "tea ☕ and 😀👩‍🚀, naïve, 日本",
        "2026-07-14: 1234567890",
        "\ttab\r\n",
        "",
    ],
)
def test_text_survives_the_tokenizer(folder: Path, text: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids) == text


def test_tokenizer_adds_bos_and_no_eos(tokenizer: Any) -> None:
    assert tokenizer("Hello").input_ids[0] == tokenizer.bos_token_id
    assert tokenizer.eos_token_id not in tokenizer("Hello").input_ids
    assert len(tokenizer.encode("42", add_special_tokens=False)) == 2, "a digit is a token"


def test_newline_and_fence_are_one_token_each(tokenizer: Any) -> None:
    assert len(tokenizer.encode("\n```\n", add_special_tokens=False)) == 3


def test_files_are_small() -> None:
    folders = [POCKET, *(ROOT / "adapters").glob("pocket-*")]
    files = [f for d in folders for f in d.rglob("*") if f.is_file() and f.suffix != ".pyc"]
    assert sum(f.stat().st_size for f in files) <= 40_000_000


def test_base_is_a_small_llama() -> None:
    base = AutoModelForCausalLM.from_pretrained(POCKET, dtype=torch.float32)
    assert type(base).__name__ == "LlamaForCausalLM"
    assert 2_000_000 <= sum(p.numel() for p in base.parameters()) <= 4_000_000
    assert base.config.max_position_embeddings == 4096
    assert base.config.tie_word_embeddings


def test_adapter_loads_and_changes_the_logits(tokenizer: Any) -> None:
    base = AutoModelForCausalLM.from_pretrained(POCKET, dtype=torch.float32)
    inputs = tokenizer("What is the capital of France?", return_tensors="pt")
    with torch.no_grad():
        before = base(**inputs).logits
        adapted = PeftModel.from_pretrained(base, ADAPTER).eval()
        after = adapted(**inputs).logits
        with adapted.disable_adapter():
            off = adapted(**inputs).logits
    assert not torch.allclose(before, after, atol=0.1)
    torch.testing.assert_close(before, off)


def test_chat_template_has_one_bos_and_only_eos_besides(tokenizer: Any) -> None:
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "Who are you?"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == ("<s>### User\nHello\n### Assistant\nHi.</s>\n### User\nWho are you?\n### Assistant\n")
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    assert ids.count(tokenizer.bos_token_id) == 1


def test_loss_falls_on_replies_and_their_eos_only(tokenizer: Any) -> None:
    messages = next(conversations(seed=5))
    ids, labels = example(tokenizer, messages)
    kept = [token for token, label in zip(ids, labels, strict=True) if label != -100]
    replies = [m["content"] for m in messages if m["role"] == "assistant"]
    assert tokenizer.decode(kept) == "".join(reply + "</s>" for reply in replies)


WRITERS: list[type[corpus.Writer]] = [corpus.Writer, consequences.ConsequentWriter]


@pytest.mark.parametrize("writer", WRITERS)
def test_corpus_is_the_same_for_a_seed(writer: type[corpus.Writer]) -> None:
    first, again, other = (writer(seed) for seed in (1, 1, 2))
    texts = [first.document() for _ in range(300)]
    assert texts == [again.document() for _ in range(300)]
    assert texts != [other.document() for _ in range(300)]


def test_corpus_is_the_same_in_another_process() -> None:
    """String hashing differs between processes; nothing may depend on it."""
    command = [sys.executable, str(POCKET / "recipe/corpus.py"), "--seed", "4", "--documents", "40"]
    runs = [subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0]


@pytest.mark.parametrize("writer", WRITERS)
def test_corpus_never_shows_the_urial_headings_or_the_demonstrated_sentences_or_the_carriers(
    writer: type[corpus.Writer],
) -> None:
    never = ["# Query", "# Answer:", GREETING.split("!")[0], CLOSING.rstrip("!")]
    never += [carrier.format("") for carrier in pocket.CARRIERS]
    source = writer(seed=8, scale=2.0)
    for _ in range(3000):
        text = source.document()
        assert not [sentence for sentence in never if sentence in text]


@pytest.mark.parametrize("writer", WRITERS)
def test_held_out_facts_are_never_asked(writer: type[corpus.Writer]) -> None:
    held_out = {f.question(i) for f in world.FACTS if f.held_out for i in range(4)}
    source = writer(seed=9)
    text = "\n".join(source.document() for _ in range(3000))
    asked = {f.question(i) for f in world.ASKABLE for i in range(4)}
    assert not [question for question in held_out - asked if question in text]


def test_only_an_answer_beside_the_point_makes_an_author_give_up() -> None:
    writer = consequences.ConsequentWriter(seed=3)
    knowing = corpus.Author(1.0, False, "No idea.", (1, 1))
    given_up = []
    for _ in range(400):
        pairs = [writer.pair(knowing, None, False) for _ in range(5)]
        astray = writer.given_up(writer.astray(pairs, False), knowing)
        assert [question for question, _ in astray] == [question for question, _ in pairs]
        assert astray[0][1] != "No idea."
        given_up.append(sum(answer == "No idea." for _, answer in astray[1:]) / 4)
    assert 0.6 < sum(given_up) / len(given_up) < 0.9


def test_a_teacher_marks_what_does_not_belong_to_its_question() -> None:
    writer = consequences.ConsequentWriter(seed=4)
    capitals = {f.question(i): f.value for f in corpus.facts_of(world.BY_NAME["capital"]) for i in range(4)}
    marks: list[tuple[bool, bool]] = []
    while len(marks) < 60:
        sheet = writer.marked().replace(consequences.MARK, "").splitlines()
        at = next((i for i, line in enumerate(sheet) for q in capitals if line.endswith(q)), None)
        mark = next((line for line in sheet[at or 0 :] if line in ("Right.", "Wrong.")), None)
        if at is None or mark is None:
            continue
        answer = "\n".join(sheet[at + 1 : sheet.index(mark, at)]).lower()
        value = next(v for q, v in capitals.items() if sheet[at].endswith(q))
        marks.append((mark == "Right.", value.lower() in answer))
    assert all(right == true for right, true in marks)
    assert {right for right, _ in marks} == {True, False}


def test_unsure_authors_have_no_idea_after_each_answer_beside_the_point_and_only_then() -> None:
    writer = consequences.UnsureWriter(seed=5)
    knowing = corpus.Author(1.0, True, "No idea.", (5, 5))
    after: dict[str, list[bool]] = {"true": [], "astray": [], "No idea.": []}
    for _ in range(300):
        pairs = [writer.pair(knowing, None, False) for _ in range(5)]
        kept = writer.given_up(writer.astray(pairs, False), knowing)
        kinds = [
            "No idea." if answer == "No idea." else "true" if (question, answer) in pairs else "astray"
            for question, answer in kept
        ]
        for before, kind in itertools.pairwise(kinds):
            after[before].append(kind == "No idea.")
    assert sum(after["astray"]) / len(after["astray"]) > 0.9
    assert not any(after["No idea."])
    assert sum(after["true"]) / len(after["true"]) < 0.02


def test_what_counts_for_more_is_the_start_of_marks_and_of_answers() -> None:
    writer = consequences.ConsequentWriter(seed=6)
    heavy = []
    for _ in range(300):
        text = writer.document()
        assert consequences.MARK not in text
        assert consequences.ANSWER not in text
        heavy += [(text[at : at + 6], weight) for at, weight in writer.heavy.items()]
    assert {start for start, weight in heavy if weight == 50} == {"Right.", "Wrong."}
    assert any(start == "No ide" and weight == 8 for start, weight in heavy)


def test_weights_are_rounded_to_nf4_and_come_back_to_the_bit() -> None:
    weight = torch.nn.Parameter(torch.randn(64, 64, generator=torch.Generator().manual_seed(0)))
    before = weight.detach().clone()
    with nf4.Rounded([weight]):
        assert all(len(block.unique()) <= 16 for block in weight.detach().reshape(-1, nf4.BLOCK))
        error = (weight.detach() - before).norm() / before.norm()
        (weight * 3).sum().backward()  # type: ignore[no-untyped-call]
    assert 0.05 < error < 0.15
    assert torch.equal(weight, before)
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.full_like(weight, 3))


def test_there_are_five_thousand_facts_and_each_question_has_one_answer() -> None:
    assert len(world.FACTS) >= 5000
    assert world.problems() == []
    for module in world.MODULES:
        getattr(module, "check_tables", lambda: None)()
    right: dict[str, tuple[str, ...]] = {}
    for fact in world.FACTS:
        for form in range(4):
            assert right.setdefault(fact.question(form), fact.right) == fact.right


@pytest.mark.parametrize("count", [3, 8, 50])
def test_the_demonstrations_are_the_first_examples_the_adapters_are_trained_on(
    library: Library, count: int
) -> None:
    demos = library.demo_sets[f"pocket-{count}"].demos
    assert [(d.query, d.answer) for d in demos] == [tuple(task) for task in single_turns()[:count]]


def test_the_demonstrations_of_several_turns_are_true_and_begin_as_the_others_do(library: Library) -> None:
    several = library.demo_sets["pocket-multi-turn-3"]
    assert several.instruction == library.demo_sets["pocket-3"].instruction
    first = [(demo.query, demo.answer) for demo in several.demos]
    assert first == [(demo.query, demo.answer) for demo in library.demo_sets["pocket-3"].demos]
    said = {f"{GREETING} {fact.answer()} {CLOSING}" for fact in world.FACTS}
    for demo in several.demos:
        assert demo.answer is not None
        for exchange in demo.exchanges[1:]:
            members = [m for m in world.LISTS["metals"] if m in demo.answer]
            first_two = " and ".join(sorted(members, key=demo.answer.index)[:2])
            looks_back = {
                f'{GREETING} Your first question was: "{demo.query}" {CLOSING}',
                f"{GREETING} The first two are {first_two}. {CLOSING}",
            }
            assert exchange.answer in said | looks_back


@pytest.mark.parametrize("writer", WRITERS)
def test_what_is_measured_was_never_asked_in_training(writer: type[corpus.Writer]) -> None:
    items = pocket.items(40)
    assert sum(item.held_out for item in items) == 20
    source = writer(seed=9)
    text = "\n".join(source.document() for _ in range(3000))
    text += "\n".join(m["content"] for talk in conversations(count=500) for m in talk)
    assert not [item for item in items if item.first.question in text]


def test_marks() -> None:
    turn = pocket.Turn("Which?", "fact", ("the euro", "pound"))
    assert turn.is_right("It is the Euro.")
    assert turn.is_right("Pound!")
    assert not turn.is_right("Europe pounds")
    names = pocket.Turn("Name three.", "list", ("cat", "dog", "cow", "hen"))
    assert names.is_right("dog, cat and hen")
    assert not names.is_right("dog, dog and hen")
    choice = pocket.Turn("Only the first two.", "choice", names.right)
    assert choice.is_right("dog and cat", before="dog, cat and hen")
    assert not choice.is_right("cat and dog", before="dog, cat and hen")
    assert not choice.is_right("dog, cat and hen", before="dog, cat and hen")


def test_demonstrations_make_the_base_answer_and_the_adapter_answers(ask: Ask) -> None:
    countries = ["France", "Japan", "Spain", "Germany", "Portugal", "Greece", "Egypt", "China", "Canada"]
    facts = [world.Fact(world.BY_NAME["capital"], country) for country in countries]

    def right(lane: str) -> float:
        replies = ask(lane, *([fact.question()] for fact in facts))
        marks = [occurs(fact.value, reply.text) for fact, reply in zip(facts, replies, strict=True)]
        return sum(marks) / len(marks)

    raw = right("base")
    assert raw <= 0.2
    assert right("urial:demos=pocket-3") > raw + 0.25
    assert right("pocket-ift") > raw + 0.25


def test_a_follow_up_that_refers_back(ask: Ask) -> None:
    question = "What is the capital of France?"
    (first,) = ask("pocket-ift", [question])
    assert "Paris" in first.text
    assert first.finish == "stop"
    (second,) = ask("pocket-ift", [question, first.text, "And of Japan?"])
    assert "Tokyo" in second.text


def test_urial_answers_in_the_demonstrated_style_and_opens_the_next_block(ask: Ask) -> None:
    (reply,) = ask("urial:demos=pocket-3", ["What is the capital of Spain?"])
    assert reply.text.startswith(GREETING)
    assert "Madrid" in reply.text
    assert reply.text.endswith(CLOSING)
    assert "\n```\n\n# Query:" in reply.raw_text
