"""Tests for the summaries of what distinguishes lanes."""

from __future__ import annotations

from typing import Any

import pytest

from playground.lanes.summary import summarize_lanes
from playground.library import Library
from playground.types import Sampling

SETS = Library.open("models/pocket").demo_sets
GREEDY = vars(Sampling())


def summarize(*specs: str, decoding: list[dict[str, Any]] | None = None, **options: Any) -> list[str]:
    """The summaries of the lanes, with an asterisk after each setting that differs."""
    each = [GREEDY | (decoding[number] if decoding else {}) for number in range(len(specs))]
    found = summarize_lanes(specs, each, "pocket-3", SETS, **options)
    return [" · ".join(f"{one.text}{'*' if one.differs else ''}" for one in lane) for lane in found]


def decode(*decoding: dict[str, Any], **options: Any) -> list[str]:
    """The summaries of base lanes that decode in different ways."""
    return summarize(*["base"] * len(decoding), decoding=list(decoding), **options)


@pytest.mark.parametrize(
    ("specs", "summaries"),
    [
        (
            ("urial:demos=pocket-50,k=20,pick=nearest", "urial"),
            ["pocket-50* · K 20* · nearest to message 1*", "pocket-3* · K 3* · first in the set*"],
        ),
        (("urial", "pocket-ift"), ["pocket-3 · K 3", ""]),
        (("urial", "urial"), ["", ""]),
        (("urial:k=2", "urial", "base"), ["pocket-3 · K 2*", "pocket-3 · K 3*", ""]),
        (("urial", "urial:adapter=pocket-ift,k=1"), ["K 3*", "K 1*"]),
        (("pocket-ift", "pocket-ift-10"), ["", ""]),  # the lanes' names differ
        (("urial:ablation=shifted", "urial"), ["ablation shifted*", "no ablation*"]),
        (
            ("urial:ablation=other,other=general-3", "urial:ablation=other,other=pocket-50"),
            ["ablation other (general-3)*", "ablation other (pocket-50)*"],
        ),
        (("urial:stop=paper", "urial"), ["paper stop rule*", "own stop rule*"]),
        (("urial:overflow=drop-demos", "base"), ["pocket-3 · K 3 · drops the last demonstrations*"]),
        (
            ('pocket-ift:system="Be brief, please."', "pocket-ift"),
            ["system “Be brief, please.”*", "no system message*"],
        ),
        (("pocket-ift:instruction=pocket-3", "base"), ["instruction of pocket-3", ""]),
        (("pocket-ift:template=tools", "pocket-ift"), ["tools template*", "default template*"]),
        (("pocket-ift:think=keep", "pocket-ift"), ["keeps earlier thinking*", "drops earlier thinking*"]),
        (("pocket-ift:enable_thinking=false", "pocket-ift"), ["enable_thinking=false*", "no variables*"]),
        (("urial:k=2",), ["pocket-3 · K 2"]),  # a single lane
        (("urial:temperature=0.7", "urial"), ["", "pocket-3 · K 3"]),  # named in the head
    ],
)
def test_a_lane_is_summarized_by_what_other_lanes_do_not_have(
    specs: tuple[str, ...], summaries: list[str]
) -> None:
    assert summarize(*specs)[: len(summaries)] == summaries


@pytest.mark.parametrize(
    ("decoding", "summaries"),
    [
        (({}, {}), ["", ""]),
        (({"temperature": 0.7}, {}), ["T 0.7*", "greedy*"]),
        (
            ({"temperature": 0.7, "top_p": 0.9}, {"temperature": 0.7}),
            ["top-p 0.9*", "top-p 1*"],
        ),
        (({"top_p": 0.9, "top_k": 5, "min_p": 0.1}, {}), ["", ""]),  # without effect when greedy
        (({"repetition_penalty": 1.15}, {}), ["penalty 1.15*", "penalty 1*"]),
        (
            ({"repetition_penalty": 1.15, "penalty_scope": "answer"}, {"repetition_penalty": 1.15}),
            ["penalty on the answer only*", "penalty on prompt and answer*"],
        ),
        (({"max_new_tokens": 2048}, {}), ["max 2,048*", "max 256*"]),
        (({"temperature": 1, "seed": 123456789}, {"temperature": 1}), ["seed 123456789*", "seed 0*"]),
        (({"seed": 1}, {}), ["", ""]),
        (({"stop": ("Paris", "\n")}, {}), [r"stop at 'Paris', '\n'*", "no stop sequences*"]),
    ],
)
def test_decoding_is_shown_where_lanes_differ(
    decoding: tuple[dict[str, Any], ...], summaries: list[str]
) -> None:
    assert decode(*decoding) == summaries


def test_seeds_that_lanes_do_not_share() -> None:
    warm = {"temperature": 1.0, "seed": 3}
    assert decode(warm, warm, new_seeds=[True, False]) == ["new seed each turn*", "seed 3*"]
    assert decode(warm, warm, new_seeds=[True, True]) == ["", ""]
    specs = ("urial:ablation=random", "urial:ablation=random")  # random choices, even if greedy
    assert summarize(*specs, decoding=[{"seed": 1}, {"seed": 2}]) == ["seed 1*", "seed 2*"]


def test_decoding_of_unlinked_lanes_is_always_shown() -> None:
    assert decode({}, {}, linked=False) == ["greedy", "greedy"]
    assert decode({"temperature": 0.7, "top_p": 0.9}, linked=False) == ["T 0.7 · top-p 0.9"]
    assert decode({"temperature": 0.7}) == [""]  # a single lane decodes as the controls below it say


def test_a_set_that_is_missing_is_named() -> None:
    assert summarize("urial:demos=gone", "base")[0] == "gone (missing)"
    assert summarize("urial:demos=gone,k=2", "base")[0] == "gone (missing) · K 2"
