"""Tests for the HTML of probes: order, search and escaping."""

import re
from itertools import groupby

from playground.library import POCKET, ROOT
from playground.library.probes import Probe, find_probes
from playground.ui.html import probes as html_probes

PROBES, _ = find_probes([ROOT / "prompts" / "probes"])
HOSTILE = "<img src=x onerror=alert(1)>${1 + 1}{{value}}</ol>"


def probe(**rest: object) -> Probe:
    values = {"name": "mine/1", "title": "T", "category": "c", "turns": ("a", "b"), "reference": (None, "R")}
    return Probe(**{**values, **rest})  # type: ignore[arg-type]


def test_the_pocket_worlds_own_come_first_for_the_pocket_model_and_last_for_others() -> None:
    def files(base: str) -> list[str]:
        return list(dict.fromkeys(probe.file for probe in html_probes.order_probes(PROBES, base)))

    assert files(POCKET) == ["pocket", "general", "weak-spots"]
    assert files("mistralai/Mistral-7B-v0.1") == ["general", "weak-spots", "pocket"]
    assert "knows only its own small world" in html_probes.render_probes(PROBES, POCKET)
    assert "knows only its own small world" not in html_probes.render_probes(PROBES, "other/model")


def test_a_category_is_one_group_of_a_file() -> None:
    kinds = [(probe.file, probe.category) for probe in html_probes.order_probes(PROBES, POCKET)]
    assert [kind for kind, _ in groupby(kinds)] == list(dict.fromkeys(kinds))


def test_every_kind_narrows_to_its_probes_and_all_are_in_one() -> None:
    kinds = [kind for _, kind in html_probes.list_kinds(PROBES)]
    assert len(set(kinds)) == len(kinds)
    by_category = [html_probes.filter_probes(PROBES, kind, "") for kind in kinds if "/" in kind]
    assert sum(map(len, by_category)) == len(PROBES) == len(html_probes.filter_probes(PROBES, "", ""))
    assert {probe.file for probe in html_probes.filter_probes(PROBES, "pocket", "")} == {"pocket"}


def test_all_words_must_be_in_a_probe_wherever_they_stand() -> None:
    found = html_probes.filter_probes(PROBES, "", "JAPAN france")
    assert [probe.name for probe in found] == ["pocket/1"]
    assert html_probes.filter_probes(PROBES, "general", "japan france") == []


def test_text_of_a_probe_stays_text() -> None:
    hostile = probe(title=HOSTILE, tests=HOSTILE, turns=(HOSTILE, "b"), reference=(HOSTILE, None))
    for html in (
        html_probes.render_probes([hostile], "b"),
        *(html_probes.render_playing(hostile, n) for n in range(3)),
    ):
        assert "<img" not in html
        assert "${" not in html
        assert "{{" not in html
    assert "&lt;img" in html_probes.render_probes([], "b", [HOSTILE])


def test_reference_answers_are_folded_and_one_for_each_message() -> None:
    html = html_probes.render_probes([probe()], "b")
    (folded,) = re.findall(r"<details>(.*?)</details>", html)
    assert folded.count("<li>") == 2
    assert "R" not in html.replace(folded, "")
    assert "<details" not in html_probes.render_probes([probe(reference=(None, None))], "b")


def test_the_row_says_which_message_is_next_and_never_the_answer_to_it() -> None:
    beside = probe(reference=("first right", "second right"))
    assert "message 1 of 2" in html_probes.render_playing(beside, 0)
    assert "right" not in html_probes.render_playing(beside, 0)
    assert "first right" in html_probes.render_playing(beside, 1)
    assert "second right" not in html_probes.render_playing(beside, 1)
    assert "all 2 messages sent" in html_probes.render_playing(beside, 2)
