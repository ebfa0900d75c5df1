"""Tests for the HTML of the scoreboard: counts, confidence intervals and escaping."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from playground.judging.votes import HUMAN
from playground.scoreboard import build_board
from playground.scoreboard.entries import find_entrant
from playground.types import Conversation
from playground.ui.html.scores import Labels, render_bar, render_section
from tests.helpers.verdicts import judged, talk, win

NO_LANES = Labels(cards={})
EVIL = "<img src=x onerror=alert(1)>${1}{{x}}"


def drawn(
    conversations: Sequence[Conversation],
    judge: str = "judge",
    rubric: str = "pairwise",
    labels: Labels = NO_LANES,
) -> str:
    known = {conversation.id: conversation for conversation in conversations}
    return render_section(judge, "about", build_board(conversations, judge, rubric), known, labels)


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def test_a_pair_says_wins_ties_rate_interval_and_how_few() -> None:
    told = text(
        drawn([win(talk(("a", "b")), 0, 0), win(talk(("c", "d")), 0, 0), win(talk(("e", "f")), 0, 1)])
    )
    assert "1 : 2" in told, "the first stands at the right, where the bars end at 100%"
    assert "67% 21% to 94%" in told  # Wilson's interval of two of three
    assert "Only 3 comparisons: too few to draw conclusions." in told


def test_the_bar_leans_to_the_side_of_who_wins() -> None:
    for winner, end in ((0, 100), (1, 0)):
        [point] = re.findall(
            r'class="point" style="left:([\d.]+)%"', drawn([win(talk(("a", "b")), 0, winner)])
        )
        assert float(point) == end, "the first stands at the right"


def test_every_bar_grows_to_the_right_and_names_its_ends() -> None:
    pair = drawn([win(talk(("a", "b")), 0, 0)])
    first, second = re.findall(r"<strong>(.*?)</strong>", pair)[::-1]
    assert f'<div class="axis"><span>{second}</span><span>{first}</span></div>' in pair
    assert f"win rate of {first}, 95% interval" in pair
    scored = judged(talk(("a", "b")), 0, outcome="scored", scores=(8.0, 3.0), scale=(1.0, 10.0))
    assert '<div class="axis"><span>1</span><span>10</span></div>' in drawn([scored])
    right = judged(talk(("a", "b")), 0, outcome="scored", scores=(1.0, 0.0), scale=(0.0, 1.0))
    assert '<div class="axis"><span>0%</span><span>100%</span></div>' in drawn([right])


def test_scores_have_their_means_and_what_has_none_is_counted_apart() -> None:
    one = judged(talk(("a", "b")), 0, outcome="scored", scores=(8.0, 3.0), scale=(1.0, 10.0))
    two = judged(talk(("c", "d")), 0, outcome="scored", scores=(6.0, 5.0), scale=(1.0, 10.0))
    cut = judged(talk(("e", "f")), 0, outcome="cut", scores=(None, None), scale=(1.0, 10.0))
    told = text(drawn([one, two, cut]))
    assert "mean score, 1 to 10, 95% interval" in told
    assert re.search(r"7.00 1.00 to 10.00 .*4.00 1.00 to 10.00", told), "two conversations tell little"
    assert "1 reply cut off" in told


def test_disagreements_lead_to_their_conversations() -> None:
    conversation = win(talk(("a", "b")), 0, 0)
    conversation = win(conversation, 0, 1, judge=HUMAN, rubric="vote")
    written = drawn([conversation])
    assert f'data-act="open" data-id="{conversation.id}"' in written
    assert "turn 1: vote B, judge A" in re.sub(r"<[^>]+>", "", written)
    assert "Agrees with the votes 0%" in text(written)


def test_names_are_text() -> None:
    conversation = win(talk(("a", "b")), 0, 0, judge=EVIL)
    variants = tuple(dataclasses.replace(v, name=f"{v.name} {EVIL}") for v in conversation.variants)
    turns = tuple(
        dataclasses.replace(
            turn,
            user=EVIL,
            answers=tuple(dataclasses.replace(a, variant=f"{a.variant} {EVIL}") for a in turn.answers),
        )
        for turn in conversation.turns
    )
    conversation = dataclasses.replace(conversation, variants=variants, turns=turns)
    conversation = win(conversation, 0, 1, judge=HUMAN, rubric="vote")
    written = drawn([conversation], judge=EVIL)
    assert "<img" not in written
    assert "${" not in written
    assert "{{" not in written
    assert "&lt;img" in written


def test_a_bar_keeps_within_its_scale() -> None:
    assert "left:0.0%;width:100.0%" in render_bar(5.5, (-3.0, 14.0), (1.0, 10.0))
    assert "between" not in render_bar(5.5, None, (1.0, 10.0))


def test_a_variant_that_is_open_in_a_lane_has_its_letter_and_color_and_others_have_none() -> None:
    conversation = win(talk(("a", "b")), 0, 0)
    scored = judged(talk(("a", "b")), 0, outcome="scored", scores=(8.0, 3.0), scale=(1.0, 10.0))
    first, second = (find_entrant(conversation, 0, lane).recipe for lane in (0, 1))
    assert "of-lane" not in drawn([conversation]) + drawn([scored])
    pair = drawn([conversation], labels=Labels(cards={}, lanes={first: [2], second: [0, 3]}))
    assert '<strong><b class="lane-letter of-lane-2">C</b> ' in pair
    both = '<b class="lane-letter of-lane-0">A</b> <b class="lane-letter of-lane-3">D</b> '
    assert f"<strong>{both}" in pair
    rows = drawn([scored], labels=Labels(cards={}, lanes={second: [1]}))
    assert (
        rows.count('<tr class="of-lane-1"><th scope="row"><strong><b class="lane-letter of-lane-1">B</b>')
        == 1
    )
    assert rows.count('<tr class="">') == 1
