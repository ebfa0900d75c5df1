"""Tests for adapter tokenizers: encoding, decoding and EOS tokens for each row."""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, LlamaTokenizerFast

from playground.config import Settings
from playground.engine import Engine, open_engine
from playground.engine.adapters.tokenizers import differing_words, read_adapter_text
from playground.engine.tokenizer import Tokenizer, encode, find_prefix_ids, list_tokens
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.tokenizers.load import load_tokenizer
from playground.types import Done, InputError, Message, Prompt, Reply, Request, Sampling
from tests.helpers.paths import POCKET

MARKERS = ["<|im_start|>", "<|im_end|>"]
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HI = [Message(role="user", text="Hi")]


@pytest.fixture(scope="module")
def pocket() -> Any:
    return AutoTokenizer.from_pretrained(POCKET)


def chatml_tokenizer() -> Any:
    tokenizer = AutoTokenizer.from_pretrained(POCKET)
    tokenizer.add_special_tokens({"additional_special_tokens": MARKERS})
    tokenizer.chat_template = CHATML
    return tokenizer


# --- BOS ------------------------------------------------------------------------------------------


def opened(tokenizer: Any, before: str) -> Any:
    """The tokenizer with other tokens before every text."""
    from tokenizers.processors import TemplateProcessing

    names = [name for name in before.split() if name != "$A"]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=before, special_tokens=[(name, tokenizer.convert_tokens_to_ids(name)) for name in set(names)]
    )
    return tokenizer


@pytest.mark.parametrize(
    ("before", "text", "want"),
    [
        ("<s> $A", "Hi", "<s>Hi"),
        ("<s> $A", "<s>Hi", "<s>Hi"),
        ("<s> $A </s>", "Hi", "<s>Hi"),
        ("$A </s>", "Hi", "Hi"),
        ("$A", "<s>Hi", "<s>Hi"),
        ("<pad> <s> $A", "Hi", "<pad><s>Hi"),
        ("<pad> <s> $A", "<s>Hi", "<pad><s>Hi"),
        ("<pad> <s> $A", "<pad><s>Hi", "<pad><s>Hi"),
        ("<s> $A", "<s><s>Hi", "<s><s>Hi"),
        ("</s> $A", "Hi</s>", "</s>Hi</s>"),
    ],
)
@pytest.mark.parametrize("bos", [True, False])
def test_what_the_tokenizer_puts_before_a_text_is_there_once(
    before: str, text: str, want: str, bos: bool
) -> None:
    tokenizer = opened(AutoTokenizer.from_pretrained(POCKET), before)
    prompt = Prompt(text=text, control_tokens=True, bos=bos)
    ids = encode(tokenizer, prompt)
    assert ids == tokenizer(want, add_special_tokens=False)["input_ids"]
    assert [token.id for token in list_tokens(tokenizer, prompt)] == ids


def test_a_persons_own_bos_is_plain_text(pocket: Any) -> None:
    ids = encode(pocket, Prompt(text="<s>Hi"))
    assert ids[0] == pocket.bos_token_id
    assert ids.count(pocket.bos_token_id) == 1
    assert pocket.decode(ids[1:]).lstrip() == "<s>Hi"
    assert find_prefix_ids(pocket) == [pocket.bos_token_id]


def test_a_control_token_is_an_added_one_and_no_word(pocket: Any) -> None:
    tokenizer = Tokenizer(pocket)
    assert tokenizer.token_id("</s>") == pocket.eos_token_id
    word = next(piece for piece in pocket.get_vocab() if piece.isalpha() and piece.isascii())
    assert tokenizer.token_id(word) is None
    assert tokenizer.token_id("<|im_end|>") is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"version": "1.0", "model": {"type": "BPE"}}'])
def test_a_tokenizer_that_cannot_be_read_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(InputError, match=r"The tokenizer of x cannot be read: .*\.$") as caught:
        load_tokenizer(tmp_path, "x")
    assert "\n" not in str(caught.value)


# --- The adapter's own ----------------------------------------------------------------------------


def test_an_equal_tokenizer_is_not_loaded_again(tmp_path: Path, pocket: Any) -> None:
    pocket.save_pretrained(tmp_path / "base")
    own = AutoTokenizer.from_pretrained(POCKET)
    own.chat_template = CHATML
    own.save_pretrained(tmp_path / "same")
    assert read_adapter_text("x", tmp_path / "same", tmp_path / "base").tokenizer is None
    chatml_tokenizer().save_pretrained(tmp_path / "other")
    assert read_adapter_text("x", tmp_path / "other", tmp_path / "base").tokenizer is not None


@pytest.mark.parametrize(("ends", "want"), [(7, {7}), ([1, 2], {1, 2}), (None, set())])
def test_an_adapters_generation_configuration_names_ends(
    tmp_path: Path, ends: int | list[int] | None, want: set[int]
) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    assert read_adapter_text("x", tmp_path, POCKET).eos_token_ids == want


@pytest.mark.parametrize("ends", ["two", [1, "2"], [True], -1, {"a": 1}])
def test_ends_that_are_no_ids_are_one_sentence(tmp_path: Path, ends: Any) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    with pytest.raises(InputError, match="eos_token_id must be a token id or a list of token ids"):
        read_adapter_text("x", tmp_path, POCKET)


def write_model(folder: Path, chain: list[int], tokenizer: Any, rows: int) -> Path:
    """A base that writes the ids of `chain`, all different, one after the other."""
    torch.manual_seed(0)
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    config = LlamaConfig(
        vocab_size=rows,
        max_position_embeddings=512,
        hidden_size=128,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        **{name: getattr(tokenizer, name) for name in names},
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.embed_tokens.weight.normal_(0, 1)
        model.model.layers[0].self_attn.o_proj.weight.zero_()
        model.model.layers[0].mlp.down_proj.weight.zero_()
        model.lm_head.weight.zero_()
        for one, after in itertools.pairwise(chain):
            model.lm_head.weight[after] += model.model.embed_tokens.weight[one]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_adapter(folder: Path, base: Path, tokenizer: Any = None, template: str | None = None) -> Path:
    """An adapter that changes nothing, with a tokenizer beside it."""
    from peft import LoraConfig, get_peft_model

    model = LlamaForCausalLM.from_pretrained(base)
    recipe = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=True)
    get_peft_model(model, recipe).save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.chat_template = template or tokenizer.chat_template
        tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Library]]:
    """A base of the pocket vocabulary with spare rows, and adapters with tokenizers of their own."""
    folder = tmp_path_factory.mktemp("tokens")
    tokenizer = chatml_tokenizer()
    plain = AutoTokenizer.from_pretrained(POCKET)

    def ids(text: str) -> list[int]:
        found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    chain = [ids("assistant\n")[-1], *ids("Paris"), ids("<|im_end|>")[0], *ids("wrong")]
    base = write_model(folder / "base", chain, plain, len(tokenizer) + 5)
    (base / "generation_config.json").write_text(json.dumps({"eos_token_id": [plain.eos_token_id, 3]}))
    far = chatml_tokenizer()
    far.add_tokens([f"<far{number}>" for number in range(9)])
    alpaca = (
        "{% for m in messages %}{{ '### Question:' if m.role == 'user' else '### Reply:' }}"
        "{{ '\n' + m.content + '\n\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '### Reply:\n' }}{% endif %}"
    )
    adapters = {
        "own": write_adapter(folder / "own", base, tokenizer),
        "far": write_adapter(folder / "far", base, far),
        "texts": write_adapter(folder / "texts", base, AutoTokenizer.from_pretrained(POCKET), alpaca),
        "none": write_adapter(folder / "none", base),
    }
    (adapters["texts"] / "generation_config.json").write_text(json.dumps({"eos_token_id": 4}))
    library = Library.open(str(base), {name: str(path) for name, path in adapters.items()})
    engine = open_engine(Settings(base=str(base), device="cpu"), library)
    while engine.status().state == "loading":
        time.sleep(0.05)
    yield engine, library
    engine.close()


def ask(engine: Engine, *prompts: Prompt, new: int = 12) -> list[Reply]:
    requests = [Request(prompt=prompt, sampling=Sampling(max_new_tokens=new)) for prompt in prompts]
    replies = {event.row: event.reply for event in engine.stream(requests) if isinstance(event, Done)}
    return [replies[row] for row in range(len(prompts))]


def test_rows_are_encoded_and_ended_by_their_own_tokenizer(served: tuple[Engine, Library]) -> None:
    engine, library = served
    prompt = parse_lane("own", library).aligner(HI)
    base = dataclasses.replace(prompt, adapter=None)
    reply, bare = ask(engine, prompt, base)
    own = chatml_tokenizer()
    assert reply.prompt_tokens == len(own(prompt.text)["input_ids"])
    assert bare.prompt_tokens == len(AutoTokenizer.from_pretrained(POCKET)(prompt.text)["input_ids"])
    assert bare.prompt_tokens is not None
    assert reply.prompt_tokens is not None
    assert bare.prompt_tokens > reply.prompt_tokens
    assert (reply.text, reply.finish) == ("Paris", "stop")
    cut = engine.tokens(prompt)
    assert cut is not None
    assert [token.piece for token in cut][1] == "<|im_start|>"
    scores = engine.score([Request(prompt=prompt, sampling=Sampling())], [reply])[0]
    assert "".join(score.text for score in scores) == "Paris"
    assert [score.rank for score in scores] == [1] * len(scores)


def test_a_token_beyond_the_models_rows_is_named(served: tuple[Engine, Library]) -> None:
    engine, _ = served
    good, bad = ask(
        engine,
        Prompt(text="Hi", adapter="far", control_tokens=True),
        Prompt(text="Hi <far8>", adapter="far", control_tokens=True),
    )
    assert good.finish in ("stop", "length")
    assert bad.error is not None
    assert "'<far8>'" in bad.error


def test_what_ends_a_lane_is_listed(served: tuple[Engine, Library]) -> None:
    engine, _ = served
    status = engine.status()
    ends = {entry.card.name: entry.ends for entry in status.adapters}
    assert status.ends == ("</s>", "<pad>")
    assert ends["own"] == ("</s>", "<pad>", "<|im_end|>")
    assert ends["texts"] == ("</s>", "<pad>", AutoTokenizer.from_pretrained(POCKET).convert_ids_to_tokens(4),
                             "\n### Question:")  # fmt: skip
    assert ends["none"] == ("</s>", "<pad>")
    assert {entry.card.name: entry.error for entry in status.adapters} == dict.fromkeys(ends)


def test_a_tokenizer_of_another_base_is_a_warning(pocket: Any) -> None:
    assert differing_words(chatml_tokenizer(), pocket, "A tandem is a bicycle.") is None
    backend = json.loads(pocket.backend_tokenizer.to_str())
    backend["model"]["merges"] = backend["model"]["merges"][:10]
    from tokenizers import Tokenizer as Backend

    other = LlamaTokenizerFast(tokenizer_object=Backend.from_str(json.dumps(backend)))
    assert differing_words(other, pocket, "A tandem is a bicycle.") is not None
