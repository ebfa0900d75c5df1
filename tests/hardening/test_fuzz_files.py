"""Fuzz tests for all file types: each damaged file yields a one-sentence error and no traceback."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.cli.prompt import read_messages
from playground.demonstrations.files import read_demo_file
from playground.engine.adapters.config import check_config as check_adapter_config
from playground.engine.adapters.files import read_shapes
from playground.engine.loading.checkpoint import check_config, read_header
from playground.files import read_object
from playground.gguf import read_gguf
from playground.library import read_adapter, tokenizer_chat_format
from playground.library.presets import read_presets
from playground.library.probes import read_probes
from playground.published.manifest import read_manifest
from playground.rubrics.fastchat import read_judge_prompts
from playground.rubrics.files import read_rubric
from playground.templates import read_templates
from playground.types import InputError, OutsideError
from tests.helpers.paths import POCKET, ROOT

CASES = 1000
"""Of each kind."""
ADAPTER = ROOT / "adapters" / "pocket-ift"


def gguf(tmp_path: Path) -> Path:
    """A small GGUF file."""
    import numpy
    from gguf import GGUFWriter

    path = tmp_path / "small.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(8)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b"])
    writer.add_tensor("token_embd.weight", numpy.zeros((2, 8), dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def judge_prompts(tmp_path: Path) -> Path:
    """A FastChat file of judge prompts."""
    path = tmp_path / "judge_prompts.jsonl"
    entry = {
        "name": "single-v1",
        "type": "single",
        "system_prompt": "You judge.",
        "prompt_template": "{question} {answer}",
        "description": "Prompt",
        "category": "general",
        "output_format": "[[rating]]",
    }
    path.write_text(json.dumps(entry) + "\n", encoding="utf-8")
    return path


def messages(tmp_path: Path) -> Path:
    """A conversation for `prompt --messages`."""
    path = tmp_path / "messages.json"
    path.write_text(json.dumps([{"role": "user", "content": "Hi"}]), encoding="utf-8")
    return path


def first(pattern: str) -> Callable[[Path], Path]:
    """The first file of the project that matches."""
    return lambda tmp_path: sorted(ROOT.glob(pattern))[0]


PROMPT = "Be brief.\n\n# Query:\n```\nHi\n```\n\n# Answer:\n```\nHo\n```\n"
KINDS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Any]]] = {
    "demonstrations, TOML": (first("prompts/demos/*.toml"), read_demo_file),
    "demonstrations, a prompt": (
        lambda tmp_path: write(
            tmp_path / "x.txt", "Be brief.\n\n# Query:\n```\nHi\n```\n\n# Answer:\n```\nHo\n```\n"
        ),
        read_demo_file,
    ),
    "rubric": (first("prompts/**/*.toml"), read_rubric),
    "judge prompts": (judge_prompts, read_judge_prompts),
    "presets": (first("models/presets.toml"), read_presets),
    "probes": (first("prompts/probes/*.jsonl"), read_probes),
    "messages": (messages, read_messages),
    "manifest": (first("prompts/**/*.toml"), read_manifest),
    "GGUF": (gguf, read_gguf),
    "weights": (lambda tmp_path: ADAPTER / "adapter_model.safetensors", read_header),
}
INSIDE: dict[str, tuple[Path, Callable[[Path], object]]] = {
    "adapter_config.json": (
        ADAPTER,
        lambda here: (read_adapter(here), check_adapter_config(read_object(here / "adapter_config.json"))),
    ),
    "adapter.toml": (ADAPTER, read_adapter),
    "adapter_model.safetensors": (ADAPTER, lambda here: read_shapes(here, False)),
    "tokenizer_config.json": (POCKET, lambda here: (read_templates(here), tokenizer_chat_format(here))),
    "config.json": (POCKET, lambda here: check_config(read_object(here / "config.json"), "config.json")),
}
"""Files that are read as part of a folder."""
TREASURE = (
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"\xff\xfe",
    b"\xc3\x28",
    b"\x00" * 64,
    b"1" * 5000,
    b"-1",
    b"1e999",
    b"NaN",
    b"null",
    b"true",
    b'"' + b"x" * 300 + b'"',
    b'"\\ud800"',
    b"{}",
    b"[]",
    b"''' \"\"\"",
    b"\r\n",
    b"{{ x }}{% for",
    "\u2028\u202e\ufeff".encode(),
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def damaged(data: bytes, generator: random.Random) -> bytes:
    """The data after one to three changes."""
    for _ in range(generator.randint(1, 3)):
        at = generator.randrange(len(data) + 1) if data else 0
        way = generator.randrange(6)
        if way == 0:
            data = data[:at]
        elif way == 1:
            data = data[:at] + bytes([generator.randrange(256)]) + data[at + 1 :]
        elif way == 2:
            data = data[:at] + generator.choice(TREASURE) + data[at:]
        elif way == 3:
            end = min(len(data), at + generator.randint(1, 200))
            data = data[:at] + data[end:]
        elif way == 4:
            data = swapped(data, generator)
        else:
            data = generator.choice(TREASURE) if generator.random() < 0.2 else data[:at] + data[at // 2 :]
    return data


def swapped(data: bytes, generator: random.Random) -> bytes:
    """The data with one JSON or TOML value replaced by another."""
    parts = data.split(b": " if b": " in data else b" = ")
    if len(parts) < 2:
        return data
    number = generator.randrange(1, len(parts))
    rest = parts[number]
    ends = [end for end in (rest.find(b","), rest.find(b"\n"), rest.find(b"}")) if end >= 0]
    parts[number] = generator.choice(TREASURE[5:]) + rest[min(ends, default=len(rest)) :]
    return (b": " if b": " in data else b" = ").join(parts)


def one_sentence(read: Callable[[Path], Any], path: Path) -> None:
    """Read a file; nothing but an error of ours may come of it, and that is one line that can be printed."""
    try:
        read(path)
    except (InputError, OutsideError) as error:
        sentence = str(error)
        assert sentence.strip()
        assert len(sentence) < 2000, sentence[:200]
        assert "\n" not in sentence.strip()
        sentence.encode("utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_read_or_is_one_sentence(kind: str, tmp_path: Path) -> None:
    make, read = KINDS[kind]
    original = make(tmp_path)
    data = original.read_bytes()[:200_000]
    path = tmp_path / f"damaged{original.suffix}"
    path.write_bytes(data)
    generator = random.Random(7)
    for _ in range(CASES):
        path.write_bytes(damaged(data, generator))
        one_sentence(read, path)


@pytest.mark.parametrize("name", INSIDE)
def test_a_damaged_file_of_a_folder_is_read_or_is_one_sentence(name: str, tmp_path: Path) -> None:
    folder, read = INSIDE[name]
    here = tmp_path / "folder"
    here.mkdir()
    for path in folder.iterdir():
        if path.is_file() and (path.name == name or path.stat().st_size < 2_000_000):
            shutil.copyfile(path, here / path.name)
    data = (here / name).read_bytes()[:400_000]
    generator = random.Random(8)
    for _ in range(CASES):
        (here / name).write_bytes(damaged(data, generator))
        one_sentence(read, here)


@pytest.mark.parametrize("name", ["x" * 300, "../../etc/passwd", "a\x00b", "\ud800", ""])
def test_a_chat_format_that_cannot_be_a_name_is_a_sentence(name: str, tmp_path: Path) -> None:
    here = tmp_path / "adapter"
    shutil.copytree(ADAPTER, here)
    text = f"chat_format = {json.dumps(name)}\n"
    (here / "adapter.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError) as caught:
        read_adapter(here)
    assert "\n" not in str(caught.value)
