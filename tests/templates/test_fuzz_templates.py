"""Fuzz tests for chat templates and tokenizer files, compared with Transformers."""

from __future__ import annotations

import copy
import itertools
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from playground.aligners.chat import prompt
from playground.engine.tokenizer import Tokenizer as Served
from playground.library import tokenizer_chat_format
from playground.tokenizers.load import load_tokenizer
from playground.types import ChatFormat, InputError, Message, Prompt

SEED = 20260
TEMPLATES = 350
FILES = 150
TALKS = [
    [Message(role="user", text="ab c")],
    [
        Message(role="user", text="a </s> b"),
        Message(role="assistant", text="b{{ c }}\n"),
        Message(role="user", text="é🙂"),
    ],
]
PIECES = (
    "{% for m in messages %}",
    "{% endfor %}",
    "{{ m.role }}",
    "{{ m['content'] | trim }}",
    "{{ messages[0].content }}",
    "{{ messages[-1]['content'][::-1] }}",
    "{{ bos_token }}",
    "{{ eos_token + '\n' }}",
    "{{ pad_token }}",
    "{{ sep_token }}",
    "{%- if add_generation_prompt %}",
    "{% if loop.first -%}",
    "{% elif m.role == 'user' %}",
    "{% else %}",
    "{% endif %}",
    "{% generation %}",
    "{% endgeneration %}",
    "{{ raise_exception('no\nmore') }}",
    "{{ strftime_now('%Y') }}",
    "{{ messages | tojson(indent=2) }}",
    "{% set x = namespace(n=1) %}",
    "{% set x.n = x.n + 1 %}",
    "{{ x.n }}",
    "{% break %}",
    "{% continue %}",
    "{% macro f(a) %}",
    "{% endmacro %}",
    "{{ f(1) }}",
    "{{ f(f) }}",
    "{{ 1 + m.content }}",
    "{{ 1 // 0 }}",
    "{{ tools | length }}",
    "{{ ''.__class__ }}",
    "{{ dict(a=1).items() | list }}",
    "{% include 'x' %}",
    "{% extends m %}",
    "{# note #}",
    "\n    ",
    "### User\n",
    "<|im_start|>",
    "</s>",
    "\ufeff",
    "é🙂",
    "}}",
    "{%",
    "\ud800",
    "\0",
)
SOUND = (
    "{% for m in messages %}{{ m.role }}{{ m['content'] | trim }}{% endfor %}",
    "{%- for m in messages -%}\n {{ loop.index }}\n{% if loop.last %}{{ pad_token }}{% endif %}{%- endfor %}",
    "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{{ m.content }}{% endfor %}",
    "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}",
    "{% if messages | length > 1 %}{{ raise_exception('no\nmore') }}{% else %}one{% endif %}",
    "{% set x = namespace(n=1) %}{% set x.n = x.n + 1 %}{{ x.n }}",
    "{% macro f(a) %}<{{ a }}>{% endmacro %}{{ f(1) }}{{ f(messages[0].role) }}",
    "{% if add_generation_prompt %}### Assistant\n{% endif %}",
    "{{ messages | tojson }}{{ dict(a=1).items() | list }}",
    "{{ messages[-1].content.split()[0] | upper }}",
)
"""Whole templates, which are joined with pieces and mutated."""
WHOLE = "{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}{% endfor %}"


def one_sentence(error: InputError) -> None:
    text = str(error)
    assert text.strip() == text
    assert text
    assert "\n" not in text
    assert "Traceback" not in text


def write_tokenizer(folder: Path) -> None:
    """A small tokenizer, which loads quickly."""
    pieces = ["<unk>", "<s>", "</s>", "<pad>", *pre_tokenizers.ByteLevel.alphabet(), "ab"]
    backend = Tokenizer(
        models.BPE({piece: at for at, piece in enumerate(pieces)}, [("a", "b")], unk_token="<unk>")
    )
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    backend.add_special_tokens([AddedToken(text, special=True) for text in pieces[:4]])
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **names)
    tokenizer.save_pretrained(folder)
    (folder / "special_tokens_map.json").write_text(json.dumps(names))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": WHOLE}))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    write_tokenizer(folder)
    return folder


def said(talk: list[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.text} for message in talk]


def mutated_template(rng: random.Random) -> str:
    pieces = [rng.choice(SOUND) for _ in range(rng.randrange(1, 4))]
    if rng.random() < 0.5:
        pieces += [rng.choice(PIECES) for _ in range(rng.randrange(1, 4))]
    if rng.random() < 0.3:
        pieces.append(WHOLE)
    rng.shuffle(pieces)
    text = "".join(pieces)
    if rng.random() < 0.3:
        at = rng.randrange(len(text))
        text = text[:at] + text[at + rng.randrange(1, 4) :]
    return text


def test_mutated_templates_are_rendered_as_transformers_does_or_refused(small: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(small)
    tokens = tuple(tokenizer.special_tokens_map.items())
    rng = random.Random(SEED)
    rendered = 0
    for _ in range(TEMPLATES):
        template, talk = mutated_template(rng), rng.choice(TALKS)
        try:
            want = tokenizer.apply_chat_template(
                said(talk), chat_template=template, tokenize=False, add_generation_prompt=True
            )
            want.encode()
        except Exception:  # whatever the template raises
            want = None
        format = ChatFormat(template=template, bos_token="<s>", eos_token="</s>", special_tokens=tokens)
        try:
            got = prompt(format, talk, None)
        except InputError as error:
            one_sentence(error)
            assert want is None, template
            continue
        assert got.text == want, template
        assert "".join(text for text in cut(got)) == got.text
        rendered += 1
    assert TEMPLATES / 5 < rendered < TEMPLATES


def cut(prompt: Prompt) -> list[str]:
    ends = [0, *(part.end for part in prompt.parts)]
    return [prompt.text[start:end] for start, end in itertools.pairwise(ends)]


JUNK: tuple[Any, ...] = (None, 0, -1, True, "", "x", "<s>", [], ["a"], {}, {"content": "</s>"}, 1e9, "\ud800")


def mutate_value(value: Any, rng: random.Random, depth: int = 0) -> Any:
    """A copy of JSON data with one entry replaced, removed or added, at any depth."""
    value = copy.copy(value)
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        what = rng.random()
        if what < 0.25:
            del value[key]
        elif what < 0.35:
            value[rng.choice(("chat_template", "eos_token", "bos_token", "extra"))] = rng.choice(JUNK)
        else:
            value[key] = mutate_value(value[key], rng, depth + 1)
        return value
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        value[at] = mutate_value(value[at], rng, depth + 1)
        return value
    return rng.choice(JUNK)


def mutate_file(folder: Path, rng: random.Random) -> str:
    name = rng.choice(
        ("tokenizer_config.json", "tokenizer.json", "special_tokens_map.json", "chat_template.jinja")
    )
    path = folder / name
    content = path.read_bytes() if path.exists() else WHOLE.encode()
    if name.endswith("json") and rng.random() < 0.75:
        content = json.dumps(mutate_value(json.loads(content), rng)).encode()
    else:
        at = rng.randrange(len(content))
        content = rng.choice(
            (content[:at], content[:at] + b"\xff" + content[at:], content[:at] + content[at + 1 :])
        )
    path.write_bytes(content)
    return name


def reference(folder: Path, talk: list[Message]) -> tuple[str | None, list[int] | None]:
    """What Transformers renders, and the ids of "ab c"; None where it fails."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except BaseException:
        return None, None
    try:
        text = tokenizer.apply_chat_template(said(talk), tokenize=False, add_generation_prompt=True)
        text.encode()
    except BaseException:
        text = None
    try:
        ids = tokenizer("ab c", add_special_tokens=False)["input_ids"]
    except BaseException:
        ids = None
    return text, ids


def test_mutated_tokenizer_files_are_served_as_transformers_does_or_refused(
    small: Path, tmp_path: Path
) -> None:
    rng = random.Random(SEED)
    served = 0
    for case in range(FILES):
        folder = tmp_path / str(case)
        shutil.copytree(small, folder)
        names = [mutate_file(folder, rng) for _ in range(rng.choice((1, 1, 2)))]
        talk = rng.choice(TALKS)
        text, ids = reference(folder, talk)
        try:
            format = tokenizer_chat_format(folder)
            got = None if format is None else prompt(format, talk, None).text
        except InputError as error:
            one_sentence(error)
            got = None
        if text is not None:
            assert got == text, (case, names)
        try:
            found = Served(load_tokenizer(folder, "x")).encode(Prompt(text="ab c"))
        except InputError as error:
            one_sentence(error)
            found = None
        if ids is not None:
            assert found is not None, (case, names)
            assert found[len(found) - len(ids) :] == ids
            served += 1
        shutil.rmtree(folder)
    assert served > FILES / 5
