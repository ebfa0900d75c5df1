"""Tests for the library: valid files are read exactly, and each invalid file causes one error message."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from playground.demonstrations.files import read_demo_set
from playground.lanes.variant import parse_lane
from playground.library import (
    ROOT,
    Library,
    read_adapter,
    read_chat_format,
    same_model,
    tokenizer_chat_format,
)
from playground.types import AdapterCard, Demo, InputError

GOOD = '''
name = "good"
instruction = """
Two
lines"""
[[demos]]
query = "a"
answer = """
b
```
c"""
'''


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_demonstration_set_is_read_to_the_byte(tmp_path: Path) -> None:
    demos = read_demo_set(write(tmp_path / "good.toml", GOOD))
    assert demos.instruction == "Two\nlines"
    assert demos.demos == (Demo(query="a", answer="b\n```\nc"),)


HEAD = "name = 'x'\ninstruction = ''\n"
BAD: dict[str, tuple[str | bytes, str]] = {
    "syntax": ("name = ", "not valid TOML"),
    "not utf-8": (b"\nname = '\xff'", "bad.toml, line 2: not UTF-8 text (byte 9)"),
    "missing instruction": ("name = 'x'", "missing key 'instruction'"),
    "unknown key": (f"{HEAD}author = 'y'", "bad.toml, line 3: unknown key 'author'"),
    "wrong type": ("name = 'x'\ninstruction = 3", "line 2: instruction must be text, not 3"),
    "missing answer": (f"{HEAD}[[demos]]\nquery = 'q'", "line 3, demos 1: 'answer' is missing"),
    "answer and none": (
        f"{HEAD}[[demos]]\nquery = 'q'\nanswer = 'a'\nunanswered = true",
        "line 3, demos 1: it has both an answer and unanswered = true",
    ),
    "wrong key in a demonstration": (
        f'{HEAD}[[demos]]\nquery = \'a\'\nanswer = """\n[[demos]]\nquerry = """\n[[demos]]\nquerry = \'q\'',
        "line 9, demos 2: unknown key 'querry'; valid keys are query",
    ),
    "wrong type in a later turn": (
        f"{HEAD}[[demos]]\nquery = 'a'\nanswer = 'b'\n[[demos.then]]\nquery = 'c'\nanswer = 4",
        "line 8, demos 1, then 1: answer must be text, not 4",
    ),
    "demos no list": (f"{HEAD}demos = 'many'", "line 3: demos must be a list of tables, not 'many'"),
    "demos no tables": (f"{HEAD}demos = ['q']", "demos 1: expected a table"),
    "text and parts": ("name = 'x'\ntext = 't'\ninstruction = ''", "line 3: unknown key 'instruction'"),
    "key given twice": (f"{HEAD}name = 'y'", "not valid TOML: Cannot overwrite a value"),
    "unknown format": (f"{HEAD}format = 'loud'", "line 3: unknown format 'loud'; use one of fenced"),
    "bad name": ("name = '../x'\ninstruction = ''", "line 1: the name '../x' is not a usable name"),
    "name taken": (GOOD, "the name 'good' is already used by another demonstration set"),
    "nothing in it": (HEAD, "neither an instruction nor demonstrations"),
    "no text in it": ("name = 'x'\ntext = ' '", "neither an instruction nor demonstrations"),
    "empty file": ("", "missing key 'name'"),
    "NUL": ("\nname = 'x\0'", "at line 2, column 10"),
    "10 MB": (b"#" * 10**7, "larger than 2 MB"),
    "nested": ("a = " + "[" * 100000, "not valid TOML"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_set_is_named_in_one_sentence_and_the_rest_still_loads(tmp_path: Path, case: str) -> None:
    text, said = BAD[case]
    write(tmp_path / "prompts" / "demos" / "a-good.toml", GOOD)
    write(tmp_path / "prompts" / "demos" / "bad.toml", text)
    library = Library.open("some/base", root=tmp_path)
    assert list(library.demo_sets) == ["good"]
    assert len(library.problems) == 1
    assert "bad.toml" in library.problems[0]
    assert said in library.problems[0]
    assert len(library.problems[0].splitlines()) == 1
    assert len(library.problems[0]) < 300


def test_the_shipped_prompts_and_adapters_are_all_readable() -> None:
    library = Library.open("models/pocket")
    assert library.problems == []
    assert {"pocket-3", "general-3"} <= set(library.demo_sets)
    assert library.default_demo_set().name == "pocket-3"
    assert Library.open("owner/Some-7B").default_demo_set().name == "general-3"
    for name in ("pocket-3", "general-3"):
        assert len(library.demo_sets[name].demos) == 3
    for path in (ROOT / "prompts" / "chat").glob("*.toml"):
        assert read_chat_format(path.stem).template


@pytest.mark.parametrize("base", ["models/pocket", "owner/Some-7B", "HuggingFaceTB/SmolLM2-135M"])
def test_a_new_set_changes_no_default(tmp_path: Path, base: str) -> None:
    before = Library.open(base).default_demo_set()
    for prompts in (tmp_path / "prompts", tmp_path / "data"):
        (prompts / "demos").mkdir(parents=True)
    for path in (ROOT / "prompts" / "demos").glob("*.toml"):
        (tmp_path / "prompts" / "demos" / path.name).symlink_to(path)
    (tmp_path / "models").symlink_to(ROOT / "models")
    for name in ("0-first", "zz-last"):
        text = f'name = "{name}"\nmeant_for = "{base}"\ninstruction = "I"\n'
        (tmp_path / "prompts" / "demos" / f"{name}.toml").write_text(text)
        (tmp_path / "data" / "demos" / f"{name}-own.toml").write_text(text.replace(name, f"{name}-own"))
    library = Library.open(base, root=tmp_path, data_dir=tmp_path / "data")
    assert {"0-first", "zz-last", "0-first-own", "zz-last-own"} <= set(library.demo_sets)
    assert library.default_demo_set() == before


def test_the_default_set_of_a_base_is_that_of_its_first_preset(tmp_path: Path) -> None:
    (tmp_path / "demos").mkdir()
    (tmp_path / "demos" / "mine.toml").write_text('name = "mine"\ninstruction = "I"\n')
    entry = (
        '[[presets]]\nname = "{name}"\nlabel = "L"\ndescription = "D"\nbase = "{base}"\nparameters = 1\n'
        'licence = "MIT"\ndemos = "{demos}"\n'
    )
    presets = [
        ("one", "owner/Some-7B", "nowhere"),
        ("two", "owner/Some-7B", "mine"),
        ("three", "owner/Some-7B", "general-50"),
        ("four", "models/pocket", "mine"),
    ]
    (tmp_path / "presets.toml").write_text(
        "".join(entry.format(name=name, base=base, demos=demos) for name, base, demos in presets)
    )
    assert Library.open("Some-7B", data_dir=tmp_path).default_demo_set().name == "mine"
    assert Library.open("models/pocket", data_dir=tmp_path).default_demo_set().name == "pocket-3"


def test_an_unknown_chat_format_names_the_adapters_file(tmp_path: Path) -> None:
    adapter(tmp_path / "x", adapter__toml='name = "own"\nchat_format = "nope"\n')
    with pytest.raises(
        InputError, match=r"adapter\.toml, line 2: there is no chat format 'nope'; choose one"
    ):
        read_adapter(tmp_path / "x")
    write(tmp_path / "x" / "adapter.toml", "")
    (tmp_path / "x" / "adapter.toml").write_bytes(b'name = "\xff"')
    with pytest.raises(InputError, match=r"adapter\.toml, line 1: not UTF-8 text") as caught:
        read_adapter(tmp_path / "x")
    assert str(caught.value).count("adapter.toml") == 1


def adapter(folder: Path, base: str = "owner/base", **files: str) -> Path:
    write(folder / "adapter_config.json", json.dumps({"base_model_name_or_path": base}))
    for name, text in files.items():
        write(folder / name.replace("__", "."), text)
    return folder


def test_an_adapter_is_what_its_files_say_and_its_card_comes_first(tmp_path: Path) -> None:
    plain = read_adapter(adapter(tmp_path / "plain"))
    assert (plain.name, plain.base_model, plain.label, plain.chat_format) == (
        "plain",
        "owner/base",
        "plain",
        None,
    )
    config = json.dumps({"chat_template": "{{ x }}", "bos_token": "<s>", "eos_token": {"content": "</s>"}})
    card = 'name = "own"\nlabel = "Its own"\nbase_model = "me/other"\n'
    full = read_adapter(adapter(tmp_path / "full", tokenizer_config__json=config, adapter__toml=card))
    assert (full.name, full.base_model, full.label) == ("own", "me/other", "Its own")
    assert full.chat_format is not None
    assert full.chat_format.template == "{{ x }}"
    assert (full.chat_format.bos_token, full.chat_format.eos_token) == ("<s>", "</s>")


def test_chat_templates_are_found_in_all_three_places(tmp_path: Path) -> None:
    assert tokenizer_chat_format(tmp_path) is None
    named = [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]
    write(tmp_path / "tokenizer_config.json", json.dumps({"chat_template": named, "bos_token": None}))
    found = tokenizer_chat_format(tmp_path)
    assert found is not None
    assert (found.template, found.bos_token) == ("D", "")
    write(tmp_path / "chat_template.jinja", "J")
    found = tokenizer_chat_format(tmp_path)
    assert found is not None
    assert found.template == "J"


def test_an_adapter_that_a_person_names_is_used_whatever_base_it_names(tmp_path: Path) -> None:
    folder = adapter(tmp_path / "other", base="owner/Other-7B")
    library = Library.open("owner/This-7B", {"other": str(folder)})
    assert library.adapters["other"].base_model == "owner/Other-7B"
    # One that merely lies in adapters/ does not stop anything; asking for it says why not.
    library = Library.open("owner/This-7B")
    assert library.adapters == {}
    with pytest.raises(InputError, match="restart with --base models/pocket"):
        library.adapter("pocket-ift")


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    library = Library.open("models/pocket")
    with pytest.raises(InputError, match=r"no demonstration set 'x': choose one of .*general-3.*pocket-3"):
        library.demo_set("x")
    with pytest.raises(InputError, match="no adapter 'x': choose one of pocket-ift"):
        library.adapter("x")
    with pytest.raises(InputError, match=r"There is no adapter folder \./nowhere"):
        Library.open("models/pocket", {"x": "./nowhere"})
    with pytest.raises(InputError, match=r"has no adapter_config\.json"):
        Library.open("models/pocket", {"x": str(ROOT / "prompts")})
    with pytest.raises(InputError, match=r"README\.md is a file, but an adapter must be a folder in PEFT's"):
        Library.open("models/pocket", {"x": str(ROOT / "README.md")})


def test_of_several_adapters_one_that_cannot_be_read_leaves_the_others() -> None:
    good = str(ROOT / "adapters" / "pocket-ift")
    library = Library.open("models/pocket", {"good": good, "bad": str(ROOT / "prompts")})
    assert library.adapter("good").source == good
    assert any("has no adapter_config.json" in problem for problem in library.problems)
    with pytest.raises(InputError, match=r"has no adapter_config\.json"):
        parse_lane("bad", library)
    with pytest.raises(InputError, match="reserved for a lane"):
        Library.open("models/pocket", {"base": str(ROOT / "adapters" / "pocket-ift")})


def test_an_adapter_on_the_hub_waits_for_its_files() -> None:
    library = Library.open("models/pocket", {"far": "owner/far-lora"})
    assert library.pending == {"far": "owner/far-lora"}
    with pytest.raises(InputError, match="still being downloaded from owner/far-lora"):
        library.adapter("far")


SAME = [
    ("mistralai/Mistral-7B-v0.1", "/data/Mistral-7B-v0.1/"),
    ("models/pocket", str(ROOT / "models" / "pocket")),
    ("unsloth/Meta-Llama-3.1-8B-bnb-4bit", "meta-llama/Meta-Llama-3.1-8B"),
    ("unsloth/Meta-Llama-3.1-8B-unsloth-bnb-4bit", "meta-llama/Meta-Llama-3.1-8B"),
    ("C:\\models\\Some-7B", "owner/Some-7B"),
    ("C:\\models\\Some-7B\\", "/srv/some-7b"),
    ("/home/a/.cache/huggingface/hub/models--owner--Some-7B/snapshots/0a1b2c3d", "owner/Some-7B"),
    ("owner/Some-7B@main", "owner/Some-7B"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_model_under_several_names(one: str, other: str) -> None:
    assert same_model(one, other)
    assert same_model(other, one)


def test_other_models_and_no_names_are_not_the_same() -> None:
    assert not same_model("mistralai/Mistral-7B-v0.1", "mistralai/Mistral-7B-v0.3")
    assert not same_model("", "")


def model_folder(folder: Path, weights: bytes, **config: object) -> str:
    write(folder / "config.json", json.dumps({"model_type": "llama", **config}))
    write(folder / "model.safetensors", weights)
    return str(folder)


def test_two_bases_in_folders_of_one_name_are_distinguished_by_their_files(tmp_path: Path) -> None:
    one = model_folder(tmp_path / "a" / "base", b"x" * 300_000, hidden_size=64)
    same = model_folder(tmp_path / "b" / "base", b"x" * 300_000, hidden_size=64, transformers_version="5")
    shape = model_folder(tmp_path / "c" / "base", b"x" * 300_000, hidden_size=32)
    weights = model_folder(tmp_path / "d" / "base", b"x" * 150_000 + b"y" + b"x" * 149_999, hidden_size=64)
    assert same_model(one, same)
    assert not same_model(one, shape)
    assert not same_model(one, weights)


def test_adapters_can_be_listed_while_their_files_arrive(tmp_path: Path) -> None:
    """The engine's thread takes an adapter out of `pending` while a page is built."""
    library = Library.open("models/pocket")
    for number in range(3):
        library.ask_for(f"adapter-{number}", f"someone/adapter-{number}")
    seen: list[str] = []
    for name, source in library.pending_sources().items():
        library.add(AdapterCard(name=name, source=source, base_model="", label=name))
        seen.append(name)
    assert seen == ["adapter-0", "adapter-1", "adapter-2"]
    assert library.pending == {}
    assert set(seen) <= set(library.adapters)


class Finished(dict[str, str]):
    """Pending adapters of which one is ready right after each test of membership."""

    def __contains__(self, name: object) -> bool:
        found = super().__contains__(name)
        self.pop(str(name), None)
        return found


def test_a_download_that_finishes_during_the_look_up_is_no_fault() -> None:
    library = Library.open("models/pocket")
    library.pending = Finished({"new": "someone/new"})
    with pytest.raises(InputError, match="'new' is still being downloaded from someone/new"):
        library.adapter("new")
