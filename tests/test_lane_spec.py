"""Lane specs: quoted values, and that what is written is read back."""

import random

import pytest

from playground.lanes.recipe import Recipe
from playground.lanes.spec import format_spec, parse_spec
from playground.lanes.variant import parse_lane
from playground.library import Library
from playground.types import InputError
from playground.types.option_value import Quoted
from playground.ui.page.link import SetUp, read, spelled


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
def test_a_spec_is_read(spec, options):
    assert parse_spec(spec) == ("chat", options)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("chat:a", "'a' is not key=value"),
        ("chat:a=1,a=2", "gives 'a' twice"),
        ('chat:a="x', "does not end"),
        ('chat:a="x"y', "text follows it"),
        ('chat:a="x\\"', "does not end"),
    ],
)
def test_a_bad_spec_is_refused_in_one_sentence(spec, reason):
    with pytest.raises(InputError, match=reason) as caught:
        parse_spec(spec)
    assert "\n" not in str(caught.value)


def values(seed: int) -> str:
    """A text with what specs give a meaning to, and other scripts."""
    rng = random.Random(seed)
    return "".join(rng.choice(',="\\:\n\t\r anb1é🙂%&+#') for _ in range(rng.randrange(12)))


def test_what_is_written_is_read_back():
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


def test_a_quoted_number_stays_a_text():
    _, options = parse_spec(format_spec("chat", {"a": Quoted("1"), "b": "1"}))
    assert isinstance(options["a"], Quoted)
    assert not isinstance(options["b"], Quoted)


def test_controls_and_links_spell_lanes_that_are_read_back():
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
        assert read(pairs, 4, ("own",)) == (SetUp(lanes=(spec,), common=None), [])
        assert "\n" not in spelled(SetUp(lanes=(spec,)))


def test_template_variables_of_the_controls_cannot_be_options_of_the_lane():
    for text in ("temperature=1", "adapter=x", "k=2", "no equals sign", 'a="'):
        with pytest.raises(InputError):
            Recipe(preset="x", variables=text).spec("general-3", {})
    with pytest.raises(InputError, match="Template variables: 'no equals sign' is not key=value"):
        Recipe(preset="x", variables="a=1,no equals sign").spec("general-3", {})


def test_a_lane_says_which_options_it_has():
    library = Library.open("models/pocket")
    with pytest.raises(InputError, match="There is no lane 'nothing'"):
        parse_lane('nothing:system="a, b"', library)
    with pytest.raises(InputError, match="has no option 'k'"):
        parse_lane("base:k=1", library)
