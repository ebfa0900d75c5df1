"""Tests for lane specs: quoted values and round trips between text and variants."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.lanes.recipe import Recipe
from playground.lanes.spec import format_spec, parse_spec
from playground.lanes.variant import name_lane_in_errors, parse_lane, parse_lanes
from playground.library import Library
from playground.types import InputError, Sampling, Variant
from playground.types.option_value import Quoted, is_scalar
from playground.ui.page.link import DecodingSettings, PageSetup, read_link, write_link


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        ("chat", {}),
        ("chat:", {}),
        ("chat:a=1,,b=2,", {"a": "1", "b": "2"}),
        ("chat: a = 1 , b=x=y", {"a": "1", "b": "x=y"}),
        ('chat:system="Be brief, please."', {"system": "Be brief, please."}),
        ('chat: system = "a" , b=2', {"system": "a", "b": "2"}),
        (r'chat:system="say \"hi\" \\ \n\tnow"', {"system": 'say "hi" \\ \n\tnow'}),
        ('chat:system=" edges "', {"system": " edges "}),
        ('chat:system=""', {"system": ""}),
        ('chat:system=5" disk', {"system": '5" disk'}),
        (r"chat:stop=\n", {"stop": r"\n"}),
    ],
)
def test_a_spec_is_read(spec: str, options: dict[str, str]) -> None:
    assert parse_spec(spec) == ("chat", options)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("chat:a", "'a' is not key=value"),
        ("chat:a=1,a=2", "'a' is set twice"),
        ('chat:a="x', "is not closed"),
        ('chat:a="x"y', "is followed by more text"),
        ('chat:a="x\\"', "is not closed"),
        ("m@127.0.0.1:8000", "'m@127.0.0.1:8000' is not a chat model on a server: write MODEL@http://SERVER"),
        ("m@server", "is not a chat model on a server"),
        ("m@http://server:8000:temperature=1", "':temperature=' is not part of a server's address"),
        ("m@http://server/v1:top_p=1,k=2", "separate the options of a chat model by commas"),
    ],
)
def test_a_bad_spec_is_refused_in_one_sentence(spec: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        parse_spec(spec)
    assert "\n" not in str(caught.value)


def values(seed: int) -> str:
    """A text with what specs give a meaning to, and other scripts."""
    rng = random.Random(seed)
    return "".join(rng.choice(',="\\:\n\t\r anb1é🙂%&+#') for _ in range(rng.randrange(12)))


def test_what_is_written_is_read_back() -> None:
    for seed in range(2000):
        options = {f"key{at}": values(seed * 3 + at) for at in range(seed % 3 + 1)}
        if seed % 4 == 0:
            options = {key: Quoted(value) for key, value in options.items()}
        for name in ("chat", "x.y-z"):
            spec = format_spec(name, options)
            assert parse_spec(spec) == (name, options)
            assert "\n" not in spec
        read_back = parse_spec(format_spec("chat:adapter=x", options))[1]
        assert read_back == {"adapter": "x", **options}


def test_a_quoted_number_stays_a_text() -> None:
    _, options = parse_spec(format_spec("chat", {"a": Quoted("1"), "b": "1"}))
    assert isinstance(options["a"], Quoted)
    assert not isinstance(options["b"], Quoted)


def test_controls_and_links_spell_lanes_that_are_read_back() -> None:
    for seed in range(500):
        recipe = Recipe(
            preset=("x", "chat", "chat:adapter=x")[seed % 3],
            system=values(seed),
            think=("drop", "keep")[seed % 2],
            template=("", "tool, use")[seed // 2 % 2],
            variables='day="1 May, 2025",n=1' if seed % 5 == 0 else "",
            overflow=("refuse", "drop-turns")[seed // 3 % 2],
        )
        spec = recipe.spec("general-3", {})
        assert Recipe.of(spec) == recipe
        pairs = [("lane", spec)]
        assert read_link(pairs, 4, ("own",)) == (PageSetup(lanes=(spec,), common=None), [])
        assert "\n" not in write_link(PageSetup(lanes=(spec,)))


def test_template_variables_of_the_controls_cannot_be_options_of_the_lane() -> None:
    for text in ("temperature=1", "adapter=x", "k=2", "no equals sign", 'a="'):
        with pytest.raises(InputError):
            Recipe(preset="x", variables=text).spec("general-3", {})
    with pytest.raises(InputError, match="Template variables: 'no equals sign' is not key=value"):
        Recipe(preset="x", variables="a=1,no equals sign").spec("general-3", {})


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("urial:k=x", "k must be a non-negative integer, not 'x'."),
        (
            "urial:k",
            "'k' is not key=value: write k=VALUE, or put quotes around a value",
        ),
        ("urial:k=1,k=2", "'k' is set twice: remove one of the two."),
        ("base:temperature=x", "Temperature must be a number, not 'x'."),
        ("base:seed=-1", "Seed must be from 0 to 2^63 - 1, not -1."),
        ("urial:demos=none", "There is no demonstration set 'none'"),
        ("urial:ablation=none", "There is no ablation 'none'"),
        ("urial:pick=far", "Unknown value pick=far: choose one of first, nearest, nearest-turn."),
        ("base:overflow=cut", "overflow must be one of"),
        ("pocket-ift:k=2", "This lane has no option 'k': its own options are adapter, system"),
        ("ift", "This lane needs an adapter"),
        ('chat:system="', "The quoted value of system= is not closed"),
        ("unknown", "There is no lane 'unknown'"),
        ("chat:server=http://127.0.0.1:1/v1", "This lane needs a model: write MODEL@http://SERVER"),
    ],
)
def test_errors_of_a_lane_begin_with_its_letter_and_its_spec(spec: str, reason: str) -> None:
    library = Library.open("models/pocket")

    def parse(text: str) -> Variant:
        return parse_lane(text, library)

    with pytest.raises(InputError) as caught:
        parse_lanes(["base", spec], parse)
    assert str(caught.value).startswith(f"Lane B, {spec!r}: {reason}")
    with pytest.raises(InputError) as caught:
        parse_lanes([spec], parse)
    assert str(caught.value).startswith(f"Lane {spec!r}: {reason}")


def test_a_very_long_lane_is_quoted_in_part() -> None:
    with pytest.raises(InputError) as caught, name_lane_in_errors("urial:k=" + "9" * 5000):
        raise InputError("k must be smaller.")
    assert len(str(caught.value)) < 200


def test_the_controls_leave_a_number_that_is_too_large_in_the_spec() -> None:
    spec = "urial:k=" + "9" * 5000
    assert Recipe.of(spec) == Recipe(preset=spec)


def test_a_lane_says_which_options_it_has() -> None:
    library = Library.open("models/pocket")
    with pytest.raises(InputError, match="There is no lane 'nothing'"):
        parse_lane('nothing:system="a, b"', library)
    with pytest.raises(InputError, match=r"the decoding options temperature, top_p, .*, seed, stop"):
        parse_lane("base:k=1", library)


# --- For any values -------------------------------------------------------------------------------

texts = st.text(
    st.one_of(st.sampled_from(list(',="\\:\n\t\r 1')), st.characters(exclude_categories=["Cs"])), max_size=20
)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True)
option_names = st.from_regex(r"[a-z_]{1,9}", fullmatch=True)


@settings(deadline=None)
@given(name=names, options=st.dictionaries(option_names, st.one_of(texts, texts.map(Quoted)), max_size=4))
def test_any_spec_that_is_written_is_read_back(name: str, options: dict[str, str]) -> None:
    spec = format_spec(name, options)
    found, values = parse_spec(spec)
    assert (found, values) == (name, options)
    for key, value in options.items():  # a number in quotes stays a text
        assert not (isinstance(value, Quoted) and is_scalar(value)) or isinstance(values[key], Quoted)
    assert parse_spec(format_spec(found, values)) == (found, values)


SETS = Library.open("models/pocket").demo_sets
set_names = st.sampled_from(["", *SETS])
chat_values = {
    "system": texts,
    "template": st.sampled_from(["", "tool, use"]),
    "think": st.sampled_from(["drop", "keep"]),
    "variables": st.sampled_from(["", "n=1", 'day="1 May, 2025",n="1"']),
}
demonstration_values = {
    "demos": set_names,
    "k": st.one_of(st.none(), st.integers(0, 60)),
    "ablation": st.sampled_from(["", "random", "other", "shifted"]),
    "other": set_names,
    "pick": st.sampled_from(["first", "nearest", "nearest-turn"]),
}
overflow = st.sampled_from(["refuse", "drop-turns", "drop-demos"])
recipes = st.one_of(
    st.builds(Recipe, preset=st.sampled_from(["base", "raw"]), overflow=overflow),
    st.builds(
        Recipe,
        preset=st.sampled_from(["urial", "urial:adapter=a.b"]),
        overflow=overflow,
        stop_rule=st.sampled_from(["own", "paper"]),
        **demonstration_values,
    ),
    st.builds(
        Recipe, preset=st.sampled_from(["x", "chat", "chat:adapter=x"]), overflow=overflow, **chat_values
    ),
    st.builds(
        Recipe,
        preset=st.sampled_from(["few-shot-chat", "few-shot-chat:adapter=x"]),
        overflow=overflow,
        **demonstration_values,
        **chat_values,
    ),
)


@settings(deadline=None, max_examples=300)
@given(recipe=recipes, seed=st.one_of(st.none(), st.integers(0, 99)))
def test_any_recipe_keeps_its_spec(recipe: Recipe, seed: int | None) -> None:
    spec = recipe.spec("pocket-3", SETS, seed)
    again = Recipe.of(spec)
    assert again.preset == recipe.preset
    assert again.spec("pocket-3", SETS, seed) == spec
    assert Recipe.of(again.spec("pocket-3", SETS, seed)) == again
    seeded = "seed" in parse_spec(spec)[1]
    common = DecodingSettings(sampling=Sampling(seed=seed or 0)) if seeded else None
    assert read_link([("lane", spec)], 4, ("own",)) == (PageSetup(lanes=(spec,), common=common), [])


EARLIER = (
    "base",
    "raw",
    "base:overflow=drop-turns",
    "urial",
    "urial:demos=general-50,k=8",
    "urial:adapter=pocket-ift,k=1",
    "urial:k=3,pick=nearest,stop=paper",
    "urial:ablation=other,other=general-3",
    "urial:k=2,overflow=drop-demos",
    "urial:stop=END",
    "urial:temperature=0.7",
    "urial:k=three",
    "pocket-ift",
    "pocket-ift:think=keep,overflow=drop-turns",
    "ift:adapter=pocket-ift",
    "ift:adapter=pocket-ift,think=keep",
    "chat:adapter=pocket-ift",
    'chat:adapter=pocket-ift,system="Be brief, please.",think=keep',
    "chat:instruction=general-3,template=tool_use",
    'x:enable_thinking=false,n="1"',
    "nothing:k=1",
    'chat:system="',
)
"""Lanes that links and records of earlier versions have."""


@pytest.mark.parametrize("spec", EARLIER)
def test_a_lane_of_an_earlier_version_keeps_its_text(spec: str) -> None:
    assert Recipe.of(spec).spec("pocket-3", SETS) == spec
