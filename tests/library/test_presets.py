"""Tests for presets: the shipped file, validation errors and memory requirements."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from playground import memory
from playground.config import Settings
from playground.engine.loading import device
from playground.library import Library
from playground.library.presets import (
    OWN_FILE,
    Cached,
    Offer,
    Preset,
    find_preset,
    join_cached,
    list_presets,
    offer_json,
    offer_line,
    read_presets,
    with_adapters,
)
from playground.memory import Room, fitting_precisions, weights_size
from playground.start import open_library
from playground.types import InputError, Sampling

ENTRY = {
    "name": '"mine"',
    "label": '"Mine"',
    "description": '"A base of mine."',
    "base": '"some/base"',
    "parameters": "1_000_000",
    "licence": '"MIT"',
}


def written(*entries: dict[str, str], tail: str = "") -> str:
    return "".join(
        "[[presets]]\n" + "".join(f"{key} = {value}\n" for key, value in entry.items()) for entry in entries
    ) + tail  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "presets.toml"


# --- The shipped file -------------------------------------------------------------------------------


def test_the_shipped_presets_are_read_and_name_sets_that_are_there() -> None:
    presets, problems = list_presets()
    assert problems == []
    names = [preset.name for preset in presets]
    assert len(names) >= 10
    sets = Library.open("models/pocket").demo_sets
    for preset in presets:
        assert preset.demos in sets
        assert preset.description.endswith(".")
        assert preset.description.count(". ") == 0
        assert "nstruct" not in preset.base  # bases, not chat models
    wanted = {"smollm2-135m", "smollm2-360m", "smollm2-1.7b", "qwen2.5-0.5b", "qwen2.5-1.5b", "llama-3.2-1b"}
    assert wanted | {"mistral-7b-v0.1", "mistral-7b-v0.2", "llama-3.1-8b", "pocket"} <= set(names)
    assert find_preset("mistral-7b-v0.1").adapters[0].source == "alignment-handbook/zephyr-7b-sft-qlora"
    assert {preset.name for preset in presets if preset.gate == "yes"} == {"llama-3.2-1b", "llama-3.1-8b"}


SHAPES = {
    # vocabulary, width, layers, query and key width, MLP width, bias of q, k and v, tied embeddings
    "smollm2-135m": (49_152, 576, 30, 576, 192, 1_536, False, True),
    "smollm2-360m": (49_152, 960, 32, 960, 320, 2_560, False, True),
    "smollm2-1.7b": (49_152, 2_048, 24, 2_048, 2_048, 8_192, False, True),
    "qwen2.5-0.5b": (151_936, 896, 24, 896, 128, 4_864, True, True),
    "qwen2.5-1.5b": (151_936, 1_536, 28, 1_536, 256, 8_960, True, True),
    "llama-3.2-1b": (128_256, 2_048, 16, 2_048, 512, 8_192, False, True),
    "llama-3.1-8b": (128_256, 4_096, 32, 4_096, 1_024, 14_336, False, False),
    "mistral-7b-v0.1": (32_000, 4_096, 32, 4_096, 1_024, 14_336, False, False),
    "mistral-7b-v0.2": (32_000, 4_096, 32, 4_096, 1_024, 14_336, False, False),
    "pocket": (4_096, 192, 4, 192, 192, 512, False, True),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_parameters_are_those_that_the_architecture_has(name: str) -> None:
    words, width, layers, query, key, mlp, bias, tied = SHAPES[name]
    attention = 2 * width * query + 2 * width * key + (query + 2 * key if bias else 0)
    layer = attention + 3 * width * mlp + 2 * width
    assert find_preset(name).parameters == words * width * (1 if tied else 2) + layers * layer + width


def test_every_shipped_preset_is_counted_above() -> None:
    assert {preset.name for preset in list_presets()[0]} == set(SHAPES)


def test_the_rule_for_memory_is_the_engines() -> None:
    for name in ("BYTES_IN_4BIT", "MOST_OF_MEMORY"):
        assert vars(device)[name] is vars(memory)[name]
    assert weights_size(1_000, "float32") == 4_000
    assert weights_size(1_000, "4 bit") == 750


# --- Files --------------------------------------------------------------------------------------------


def test_a_preset_with_everything(file: Path) -> None:
    tail = 'decoding = "repetition_penalty=1.15, temperature=0.5"\ndemos = "general-3"\ngate = "yes"\n'
    tail += '[[presets.adapters]]\nname = "one"\nsource = "some/adapter"\n'
    file.write_text(written(ENTRY, tail=tail))
    (preset,), problems = read_presets(file)
    assert problems == []
    assert preset.sampling == Sampling(repetition_penalty=1.15, temperature=0.5)
    assert preset.sources == ("some/base", "some/adapter")
    assert (preset.gate, preset.demos, preset.parameters) == ("yes", "general-3", 1_000_000)


WRONG = [
    ({"name": '"a b"'}, "line 2, presets 1: the name 'a b' is not a usable name"),
    ({"label": "3"}, "line 3, presets 1: label must be text, not 3"),
    ({"label": '" "'}, "label must be a single line of text"),
    ({"description": '"a\\nb"'}, "description must be a single line of text"),
    ({"base": '""'}, "base must be a single line of text"),
    ({"parameters": "true"}, "parameters must be a positive integer"),
    ({"parameters": "0"}, "parameters must be a positive integer"),
    ({"parameters": "1.5"}, "parameters must be an integer, not 1.5"),
    ({"gate": '"closed"'}, "gate must be one of no, yes, maybe"),
    ({"decoding": '"seed=3"'}, "decoding must consist of key=value pairs with the keys temperature"),
    ({"decoding": '"temperature"'}, "not 'temperature'"),
    ({"decoding": '"temperature=-1"'}, "Temperature must be 0 (greedy) or more"),
    ({"decoding": '"temperature=warm"'}, "Temperature must be a number"),
    ({"memory": "3"}, "unknown key 'memory'"),
    ({"adapters": "3"}, "adapters must be a list of tables"),
    ({"adapters": "[3]"}, "expected a table"),
    ({"adapters": '[{name = "a"}]'}, "missing key 'source'"),
    ({"adapters": '[{name = "a", source = ""}]'}, "source must be a Hub ID or a folder"),
    ({"adapters": '[{name = "a", source = "b"}, {name = "a", source = "c"}]'}, "two of its adapters"),
]


@pytest.mark.parametrize(("change", "said"), WRONG)
def test_one_wrong_entry_is_a_sentence_and_hides_no_other(
    file: Path, change: dict[str, str], said: str
) -> None:
    file.write_text(written({**ENTRY, **change}, {**ENTRY, "name": '"good"'}))
    presets, (problem,) = read_presets(file)
    assert [preset.name for preset in presets] == ["good"]
    assert problem.startswith(str(file))
    assert said in problem
    assert "\n" not in problem


@pytest.mark.parametrize("key", ENTRY)
def test_a_missing_key_is_named(file: Path, key: str) -> None:
    file.write_text(written({name: value for name, value in ENTRY.items() if name != key}))
    presets, (problem,) = read_presets(file)
    assert presets == []
    assert f"missing key '{key}'" in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[presets", "not valid TOML"),
        ("presets = 3", "presets must be a list of tables"),
        ("", "missing key 'presets'"),
        ("presets = []\nother = 1", "unknown key 'other'"),
        ("presets = [3]", "expected a table"),
    ],
)
def test_a_file_that_is_no_list_of_presets_is_a_sentence(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    presets, (problem,) = read_presets(file)
    assert presets == []
    assert said in problem


def test_a_users_own_file_adds_presets_and_cannot_take_a_name(file: Path) -> None:
    file.write_text(written(ENTRY, {**ENTRY, "name": '"pocket"'}, ENTRY))
    presets, problems = list_presets(file.parent)
    assert [preset.name for preset in presets if preset.base == "some/base"] == ["mine"]
    assert len(problems) == 2
    assert all("is already used by another preset" in problem for problem in problems)
    assert find_preset("mine", file.parent).label == "Mine"
    with pytest.raises(InputError, match=r"There is no preset 'other': choose one of pocket, .*, mine\."):
        find_preset("other", file.parent)
    file.write_bytes(b"\xff")
    presets, (problem,) = list_presets(file.parent)
    assert len(presets) == len(SHAPES)
    assert "not UTF-8" in problem


# --- Settings ----------------------------------------------------------------------------------------


def test_a_preset_sets_base_and_adapters(tmp_path: Path) -> None:
    flags = {"data_dir": tmp_path, "preset": "mistral-7b-v0.1", "adapters": ["mine=a/b", "zephyr-sft=c/d"]}
    settings = Settings.read(flags, {})
    assert (settings.base, settings.preset) == ("mistralai/Mistral-7B-v0.1", "mistral-7b-v0.1")
    assert settings.adapters == (
        ("zephyr-sft", "alignment-handbook/zephyr-7b-sft-qlora"),
        ("mine", "a/b"),
    )
    environ = {"TANDEM_PRESET": "smollm2-135m", "TANDEM_DATA_DIR": str(tmp_path)}
    assert Settings.read({}, environ).base == "HuggingFaceTB/SmolLM2-135M"
    assert Settings.read({"base": "x/y"}, environ).preset is None
    assert Settings.read({"preset": "pocket"}, {**environ, "TANDEM_BASE": "x/y"}).base == "models/pocket"
    with pytest.raises(InputError, match="leave out --base"):
        Settings.read({"preset": "pocket", "base": "x/y"}, {})
    with pytest.raises(InputError, match="TANDEM_PRESET already sets the base"):
        Settings.read({}, {**environ, "TANDEM_BASE": "x/y"})
    with pytest.raises(InputError, match="There is no preset 'none'"):
        Settings.read({"preset": "none"}, {"TANDEM_DATA_DIR": str(tmp_path)})


def test_the_library_suggests_the_presets_demonstrations(file: Path) -> None:
    file.write_text(
        written(
            {**ENTRY, "base": '"models/pocket"', "demos": '"pocket-8"'},
            {**ENTRY, "name": '"lost"', "base": '"models/pocket"', "demos": '"nowhere"'},
        )
    )
    library = open_library(Settings.read({"data_dir": file.parent, "preset": "mine"}, {}))
    assert library.default_demo_set().name == "pocket-8"
    assert library.problems == []
    library = open_library(Settings.read({"data_dir": file.parent, "preset": "lost"}, {}))
    assert library.default_demo_set().name == "pocket-3"
    assert "uses the demonstration set 'nowhere', which was not found" in library.problems[-1]


# --- What fits ------------------------------------------------------------------------------------------

ONE = Preset(
    name="one", label="One", description="It.", base="a/b", parameters=1_000_000_000, licence="MIT"
)  # fmt: skip


@pytest.mark.parametrize(
    ("size", "full", "fits"),
    [
        (5_000_000_000, "float32", ("float32", "4 bit")),
        (4_999_999_999, "float32", ("4 bit",)),
        (2_500_000_000, "bfloat16", ("bfloat16", "4 bit")),
        (937_500_000, "float32", ("4 bit",)),
        (937_499_999, "float32", ()),
    ],
)
def test_what_fits(size: int, full: str, fits: tuple[str, ...]) -> None:
    assert fitting_precisions(ONE.parameters, Room(size=size, full=full)) == fits


def test_a_row_of_doctor() -> None:
    offer = Offer(preset=ONE, room=Room(size=2_000_000_000), cached=Cached(state="partial", size=3_000_000))
    row = offer_json(offer)
    assert (row["fits"], row["memory"]) == (["4 bit"], {"float32": 4_000_000_000, "4 bit": 750_000_000})
    assert (row["download"], row["downloaded_bytes"], row["gate"]) == ("partial", 3_000_000, "no")
    assert offer_line(row) == (
        "preset one: a/b: 4.0 GB in float32, 750 MB in 4 bit; fits in 4 bit; partly downloaded (3.0 MB); MIT"
    )
    large = offer_json(dataclasses.replace(offer, room=Room(size=1)))
    assert "too large for this machine" in offer_line(large)


def test_terms_are_needed_before_a_download_alone() -> None:
    gated = dataclasses.replace(ONE, gate="yes")
    for cached, needed in (
        (Cached(state="complete"), False),
        (Cached(state="partial"), True),
        (Cached(state="absent"), True),
    ):
        assert Offer(preset=gated, room=Room(size=1), cached=cached).needs_terms is needed
    assert not Offer(preset=ONE, room=Room(size=1), cached=Cached(state="absent")).needs_terms


def test_parts_of_a_download_together() -> None:
    complete, absent = Cached(state="complete", size=5), Cached(state="absent")
    partial = Cached(state="partial", size=3)
    assert join_cached([complete, complete]) == Cached(state="complete", size=10)
    assert join_cached([complete, absent]) == Cached(state="partial", size=5)
    assert join_cached([partial, absent]) == Cached(state="partial", size=3)
    assert join_cached([absent, absent]) == Cached(state="absent")
    folder = Cached(state="complete")  # nothing of it was downloaded
    assert join_cached([folder, absent]) == Cached(state="absent")


def test_adapters_beside_those_of_a_preset() -> None:
    assert with_adapters(ONE, [("a", "b")]) == (("a", "b"),)


def test_a_folder_or_a_broken_link_in_place_of_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "folder" / OWN_FILE).mkdir(parents=True)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / OWN_FILE).symlink_to(tmp_path / "nowhere")
    for name in ("folder", "link"):
        presets, problems = list_presets(tmp_path / name)
        assert presets
        assert len(problems) == 1
        assert problems[0].startswith(f"Cannot read {tmp_path / name / OWN_FILE}: ")
    presets, problems = list_presets(None, shipped=tmp_path / "folder" / OWN_FILE)
    assert presets == []
    assert len(problems) == 1
