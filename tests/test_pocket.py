"""The bundled pocket model and adapter: real files, small checks, loose thresholds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parent.parent
POCKET = ROOT / "models/pocket"
ADAPTER = ROOT / "adapters/pocket-ift"
DEMOS = ROOT / "prompts/demos/pocket-3.toml"

# The recipe's scripts import one another by plain name, as they do when run.
sys.path.insert(0, str(POCKET / "recipe"))

import corpus  # noqa: E402
import evaluate  # noqa: E402
import world  # noqa: E402
from conversations import conversations  # noqa: E402
from ift import example  # noqa: E402


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(ADAPTER)


@pytest.fixture(scope="module")
def model():
    return evaluate.Model(POCKET, ADAPTER)


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
def test_text_survives_the_tokenizer(folder, text):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids) == text


def test_tokenizer_adds_bos_and_no_eos(tokenizer):
    assert tokenizer("Hello").input_ids[0] == tokenizer.bos_token_id
    assert tokenizer.eos_token_id not in tokenizer("Hello").input_ids
    assert len(tokenizer.encode("42", add_special_tokens=False)) == 2, "a digit is a token"


def test_newline_and_fence_are_one_token_each(tokenizer):
    assert len(tokenizer.encode("\n```\n", add_special_tokens=False)) == 3


def test_files_are_small():
    files = [f for d in (POCKET, ADAPTER) for f in d.rglob("*") if f.is_file() and f.suffix != ".pyc"]
    assert sum(f.stat().st_size for f in files) <= 20_000_000


def test_base_is_a_small_llama():
    base = AutoModelForCausalLM.from_pretrained(POCKET, dtype=torch.float32)
    assert type(base).__name__ == "LlamaForCausalLM"
    assert 2_000_000 <= sum(p.numel() for p in base.parameters()) <= 4_000_000
    assert base.config.max_position_embeddings >= 2048
    assert base.config.tie_word_embeddings


def test_adapter_loads_and_changes_the_logits(tokenizer):
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


def test_chat_template_has_one_bos_and_only_eos_besides(tokenizer):
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "Who are you?"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == ("<s>### User\nHello\n### Assistant\nHi.</s>\n### User\nWho are you?\n### Assistant\n")
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    assert ids.count(tokenizer.bos_token_id) == 1


def test_loss_falls_on_replies_and_their_eos_only(tokenizer):
    messages = next(conversations(seed=5))
    ids, labels = example(tokenizer, messages)
    kept = [token for token, label in zip(ids, labels, strict=True) if label != -100]
    replies = [m["content"] for m in messages if m["role"] == "assistant"]
    assert tokenizer.decode(kept) == "".join(reply + "</s>" for reply in replies)


def test_corpus_is_the_same_for_a_seed():
    first, again, other = (corpus.documents(seed) for seed in (1, 1, 2))
    texts = [next(first) for _ in range(300)]
    assert texts == [next(again) for _ in range(300)]
    assert texts != [next(other) for _ in range(300)]


def test_corpus_is_the_same_in_another_process():
    """String hashing differs between processes; nothing may depend on it."""
    command = [sys.executable, str(POCKET / "recipe/corpus.py"), "--seed", "4", "--documents", "40"]
    runs = [subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0]


def test_corpus_never_shows_the_urial_headings_or_the_demonstrated_sentences():
    demos = evaluate.Demonstrations.read(DEMOS)
    greeting = demos.pairs[0][1].split("!")[0]
    source = corpus.documents(seed=8, scale=2.0)
    for _ in range(3000):
        text = next(source)
        assert "# Query" not in text
        assert "# Answer:" not in text
        assert greeting not in text


def test_held_out_facts_are_never_asked():
    held_out = {f.question(i) for f in world.FACTS if f.held_out for i in range(4)}
    source = corpus.documents(seed=9)
    text = "\n".join(next(source) for _ in range(3000))
    asked = {f.question(i) for f in world.ASKABLE for i in range(4)}
    assert not [question for question in held_out - asked if question in text]


def test_demonstrations_are_true():
    demos = evaluate.Demonstrations.read(DEMOS)
    facts = {fact.question(form): fact for fact in world.FACTS for form in range(4)}
    assert len(demos.pairs) == 3
    for query, answer in demos.pairs:
        assert evaluate.is_right(answer, facts[query].value)


def test_demonstrations_make_the_base_answer_and_the_adapter_answers(model):
    demos = evaluate.Demonstrations.read(DEMOS)
    facts = evaluate.first_questions(seed=21, count=12)
    questions = [fact.question() for fact in facts]
    histories = [[] for _ in facts]

    def right(lane: evaluate.Lane) -> float:
        answers = lane.ask(histories, questions)
        marks = [evaluate.is_right(a, f.value) for (a, _), f in zip(answers, facts, strict=True)]
        return sum(marks) / len(marks)

    raw = right(evaluate.Lane(model))
    assert raw < 0.2
    assert right(evaluate.Lane(model, demos, 3)) > raw + 0.25
    assert right(evaluate.Lane(model, adapted=True)) > raw + 0.25


@pytest.mark.parametrize("way", ["urial", "ift"])
def test_a_follow_up_that_refers_back(model, way):
    if way == "urial":
        lane = evaluate.Lane(model, evaluate.Demonstrations.read(DEMOS), 3)
    else:
        lane = evaluate.Lane(model, adapted=True)
    question = "What is the capital of France?"
    ((first, ended),) = lane.ask([[]], [question])
    assert "Paris" in first
    assert ended
    ((second, _),) = lane.ask([[(question, first)]], ["And of Japan?"])
    assert "Tokyo" in second


def test_urial_reply_closes_its_block_and_opens_the_next(model):
    demos = evaluate.Demonstrations.read(DEMOS)
    prompt = demos.prompt([], "What is the capital of Spain?", 3)
    (text,) = model.complete([prompt], adapted=False)
    assert text.startswith("Hello dear friend! I am happy to help.")
    assert "\n```\n\n# Query:" in text
