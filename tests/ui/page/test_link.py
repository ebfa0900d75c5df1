"""Tests for settings links: round trips and invalid values."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.types import Sampling
from playground.ui.page.link import DecodingSettings, PageSetup, read_link, write_link

MODES = ["own", "shared-0", "shared-1", "swapped"]


def back(link: str) -> PageSetup:
    setup, problems = read_link(parse_qsl(link, keep_blank_values=True), 4, MODES)
    assert problems == []
    return setup


numbers = st.floats(0, 5).map(lambda value: round(value, 3))
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: "\\" not in text  # which a box of stop texts has no way to spell either, before an n
)
ways = st.builds(
    DecodingSettings,
    sampling=st.builds(
        Sampling,
        temperature=numbers,
        top_p=st.sampled_from([1.0, 0.9, 0.123]),
        top_k=st.integers(0, 100),
        repetition_penalty=st.sampled_from([1.0, 1.15]),
        penalty_scope=st.sampled_from(["all", "answer"]),
        max_new_tokens=st.integers(0, 5000),
        seed=st.integers(0, 2**63 - 1),
        stop=st.lists(texts, max_size=3).map(tuple),
    ),
    new_seed=st.booleans(),
)
LANES = ("urial:k=2,pick=nearest", "pocket-ift", "urial:adapter=a.b,ablation=other,other=x-3", "base")


@settings(max_examples=60, deadline=None)
@given(way=ways, mode=st.sampled_from(MODES), lanes=st.integers(1, 4))
def test_what_is_spelled_is_read_back(way: DecodingSettings, mode: str, lanes: int) -> None:
    plain = DecodingSettings() == way
    setup = PageSetup(lanes=LANES[:lanes], common=None if plain else way, mode=mode, probe="pocket/3")
    assert back(write_link(setup)) == setup
    apart = PageSetup(lanes=LANES[:lanes], linked=False, own=dict.fromkeys(range(lanes), way), mode=mode)
    assert back(write_link(apart)) == apart


def test_a_link_reads_as_a_person_would_write_it() -> None:
    setup = PageSetup(
        lanes=("urial:k=3", "pocket-ift"),
        common=DecodingSettings(sampling=Sampling(temperature=0.7), new_seed=True),
        probe="pocket/3",
    )
    assert write_link(setup) == "lane=urial:k=3&lane=pocket-ift&temperature=0.7&new_seed=yes&probe=pocket/3"
    assert write_link(PageSetup(lanes=("base",))) == "lane=base"


BAD = {
    "temperature=hot": "Temperature must be a number, not 'hot'",
    "temperature=-1": "Temperature must be 0 (greedy) or more",
    "temperature=nan": "Temperature must be a number",
    "top_p=2": "must be above 0 and at most 1",
    "seed=1.5": "Seed must be a whole number",
    "max_new_tokens=" + "9" * 5000: "max_new_tokens is longer than 40 characters",
    "penalty_scope=x": "must be 'all' or 'answer'",
    "stop=": "non-empty strings",
    "b.top_k=-2": "must be 0 (off) or more",
    "history=theirs": "history mode must be one of own, shared-0, shared-1, swapped, not 'theirs'",
    "lane=" + "x" * 4001: "Lane A in the link is longer than 4,000 characters",
    "lane=urial:temperature=0.7": "Lane A in the link contains decoding parameters",
    "&".join(["lane=base"] * 5): "has 5 lanes: only the first 4 are shown",
}


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad[:24])
def test_a_bad_value_is_one_sentence_and_the_rest_is_used(bad: str) -> None:
    setup, problems = read_link(
        parse_qsl(f"{bad}&min_p=0.1&c=x&__theme=dark", keep_blank_values=True), 4, MODES
    )
    assert len(problems) == 1
    assert BAD[bad] in problems[0]
    assert len(problems[0]) < 300
    assert setup.common is not None
    assert setup.common.sampling.min_p == 0.1


def test_a_stop_rule_of_a_lane_is_no_decoding_parameter() -> None:
    assert back("lane=urial:stop=paper,k=2").lanes == ("urial:stop=paper,k=2",)
    for lane in ("urial:stop=END", "base:stop=x", "chat:stop=own"):
        _, problems = read_link([("lane", lane)], 4, MODES)
        assert "Lane A in the link contains decoding parameters" in problems[0]


def test_the_seed_of_an_ablation_is_also_the_seed_of_the_answers() -> None:
    random = "lane=urial:ablation=random,seed=5"
    common = back(f"{random}&temperature=0.7").common
    assert common is not None
    assert (common.sampling.seed, common.sampling.temperature) == (5, 0.7)
    apart = back(f"{random}&lane=urial:ablation=other,seed=7&lane=base&linked=no").own
    assert [apart[lane].sampling.seed for lane in range(3)] == [5, 7, 0]
    assert back(f"{random}&seed=5").common == back(random).common


@pytest.mark.parametrize(
    ("bad", "sentence", "seed"),
    [
        ("lane=urial:ablation=random,seed=5&seed=3", "has the seed '5', but its answers have the seed 3", 3),
        (
            "lane=urial:ablation=random,seed=5&lane=urial:ablation=other,seed=6",
            "Lane B in the link has the",
            5,
        ),
        ("lane=urial:ablation=random,seed=x", "Lane A in the link: Seed must be a whole number", 0),
    ],
)
def test_seeds_that_disagree_are_reported(bad: str, sentence: str, seed: int) -> None:
    setup, problems = read_link(parse_qsl(bad), 4, MODES)
    assert len(problems) == 1
    assert sentence in problems[0]
    assert (setup.common or DecodingSettings()).sampling.seed == seed


def test_parameters_of_other_names_are_passed_over() -> None:
    assert read_link([("c", "1"), ("__theme", "dark"), ("b.other", "1"), ("start", "Yes")], 4, MODES) == (
        PageSetup(),
        [],
    )
