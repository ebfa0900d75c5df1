"""Tests for converting between lane controls and lane specs."""

from __future__ import annotations

import pytest

from playground.lanes.recipe import Recipe
from playground.lanes.variant import parse_lane
from playground.library import Library

SETS = Library.open("models/pocket").demo_sets


def spec(recipe: Recipe, seed: int | None = None) -> str:
    return recipe.spec("pocket-3", SETS, seed)


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        (Recipe(preset="base"), "base"),
        (Recipe(preset="base", demos="general-3", k=2, ablation="shifted"), "base"),
        (Recipe(preset="urial", demos="pocket-3", k=3), "urial"),
        (Recipe(preset="urial", k=2), "urial:k=2"),
        (Recipe(preset="urial", demos="general-50", k=8), "urial:demos=general-50,k=8"),
        (Recipe(preset="urial:adapter=pocket-ift", k=1), "urial:adapter=pocket-ift,k=1"),
        (Recipe(preset="urial", k=3, pick="nearest"), "urial:k=3,pick=nearest"),
        (Recipe(preset="urial", ablation="shifted"), "urial:ablation=shifted"),
        (Recipe(preset="urial", ablation="other", other="general-3"), "urial:ablation=other,other=general-3"),
        (Recipe(preset="urial", k=2, stop_rule="paper"), "urial:k=2,stop=paper"),
        (Recipe(preset="pocket-ift", overflow="drop-turns"), "pocket-ift:overflow=drop-turns"),
    ],
)
def test_controls_spell_a_lane_that_there_is(recipe: Recipe, text: str) -> None:
    assert spec(recipe) == text
    assert parse_lane(text, Library.open("models/pocket")).name == text
    assert spec(Recipe.of(text)) == text  # and back again


def test_an_ablation_draws_by_the_seed_that_the_lane_samples_with() -> None:
    recipe = Recipe(preset="urial", ablation="random")
    assert spec(recipe, seed=7) == "urial:ablation=random,seed=7"
    assert Recipe.of("urial:ablation=random,seed=7") == Recipe.of("urial:ablation=random")
    assert spec(Recipe(preset="urial"), seed=7) == "urial"


@pytest.mark.parametrize(
    "text",
    [
        "urial:temperature=0.7",
        "base:top_p=0.5",
        "urial:k=three",
        "urial:stop=END",
        "base:stop=paper",
        "chat:adapter=x",
    ],
)
def test_a_lane_that_the_controls_cannot_express_stays_what_it_is(text: str) -> None:
    assert Recipe.of(text) == Recipe(preset=text)
    assert spec(Recipe.of(text)) == text
